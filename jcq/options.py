"""The users' commands' options: one literal table each, and the parser that client, daemon, directives and help share.

An option is one exact word (`-eo` is not `-e -o`), its value the next word, as in NQS (nqs-facts.md
sections 2 to 4). Loaded on the fast path, so the tables are literal tuples, and nothing but
`jcq.errors` and the built-in `_signal` is imported.
"""

from jcq.errors import UsageError

# A table: (command, what it does, operands as help shows them, fewest, most (-1: any number), rows).
# A row: (word, name of its value or "", key of the result, (lowest, highest) of a number or None, help).
# The word "-signo" stands for `-9`, `-TERM` and `-SIGTERM`.

# Resource limits: the key is the name in `jcq.model.limits.LIMITS`, where the values are read (a test compares them).
_LIMITS = (
    (
        "-lE",
        "time",
        "elapsed_request",
        None,
        'elapsed time of the request: [[h:]m:]s, unlimited, or "10:00, 9:00" with a warning',
    ),
    ("-lF", "size", "permfile_request", None, "permanent file space of the request (see qlimit)"),
    ("-lM", "size", "memory_request", None, "memory of all processes of the request"),
    ("-lT", "time", "cpu_request", None, "CPU time of all processes of the request"),
    ("-lV", "size", "tempfile_request", None, "temporary file space of the request (see qlimit)"),
    (
        "-lc",
        "size",
        "core_process",
        None,
        'core file size: 0, 1.5gb, unlimited, "2mb, 1mb"; units b kb mb gb tb, w kw mw gw',
    ),
    ("-ld", "size", "data_process", None, "data segment size of each process"),
    ("-lf", "size", "permfile_process", None, "permanent file size"),
    ("-lm", "size", "memory_process", None, "memory of each process"),
    ("-ln", "nice", "nice_process", None, "nice value, -20 to 19"),
    ("-ls", "size", "stack_process", None, "stack segment size of each process"),
    ("-lt", "time", "cpu_process", None, "CPU time of each process"),
    ("-lv", "size", "tempfile_process", None, "temporary file size"),
    ("-lw", "size", "workset_process", None, "working set size of each process (see qlimit)"),
)

QSUB = (
    "qsub",
    "Submit a script, from a file or standard input, to a queue.",
    "[script-file]",
    0,
    1,
    (
        ("-a", "date-time", "start", None, 'do not start before this time, e.g. "11pm tues" or "2027-01-01 08:00"'),
        ("-d", "", "delete", None, "delete the script file when the request has been accepted"),
        ("-e", "path", "err_path", None, "file for standard error; default NAME.eSEQ in this directory"),
        ("-eo", "", "joined", None, "standard error goes to the file of standard output"),
        ("-ke", "", "keep_err", None, "standard error stays on the execution machine, in HOME"),
        ("-ko", "", "keep_out", None, "standard output stays on the execution machine, in HOME"),
        *_LIMITS,
        ("-mb", "", "mail_begin", None, "mail its owner when the request begins"),
        ("-me", "", "mail_end", None, "mail its owner when the request has ended"),
        ("-mu", "user[@host]", "mail_to", None, "who gets the mail in place of the owner"),
        ("-nr", "", "not_restartable", None, "do not run it again if the site fails while it runs"),
        ("-o", "path", "out_path", None, "file for standard output; default NAME.oSEQ in this directory"),
        ("-p", "priority", "priority", (0, 63), "priority in its queue, 0 to 63"),
        ("-q", "queue", "queue", None, "queue; default $QSUB_QUEUE, then the site's default"),
        ("-r", "name", "name", None, "request name; default the script's file name, or STDIN"),
        ("-re", "", "direct_err", None, "standard error is written to its file while the request runs, not spooled"),
        ("-ro", "", "direct_out", None, "standard output is written to its file while the request runs, not spooled"),
        ("-s", "shell", "shell", None, "absolute path of the shell that runs the script"),
        ("-x", "", "export", None, "export the whole environment to the request"),
        ("-z", "", "silent", None, "print nothing on success"),
        ("--parsable", "", "parsable", None, "print the request id alone"),
        ("--wait", "", "wait", None, "wait until the request has ended, and exit as qwait does"),
    ),
)

