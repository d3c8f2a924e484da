"""qdev: show devices, which jcq has not."""

from jcq.client import leave, run
from jcq.options import QDEV


def main(root=None):
    """Run the command; returns its exit code. `root` is what an installed command carries, or None."""
    return run(QDEV, root)


def command(root=None):
    """Run the command and end the process, without the time that taking down the interpreter takes."""
    leave(run(QDEV, root))


if __name__ == "__main__":
    command()
