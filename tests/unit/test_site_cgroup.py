"""Where the cgroup of a site's jobs would stand, and how it is found again in a tree of directories."""

import os

import pytest

from jcq import site_cgroup

MOUNT = "41 31 0:38 {root} {point} rw,relatime shared:9 - {kind} cgroup rw"


def mounts(*rows):
    return [MOUNT.format(root=root, point=point, kind=kind).split() for kind, root, point in rows]


@pytest.mark.parametrize(
    ("own", "rows", "found"),
    [
        ("/", [("cgroup2", "/", "/sys/fs/cgroup")], ("/sys/fs/cgroup", "/sys/fs/cgroup")),
        ("/a/b", [("cgroup2", "/", "/sys/fs/cgroup")], ("/sys/fs/cgroup", "/sys/fs/cgroup/a/b")),
        ("/a", [("cgroup", "/", "/v1"), ("cgroup2", "/", "/v2")], ("/v2", "/v2/a")),
        ("/a", [("cgroup2", "/", "/with\\040blank")], ("/with blank", "/with blank/a")),
        # A container that is shown its own part of the tree only.
        ("/box/1/a", [("cgroup2", "/box/1", "/v2")], ("/v2", "/v2/a")),
        ("/box/1", [("cgroup2", "/box/1", "/v2")], ("/v2", "/v2")),
        ("/box/10", [("cgroup2", "/box/1", "/v2")], None),
        ("/box/2", [("cgroup2", "/box/1", "/no"), ("cgroup2", "/box", "/v2")], ("/v2", "/v2/2")),
        ("/../other", [("cgroup2", "/", "/v2")], None),
        ("/a", [("cgroup", "/", "/v1")], None),
    ],
)
def test_where_the_own_cgroup_is(own, rows, found):
    assert site_cgroup.placed(own, mounts(*rows)) == found


def test_the_name_is_of_the_directory_and_the_boot(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    os.symlink(tmp_path / "a", tmp_path / "link")
    name = site_cgroup.cgroup_name
    assert name(tmp_path / "a", "boot") == name(tmp_path / "link", "boot")
    assert len({name(tmp_path / "a", "boot"), name(tmp_path / "b", "boot"), name(tmp_path / "a", "other")}) == 3


def test_all_of_a_name_are_found_and_removed_with_those_below(tmp_path, monkeypatch):
    for path in ("x/jcq-1/made-by-a-job", "y/z/jcq-1", "y/jcq-10", "w"):
        (tmp_path / path).mkdir(parents=True)
    monkeypatch.setattr(site_cgroup, "own_cgroup", lambda: (str(tmp_path), str(tmp_path / "w")))
    found = site_cgroup.find("jcq-1")
    assert sorted(found) == [str(tmp_path / "x/jcq-1"), str(tmp_path / "y/z/jcq-1")]
    (tmp_path / "x/jcq-1/cgroup.procs").write_text("12\n0\n")
    (tmp_path / "x/jcq-1/made-by-a-job/cgroup.procs").write_text("13\n")
    assert site_cgroup.members(str(tmp_path / "x/jcq-1")) == [12, 13]
    site_cgroup.remove(str(tmp_path / "y/z/jcq-1"))
    assert site_cgroup.find("jcq-1") == [str(tmp_path / "x/jcq-1")]
    assert site_cgroup.make("jcq-2") == site_cgroup.make("jcq-2") == str(tmp_path / "w/jcq-2")


def test_without_cgroup_v2_there_is_none(monkeypatch):
    monkeypatch.setattr(site_cgroup, "own_cgroup", lambda: None)
    assert site_cgroup.find("jcq-1") == []
    with pytest.raises(OSError, match="no cgroup v2"):
        site_cgroup.make("jcq-1")