QSTAT = (
    "qstat",
    "Show queues, and the requests in them (your own, unless -a or -u).",
    "[queue | request-id | complex ...]",
    0,
    -1,
    (
        ("-a", "", "all", None, "requests of all users"),
        ("-b", "", "batch", None, "batch queues only"),
        ("-c", "", "complexes", None, "complexes with their run limits and queues; other options then mean nothing"),
        ("-d", "", "device", None, "device queues only (jcq has none)"),
        ("-l", "", "long", None, "long form: every attribute of a request"),
        ("-m", "", "medium", None, "with each request why it is not running, or when it will"),
        ("-o", "", "originated", None, "requests submitted on this machine only"),
        ("-p", "", "pipe", None, "pipe queues only"),
        ("-r", "", "routes", None, "with each pipe queue its destinations"),
        ("-s", "", "standard", None, "the standard form, which is the default"),
        ("-u", "user", "user", None, "requests of this user"),
        ("-x", "", "extended", None, "extended header: run and user limit, access, destinations, restart attribute"),
        ("--json", "", "json", None, "one JSON document instead of text"),
        ("--old-id", "id", "old_id", None, "what spoolconv made of this id of an old system; of an array, each task"),
        ("--watch", "", "watch", None, "show it again every two seconds, until interrupted"),
    ),
)

QSTATA = (
    "qstata",
    "Show who may submit to which queue, one queue a line.",
    "[queue ...]",
    0,
    -1,
    (),
)

QSTATC = (
    "qstatc",
    "Show complexes, one a line.",
    "[complex ...]",
    0,
    -1,
    (),
)

QSTATQ = (
    "qstatq",
    "Show queues, one a line.",
    "[queue ...]",
    0,
    -1,
    (),
)

QSTATR = (
    "qstatr",
    "Show requests, one a line (your own, unless -a or -u).",
    "[queue | request-id ...]",
    0,
    -1,
    (
        ("-a", "", "all", None, "requests of all users"),
        ("-u", "user", "user", None, "requests of this user"),
    ),
)

QSELECT = (
    "qselect",
    "Print the ids of requests that fit every option (your own, unless -a or -u), e.g. for xargs.",
    "",
    0,
    0,
    (
        ("-a", "", "all", None, "requests of all users"),
        ("-p", "priority", "priority", None, "with this priority, 5, or one of a range, 5-10"),
        ("-q", "queue", "queue", None, "in this queue"),
        ("-r", "name", "name", None, "with this name; a shell pattern, e.g. 'sim*'"),
        ("-s", "states", "states", None, "in one of these states, e.g. QUEUED,HELD,SUSPENDED; may be abbreviated"),
        ("-u", "user", "user", None, "requests of this user"),
    ),
)

QDEL = (
    "qdel",
    "Delete requests; a running one is touched only with -k or -signo.",
    "request-id ...",
    1,
    -1,
    (
        ("-k", "", "kill", None, "kill it (SIGKILL) if it is running"),
        ("-signo", "", "signal", None, "send this signal if it is running: -15, -TERM, -USR1"),
        ("-u", "user", "user", None, "act on this user's requests (operators only)"),
    ),
)

_USER = ("-u", "user", "user", None, "act on this user's requests only (operators only)")

QHOLD = ("qhold", "Keep requests that do not run yet from running.", "request-id ...", 1, -1, (_USER,))

QRLS = ("qrls", "Let held requests run again when their turn comes.", "request-id ...", 1, -1, (_USER,))

QMOVE = ("qmove", "Move requests that do not run yet to another queue.", "queue request-id ...", 2, -1, (_USER,))

