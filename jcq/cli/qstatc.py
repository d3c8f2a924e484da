"""qstatc: show complexes, one a line."""

from jcq.client import leave, run
from jcq.options import QSTATC


def main(root=None):
    """Run the command; returns its exit code. `root` is what an installed command carries, or None."""
    return run(QSTATC, root)


def command(root=None):
    """Run the command and end the process, without the time that taking down the interpreter takes."""
    leave(run(QSTATC, root))


if __name__ == "__main__":
    command()
