"""qmgr scripts as people published them: each line is a command of jcq.

The lines are those of FreeBSD's example queues (net/generic-nqs, create-example-batch-queues) and of
Intergraph's I/VDS shell scripts (nqs-facts.md section 8), with their blanks, cases and abbreviations.
"""

import pytest

from jcq.model.qmgr_grammar import join_lines, parse

#: line -> what it must be understood as.
FREEBSD = (
    ("#", None),
    (
        "create pipe misc-sched run_limit= 40 destination= batch",
        ("create pipe_queue", {"queue": "misc-sched", "run_limit": 40, "destinations": (("batch", ""),)}),
    ),
    ("enable queue misc-sched", ("enable queue", {"queue": "misc-sched"})),
    ("start queue misc-sched", ("start queue", {"queue": "misc-sched"})),
    (
        "create batch_queue batch    priority = 10 run_limit = 4 user_limit = 2",
        ("create batch_queue", {"queue": "batch", "priority": 10, "run_limit": 4, "user_limit": 2}),
    ),
    ("set data_limit = (2gb) batch", ("set data_limit", {"queue": "batch", "data_process": (2 << 30, None)})),
    (
        "set per_process permfile_limit = (2gb) batch",
        ("set per_process permfile_limit", {"queue": "batch", "permfile_process": (2 << 30, None)}),
    ),
    ("set STack_limit = ( 8192kb ) batch", ("set stack_limit", {"queue": "batch", "stack_process": (8 << 20, None)})),
    (
        "set default batch_request queue batch",
        ("set default batch_request queue", {"queue": "batch"}),
    ),
    ("SEt SHell_strategy FIxed = (/bin/csh)", ("set shell_strategy fixed", {"program": "/bin/csh"})),
)

IVDS = (
    ("create batch_queue vds priority=16", ("create batch_queue", {"queue": "vds", "priority": 16})),
    ("set unrestricted_access vds", ("set unrestricted_access", {"queue": "vds"})),
    (
        "set per_process permfile_limit=(99999999b) vds",
        ("set per_process permfile_limit", {"queue": "vds", "permfile_process": (99999999, None)}),
    ),
    (
        "create pipe_queue post priority=31 dest=(vds@server) server=(/usr/lib/nqs/pipeclient)",
        (
            "create pipe_queue",
            {
                "queue": "post",
                "priority": 31,
                "destinations": (("vds", "server"),),
                "program": "/usr/lib/nqs/pipeclient",
            },
        ),
    ),
    (
        "create pipe_queue post priority=31 server=(/usr/lib/nqs/pipeclient) destination=vds@server",
        (
            "create pipe_queue",
            {
                "queue": "post",
                "priority": 31,
                "program": "/usr/lib/nqs/pipeclient",
                "destinations": (("vds", "server"),),
            },
        ),
    ),
    ("enable queue vds", ("enable queue", {"queue": "vds"})),
    ("start queue vds", ("start queue", {"queue": "vds"})),
)


@pytest.mark.parametrize(("line", "wanted"), FREEBSD + IVDS)
def test_a_published_line_is_understood(line, wanted):
    command = parse(line)
    assert (command and (command.verb, command.values)) == wanted


def test_a_here_document_is_read_line_by_line():
    text = "\n".join(line for line, _ in FREEBSD) + "\n"
    assert [line for _, line, _ in join_lines(text.splitlines(keepends=True))] == [line for line, _ in FREEBSD]
