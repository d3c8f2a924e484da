"""Which file systems' locks are trusted."""

import pytest

from jcq.cluster import file_system
from jcq.cluster.file_system import FileSystem

TABLE = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:40 / /mnt/nfs rw,relatime - nfs4 server:/export rw,vers=4.2,local_lock=none
31 22 0:41 / /mnt/local rw,relatime - nfs server:/export rw,vers=3,local_lock=flock
32 22 0:42 / /mnt/with\\040blank rw,relatime - cifs //server/share rw
33 22 0:43 / /mnt/nfs/below rw,relatime master:1 propagate_from:2 - fuse.sshfs x rw
34 22 0:44 / /mnt/nfs/below rw,relatime - xfs /dev/sdb rw
"""


@pytest.fixture
def mounts(tmp_path):
    path = tmp_path / "mountinfo"
    path.write_text(TABLE)
    return str(path)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/elsewhere", "ext4"),
        ("/mnt/nfs/site", "nfs4"),
        ("/mnt/nfsx", "ext4"),
        ("/mnt/with blank/site", "cifs"),
        ("/mnt/nfs/below/site", "xfs"),
    ],
)
def test_the_deepest_and_last_mount_is_the_one(mounts, path, kind):
    assert file_system.of(path, mounts).kind == kind


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "tmpfs", "nfs", "nfs4", "gfs2", "ocfs2"])
def test_locks_that_reach_every_node_are_trusted(kind):
    assert FileSystem(kind, frozenset({"rw"})).distrust == ""


@pytest.mark.parametrize("kind", ["cifs", "fuse.sshfs", "overlay", "9p", "vboxsf", ""])
def test_others_are_named(kind):
    assert kind in FileSystem(kind, frozenset({"rw"})).distrust
    assert FileSystem(kind, frozenset()).distrust


@pytest.mark.parametrize(
    ("kind", "option"),
    [("nfs", "nolock"), ("nfs4", "local_lock=all"), ("gfs2", "localflocks"), ("ocfs2", "localflocks")],
)
def test_mount_options_that_keep_locks_local_are_named(kind, option):
    assert option in FileSystem(kind, frozenset({"rw", option})).distrust


def test_only_where_a_lease_has_to_end_is_waited_for():
    assert FileSystem("nfs4", frozenset()).lock_wait_s == 120
    assert FileSystem("ext4", frozenset()).lock_wait_s == 0


def test_without_a_table_nothing_is_trusted(tmp_path):
    assert file_system.of("/", str(tmp_path / "missing")).distrust


def test_this_machines_root_is_on_something():
    assert file_system.of("/").kind
