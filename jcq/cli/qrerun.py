"""qrerun: end running requests and queue them again."""

from jcq.client import leave, run
from jcq.options import QRERUN


def main(root=None):
    """Run the command; returns its exit code. `root` is what an installed command carries, or None."""
    return run(QRERUN, root)


def command(root=None):
    """Run the command and end the process, without the time that taking down the interpreter takes."""
    leave(run(QRERUN, root))


if __name__ == "__main__":
    command()
