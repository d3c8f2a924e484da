"""Epochs: each start's own copy of the data, whole or not at all."""

import os
import time

import pytest

from jcq.cluster import aof, epoch
from jcq.cluster.errors import NoSuchEpoch
from jcq.errors import DatabaseUnusable
from jcq.jcdbs import server
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


# --- which source ----------------------------------------------------------------------------


def test_an_older_one_can_be_the_source_and_the_copy_says_so(site, data):
    epoch.advance(site, 0)
    write(data(4, "appendonly.aof.2.incr.aof"), "newer")
    assert epoch.advance(site, 0, source=3) == 5
    assert read(data(5, "appendonly.aof.2.incr.aof")) == "incremental"
    assert read(site.path("database", "e5", server.RESTORED)) == "3\n"
    # The next one is an ordinary copy.
    assert epoch.advance(site, 0) == 6
    assert not os.path.exists(site.path("database", "e6", server.RESTORED))


def test_a_source_that_is_not_there_is_refused_with_those_that_are(site, data):
    epoch.advance(site, 0)
    with pytest.raises(NoSuchEpoch, match="no epoch 2 to start from; there are: 3, 4") as raised:
        epoch.advance(site, 0, source=2)
    assert raised.value.exit_code == 2
    assert epoch.existing(site) == [3, 4]


def test_what_cannot_be_mended_is_refused_with_the_older_copies(site, data):
    def mend(copy, original, files):
        assert (copy, original) == (data(5).replace("e5", "e5.tmp"), data(4))
        assert files == ["appendonly.aof.2.incr.aof"]
        raise aof.Damaged("it is damaged")

    epoch.advance(site, 0)
    path = os.path.dirname(site.directory)
    advice = f"it is damaged; failing over does not help; .* cjcpw --from-epoch 3 testsite {path} "
    with pytest.raises(DatabaseUnusable, match=advice):
        epoch.advance(site, 0, mend=mend)
    assert sorted(os.listdir(site.database)) == ["e3", "e4"]


def test_without_an_older_copy_a_backup_is_all_there_is(site, data):
    assert "has no older copy; restore it from a backup" in epoch.restore_advice(site, 3)


# --- copying ---------------------------------------------------------------------------------


def test_blocks_are_shared_where_the_file_system_can(site, data, monkeypatch):
    shared = []

    def clone(target, request, source):
        assert request == 0x40049409
        shared.append((target.name, os.readlink(f"/proc/self/fd/{source}")))
        target.write(b"cloned")

    monkeypatch.setattr(epoch.fcntl, "ioctl", clone)
    epoch.advance(site, 0)
    name = "appendonly.aof.2.incr.aof"
    assert shared == [(data(4, name).replace("e4", "e4.tmp"), data(3, name))]
    assert read(data(4, name)) == "cloned"


def test_where_it_cannot_they_are_copied(site, data, monkeypatch):
    def refused(*_arguments):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(epoch.fcntl, "ioctl", refused)
    epoch.advance(site, 0)
    assert read(data(4, "appendonly.aof.2.incr.aof")) == "incremental"


# --- pruning ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ages_min", "kept"),
    [
        ({1: 0}, {1}),
        ({1: 300, 2: 5, 3: 4, 4: 3}, {1, 2, 3, 4}),
        ({1: 300, 2: 200, 3: 5, 4: 4, 5: 3}, {2, 3, 4, 5}),
        ({1: 300, 2: 200, 3: 100}, {1, 2, 3}),
        ({1: 300, 2: 200, 3: 100, 4: 61}, {2, 3, 4}),
        ({1: 9, 2: 8, 3: 7, 4: 6, 5: 5}, {3, 4, 5}),
        # A clock that was set back: what is too young is not old.
        ({1: -100, 2: -50, 3: -20, 4: -1}, {2, 3, 4}),
    ],
)
def test_the_last_three_and_one_from_more_than_an_hour_ago_are_kept(ages_min, kept):
    assert epoch.kept({number: 60.0 * age for number, age in ages_min.items()}) == kept


def age(site, number, seconds):
    """Let an epoch look as old as this."""
    then = time.time() - seconds
    os.utime(site.path("database", f"e{number}"), (then, then))


def test_pruning_removes_the_others_with_sockets_and_unfinished_copies(site, data):
    for _ in range(5):
        epoch.advance(site, 0)
    age(site, 3, 9000)
    age(site, 4, 4000)
    write(site.path("database", "e3.sock"), "")
    write(site.path("database", "e4.sock"), "")
    write(site.path("database", "e9.tmp", "half"), "")
    epoch.prune(site)
    assert sorted(os.listdir(site.database)) == ["e4", "e4.sock", "e6", "e7", "e8"]
    assert read(data(8, "appendonly.aof.2.base.rdb")) == "base"


def test_failovers_that_follow_each_other_fast_do_not_fill_the_disk(site, data):
    age(site, 3, 9000)
    for _ in range(20):
        epoch.advance(site, 0)
    assert epoch.existing(site) == [3, 17, 18, 19, 20, 21, 22, 23]
    assert len(epoch.existing(site)) == epoch.MOST
    assert epoch.advance(site, 0, source=3) == 24
