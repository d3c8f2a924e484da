"""qstatr: show requests, one a line."""

from jcq.client import leave, run
from jcq.options import QSTATR


def main(root=None):
    """Run the command; returns its exit code. `root` is what an installed command carries, or None."""
    return run(QSTATR, root)


def command(root=None):
    """Run the command and end the process, without the time that taking down the interpreter takes."""
    leave(run(QSTATR, root))


if __name__ == "__main__":
    command()
