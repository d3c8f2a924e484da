"""Roots, site names, links and socket paths."""

import os
import socket

import pytest

from jcq import site
from jcq.errors import NameNotResolved, SiteUnknown

RESOLV_DEF = """\
# comment
127.0.0.50   testsite.example testsite nickname   # more
2001:db8::50 testsite.example testsite
::1          six.example six
not-an-address x.example x
127.0.0.51
"""


@pytest.fixture
def root(tmp_path):
    os.makedirs(site.lib(str(tmp_path), "rc"))
    with open(site.lib(str(tmp_path), "rc", "resolv.def"), "w", encoding="utf-8") as file:
        file.write(RESOLV_DEF)
    return str(tmp_path)


@pytest.fixture(autouse=True)
def no_system_resolver(monkeypatch):
    def unknown(*_args):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr("_socket.getaddrinfo", unknown)


# --- roots -----------------------------------------------------------------------------------


def test_jcq_root_wins_over_everything():
    assert site.root_directory({"JCQ_ROOT": "/x/y"}, laid="/z") == "/x/y"
    assert site.root_directory({"JCQ_ROOT": "x"}) == os.path.abspath("x")


def test_an_installed_command_carries_its_root():
    assert site.root_directory({}, laid="/z") == "/z"
    assert site.root_directory({"JCQ_ROOT": ""}, laid="/z") == "/z"


def test_root_has_the_manuals_paths_and_others_where_they_are_there(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert site.root_directory({}) == "/"
    assert site.lib(site.root_directory({}), "rc") == "/usr/lib/nqs/rc"
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os.path, "isdir", lambda path: path == "/usr/lib/nqs/rc")
    assert site.root_directory({"HOME": "/home/a"}) == "/"
    monkeypatch.setattr(os.path, "isdir", lambda path: False)
    assert site.root_directory({"HOME": "/home/a"}) == "/home/a/.local/state/jcq"
    assert site.root_directory({"HOME": "/home/a", "XDG_STATE_HOME": "/s"}) == "/s/jcq"


# --- names -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["testsite.example", "testsite", "TestSite", "TESTSITE.EXAMPLE"])
def test_the_canonical_name_and_its_first_label_resolve_and_ipv4_wins(root, name):
    assert site.resolve(name, root) == ("testsite.example", "127.0.0.50")


def test_a_name_with_ipv6_only_resolves_to_it(root):
    assert site.resolve("six", root) == ("six.example", "::1")


def test_another_alias_is_refused_and_told_the_right_name(root):
    with pytest.raises(NameNotResolved, match=r"alias of testsite\.example; use testsite\.example or testsite"):
        site.resolve("nickname", root)


@pytest.mark.parametrize("name", ["x", "unknown.example", "127.0.0.51"])
def test_unknown_names_do_not_resolve(root, name):
    with pytest.raises(NameNotResolved):
        site.resolve(name, root)


def answer(address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return (family, socket.SOCK_STREAM, 6, "", (address, 0))


def test_the_system_is_asked_next_and_ipv4_wins(root, monkeypatch):
    monkeypatch.setattr("_socket.getaddrinfo", lambda *_: [answer("2001:db8::9"), answer("192.0.2.9")])
    monkeypatch.setattr("_socket.gethostbyaddr", lambda address: ("sys.example", [], [address]))
    assert site.resolve("sys", root) == ("sys.example", "192.0.2.9")


def test_an_address_that_belongs_to_another_name_is_refused(root, monkeypatch):
    monkeypatch.setattr("_socket.getaddrinfo", lambda *_: [answer("192.0.2.9")])
    monkeypatch.setattr("_socket.gethostbyaddr", lambda _: ("else.example", [], []))
    with pytest.raises(NameNotResolved, match=r"belongs to else\.example"):
        site.resolve("sys.example", root)


def test_an_address_without_a_name_is_refused(root, monkeypatch):
    def nameless(_address):
        raise socket.herror(1, "Unknown host")

    monkeypatch.setattr("_socket.getaddrinfo", lambda *_: [answer("192.0.2.9")])
    monkeypatch.setattr("_socket.gethostbyaddr", nameless)
    with pytest.raises(NameNotResolved, match="has no name"):
        site.resolve("sys.example", root)


# --- links and places ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("10.192.18.10", "0AC0120A"),
        ("127.0.0.50", "7F000032"),
        ("2001:db8::50", "20010DB8000000000000000000000050"),
        ("::1", "0" * 31 + "1"),
    ],
)
def test_link_names(address, name):
    assert site.hex_name(address) == name


def test_what_is_no_address_has_no_link():
    with pytest.raises(ValueError):
        site.hex_name("10.0.0")


def make_database(directory):
    os.makedirs(os.path.join(directory, "database"))


def test_unset_the_host_name_and_localhost_mean_the_local_site(root):
    make_database(site.spool(root))
    for name in (None, "", site.host_name(), site.host_name().upper(), "localhost"):
        found = site.locate(name, root)
        assert (found.directory, found.local) == (site.spool(root), True)


def test_a_cluster_site_is_found_by_both_names_and_its_address(root, tmp_path):
    make_database(tmp_path / "db" / "nqs")
    os.makedirs(site.spool(root))
    os.symlink(tmp_path / "db" / "nqs", site.spool(root, "7F000032"))
    for name in ("testsite", "testsite.example", "127.0.0.50"):
        found = site.locate(name, root)
        assert (found.directory, found.address, found.local) == (site.spool(root, "7F000032"), "127.0.0.50", False)


@pytest.mark.parametrize("name", ["", "testsite", "nosuch", "nickname", "127.0.0.99", "a b", "ä", "x" * 300], ids=ascii)
def test_a_site_that_is_not_here_is_unknown(root, name):
    with pytest.raises(SiteUnknown, match="Unable to setup NQS rootdir"):
        site.locate(name, root)


# --- sockets ---------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [20, 107, 108, 300])
def test_a_socket_can_be_bound_however_long_its_path(tmp_path, length):
    directory = tmp_path
    while len(str(directory)) + 60 < length:
        directory = directory / ("d" * 50)
    directory.mkdir(parents=True, exist_ok=True)
    name = "s" * max(1, length - len(str(directory)) - 1)
    path, fd = site.socket_path(os.path.join(directory, name))
    assert (fd >= 0) == (len(os.path.join(directory, name)) > 107)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
    if fd >= 0:
        os.close(fd)
    assert os.path.exists(os.path.join(directory, name))
