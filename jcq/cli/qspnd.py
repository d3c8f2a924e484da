"""qspnd: suspend running requests."""

from jcq.client import leave, run
from jcq.options import QSPND


def main(root=None):
    """Run the command; returns its exit code. `root` is what an installed command carries, or None."""
    return run(QSPND, root)


def command(root=None):
    """Run the command and end the process, without the time that taking down the interpreter takes."""
    leave(run(QSPND, root))


if __name__ == "__main__":
    command()
