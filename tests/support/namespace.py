"""A private mount namespace, as root: users of its own, /usr and /home that may be written without trace.

In it the site stands at the manual's own paths. A short-lived helper (this very file, run as a
program) unshares and mounts; afterwards only a descriptor of the tests holds the namespace, so that
nothing of it remains once the descriptor is closed and its processes have ended.
"""

import ctypes
import os
import subprocess
import sys

_CLONE_NEWNS = 0x00020000
_MS_BIND = 0x1000
_MS_REC = 0x4000
_MS_PRIVATE = 0x40000
_libc = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """A mount namespace with alice and bob, a private /usr (overlay), /usr/spool and homes."""

    def __init__(self, scratch, passwd, group, homes, visible):
        """Make it.

        Args:
            scratch: an empty directory, mode 0755; the namespace's own files are mounted there.
            passwd: lines added to /etc/passwd.
            group: lines added to /etc/group.
            homes: list of (login name, uid, gid), each gets `scratch/home/NAME`.
            visible: directories that other users must reach, although they may lie below a closed one.
        Raises:
            OSError: this kernel or container does not allow it.
        """
        self.home = os.path.join(scratch, "home")
        reader, writer = os.pipe()
        arguments = [repr((scratch, passwd, group, homes, visible))]
        helper = subprocess.Popen(
            [sys.executable, "-I", "-S", os.path.abspath(__file__), str(writer), *arguments],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[writer],
        )
        os.close(writer)
        try:
            with open(reader, "rb") as ready:
                announced = ready.read()
            if announced != b"ready\n":
                raise OSError(f"no mount namespace: {helper.stderr.read().decode(errors='replace').strip()}")
            self._fd = os.open(f"/proc/{helper.pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            helper.communicate()
        self.inode = os.fstat(self._fd).st_ino

    def enter(self):
        """Move the calling process, a forked child, into the namespace; its directory becomes /."""
        _check(_libc.setns(self._fd, _CLONE_NEWNS), "setns")

    def close(self):
        """Let go of it: it vanishes with its last process."""
        os.close(self._fd)


# --- the helper ------------------------------------------------------------------------------


def _check(answer, what):
    if answer != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _mount(source, target, kind, flags=0, data=""):
    answer = _libc.mount(
        os.fsencode(source), os.fsencode(target), kind.encode() or None, ctypes.c_ulong(flags), data.encode() or None
    )
    _check(answer, f"mount {kind or 'bind'} on {target}")


def _closed_ancestor(path):
    """The topmost directory above or at `path` that other users cannot pass, or an empty string."""
    walked = "/"
    for part in os.path.realpath(path).strip("/").split("/"):
        walked = os.path.join(walked, part)
        if not os.stat(walked).st_mode & 0o001:
            return walked
    return ""


def _open_closed_directories(visible):
    """Lay an open, empty directory over each closed one and bind back what lies below it and must be seen."""
    by_ancestor = {}
    for path in visible:
        path = os.path.realpath(path)
        ancestor = _closed_ancestor(path)
        if ancestor:
            by_ancestor.setdefault(ancestor, {})[path] = os.open(path, os.O_PATH | os.O_DIRECTORY)
    for ancestor, directories in by_ancestor.items():
        if ancestor in directories:
            raise OSError(f"{ancestor} itself is closed to other users; move it or open it")
        _mount("open", ancestor, "tmpfs", 0, "mode=0755")
        for path, fd in sorted(directories.items()):
            if not os.path.isdir(path):
                os.makedirs(path, 0o755)
                _mount(f"/proc/self/fd/{fd}", path, "", _MS_BIND | _MS_REC)


def _build(scratch, passwd, group, homes, visible):
    os.umask(0o022)
    _check(_libc.unshare(_CLONE_NEWNS), "unshare")
    _mount("none", "/", "", _MS_REC | _MS_PRIVATE)
    _open_closed_directories(visible)
    _mount("scratch", scratch, "tmpfs", 0, "mode=0755")
    for name in ("upper", "work", "home"):
        os.mkdir(os.path.join(scratch, name))
    upper, work = os.path.join(scratch, "upper"), os.path.join(scratch, "work")
    _mount("usr", "/usr", "overlay", 0, f"lowerdir=/usr,upperdir={upper},workdir={work}")
    os.makedirs("/usr/spool", exist_ok=True)
    for name, more in (("passwd", passwd), ("group", group)):
        with open(f"/etc/{name}", encoding="utf-8") as file:
            text = file.read()
        private = os.path.join(scratch, name)
        with open(private, "w", encoding="utf-8") as file:
            file.write(text.rstrip("\n") + "\n" + more)
        _mount(private, f"/etc/{name}", "", _MS_BIND)
    for name, uid, gid in homes:
        home = os.path.join(scratch, "home", name)
        os.mkdir(home, 0o700)
        os.chown(home, uid, gid)


def _main():
    import ast

    writer = int(sys.argv[1])
    try:
        _build(*ast.literal_eval(sys.argv[2]))
    except OSError as error:
        sys.exit(str(error))
    os.write(writer, b"ready\n")
    os.close(writer)
    # Until the tests hold the namespace by its descriptor, this process holds it.
    sys.stdin.read()


if __name__ == "__main__":
    _main()
