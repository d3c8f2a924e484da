"""The cgroup (version 2) of a site's jobs, where one can be made: it knows them whatever they did to themselves.

It stands below the cgroup in which the site was started and is named after the site's directory and the
node's boot, so that a later start, from another cgroup perhaps, finds it again. No controller is enabled
in it, and it costs a job nothing: the launcher of jobs stands in it and they are born there. Without
cgroup v2, or the right to make one (root, or a cgroup that was delegated), a site does without. Source:
design section 8, ha-facts.md section 6.
"""

import os

from jcq.site_group import site_number

_PROCS = "cgroup.procs"
_KILL = "cgroup.kill"
#: A directory of the tree without directories in it has so many links.
_LEAF_LINKS = 2


def cgroup_name(directory, boot):
    """The name of the cgroup of a site's jobs on one node, since its boot.

    Args:
        directory: the site's directory.
        boot: see `jcq.node.boot_id`.
    Raises:
        OSError: the directory cannot be looked at.
    """
    status = os.stat(directory)
    return f"jcq-{status.st_dev:x}-{status.st_ino:x}-{site_number(directory, boot):08x}"


def own_cgroup():
    """(path of the cgroup tree's mount point, path of this process's cgroup in it), or None without cgroup v2."""
    try:
        with open("/proc/self/cgroup", encoding="utf-8", errors="surrogateescape") as file:
            own = next((line.rstrip("\n")[3:] for line in file if line.startswith("0::")), None)
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            mounts = [line.split() for line in file]
    except OSError:
        return None
    return placed(own, mounts) if own else None


def placed(own, mounts):
    """The pure part of `own_cgroup`.

    Args:
        own: path of the cgroup as /proc/self/cgroup has it.
        mounts: lines of /proc/self/mountinfo, each a list of words.
    Returns:
        As `own_cgroup`: of several mounts the first that shows the cgroup.
    """
    for words in mounts:
        root, point = _plain(words[3]), _plain(words[4])
        if words[words.index("-") + 1] != "cgroup2":
            continue
        inside = own if root == "/" else own.removeprefix(root) if (own + "/").startswith(root + "/") else None
        # A cgroup outside this namespace's root is written with dots.
        if inside is not None and not inside.startswith("/.."):
            return point, point + inside.rstrip("/")
    return None


def place(directory, boot):
    """The path where `make` puts a site's cgroup; empty where there is no cgroup v2. Arguments as `cgroup_name`."""
    own = own_cgroup()
    try:
        return os.path.join(own[1], cgroup_name(directory, boot)) if own else ""
    except OSError:
        return ""


def make(name):
    """Make the cgroup below this process's own.

    Args:
        name: see `cgroup_name`.
    Returns:
        Its path; one that exists already is used.
    Raises:
        OSError: there is no cgroup v2, or no right to make one in it.
    """
    own = own_cgroup()
    if own is None:
        raise OSError("no cgroup v2 is mounted")
    path = os.path.join(own[1], name)
    try:
        os.mkdir(path)
    except FileExistsError:
        pass
    return path


def join(path, pid):
    """Move a process into a cgroup; those that it starts from now on are born there.

    Raises:
        OSError: that is not permitted.
    """
    with open(os.path.join(path, _PROCS), "wb", buffering=0) as file:
        file.write(b"%d" % pid)


def find(name):
    """Every cgroup of this name in the tree that this process can see.

    Most cgroups have none below them and are only counted, not listed.

    Args:
        name: see `cgroup_name`.
    Returns:
        List of paths.
    """
    own = own_cgroup()
    if own is None:
        return []
    found, left = [], [own[0]]
    while left:
        top = left.pop()
        for path in _below(top):
            if os.path.basename(path) == name:
                found.append(path)
            elif _links(path) != _LEAF_LINKS:
                left.append(path)
    return found


def members(path):
    """Pids of the processes in a cgroup and in those below it, which a job may have made."""
    found = []
    for directory in [path, *_tree(path)]:
        try:
            with open(os.path.join(directory, _PROCS), "rb") as file:
                # A process that this PID namespace does not see is a 0.
                found += [pid for pid in map(int, file.read().split()) if pid]
        except OSError:
            continue
    return found


def kill(path):
    """SIGKILL to every process in a cgroup at one instant; False where there is none, or a kernel before 5.14."""
    if not path:
        return False
    try:
        with open(os.path.join(path, _KILL), "wb", buffering=0) as file:
            file.write(b"1")
    except OSError:
        return False
    return True


def remove(path):
    """Remove a cgroup and those below it, if the path is not empty; one that still has a process stays."""
    for directory in [*reversed(_tree(path)), path] if path else ():
        try:
            os.rmdir(directory)
        except OSError:
            continue


def _tree(path):
    """The cgroups below a path, parents before children."""
    found = list(_below(path))
    for directory in found:  # grows while it is walked
        found += _below(directory)
    return found


def _below(path):
    try:
        with os.scandir(path) as entries:
            return [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def _links(path):
    try:
        return os.stat(path).st_nlink
    except OSError:
        return _LEAF_LINKS


def _plain(text):
    """A path of mountinfo, in which blanks are octal."""
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text
