"""Spools of C structures, written by a compiled C program, and the shipped example fitted to each layout."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass

import pytest

from jcq.conf_files import conf_path
from support import skips

SOURCE = os.path.join(os.path.dirname(os.path.dirname(__file__)), "data", "declared", "write_spool.c")
#: A C program may take so long.
_LIMIT_S = 120
#: (bits of long, byte order, alignment of 64 bits): the first is what the example describes, the second i386's.
LAYOUTS = {
    "32 bit big-endian": (32, "big", 8),
    "32 bit little-endian": (32, "little", 4),
    "64 bit big-endian": (64, "big", 8),
    "64 bit little-endian": (64, "little", 8),
}


def example():
    """The text of the shipped example."""
    with open(conf_path("spoolconv", "example-layout.toml"), encoding="utf-8") as file:
        return file.read()


@dataclass
class Spool:
    """A written spool."""

    directory: str
    #: Path of its description.
    description: str
    #: What the program says that it wrote.
    truth: list


class Writer:
    """The program for one layout, compiled here.

    Args:
        directory: a scratch directory.
        layout: a name of `LAYOUTS`.
    """

    def __init__(self, directory, layout):
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            pytest.skip(skips.NEEDS_COMPILER)
        self._directory = str(directory)
        self.bits, self.order, align = LAYOUTS[layout]
        self._program = os.path.join(self._directory, "write_spool")
        command = [compiler, "-O1", "-std=gnu11", f"-DLONG_BITS={self.bits}", f"-DALIGN64={align}"]
        probe = subprocess.run([*command, "-DSWAP=0", "-E", "-dM", "-"], input="", capture_output=True, text=True)
        here = "big" if "__BYTE_ORDER__ __ORDER_BIG_ENDIAN__" in probe.stdout else "little"
        swap = f"-DSWAP={int(self.order != here)}"
        built = subprocess.run(
            [*command, swap, "-o", self._program, SOURCE], capture_output=True, text=True, timeout=_LIMIT_S
        )
        if built.returncode and ".h: No such file" in built.stderr:
            pytest.skip(skips.NEEDS_COMPILER)
        assert built.returncode == 0, built.stderr
        self._count = 0

    def description(self):
        """The example, with this layout's sizes, offsets and byte order."""
        text = example().replace('byte_order = "big"', f'byte_order = "{self.order}"')
        text = text.replace("long_bits = 32", f"long_bits = {self.bits}")
        layout = dict(line.split() for line in self._run("layout").splitlines())
        name, lines = "", []
        for line in text.splitlines(keepends=True):
            table = re.match(r"\[structures\.(\w+)", line)
            name = table[1] if table else name
            field = re.match(r"(\w+) = \{ offset = \d+", line)
            if field:
                line = re.sub(r"offset = \d+", f"offset = {layout[f'{name}.{field[1]}']}", line)
            elif re.match(r"size = \d+", line):
                line = f"size = {layout[name]}\n"
            elif line.startswith("environment = "):
                line = re.sub(r"start = \d+", f"start = {layout['header']}", line)
            lines.append(line)
        return "".join(lines)

    def write(self, more=0):
        """A new `Spool`, with so many more plain requests."""
        self._count += 1
        directory = os.path.join(self._directory, f"spool{self._count}")
        os.mkdir(directory)
        path = os.path.join(self._directory, f"layout{self._count}.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.description())
        told = self._run("spool", directory, str(more))
        return Spool(directory, path, [json.loads(line) for line in told.splitlines()])

    def _run(self, *words):
        done = subprocess.run([self._program, *words], capture_output=True, text=True, timeout=_LIMIT_S)
        assert done.returncode == 0, done.stderr
        return done.stdout
