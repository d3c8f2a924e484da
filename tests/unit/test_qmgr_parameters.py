"""qmgr's parameters of the site: what is set takes effect, what jcq has not is said."""

import pytest

from jcq.model.lifecycle import DONE, REJECTED, WAITING
from support.qmgr_work import COMPLETE, Manager


@pytest.fixture
def manager(tmp_path):
    return Manager(tmp_path)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("set default destination_retry time 5", "Default destination_retry time = 5 hours"),
        ("set default destination_retry wait = 7", "Default destination_retry wait = 7 minutes"),
        ("set lifetime = 100", "Lifetime = 100 hours"),
        ("set retention = 2", "Retention of ended requests = 2 hours"),
        ("set shell_strategy fixed = (/bin/sh)", "Batch request shell choice strategy = FIXED: /bin/sh"),
        ("set shell_strategy login", "Batch request shell choice strategy = LOGIN"),
        ("set shell_strategy free", "Batch request shell choice strategy = FREE"),
    ],
)
def test_a_parameter_is_set_and_shown(manager, line, shown):
    assert manager.ok(line).startswith(COMPLETE)
    assert f"  {shown}\n" in manager.ok("show parameters")


def test_the_defaults_are_nqss(manager):
    text = manager.ok("show parameters")
    for shown in ("retry time = 72 hours", "retry wait = 5 minutes", "Lifetime = 168 hours", "strategy = FREE"):
        assert shown in text


@pytest.mark.parametrize("path", ["sh", "/nosuch/shell", "/etc", "/etc/passwd", "'/bin/sh -x'"])
def test_a_fixed_shell_must_be_a_program(manager, path):
    manager.refused(f"set shell_strategy fixed = ({path})", "set shell_strategy fixed: ", exit_code=2)


def test_a_request_without_a_shell_of_its_own_gets_the_fixed_one(manager):
    manager.ok("set shell_strategy fixed = (/bin/sh)")
    manager.register_worker()
    manager.submit(1)
    (claimed,) = manager.claim()
    assert claimed.fixed_shell == "/bin/sh"
    manager.ok("set shell_strategy free")
    manager.store.run(manager.store.bounce(claimed, "why", "w", manager.now(), "QUEUED"))
    (again,) = manager.store.run(manager.store.claim("w", 1, "t2", "node1", 60, manager.now()))
    assert again.fixed_shell == ""


@pytest.mark.parametrize("bound", ["default destination_retry time", "lifetime"])
def test_a_pipe_queue_tries_for_its_time_and_then_rejects(manager, bound):
    manager.ok(f"set {bound} 1")
    manager.ok("set default destination_retry wait 25")
    manager.ok("disable queue batch")
    manager.submit(1, queue="guilb_def")
    for minutes in (25, 50):
        manager.clock_s += 25 * 60
        manager.store.run(manager.store.due(manager.now()))
        assert (manager.state(1), manager.request(1).retried_s) == (WAITING, (minutes + 25) * 60)
    manager.clock_s += 25 * 60
    manager.store.run(manager.store.due(manager.now()))
    request = manager.request(1)
    assert (request.state, request.outcome) == (DONE, REJECTED)
    assert request.reason == "destination batch was disabled for 75 minutes of retries"


def test_retries_are_forgotten_when_it_has_been_taken(manager):
    manager.ok("disable queue batch")
    manager.submit(1, queue="guilb_def")
    manager.ok("enable queue batch")
    manager.clock_s += 300
    manager.store.run(manager.store.due(manager.now()))
    assert (manager.request(1).queue, manager.request(1).retried_s) == ("batch", 0)


@pytest.mark.parametrize(
    ("line", "note"),
    [
        ("set debug 3", "jcq logs everything"),
        ("set log_file /var/log/nqs", "the log is /"),
        ("set maximum copies 2", "no devices"),
        ("set maximum open_retries 2", "no devices"),
        ("set maximum print_size 2", "no devices"),
        ("set network client = (/usr/lib/nqs/netclient)", "no network programs"),
        ("set network daemon = (/usr/lib/nqs/netdaemon)", "no network programs"),
        ("set network server (/usr/lib/nqs/netserver)", "no network programs"),
        ("set no_network_daemon", "no network programs"),
        ("set open_wait 5", "no devices"),
        ("set pipe_client = (/usr/lib/nqs/pipeclient) guilb_def", "routes requests by itself"),
    ],
)
def test_what_has_no_meaning_is_accepted_with_a_note_and_changes_nothing(manager, line, note):
    before = manager.ok("show all")
    out = manager.ok(line)
    assert out.startswith(COMPLETE + "Note: ")
    assert note in out
    assert manager.ok("show all") == before


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("create device lp forms=(a4) fullname=/dev/lp", "jcq has no devices; nothing was changed"),
        ("create device_queue q", "no devices"),
        ("add forms a4", "no devices"),
        ("enable device lp", "no devices"),
        ("set default print_request queue lp", "no devices"),
        ("set no_default device_request queue", "no devices"),
        ("create network_queue n", "no network queues"),
        ("set pipe_client = (/bin/x) batch", "batch queue batch has no pipe client"),
        ("set pipe_client = (/bin/x) nosuch", "TCML_NOSUCHQUE"),
    ],
)
def test_what_would_make_something_that_jcq_has_not_is_refused(manager, line, words):
    manager.refused(line, words)


def test_there_are_no_devices_to_show(manager):
    for word in ("device", "device lp", "forms"):
        assert manager.ok(f"show {word}", uid=1001) == "No devices: jcq has none.\n"


def test_mail_account(manager):
    manager.ok("set mail = batch@example.com")
    assert "  Mail account = batch@example.com\n" in manager.ok("show parameters")
    manager.refused("set mail = '-oQ/tmp'", "no account or mail address", exit_code=2)
