"""What a stop cannot end or may not end: a process in D state, and others who use the site's disk."""

import contextlib
import fcntl
import os
import subprocess
import sys

import pytest

from jcq.process import stat_fields
from support import skips
from support.harness import Node
from support.small_disk import private_mounts
from support.waiting import wait_until

LIMIT_S = 20
_FIFREEZE, _FITHAW = 0xC0045877, 0xC0045878
_IMAGE_BYTES = 16 * 1024 * 1024
#: Has a file of the site open; says that it is there.
USER = "import sys; file = open(sys.argv[1]); print(flush=True); sys.stdin.read()"


@pytest.fixture
def site():
    with Node() as node:
        yield node.cluster_site()


def configure(site, *lines):
    with open(os.path.join(site.directory, "site.conf"), "w", encoding="ascii") as file:
        file.writelines(f"{line}\n" for line in lines)


@pytest.fixture
def user(site):
    """Somebody who reads the site's identity, and is deaf to SIGTERM by leaving it to nobody."""
    child = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", USER, os.path.join(site.directory, "database", "site")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    child.stdout.readline()
    yield child
    child.communicate()


def test_others_are_in_the_way_unless_site_conf_lets_a_stop_kill_them(site, user):
    site.start()
    site.node.run("cjcpw", "-stop", site.name).refused(f"[{user.pid}]", "in the way", exit_code=1)
    assert user.poll() is None
    assert site.cjcpw.wait(LIMIT_S) == 0
    configure(site, "SWEEP=all")
    site.start()
    # The command's own ancestor stands in the site's directory too.
    words = ["/bin/sh", "-c", 'cd "$0" && "$@"; exit $?', site.directory, *site.node.argv("cjcpw", "-stop", site.name)]
    site.node.run(words).ok()
    assert user.wait(LIMIT_S) == -9
    assert site.cjcpw.wait(LIMIT_S) == 0
    site.cjcpw = None
    assert not site.processes()


@pytest.fixture
def frozen_disk():
    """(its path, function that freezes it, function that thaws it): an ext4 of its own, not the site's."""
    with private_mounts(), Node() as place, contextlib.ExitStack() as last_acts:
        image, path = os.path.join(place.scratch, "image"), place.make_directory("disk")
        with open(image, "wb") as file:
            file.truncate(_IMAGE_BYTES)
        for words in (["mkfs.ext4", "-q", image], ["mount", "-o", "loop", image, path]):
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"{skips.NEEDS_LOOP}: {done.stderr.strip()}")
        last_acts.callback(subprocess.run, ["umount", path], check=True)
        fd = os.open(path, os.O_RDONLY)
        last_acts.callback(os.close, fd)

        def thaw():
            with contextlib.suppress(OSError):  # it is not frozen
                fcntl.ioctl(fd, _FITHAW, 0)

        last_acts.callback(thaw)
        yield path, lambda: fcntl.ioctl(fd, _FIFREEZE, 0), thaw


@pytest.mark.root
def test_a_process_in_d_state_makes_a_stop_fail_and_is_named(frozen_disk, site):
    path, freeze, thaw = frozen_disk
    configure(site, "STOP_TIMEOUT=2", "FORCEKILL_TIME=0")
    site.start()
    freeze()
    request = site.qsub(f"echo $$ > {site.node.scratch}/pid; : > {path}/file\n", "-nr")

    def asleep():
        pid = _number(f"{site.node.scratch}/pid")
        fields = stat_fields(pid) if pid else None
        return pid if fields and fields[0] == b"D" else 0

    try:
        pid = wait_until(asleep, LIMIT_S, site.log_text)
        # Under cjcpw and, in the end, without.
        site.node.run("cjcpw", "-stop", site.name).refused("SIGKILL does not end", f"[{pid}]", exit_code=1)
        assert site.cjcpw.wait(LIMIT_S) == 1
        site.cjcpw = None
        assert stat_fields(pid)[0] == b"D"
    finally:
        thaw()
    wait_until(lambda: not asleep() and not site.processes(), LIMIT_S, lambda: str(site.processes()))
    site.node.run("cjcpw", "-stop", site.name).ok()
    site.start()
    assert site.qwait(request) == 125


def _number(path):
    try:
        with open(path, encoding="ascii") as file:
            return int(file.read() or 0)
    except FileNotFoundError:
        return 0
