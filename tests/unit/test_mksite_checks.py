"""What cjcmksite refuses, check by check; that nothing is made then is tests/integration/test_cjcmksite.py."""

import json
import os
from types import SimpleNamespace

import pytest

from jcq.cluster import links, record, site_checks
from jcq.cluster.errors import (
    AddressNotHere,
    LinkTaken,
    LocalSiteInTheWay,
    MachineIdTaken,
    PathBad,
    PathFull,
    PathHidden,
    PathMissing,
    PathOverlaps,
    PathReadOnly,
)
from jcq.config import DaemonConf
from jcq.errors import NameNotResolved, UsageError
from jcq.identity import SiteIdentity
from jcq.site import Site, spool


@pytest.fixture
def root(tmp_path):
    made = tmp_path / "root"
    made.mkdir()
    return str(made)


@pytest.fixture
def other(root, tmp_path):
    """A cluster site `other` at 127.0.0.60 with machine id 7."""
    path = tmp_path / "disk" / "otherdb"
    os.makedirs(path / "nqs" / "database")
    site = Site(root, str(path / "nqs"), name="other", address="127.0.0.60")
    SiteIdentity("other", 7, "127.0.0.60", os.geteuid(), "root").write(site)
    links.make_link(spool(root, "7F00003C"), site.directory)
    return str(path)


@pytest.mark.parametrize("name", ["testsite", "testsite.example", "a-b.c", "1.2.3.example", "x" * 63])
def test_host_names_pass(name):
    site_checks.check_name(name)


@pytest.mark.parametrize("name", ["", ".", "a b", "a/b", "a..b", "-a", "a\nb", "ä", "a_b", "a=b", "x." * 130 + "x"])
def test_what_is_no_host_name_is_refused(name):
    with pytest.raises(NameNotResolved, match="no host name"):
        site_checks.check_name(name)


@pytest.mark.parametrize("machine_id", [1, 8, 2**31 - 1])
def test_free_machine_ids_pass(root, other, machine_id):
    site_checks.check_machine_id(machine_id, root)


@pytest.mark.parametrize("machine_id", [0, -1, 2**31])
def test_machine_ids_have_a_range(root, machine_id):
    with pytest.raises(UsageError, match="not between 1 and 2147483647"):
        site_checks.check_machine_id(machine_id, root)


def test_another_sites_machine_id_is_refused(root, other):
    with pytest.raises(MachineIdTaken, match=f"other.*{other}"):
        site_checks.check_machine_id(7, root)


def test_the_local_sites_machine_id_is_refused(root):
    os.makedirs(spool(root, "database"))
    SiteIdentity("host", 9, "", os.geteuid(), "root").write(Site(root, spool(root)))
    with pytest.raises(MachineIdTaken, match="host"):
        site_checks.check_machine_id(9, root)


def test_a_path_must_be_there_and_a_directory(tmp_path):
    site_checks.check_database_path(str(tmp_path))
    with pytest.raises(PathMissing):
        site_checks.check_database_path(str(tmp_path / "none"))
    (tmp_path / "file").touch()
    with pytest.raises(PathMissing):
        site_checks.check_database_path(str(tmp_path / "file"))


def test_a_path_has_no_control_characters(tmp_path):
    (tmp_path / "a\nb").mkdir()
    with pytest.raises(PathBad):
        site_checks.check_database_path(str(tmp_path / "a\nb"))


def test_a_path_that_cannot_be_written_is_refused(tmp_path, monkeypatch):
    def refused(*_args):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "mkdir", refused)
    with pytest.raises(PathReadOnly, match="Read-only file system"):
        site_checks.check_database_path(str(tmp_path))


def space(blocks, files, counted=1000):
    return SimpleNamespace(f_bavail=blocks, f_frsize=4096, f_favail=files, f_files=counted)


@pytest.mark.parametrize(("blocks", "files"), [(4095, 1000), (100_000, 63)])
def test_a_full_disk_is_refused(tmp_path, monkeypatch, blocks, files):
    monkeypatch.setattr(os, "statvfs", lambda _: space(blocks, files))
    with pytest.raises(PathFull):
        site_checks.check_database_path(str(tmp_path))


@pytest.mark.parametrize(("blocks", "files", "counted"), [(4096, 64, 1000), (4096, 0, 0)])
def test_enough_space_passes_also_where_files_are_not_counted(tmp_path, monkeypatch, blocks, files, counted):
    monkeypatch.setattr(os, "statvfs", lambda _: space(blocks, files, counted))
    site_checks.check_database_path(str(tmp_path))


