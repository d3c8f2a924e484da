"""Which server may be jcdbs, and what its configuration promises."""

import os

import pytest

from jcq.config import DaemonConf
from jcq.jcdbs import server
from jcq.jcdbs.errors import ServerUnusable
from jcq.site import Site


def program(tmp_path, line):
    path = tmp_path / "server"
    path.write_text(f"#!/bin/sh\necho '{line}'\n")
    path.chmod(0o755)
    return DaemonConf(jcdbs_server=str(path))


@pytest.mark.parametrize(
    ("line", "version"),
    [
        ("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0", "redis 7.0.15"),
        ("Server v=9.1.2 valkey sha=0", "valkey 9.1.2"),
        ("Valkey server v=7.2.4 sha=0", "valkey 7.2.4"),
    ],
)
def test_accepted(tmp_path, line, version):
    assert server.binary(program(tmp_path, line))[1] == version


@pytest.mark.parametrize("line", ["Redis server v=6.2.14 sha=00000000:0", "nginx version: 1.22", ""])
def test_refused(tmp_path, line):
    with pytest.raises(ServerUnusable) as caught:
        server.binary(program(tmp_path, line))
    assert caught.value.exit_code == 5
    assert "no Redis from 7.0 on" in str(caught.value)


def test_one_that_does_not_exist(tmp_path):
    with pytest.raises(ServerUnusable, match="does not run"):
        server.binary(DaemonConf(jcdbs_server=str(tmp_path / "nothing")))


def test_the_embedded_one_is_there():
    path, version = server.binary(DaemonConf())
    assert os.access(path, os.X_OK)
    assert version.startswith("valkey ")


def test_what_was_acknowledged_is_on_disk(tmp_path):
    site = Site("/", str(tmp_path), name="testsite")
    os.makedirs(tmp_path / "database" / "e3")
    server.write_conf(site, 3)
    lines = (tmp_path / "database" / "e3" / "jcdbs.conf").read_text().splitlines()
    for line in ("port 0", "appendonly yes", "appendfsync always", 'save ""', "maxmemory-policy noeviction"):
        assert line in lines
    assert "unixsocket ../e3.sock" in lines
