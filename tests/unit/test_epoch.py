"""Epochs: each start's own copy of the data, whole or not at all."""

import os

import pytest

from jcq.cluster import epoch
from jcq.errors import DatabaseUnusable
from jcq.site import Site

MANIFEST = (
    "file appendonly.aof.2.base.rdb seq 2 type b\n"
    "file appendonly.aof.1.incr.aof seq 1 type h\n"
    "file appendonly.aof.2.incr.aof seq 2 type i\n"
)


@pytest.fixture
def site(tmp_path):
    (tmp_path / "database").mkdir()
    return Site(str(tmp_path), str(tmp_path), name="testsite")


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


@pytest.fixture
def data(site):
    """Function: path of a file in the data of an epoch; epoch 3 is filled."""

    def place(number, *parts):
        return site.path("database", f"e{number}", epoch.DATA, *parts)

    write(place(3, "appendonly.aof.manifest"), MANIFEST)
    write(place(3, "appendonly.aof.2.base.rdb"), "base")
    write(place(3, "appendonly.aof.1.incr.aof"), "history")
    write(place(3, "appendonly.aof.2.incr.aof"), "incremental")
    return place


def test_the_first_one_is_empty_and_private(site):
    assert epoch.create_first(site) == 1
    assert os.listdir(site.path("database", "e1")) == []
    assert os.stat(site.path("database", "e1")).st_mode & 0o777 == 0o700


def test_the_next_one_has_the_data(site, data):
    assert epoch.advance(site, 0) == 4
    assert sorted(os.listdir(data(4))) == [
        "appendonly.aof.2.base.rdb",
        "appendonly.aof.2.incr.aof",
        "appendonly.aof.manifest",
    ]
    assert read(data(4, "appendonly.aof.2.base.rdb")) == "base"
    assert read(data(4, "appendonly.aof.2.incr.aof")) == "incremental"
    assert " type h" not in read(data(4, "appendonly.aof.manifest"))


def test_the_base_is_shared_and_what_is_written_on_is_not(site, data):
    epoch.advance(site, 0)
    assert os.path.samefile(data(3, "appendonly.aof.2.base.rdb"), data(4, "appendonly.aof.2.base.rdb"))
    assert not os.path.samefile(data(3, "appendonly.aof.2.incr.aof"), data(4, "appendonly.aof.2.incr.aof"))
    # An old server that still lives writes on, and the new epoch does not see it.
    with open(data(3, "appendonly.aof.2.incr.aof"), "a", encoding="utf-8") as file:
        file.write(" of a ghost")
    assert read(data(4, "appendonly.aof.2.incr.aof")) == "incremental"


def test_without_hard_links_the_base_is_copied(site, data, monkeypatch):
    def refused(*_args, **_options):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    epoch.advance(site, 0)
    assert read(data(4, "appendonly.aof.2.base.rdb")) == "base"
    assert not os.path.samefile(data(3, "appendonly.aof.2.base.rdb"), data(4, "appendonly.aof.2.base.rdb"))


@pytest.mark.parametrize(("of_owner", "expected"), [(0, 4), (3, 4), (4, 5), (9, 10)])
def test_it_is_higher_than_any_seen(site, data, of_owner, expected):
    assert epoch.advance(site, of_owner) == expected


def test_an_unfinished_copy_is_no_epoch_and_is_in_nobodys_way(site, data):
    write(site.path("database", "e4.tmp", "half"), "")
    assert epoch.existing(site) == [3]
    assert epoch.advance(site, 0) == 4
    assert epoch.existing(site) == [3, 4]


def test_a_failed_copy_leaves_nothing(site, data, monkeypatch):
    def full(*_args, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("jcq.cluster.epoch.shutil.copyfile", full)
    with pytest.raises(OSError, match="No space left"):
        epoch.advance(site, 0)
    assert os.listdir(site.database) == ["e3"]


def test_a_manifest_that_changes_meanwhile_is_read_again(site, data, monkeypatch):
    copy = epoch.shutil.copyfile

    def rewrite_once(source, target):
        monkeypatch.setattr("jcq.cluster.epoch.shutil.copyfile", copy)
        copy(source, target)
        write(data(3, "appendonly.aof.3.base.rdb"), "new base")
        write(data(3, "appendonly.aof.3.incr.aof"), "new incremental")
        write(data(3, "appendonly.aof.manifest"), MANIFEST.replace("aof.2", "aof.3").replace("seq 2", "seq 3"))

    monkeypatch.setattr("jcq.cluster.epoch.shutil.copyfile", rewrite_once)
    epoch.advance(site, 0)
    assert sorted(os.listdir(data(4))) == [
        "appendonly.aof.3.base.rdb",
        "appendonly.aof.3.incr.aof",
        "appendonly.aof.manifest",
    ]
    assert read(data(4, "appendonly.aof.3.base.rdb")) == "new base"


def test_a_manifest_that_never_rests_means_another_server(site, data, monkeypatch):
    copy, turns = epoch.shutil.copyfile, iter(range(1000))

    def rewrite_always(source, target):
        copy(source, target)
        write(data(3, "appendonly.aof.manifest"), MANIFEST + f"file x{next(turns)} seq 1 type h\n")

    monkeypatch.setattr("jcq.cluster.epoch.shutil.copyfile", rewrite_always)
    with pytest.raises(DatabaseUnusable, match="another server"):
        epoch.advance(site, 0)
    assert epoch.existing(site) == [3]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda data: os.unlink(data(3, "appendonly.aof.2.incr.aof")), "is missing though the manifest names it"),
        (lambda data: os.unlink(data(3, "appendonly.aof.2.base.rdb")), "is missing though the manifest names it"),
        (lambda data: os.unlink(data(3, "appendonly.aof.manifest")), "has no manifest"),
        (lambda data: write(data(3, "appendonly.aof.manifest"), ""), "names no data"),
        (lambda data: os.rename(data(3), data(3) + ".away"), "has no manifest"),
    ],
)
def test_what_is_not_whole_is_refused(site, data, damage, words):
    damage(data)
    with pytest.raises(DatabaseUnusable, match=words) as raised:
        epoch.advance(site, 0)
    assert raised.value.exit_code == 5
    assert epoch.existing(site) == [3]


def test_no_epoch_at_all_is_refused(site):
    with pytest.raises(DatabaseUnusable, match="holds no epoch"):
        epoch.advance(site, 0)


def test_the_last_three_are_kept(site, data):
    for _ in range(4):
        epoch.advance(site, 0)
    write(site.path("database", "e4.sock"), "")
    write(site.path("database", "e9.tmp", "half"), "")
    epoch.prune(site)
    assert sorted(os.listdir(site.database)) == ["e5", "e6", "e7"]
    assert read(data(7, "appendonly.aof.2.base.rdb")) == "base"
