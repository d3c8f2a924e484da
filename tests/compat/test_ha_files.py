"""`jcq ha`: what it writes and refuses; the files as shellcheck and systemd-analyze see them."""

import os
import re
import shutil
import stat

import pytest

from jcq.cluster.ha import FILES
from jcq.conf_files import conf_path
from support import cluster_cases, skips
from support.agents import MANAGERS, SHELLS, directory_of, read, write_files

PLACE = re.compile(r"@[A-Z]+@")


@pytest.fixture(scope="module")
def written(module_bench):
    """{manager: directory} for `testsite`; what pacemaker's files need to know of the disk is given."""
    bench = module_bench
    for manager in MANAGERS:
        directory = directory_of(bench.node, manager, "testsite")
        disk = ("--device", "/dev/vg1/jobdb", "--fstype", "ext4") if manager == "pacemaker" else ()
        run_ha(bench.node, manager, "testsite", bench.site.db_path, *disk, output=directory).ok()
    return {manager: directory_of(bench.node, manager, "testsite") for manager in MANAGERS}


def run_ha(node, manager, site, db_path, *more, output=None):
    where = ("--output", output) if output else ()
    return node.run("jcq", "ha", manager, "--site", site, "--db", db_path, *where, *more)


def files_below(directory):
    return sorted(os.path.join(top, name) for top, _, names in os.walk(directory) for name in names)


def scripts_of(directories):
    """Scripts, by their first line or their name."""
    found = [path for directory in directories for path in files_below(directory)]
    return [path for path in found if read(path).startswith("#!") or path.endswith(".sh")]


def test_every_file_is_written_complete_and_scripts_are_executable(written):
    assert set(MANAGERS) == set(FILES)
    for manager, directory in written.items():
        paths = files_below(directory)
        assert len(paths) == len(FILES[manager])
        for path in paths:
            assert not PLACE.search(read(path)), path
            mode = 0o755 if read(path).startswith("#!") else 0o644
            assert stat.S_IMODE(os.stat(path).st_mode) == mode, path


def test_every_shipped_file_belongs_to_a_set():
    for manager, files in FILES.items():
        shipped = {os.path.relpath(path, conf_path("ha", manager)) for path in files_below(conf_path("ha", manager))}
        assert shipped == {template for template, _ in files}
    assert set(os.listdir(conf_path("ha"))) == set(FILES)


@pytest.mark.parametrize("shell", SHELLS)
def test_scripts_parse(written, module_bench, shell):
    for path in [*scripts_of(written.values()), *scripts_of([conf_path("ha")])]:
        module_bench.node.run([shutil.which(shell), "-n", path]).ok()


def test_shellcheck_finds_nothing(written, module_bench):
    if not shutil.which("shellcheck"):
        pytest.skip(skips.NEEDS_SHELLCHECK)
    scripts = [*scripts_of(written.values()), *scripts_of([conf_path("ha")])]
    assert len(scripts) == 2 * 10
    assert module_bench.node.run(["shellcheck", *scripts]).ok() == ""


def test_systemd_analyze_finds_nothing(written, module_bench):
    if not shutil.which("systemd-analyze"):
        pytest.skip(skips.NEEDS_SYSTEMD)
    directory = written["systemd"]
    env = {"SYSTEMD_UNIT_PATH": f"{directory}:"}
    for unit in ("jcq@testsite.service", "jcq-keeper.service", "jcq-local.service"):
        # The instance, with its drop-in.
        result = module_bench.node.run(["systemd-analyze", "verify", "--man=no", unit], env=env, cwd=directory)
        assert (result.exit_code, result.out + result.err) == (0, ""), result


def test_the_unit_says_what_systemd_has_to_know(written):
    unit = read(os.path.join(written["systemd"], "jcq@.service"))
    lines = unit.splitlines()
    wanted = ("Type=notify", "Delegate=yes", "LimitSTACK=8M", "KillMode=mixed", "Restart=no", "OOMPolicy=continue")
    assert set(wanted) <= set(lines)
    # More than BOOT_TIMEOUT (150 s) and STOP_TIMEOUT (90 s) of site.conf.
    for key, least_s in (("TimeoutStartSec", 150), ("TimeoutStopSec", 90 + 15), ("WatchdogSec", 30)):
        assert int(re.search(rf"^{key}=(\d+)$", unit, re.MULTILINE)[1]) >= least_s


def test_the_crm_example_is_whole(written, module_bench):
    text = read(os.path.join(written["pacemaker"], "jcq-testsite.crm")).replace("\\\n", " ")
    site = module_bench.site
    for wanted in (
        f'ip="{site.address}"',
        f'site="testsite" dbpath="{site.db_path}"',
        'device="/dev/vg1/jobdb"',
        'fstype="ext4"',
        "stonith-enabled=true",
    ):
        assert wanted in text
    members = re.search(r"^group jcq-testsite (.*?) +meta", text, re.MULTILINE)[1].split()
    assert members == [f"jcq-testsite-{part}" for part in ("disk", "address", "site")]
    assert {f"primitive {member}" for member in members} <= set(re.findall(r"^primitive \S+", text, re.MULTILINE))


