"""Where spooled output stands when output_spool= is set, changed and unset, and which directories are refused."""

import errno
import logging
import os
import stat

import pytest

from jcq.cluster import output_spool
from jcq.cluster.errors import OutputSpoolUnusable
from jcq.site import Site

LOG = logging.Logger("test")


@pytest.fixture
def site(tmp_path):
    made = Site("/", str(tmp_path / "nqs"), name="testsite")
    os.makedirs(made.output)
    return made


@pytest.fixture
def disk(tmp_path):
    """A directory for output, as if it were on another file system."""
    path = tmp_path / "disk"
    path.mkdir(mode=0o755)
    return str(path)


def put(site, name, text="output"):
    path = os.path.join(site.output, name)
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    os.chmod(path, 0o600)


def spooled(site):
    return sorted(os.listdir(site.output))


def place(site, directory):
    output_spool.check(site, directory)
    output_spool.place(site, directory, LOG)


def test_output_goes_where_it_is_told_and_comes_back(site, disk):
    put(site, "200-1.a1.e2.out")
    place(site, disk)
    assert os.path.realpath(site.output) == os.path.join(disk, "testsite")
    assert stat.S_IMODE(os.stat(os.path.join(disk, "testsite")).st_mode) == 0o711
    assert spooled(site) == ["200-1.a1.e2.out"]
    put(site, "200-2.a1.e2.out")
    place(site, disk)
    place(site, "")
    assert not os.path.islink(site.output)
    assert stat.S_IMODE(os.stat(site.output).st_mode) == 0o711
    assert spooled(site) == ["200-1.a1.e2.out", "200-2.a1.e2.out"]
    assert os.listdir(os.path.join(disk, "testsite")) == []
    assert sorted(os.listdir(site.directory)) == ["output"]


def test_from_one_disk_to_another(site, disk, tmp_path):
    place(site, disk)
    put(site, "200-1.a1.e2.out")
    (tmp_path / "other").mkdir(mode=0o755)
    place(site, str(tmp_path / "other"))
    assert os.path.realpath(site.output) == str(tmp_path / "other" / "testsite")
    assert spooled(site) == ["200-1.a1.e2.out"]


def test_across_file_systems_files_are_copied_whole(site, disk, monkeypatch):
    put(site, "200-1.a1.e2.out", "x" * 100_000)
    rename = os.rename

    def across(old, new, **options):
        if os.path.isfile(old) and os.path.dirname(old) != os.path.dirname(new):
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        rename(old, new, **options)

    monkeypatch.setattr("os.rename", across)
    place(site, disk)
    assert spooled(site) == ["200-1.a1.e2.out"]
    path = os.path.join(site.output, "200-1.a1.e2.out")
    assert os.path.getsize(path) == 100_000
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


@pytest.mark.parametrize("directory", ["disk", ""])
@pytest.mark.parametrize("step", range(1, 5))
def test_a_start_that_was_cut_off_is_finished_by_the_next(site, disk, monkeypatch, step, directory):
    """Whatever was done of it, and whichever way the next start is to go."""

    class CutOff(Exception):
        """The machine died."""

    if not directory:
        place(site, disk)
    put(site, "200-1.a1.e2.out")
    put(site, "200-2.a1.e2.out")
    done = []

    def cut(function):
        def counted(*arguments, **options):
            done.append(arguments)
            if len(done) == step:
                raise CutOff
            return function(*arguments, **options)

        return counted

    with monkeypatch.context() as patch:
        for name in ("rename", "unlink", "symlink"):
            patch.setattr(f"os.{name}", cut(getattr(os, name)))
        try:
            place(site, disk if directory else "")
        except CutOff:
            done.append("cut")
    for way in (disk, "", disk):
        place(site, way)
        assert spooled(site) == ["200-1.a1.e2.out", "200-2.a1.e2.out"]


def test_a_disk_that_is_gone_does_not_hold_the_site(site, disk, tmp_path):
    place(site, disk)
    os.rename(disk, str(tmp_path / "unmounted"))
    place(site, "")
    assert spooled(site) == []


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: "relative/path", "no absolute path"),
        (lambda path: str(path / "missing"), "mount its disk"),
        (lambda path: _made(path / "open", 0o777), "everybody may rename"),
        (lambda path: _taken(path / "taken"), "is no directory of uid"),
    ],
)
def test_refused(site, tmp_path, make, words):
    with pytest.raises(OutputSpoolUnusable, match=words) as caught:
        output_spool.check(site, make(tmp_path))
    assert caught.value.exit_code == 5


def _made(path, mode):
    path.mkdir()
    path.chmod(mode)
    return str(path)


def _taken(path):
    path.mkdir(mode=0o755)
    (path / "testsite").write_text("")
    return str(path)
