"""qlimit: show the resource limits that requests may have."""

from jcq.client import leave, run
from jcq.options import QLIMIT


def main(root=None):
    """Run the command; returns its exit code. `root` is what an installed command carries, or None."""
    return run(QLIMIT, root)


def command(root=None):
    """Run the command and end the process, without the time that taking down the interpreter takes."""
    leave(run(QLIMIT, root))


if __name__ == "__main__":
    command()