def test_what_is_there_and_differs_is_not_touched(module_bench):
    node, output = module_bench.node, os.path.join(module_bench.node.scratch, "twice")
    made = run_ha(node, "powerha", "testsite", "/mnt/jobdb", output=output).ok().splitlines()
    assert made == [os.path.join(output, name) for name in ("start.sh", "stop.sh", "monitor.sh", "README.md")]
    assert run_ha(node, "powerha", "testsite", "/mnt/jobdb", output=output).ok().splitlines() == made
    with open(made[1], "a", encoding="ascii") as file:
        file.write("# ours\n")
    os.unlink(made[0])
    run_ha(node, "powerha", "testsite", "/mnt/jobdb", output=output).refused(made[1], "differs", "--output")
    assert read(made[1]).endswith("# ours\n")
    assert not os.path.exists(made[0])


def test_without_output_it_writes_beside_and_says_what_it_does_not_know(module_bench):
    node = module_bench.node
    place = node.make_directory("elsewhere")
    ran = node.run("jcq", "ha", "pacemaker", "--site", "far", "--db", "/no/such", cwd=place)
    assert ran.ok().splitlines()[0] == os.path.join(place, "pacemaker-far", "site")
    [warning] = ran.err.splitlines()
    assert all(word in warning for word in ("warning", "--address", "--device", "--fstype"))
    other = node.run("jcq", "ha", "powerha", "--site", "testsite", "--db", "/x", "--address", "192.0.2.9", cwd=place)
    assert other.ok()
    assert "the nodes must agree" in other.err


BAD = {
    ("nagios", "--site", "testsite", "--db", "/x"): ("nagios", "pacemaker"),
    ("pacemaker", "--db", "/x"): ("--site",),
    ("pacemaker", "--site", "testsite"): ("--db",),
    ("pacemaker", "--site", "test site", "--db", "/x"): ("no host name",),
    ("pacemaker", "--site", "a;b", "--db", "/x"): ("no host name",),
    ("pacemaker", "--site", "", "--db", "/x"): ("no host name",),
    ("pacemaker", "--site", "testsite", "--db", "mnt/jobdb"): ("absolute",),
    ("pacemaker", "--site", "testsite", "--db", "/mnt/a b"): ("only letters",),
    ("pacemaker", "--site", "testsite", "--db", "/mnt/$HOME"): ("only letters",),
    ("pacemaker", "--site", "testsite", "--db", "/mnt/a\nb"): ("only letters",),
    ("systemd", "--site", "testsite", "--db", "/mnt/100%n"): ("only letters",),
    ("pacemaker", "--site", "testsite", "--db", "/x", "--address", "192.0.2"): ("--address",),
    ("pacemaker", "--site", "testsite", "--db", "/x", "--device", 'a"b'): ("--device",),
    ("pacemaker", "--site", "testsite", "--db", "/x", "--fstype", ""): ("--fstype",),
    ("pacemaker", "--site", "testsite", "--db", "/x", "--output", "/proc/no"): ("/proc",),
    ("pacemaker", "--site", "testsite", "--db", "/x", "--output", "/dev/null"): ("/dev/null",),
    ("pacemaker", "more", "--site", "testsite", "--db", "/x"): ("more",),
    (): ("MANAGER",),
}


@pytest.mark.parametrize("words", BAD, ids=" ".join)
def test_bad_input_is_one_line_and_nothing_is_written(module_bench, words):
    place = module_bench.node.make_directory("empty")
    module_bench.node.run("jcq", "ha", *words, cwd=place).refused(*BAD[words])
    assert os.listdir(place) == []


def test_every_numbered_case_is_shown_by_a_test():
    """The table at the end of a run says which passed; here it is that none is without a test."""
    shown = set()
    here = os.path.dirname(__file__)
    for name in os.listdir(here):
        if name.startswith("test_"):
            text = read(os.path.join(here, name))
            for numbers in re.findall(r"^@pytest\.mark\.case\((.*)\)$", text, re.MULTILINE):
                shown |= {int(number) for number in numbers.split(",")}
    assert shown == set(cluster_cases.CASES)


def test_a_second_site_gets_its_own_names(module_bench):
    directory = write_files(module_bench.node, "systemd", "testsite2", module_bench.sites["testsite2"].db_path)
    assert os.path.exists(os.path.join(directory, "jcq@testsite2.service.d", "database.conf"))
