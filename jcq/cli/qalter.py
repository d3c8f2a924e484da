"""qalter: change what qsub said of requests that do not run yet."""

from jcq.client import leave, run
from jcq.options import QALTER


def main(root=None):
    """Run the command; returns its exit code. `root` is what an installed command carries, or None."""
    return run(QALTER, root)


def command(root=None):
    """Run the command and end the process, without the time that taking down the interpreter takes."""
    leave(run(QALTER, root))


if __name__ == "__main__":
    command()
