"""qchk: take checkpoints, which jcq has not."""

from jcq.client import leave, run
from jcq.options import QCHK


def main(root=None):
    """Run the command; returns its exit code. `root` is what an installed command carries, or None."""
    return run(QCHK, root)


def command(root=None):
    """Run the command and end the process, without the time that taking down the interpreter takes."""
    leave(run(QCHK, root))


if __name__ == "__main__":
    command()
