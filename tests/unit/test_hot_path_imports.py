"""The users' commands load next to nothing: each import costs a good part of the bare interpreter (design section 6).

The real command runs under `python -I -S` and says what is in sys.modules at its end.
"""

import subprocess
import sys

import pytest

from jcq.frames import netstring
from jcq.options import TABLES
from support.fakedaemon import FakeDaemon, hot_argv

#: What may be loaded beside the built-in modules and what `python -I -S` has loaded before the first line runs.
ALLOWED = {
    # os and what it consists of
    "_collections_abc", "genericpath", "os", "os.path", "posixpath", "stat",
    # asking
    "_socket",
    # jcq
    "jcq", "jcq.cli", *(f"jcq.cli.{command}" for command in TABLES),
    "jcq.asking", "jcq.client", "jcq.errors", "jcq.frames", "jcq.options", "jcq.qsub_script", "jcq.site",
}  # fmt: skip

PRINT_MODULES = "import os; os.write(2, ' '.join(sys.modules).encode())"


def bare_modules():
    """What the interpreter has loaded by itself."""
    code = "import sys; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("command", "args"),
    [
        ("qsub", ["-q", "night", "-x", "-a", "23:00"]),
        ("qstat", ["-a", "--json"]),
        ("qselect", ["-s", "HELD"]),
        ("qdel", ["-TERM", "12"]),
        ("qwait", ["12"]),
        ("qalter", ["-p", "1", "12"]),
        ("qmsg", ["hello", "12"]),
        ("qsig", ["-TERM", "12"]),
    ],
)
def test_only_the_allowed_modules(tmp_path, command, args):
    with FakeDaemon(tmp_path, lambda _: netstring(b"oanswer\n") + netstring(b"x0")) as daemon:
        done = subprocess.run(
            hot_argv(command, *args, after=PRINT_MODULES), input=b"#@$-x\n", capture_output=True,
            env={"JCQ_ROOT": daemon.root}, timeout=60,
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (0, b"answer\n"), done.stderr
        assert len(daemon.messages) == 1
    loaded = set(done.stderr.decode().split())
    assert "jcq.client" in loaded
    assert ("jcq.qsub_script" in loaded) == (command == "qsub")
    assert loaded - ALLOWED - bare_modules() - set(sys.builtin_module_names) == set()


def test_a_site_by_name_loads_no_more(tmp_path):
    """NQS_SITE is resolved by rc/resolv.def, then the link is followed."""
    with FakeDaemon(tmp_path) as daemon:
        rc = tmp_path / "usr/lib/nqs/rc"
        rc.mkdir(parents=True)
        (rc / "resolv.def").write_text("127.0.0.50 testsite.example testsite\n")
        (tmp_path / "usr/spool/nqs/7F000032").symlink_to(daemon.directory)
        done = subprocess.run(
            hot_argv("qstat", after=PRINT_MODULES), capture_output=True, timeout=60,
            env={"JCQ_ROOT": daemon.root, "NQS_SITE": "testsite"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert set(done.stderr.decode().split()) - ALLOWED - bare_modules() - set(sys.builtin_module_names) == set()


def test_a_name_that_only_the_system_could_know_loads_no_more(tmp_path):
    argv = hot_argv("qstat", after="import os; os.write(1, ' '.join(sys.modules).encode())")
    done = subprocess.run(
        argv, capture_output=True, timeout=60,
        env={"JCQ_ROOT": str(tmp_path), "NQS_SITE": "nosuch.invalid"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, b"Qstat(FATAL): Unable to setup NQS rootdir\n")
    assert set(done.stdout.decode().split()) - ALLOWED - bare_modules() - set(sys.builtin_module_names) == set()


def test_the_list_can_fail(tmp_path):
    with FakeDaemon(tmp_path) as daemon:
        done = subprocess.run(
            hot_argv("qstat", before="import json", after=PRINT_MODULES), capture_output=True, timeout=60,
            env={"JCQ_ROOT": daemon.root},
        )  # fmt: skip
    assert "json" in set(done.stderr.decode().split()) - ALLOWED - bare_modules() - set(sys.builtin_module_names)