QRERUN = ("qrerun", "End running requests and queue them again.", "request-id ...", 1, -1, (_USER,))

QSPND = ("qspnd", "Suspend running requests.", "request-id ...", 1, -1, (_USER,))

QRSM = ("qrsm", "Let suspended requests go on.", "request-id ...", 1, -1, (_USER,))

QSIG = (
    "qsig",
    "Send a signal to every process of running requests; without one, SIGTERM.",
    "request-id ...",
    1,
    -1,
    (
        ("-s", "signal", "name", None, "name or number of the signal: TERM, SIGUSR1, 15"),
        ("-signo", "", "signal", None, "the same: -15, -TERM, -USR1"),
        _USER,
    ),
)

QALTER = (
    "qalter",
    "Change what qsub said of requests that do not run yet; what is not given stays.",
    "request-id ...",
    1,
    -1,
    (
        ("-a", "date-time", "start", None, 'do not start before this time; "now" to wait no longer'),
        ("-e", "path", "err_path", None, "file for standard error"),
        ("-eo", "", "joined", None, "standard error goes to the file of standard output"),
        ("-ke", "", "keep_err", None, "standard error stays on the execution machine, in HOME"),
        ("-ko", "", "keep_out", None, "standard output stays on the execution machine, in HOME"),
        *_LIMITS,
        ("-mb", "", "mail_begin", None, "mail its owner when the request begins"),
        ("-me", "", "mail_end", None, "mail its owner when the request has ended"),
        ("-mu", "user[@host]", "mail_to", None, "who gets the mail in place of the owner"),
        ("-nr", "", "not_restartable", None, "do not run it again if the site fails while it runs"),
        ("-o", "path", "out_path", None, "file for standard output"),
        ("-p", "priority", "priority", (0, 63), "priority in its queue, 0 to 63"),
        ("-r", "name", "name", None, "request name"),
        ("-re", "", "direct_err", None, "standard error is written to its file while the request runs, not spooled"),
        ("-ro", "", "direct_out", None, "standard output is written to its file while the request runs, not spooled"),
        ("-rr", "", "restartable", None, "run it again if the site fails while it runs"),
        ("-s", "shell", "shell", None, "absolute path of the shell that runs the script"),
        _USER,
    ),
)

QCHK = ("qchk", "Take checkpoints of requests: jcq has none.", "request-id ...", 1, -1, (_USER,))

QDEV = ("qdev", "Show devices: jcq has none.", "[device ...]", 0, -1, ())

QPR = (
    "qpr",
    "Print files on a device: jcq has none.",
    "[file ...]",
    0,
    -1,
    (
        ("-a", "date-time", "start", None, "not before this time"),
        ("-f", "form", "form", None, "the form to print on"),
        ("-mb", "", "mail_begin", None, "mail when it begins"),
        ("-me", "", "mail_end", None, "mail when it has ended"),
        ("-mu", "user[@host]", "mail_to", None, "who gets the mail"),
        ("-n", "copies", "copies", (1, 999), "number of copies"),
        ("-p", "priority", "priority", (0, 63), "priority in its queue"),
        ("-q", "queue", "queue", None, "device queue"),
        ("-r", "name", "name", None, "request name"),
        ("-z", "", "silent", None, "print nothing on success"),
    ),
)

QLIMIT = ("qlimit", "Show the resource limits that requests may have, and how they are enforced.", "", 0, 0, ())

QWAIT = (
    "qwait",
    "Wait until a request has ended; exit with its exit code, 128+n for signal n, "
    "124 deleted, 125 purged, 126 rejected, 127 forwarded.",
    "request-id",
    1,
    1,
    (),
)

