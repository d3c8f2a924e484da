"""Who may use which command of qmgr."""

import pytest

from support.qmgr_work import COMPLETE, MAKER, USERS, Manager


@pytest.fixture
def manager(tmp_path):
    return Manager(tmp_path)


# --- rights ----------------------------------------------------------------------------------

OF_OPERATORS = (
    "abort queue batch",
    "disable queue batch",
    "enable queue batch",
    "move queue batch guilb_def",
    "purge queue batch",
    "start queue batch",
    "stop queue batch",
)
OF_REQUESTS = (
    "delete request 1",
    "hold request 1",
    "modify request 1 priority=2",
    "move request=1 guilb_def",
    "release request 1",
    "resume request 1",
    "suspend request 1",
)
OF_USERS = ("help", "exit", "show queue", "show long queue batch", "show parameters", "show managers", "show all")
OF_MANAGERS = (
    "add destination=batch guilb_def",
    "add managers root:m",
    "create batch_queue x",
    "create pipe_queue x",
    "delete destination=batch guilb_def",
    "delete managers alice:m",
    "delete queue batch",
    "lock local_daemon",
    "set default destination_retry time 4",
    "set default destination_retry wait 4",
    "set retention=4",
    "set shell_strategy free",
    "create device x",
    "create complex = batch c",
    "delete complex c",
    "add queues = batch c",
    "remove queues = batch c",
    "set complex run_limit = 2 c",
    "set user_limit = 2 batch",
    "add groups=1 batch",
    "add users=1 batch",
    "delete groups=1 batch",
    "delete users=1 batch",
    "set no_access batch",
    "set unrestricted_access batch",
    "set default batch_request priority 4",
    "set default batch_request queue batch",
    "set destination=batch guilb_def",
    "set global_run_limit=1",
    "set managers root:m",
    "set no_default batch_request queue",
    "set nqsbg=ON batch",
    "set priority=1 batch",
    "set restart=PURGE batch",
    "set run_limit=1 batch",
    "shutdown",
    "unlock local_daemon",
)


@pytest.mark.parametrize("uid", [1001, 1003])
@pytest.mark.parametrize("line", [*OF_MANAGERS, *OF_OPERATORS, *OF_REQUESTS])
def test_a_user_may_change_nothing(manager, line, uid):
    manager.submit(1)
    error = manager.refused(line, "NQS manager[TCML_INSUFFPRV ]: ", uid=uid)
    assert (USERS[uid] or "uid 1003") in error


@pytest.mark.parametrize("line", OF_MANAGERS)
def test_an_operator_may_not_do_what_managers_do(manager, line):
    manager.store.run(manager.store.set_manager("bob", "o"))
    manager.refused(line, "TCML_INSUFFPRV", "bob", "only a manager may", uid=1002)


@pytest.mark.parametrize("line", OF_OPERATORS)
def test_an_operator_keeps_queues_going(manager, line):
    manager.store.run(manager.store.set_manager("bob", "o"))
    assert manager.ok(line, uid=1002).startswith(COMPLETE)


@pytest.mark.parametrize("uid", [0, MAKER, 1001])
def test_root_the_maker_and_a_named_manager_may_do_all(manager, uid):
    manager.store.run(manager.store.edit_managers("set", [("alice", "m")]))
    assert manager.ok("create batch_queue x", uid=uid) == COMPLETE


@pytest.mark.parametrize("line", OF_USERS)
@pytest.mark.parametrize("uid", [1001, 1003])
def test_everyone_may_look(manager, line, uid):
    assert "TCML" not in manager.ok(line, uid=uid)
