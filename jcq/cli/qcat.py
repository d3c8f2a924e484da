"""qcat: show what a running request has written so far, or the script of a request."""

from jcq.client import leave
from jcq.output_client import run


def main(root=None):
    """Run the command; returns its exit code. `root` is what an installed command carries, or None."""
    return run(root)


def command(root=None):
    """Run the command and end the process, without the time that taking down the interpreter takes."""
    leave(run(root))


if __name__ == "__main__":
    command()