@pytest.mark.parametrize("mode", [0o700, 0o750, 0o754])
def test_root_makes_no_site_where_others_cannot_pass(monkeypatch, mode):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    modes = {"/": 0o755, "/a": mode, "/a/b": 0o755}
    monkeypatch.setattr(os, "stat", lambda path: SimpleNamespace(st_mode=0o040000 | modes[path]))
    with pytest.raises(PathHidden, match=f"/a .mode 0{mode:o}"):
        site_checks.check_passable("/a/b")
    modes["/a"] = 0o711
    site_checks.check_passable("/a/b")


def test_without_root_nobody_else_has_to_pass(tmp_path, monkeypatch):
    tmp_path.chmod(0o700)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    site_checks.check_passable(str(tmp_path))


@pytest.mark.parametrize("path", ["{other}", "{other}/inner", "{other}/nqs/run", "{disk}", "{spool}", "{root}", "/"])
def test_a_path_that_touches_another_sites_is_refused(root, other, path):
    place = path.format(other=other, disk=os.path.dirname(other), root=root, spool=spool(root))
    with pytest.raises(PathOverlaps):
        site_checks.check_overlap(place, root)


def test_a_path_beside_another_sites_passes(root, other):
    site_checks.check_overlap(other + "2", root)
    site_checks.check_overlap(other[:-1], root)


def test_a_symbolic_link_does_not_hide_an_overlap(root, other, tmp_path):
    os.symlink(other, tmp_path / "detour")
    with pytest.raises(PathOverlaps, match="site other"):
        site_checks.check_overlap(str(tmp_path / "detour"), root)


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
def test_an_address_of_another_node_is_refused(address):
    with pytest.raises(AddressNotHere, match=address):
        links.check_address("testsite", address)
    links.check_address("testsite", "127.0.0.50")


def test_a_link_is_free_ours_another_sites_or_no_link(root, other, tmp_path):
    directory = str(tmp_path / "mine" / "nqs")
    link = spool(root, "7F000032")
    assert links.check_link(link, directory, replace_dangling=False) is False
    links.make_link(link, directory)
    assert links.check_link(link, directory, replace_dangling=False) is True
    with pytest.raises(LinkTaken, match="another site"):
        links.check_link(spool(root, "7F00003C"), directory, replace_dangling=True)
    os.mkdir(spool(root, "7F000033"))
    with pytest.raises(LinkTaken, match="no symbolic link"):
        links.check_link(spool(root, "7F000033"), directory, replace_dangling=True)


def test_a_dangling_link_is_in_the_way_of_a_new_site_but_not_of_a_start(root, tmp_path):
    link = spool(root, "7F000032")
    links.make_link(link, str(tmp_path / "away" / "nqs"))
    directory = str(tmp_path / "mine" / "nqs")
    with pytest.raises(LinkTaken, match="not there now"):
        links.check_link(link, directory, replace_dangling=False)
    assert links.check_link(link, directory, replace_dangling=True) is False
    links.make_link(link, directory)
    assert os.readlink(link) == directory


@pytest.mark.parametrize(("local_daemon", "refused"), [("SITE", False), ("OFF", False), ("", True)])
def test_a_running_local_site_must_have_been_started_with_local_daemon(root, local_daemon, refused):
    os.makedirs(spool(root, "run"))
    running = record.DaemonRecord.new(root, DaemonConf(local_daemon=local_daemon), monitored=True)
    running.put(record.NQSDAEMON, os.getpid())
    running.write(Site(root, spool(root)))
    if refused:
        with pytest.raises(LocalSiteInTheWay):
            site_checks.check_local_site(root)
    else:
        site_checks.check_local_site(root)


def test_a_local_site_that_does_not_run_is_in_nobodys_way(root):
    site_checks.check_local_site(root)
    os.makedirs(spool(root, "run"))
    stopped = record.DaemonRecord.new(root, DaemonConf(), monitored=True)
    stopped.put(record.CJCPW, os.getpid())
    stopped.processes[record.CJCPW][1] += 1
    stopped.write(Site(root, spool(root)))
    site_checks.check_local_site(root)


def test_a_record_that_cannot_be_understood_is_an_empty_one(root):
    site = Site(root, spool(root))
    os.makedirs(site.run)
    for text in ("", "[]", "{", json.dumps({"unknown": 1})):
        with open(site.path("run", "daemons"), "w", encoding="utf-8") as file:
            file.write(text)
        assert record.read(site) == record.DaemonRecord()
