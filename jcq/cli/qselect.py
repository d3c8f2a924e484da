"""qselect: print the ids of requests that fit."""

from jcq.client import leave, run
from jcq.options import QSELECT


def main(root=None):
    """Run the command; returns its exit code. `root` is what an installed command carries, or None."""
    return run(QSELECT, root)


def command(root=None):
    """Run the command and end the process, without the time that taking down the interpreter takes."""
    leave(run(QSELECT, root))


if __name__ == "__main__":
    command()
