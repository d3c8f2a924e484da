"""What is installed: commands load, configuration is found, packages are empty; and README keeps its words."""

import importlib
import os
import re
import tomllib
from pathlib import Path

import pytest

import jcq
import worker
from jcq.conf_files import conf_path

TOP = Path(__file__).parents[2]
SCRIPTS = tomllib.loads(TOP.joinpath("pyproject.toml").read_text())["project"]["scripts"]


@pytest.mark.parametrize("command", sorted(SCRIPTS))
def test_every_command_has_its_main(command):
    module, _, function = SCRIPTS[command].partition(":")
    assert module == f"jcq.cli.{command}"
    assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.parametrize("name", ["daemon.conf", "resolv.def", "site.conf"])
def test_configuration_files_are_found(name):
    assert os.path.getsize(conf_path(name)) > 0


def test_a_configuration_file_that_does_not_exist_is_said():
    with pytest.raises(FileNotFoundError, match="nonsense"):
        conf_path("nonsense")


def test_every_package_file_is_empty():
    for package in (jcq, worker):
        found = list(Path(package.__file__).parent.rglob("__init__.py"))
        assert found
        assert [path for path in found if path.stat().st_size] == []


def test_readme_has_its_two_commands_first_and_the_promises_in_their_words():
    text = TOP.joinpath("README.md").read_text()
    commands = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert [len(command.splitlines()) for command in commands] == [1, 1]
    assert commands[0].rstrip().endswith("jcq quickstart")
    assert commands[1].rstrip().endswith("pytest")
    words = " ".join(text.split()).lower()
    assert (
        "an acknowledged submission is never lost; a non-restartable request is started at most once; a restartable "
        "one is run to completion at least once; a report from an owner that has been replaced is never accepted."
    ) in words
