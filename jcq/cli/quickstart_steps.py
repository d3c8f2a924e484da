"""The steps of `jcq quickstart`: what is said, what is typed, what must be seen."""

import re
import shlex
from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One thing that a person types, and what it must show."""

    #: Why; shown as a comment.
    says: str
    #: The text for the shell, exactly.
    command: str
    #: Regular expressions that the output must match somewhere, each.
    shows: tuple[str, ...] = ()
    #: Nothing at all may be printed.
    silent: bool = False
    limit_s: float = 30.0

    def differs(self, output, exit_code):
        """How the outcome differs from what it should be; empty when it does not."""
        if exit_code != 0:
            return f"exit code {exit_code} instead of 0"
        if self.silent and output.strip():
            return "something was printed where nothing should be"
        for pattern in self.shows:
            if not re.search(pattern, output, re.MULTILINE):
                return f"the output does not show /{pattern}/"
        return ""


_HELLO = """\
cat > hello.sh <<'EOF'
#!/bin/sh
# Options of qsub in the first comments of the script:
#@$-q batch -r hello
#@$-p 40 -eo
#@$
echo "hello from request $QSUB_REQID, submitted in $QSUB_WORKDIR"
sleep 2
echo "user $(id -u) is done"
EOF"""

_FAILS = """\
cat > fails.sh <<'EOF'
#!/bin/sh
#@$-r fails
echo "this one fails on purpose" >&2
sleep 1
exit 3
EOF"""

#: A shell function that lists what carries the site's marker; works without ps.
_LIST_FUNCTION = """\
site_processes() {
  for found in $(grep -ls "JCQ_SITE=$JCQ_ROOT" /proc/[0-9]*/environ); do
    tr '\\0' ' ' <"${found%environ}cmdline" && echo
  done
}"""


def steps(root, bin_directory, host, remove):
    """The steps in order.

    Args:
        root: the scratch directory; it becomes JCQ_ROOT.
        bin_directory: where the `jcq` command is.
        host: this machine's host name, which is the local site's name.
        remove: whether the last step removes the scratch directory.
    Returns:
        A list of `Step`.
    """
    return [
        *_make(root, bin_directory),
        *_start(re.escape(host)),
        *_submit(re.escape(host)),
        *_collect(f"1.{host}", f"2.{host}"),
        *_stop(),
        *([Step("Away with it.", 'cd /\nrm -rf "$JCQ_ROOT"', silent=True)] if remove else []),
    ]


def _make(root, bin_directory):
    return [
        Step(
            "Everything of this try stands below one directory of its own.",
            f"unset NQS_SITE QSUB_QUEUE\nexport JCQ_ROOT={shlex.quote(root)}\n"
            f'export PATH={shlex.quote(bin_directory)}:"$PATH"\nmkdir -p "$JCQ_ROOT/work"',
            silent=True,
        ),
        Step(
            "Lay the commands below it and make the local site, with its queues.",
            "jcq install --machine-id 1",
            shows=(r"^Phase 1: Make NQS spool directories\.$", r"/usr/bin/qsub$"),
        ),
        Step(
            "No port: nothing of a try shall listen on the network.",
            'echo port=0 >>"$JCQ_ROOT/usr/lib/nqs/rc/daemon.conf"',
            silent=True,
        ),
        Step("", 'export PATH="$JCQ_ROOT/usr/bin:$JCQ_ROOT/usr/lib/nqs/cluster:$PATH"', silent=True),
    ]


def _start(host):
    return [
        Step("Start the site under its supervisor, in the background.", 'cjcpw "$(uname -n)" "$JCQ_ROOT/usr/spool" &'),
        Step(
            "Wait until it is up: cjcls then shows the pid of its nqsdaemon, and that a supervisor watches it.",
            "timeout 20 sh -c 'until cjcls -a | grep \"^$(uname -n) *[0-9].* ON$\"; do sleep 0.05; done'",
            shows=(rf"^{host} +\d+ ",),
        ),
        Step("A way to list every process of the site, its jobs too.", _LIST_FUNCTION, silent=True),
        Step("", "site_processes", shows=(r"\bjcdbs\b", r"^NQS nqsdaemon\b", r"^NQS worker\b")),
        Step("The queues that a new site has.", "qstat -x", shows=(rf"^batch@{host};", rf"^guilb_def@{host};")),
    ]


def _submit(host):
    return [
        Step("A job with directives in its script.", f'cd "$JCQ_ROOT/work"\n{_HELLO}', silent=True),
        Step("A job that fails.", _FAILS, silent=True),
        Step("Submit both.", "qsub hello.sh", shows=(rf"^Request 1\.{host} submitted to queue: batch\.$",)),
        Step("", "qsub fails.sh", shows=(rf"^Request 2\.{host} submitted to queue: batch\.$",)),
        Step(
            "What runs now.",
            "timeout 20 sh -c 'until qstat batch | grep RUNNING >/dev/null; do sleep 0.05; done'\nqstat batch",
            shows=(rf"\bhello\b.*\b1\.{host}\b.*\bRUNNING\b",),
        ),
    ]


def _collect(first, second):
    return [
        Step(
            "Wait for each; qwait ends with the job's own exit code.",
            f'qwait {first}; echo "exit code $?"',
            shows=(r"^exit code 0$",),
        ),
        Step("", f'qwait {second}; echo "exit code $?"', shows=(r"^exit code 3$",)),
        Step(
            "Their output, delivered where they were submitted.",
            "cat hello.o1",
            shows=(rf"^hello from request {re.escape(first)}, ", r"^user \d+ is done$"),
        ),
        Step("", "cat fails.e2", shows=(r"^this one fails on purpose$",)),
        Step(
            "The records of both.",
            f"qstat -l {first} {second}",
            shows=(
                rf"Id={re.escape(first)}$",
                rf"Id={re.escape(second)}$",
                r"\bexit code 0$",
                r"\bexit code 3$",
                r"\bCPU time\b",
            ),
        ),
    ]


def _stop():
    return [
        Step(
            "Stop the site. This returns when its last process is gone; then the supervisor has ended with 0.",
            'cjcpw -stop "$(uname -n)"',
            limit_s=60.0,
        ),
        Step("", "wait $!"),
        Step("Nothing is left running.", "site_processes", silent=True),
    ]