QCAT = (
    "qcat",
    "Show what a running request has written so far, or the script of a request.",
    "request-id",
    1,
    1,
    (
        ("-e", "", "err", None, "standard error"),
        ("-f", "", "follow", None, "go on with what is appended, until the request has ended"),
        ("-i", "", "script", None, "the script"),
        ("-o", "", "out", None, "standard output; the default"),
    ),
)

QMSG = (
    "qmsg",
    "Append a line to the output of running requests.",
    "message request-id ...",
    2,
    -1,
    (
        ("-e", "", "err", None, "to standard error; the default"),
        ("-o", "", "out", None, "to standard output; with -e to both"),
        _USER,
    ),
)

#: Of every command, on the command line only; the daemon reads it and does nothing with it.
TIMEOUT = (
    "--timeout",
    "seconds",
    "timeout",
    (0, 604800),
    "wait so long for a site that is being started or moved; default NQS_TIMEOUT, else 60",
)

TABLES = {
    table[0]: table
    for table in (
        QSUB,
        QSTAT,
        QSTATA,
        QSTATC,
        QSTATQ,
        QSTATR,
        QSELECT,
        QDEL,
        QWAIT,
        QALTER,
        QHOLD,
        QRLS,
        QMOVE,
        QRERUN,
        QSPND,
        QRSM,
        QSIG,
        QCHK,
        QDEV,
        QPR,
        QLIMIT,
        QCAT,
        QMSG,
    )
}


def parse(table, argv):
    """Parse the words behind a command's name.

    Args:
        table: one of this module's tables.
        argv: the words. Options and operands may mix; `--` ends the options; the last of a
            repeated option counts.
    Returns:
        ({key: True, text, or number}, [operands]). With `--help` the dict has `help` and nothing
        is checked any more.
    Raises:
        UsageError: an unknown option, a missing or bad value, too few or too many operands.
    """
    command, _, operands_shown, fewest, most, rows = table
    values: dict[str, object] = {}
    operands: list[str] = []
    words = iter(argv)
    for word in words:
        if word == "--":
            operands.extend(words)
        elif word == "--help":
            return {"help": True}, []
        elif word[:1] != "-" or word == "-":
            operands.append(word)
        else:
            _option(command, rows, word, words, values)
    if len(operands) < fewest:
        raise UsageError(reason=f"{operands_shown.split(' ')[len(operands)]} is missing; see {command} --help")
    if 0 <= most < len(operands):
        raise UsageError(reason=f"unexpected word {operands[most]!r}; see {command} --help")
    return values, operands


def _option(command, rows, word, words, values):
    row = next((row for row in rows if row[0] == word != "-signo"), TIMEOUT if word == TIMEOUT[0] else None)
    if row is None:
        number = signal_number(word[1:]) if any(row[0] == "-signo" for row in rows) else 0
        if not number:
            raise UsageError(reason=f"unknown option {word!r}; see {command} --help")
        values["signal"] = number
        return
    _, value_name, key, bounds, _ = row
    if not value_name:
        values[key] = True
        return
    value = next(words, None)
    if value is None:
        raise UsageError(reason=f"{word} needs a value: {word} {value_name}")
    values[key] = bounded(word, value, bounds) if bounds else value


def bounded(word, text, bounds):
    """The number that an option, or a variable named `word`, was given. Raises UsageError."""
    low, high = bounds
    if not (text.isascii() and text.isdigit() and len(text) < 10 and low <= int(text) <= high):
        raise UsageError(reason=f"{word} needs a number from {low} to {high}, not {text!r}")
    return int(text)


def signal_number(text):
    """The number of a signal given as `9`, `TERM` or `SIGTERM`; 0 for what is none."""
    import _signal  # type: ignore[import-not-found]

    if text.isascii() and text.isdigit():
        return int(text) if len(text) < 4 and 0 < int(text) < _signal.NSIG else 0
    name = text.upper()
    if not (name.isascii() and name.isalnum()):
        return 0
    if not name.startswith("SIG"):
        name = "SIG" + name
    return int(getattr(_signal, name, 0))
