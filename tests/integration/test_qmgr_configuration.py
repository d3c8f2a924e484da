"""`qmgr show configuration` of one cluster site makes another one like it."""

import grp
import pwd

import pytest

from support.harness import Node

_NOBODY = pwd.getpwnam("nobody").pw_name
_GROUP = grp.getgrgid(pwd.getpwnam("nobody").pw_gid).gr_name

#: Every kind of object.
LINES = (
    "set default batch_request priority = 12",
    "set default destination_retry time = 5",
    "set default destination_retry wait = 7",
    "set global_run_limit = 9",
    "set mail = nqs@example.com",
    "set lifetime = 24",
    "set retention = 2",
    "set shell_strategy fixed = (/bin/sh)",
    "set run_limit = 3 batch",
    "create batch_queue night priority=20 pipeonly run_limit=4 user_limit=2",
    "create pipe_queue a_pipe priority=5 dest=night",
    "create pipe_queue z_pipe dest=(night, batch, a_pipe)",
    "add destination = z_pipe a_pipe",
    "set restart = STOP night",
    "set nqsbg = ON night",
    "set data_limit = (2gb, 1gb) night",
    "set per_request cpu_limit = 10:00.25 night",
    "set elapsed_limit = 2:00:00 night",
    "set no_access night",
    f"add users = ({_NOBODY}, 54321) night",
    f"add groups = ({_GROUP}, 54322) night",
    "create complex = (night, batch) big",
    "set complex run_limit = 3 big",
    "create complex = () empty",
    "disable queue batch",
    "enable queue night",
    "start queue night",
    "enable queue z_pipe",
    f"add managers {_NOBODY}:o",
    "set default batch_request queue = z_pipe",
)


@pytest.fixture
def sites():
    """Two running cluster sites."""
    with Node() as node:
        yield node.cluster_site("one", 200).start(), node.cluster_site("two", 201).start()


def test_a_second_site_is_configured_as_the_first_to_the_last_byte(sites):
    one, two = sites
    one.qmgr(*LINES)
    script = one.run("qmgr", "show", "configuration").ok()
    assert script != two.run("qmgr", "show", "configuration").ok()
    result = two.run("qmgr", stdin=script)
    assert (result.exit_code, result.err) == (0, ""), str(result)
    assert two.run("qmgr", "show configuration").ok() == script
    # It is not only said: a request takes the way of the queues that were made.
    two.qmgr("enable queue batch", "set no_default batch_request queue", "start queue z_pipe")
    assert two.qwait(two.qsub("exit 3\n", "-q", "z_pipe")) == 3
    # A site that is in use is not emptied.
    text = two.run("qmgr", stdin=script).err
    assert "line 3: NQS manager[TCML_REFUSED   ]: this site has queue " in text
    assert len(two.qstat()["queues"]) == 5


def test_the_script_works_where_the_queues_of_the_new_site_were_deleted(sites):
    one, two = sites
    two.qmgr("set no_default batch_request queue", "disable queue guilb_def", "delete queue guilb_def")
    two.qmgr("disable queue batch", "delete queue batch", "set global_run_limit = 4")
    script = one.run("qmgr", "show configuration").ok()
    assert two.run("qmgr", stdin=script).exit_code == 0
    assert two.run("qmgr", "show configuration").ok() == script
    assert two.qwait(two.qsub("exit 0\n")) == 0
