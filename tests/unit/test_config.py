"""daemon.conf and site.conf: what is understood, what is warned about, what is refused."""

import os

import pytest

from jcq.conf_files import conf_path
from jcq.config import DaemonConf, SiteConf, read_daemon_conf, read_site_conf
from jcq.errors import ConfigError
from jcq.site import lib


@pytest.fixture
def common(tmp_path):
    """Function that writes the common daemon.conf below tmp_path, which is the root."""
    os.makedirs(lib(str(tmp_path), "rc"))

    def write(text):
        with open(lib(str(tmp_path), "rc", "daemon.conf"), "w", encoding="utf-8") as file:
            file.write(text)
        return str(tmp_path)

    return write


def test_no_files_are_the_defaults(tmp_path):
    assert read_daemon_conf(str(tmp_path), str(tmp_path)) == (DaemonConf(), [])
    assert read_site_conf(str(tmp_path)) == (SiteConf(), [])


def test_the_defaults_are_those_of_the_issue():
    conf = SiteConf()
    assert (conf.boot_timeout_s, conf.stop_timeout_s, conf.forcekill_time_s) == (150, 90, 5)


@pytest.mark.parametrize("name", ["daemon.conf", "site.conf"])
def test_the_samples_change_nothing_and_show_every_key(tmp_path, common, name):
    with open(conf_path(name), encoding="utf-8") as file:
        text = file.read()
    uncommented = "\n".join(
        line[1:] for line in text.splitlines() if line.startswith("#") and "=" in line.split(" ")[0]
    )
    if name == "daemon.conf":
        assert read_daemon_conf(common(text)) == (DaemonConf(), [])
        assert read_daemon_conf(common(uncommented)) == (DaemonConf(), [])
        assert len(uncommented.splitlines()) == len(vars(DaemonConf()))
    else:
        for content in (text, uncommented):
            (tmp_path / name).write_text(content)
            assert read_site_conf(str(tmp_path)) == (SiteConf(), [])
        assert len(uncommented.splitlines()) == len(vars(SiteConf()))


def test_the_sites_file_is_stronger_than_the_common_one(tmp_path, common):
    root = common("ipaddress = 192.0.2.1\nlocal_daemon=site # here\nmaintenance=on\n")
    site = tmp_path / "nqs"
    site.mkdir()
    (site / "daemon.conf").write_text("ipaddress=192.0.2.2\n\n# a comment\nretention = 60\n")
    conf, warnings = read_daemon_conf(root, str(site))
    assert (conf.ipaddress, conf.local_daemon, conf.maintenance, conf.retention_s) == ("192.0.2.2", "SITE", True, 60)
    assert warnings == []


@pytest.mark.parametrize("line", ["frobnicate=1", "BOOT_TIMEOUT=5", "ipaddress 1", "=5", "Port=1"])
def test_unknown_keys_are_warned_about_with_file_and_line(common, line):
    root = common(f"# first\n{line}\nport=608\n")
    conf, warnings = read_daemon_conf(root)
    assert conf.port == 608
    (warning,) = warnings
    assert warning.startswith(f"{lib(root, 'rc', 'daemon.conf')}:2: ")


@pytest.mark.parametrize(
    "line", ["maintenance=maybe", "port=x", "port=-1", "local_daemon=ON", "retention=1e3", "port=99999999999"]
)
def test_bad_values_are_refused_with_file_and_line(common, line):
    root = common(f"\n\n{line}\n")
    with pytest.raises(ConfigError, match=r"daemon\.conf:3: " + line.split("=")[0]):
        read_daemon_conf(root)


@pytest.mark.parametrize(("text", "stop_timeout_s"), [("STOP_TIMEOUT=10", 10), ("STOP_TIMEOUT = 0.5 # s", 0.5)])
def test_time_limits_may_have_fractions(tmp_path, text, stop_timeout_s):
    (tmp_path / "site.conf").write_text(text + "\n")
    conf, warnings = read_site_conf(str(tmp_path))
    assert (conf.stop_timeout_s, warnings) == (stop_timeout_s, [])


@pytest.mark.parametrize("value", ["nan", "inf", "-1", "", "5s"])
def test_time_limits_are_numbers(tmp_path, value):
    (tmp_path / "site.conf").write_text(f"BOOT_TIMEOUT={value}\n")
    with pytest.raises(ConfigError, match=r"site\.conf:1: BOOT_TIMEOUT"):
        read_site_conf(str(tmp_path))


@pytest.mark.parametrize(("text", "sweep"), [("SWEEP=all", "ALL"), ("SWEEP=ALL", "ALL"), ("SWEEP=", "")])
def test_what_a_stop_may_kill(tmp_path, text, sweep):
    (tmp_path / "site.conf").write_text(text + "\n")
    assert read_site_conf(str(tmp_path))[0].sweep == sweep
    (tmp_path / "site.conf").write_text("SWEEP=ON\n")
    with pytest.raises(ConfigError, match=r"site\.conf:1: SWEEP must be ALL"):
        read_site_conf(str(tmp_path))


def test_a_directory_in_place_of_a_file_is_refused(tmp_path):
    (tmp_path / "site.conf").mkdir()
    with pytest.raises(ConfigError, match=r"site\.conf"):
        read_site_conf(str(tmp_path))
