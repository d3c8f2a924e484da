"""Scrub the environment first; then the fixtures and the list of skips that every test shares."""

import os

# Before anything else is imported: no variable of the person at the keyboard may reach a test.
for _name in list(os.environ):
    if _name.startswith(("NQS_", "JCQ_", "QSUB_")):
        del os.environ[_name]

import contextlib
import sys
import tempfile

import hypothesis
import pytest

import jcq
from support import cluster_cases, skips
from support.battery import Battery
from support.harness import BIN, Node
from support.namespace import Namespace
from support.users import NAMED, group_lines, passwd_lines

_BATTERY = pytest.StashKey[Battery]()
#: One case of the battery with its full counts takes no longer.
_FULL_LIMIT_S = 7200

# No test is about time: a busy machine is no failure, and nothing is written beside the tests.
hypothesis.settings.register_profile(
    "jcq", deadline=None, database=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.register_profile("jcq-full", hypothesis.settings.get_profile("jcq"), max_examples=1000)
hypothesis.settings.load_profile("jcq")


def pytest_addoption(parser):
    parser.addoption("--strict-skips", action="store_true", help="fail on a skip that support/skips.py does not list")
    parser.addoption("--battery", choices=("ci", "full"), default="ci", help="counts of the battery of faults")
    parser.addoption("--battery-report", metavar="FILE", help="write the battery's table there too")


def pytest_configure(config):
    config.stash[_BATTERY] = Battery(config.getoption("--battery") == "full")
    if config.getoption("--battery") == "full":
        hypothesis.settings.load_profile("jcq-full")


def pytest_collection_modifyitems(items):
    for item in items:
        if item.get_closest_marker("root") and os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason=skips.NEEDS_ROOT))
        for marker in item.iter_markers("case"):
            item.user_properties += [("case", number) for number in marker.args]
        if "battery" in item.path.name and item.config.getoption("--battery") == "full":
            item.add_marker(pytest.mark.timeout(_FULL_LIMIT_S))


def _outcomes_of_cases(terminalreporter):
    """{case: outcomes} of the numbered cases of cluster software that this run has tried."""
    outcomes = {}
    for outcome in ("passed", "failed", "error"):
        for report in terminalreporter.stats.get(outcome, []):
            for name, number in getattr(report, "user_properties", ()):
                if name == "case":
                    outcomes.setdefault(number, []).append(outcome)
    return outcomes


def pytest_terminal_summary(terminalreporter, config):
    outcomes = _outcomes_of_cases(terminalreporter)
    if outcomes:
        terminalreporter.section("cluster software, case by case")
        for line in cluster_cases.table(outcomes):
            terminalreporter.write_line(line)
    battery = config.stash[_BATTERY]
    if not battery.rows:
        return
    terminalreporter.section(f"battery, seed {battery.seed}")
    for line in battery.table():
        terminalreporter.write_line(line)
    path = config.getoption("--battery-report")
    if path:
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(battery.table()) + "\n")


@pytest.fixture
def battery(request):
    """The battery's counts, and where its cases report."""
    return request.config.stash[_BATTERY]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    if not session.config.getoption("--strict-skips"):
        return
    reporter = session.config.pluginmanager.getplugin("terminalreporter")
    for report in reporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not skips.allowed(reason):
            reporter.write_line(f"skip that is not allowed: {report.nodeid}: {reason}", red=True)
            session.exitstatus = 1


@pytest.fixture
def node():
    """A scratch node with no site."""
    with Node() as made:
        yield made


@pytest.fixture
def local_site():
    """The local site of a scratch node, running."""
    with Node() as made:
        yield made.local_site().start()


@pytest.fixture
def cluster_site():
    """A cluster site `testsite` of a scratch node, running."""
    with Node() as made:
        yield made.cluster_site().start()


@contextlib.contextmanager
def private_namespace():
    """A mount namespace with alice and bob, who can reach the interpreter and the installed packages."""
    scratch = os.path.realpath(tempfile.mkdtemp(prefix="jcq-namespace-"))
    os.chmod(scratch, 0o755)
    visible = [sys.base_prefix, sys.prefix, BIN, os.path.dirname(os.path.dirname(jcq.__file__))]
    homes = [(user.name, user.uid, user.gid) for user in NAMED]
    lines = passwd_lines(os.path.join(scratch, "home")), group_lines()
    made = Namespace(scratch, *lines, homes, visible)
    yield made
    made.close()
    os.rmdir(scratch)


@pytest.fixture(scope="module")
def namespace():
    """A namespace for all tests of a file, which are marked `root`."""
    with private_namespace() as made:
        yield made


@pytest.fixture
def other_namespace():
    """One more: another machine's paths, as far as files go."""
    with private_namespace() as made:
        yield made
