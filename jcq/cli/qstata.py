"""qstata: show who may submit to which queue, one queue a line."""

from jcq.client import leave, run
from jcq.options import QSTATA


def main(root=None):
    """Run the command; returns its exit code. `root` is what an installed command carries, or None."""
    return run(QSTATA, root)


def command(root=None):
    """Run the command and end the process, without the time that taking down the interpreter takes."""
    leave(run(QSTATA, root))


if __name__ == "__main__":
    command()
