"""The commands of qmgr: one literal table of syntax, right and help, and what its notation means.

The capitals of a keyword are its documented shortest form (nqs-facts.md section 4). In the syntax

    Word            a keyword of the command, or an option without a value
    <kind>          a value; how it is read is decided by `jcq.model.qmgr_grammar`
    WORD = <kind>   a keyword or an option with a value; `[=]` where `=` may be left out
    [...]           may be left out

What NQS has and jcq has not stands here too, so that an abbreviation means what it means there; its help says that
it is refused, or accepted without effect (`jcq.nqsdaemon.qmgr.nqs_only`).

Choices of our own, where the sources are silent:
  * `set global_run_limit`: the name; 0 means none.
  * `set restart`: the name of NEC's restart attribute in qmgr is not public.
  * `set elapsed_limit`: ours, as qsub -lE is. `unlimited` takes any limit of a queue away.
  * `set retention`: ours; it goes before retention= of daemon.conf.
  * `set nqsbg`: ours, for processes that a request starts on purpose to outlive it.
  * `show lost_found`, `show configuration`: NQS has none; nor `delete default_queues`, with which the latter begins.
  * `release request`, `hold request` and what else acts on requests: the `=` may be left out, but for `move request`,
    where a queue follows.
  * `modify request`: priority and name, one request at a time; the syntax of NQS is not public.
  * `purge queue`, `move queue`: all that is there when the command comes and does not run.
  * Without `priority=`, which a public script does for a pipe queue, a queue gets priority 0.
"""

#: Rights, from the least to the greatest; each has those before it.
USER, OPERATOR, MANAGER = "user", "operator", "manager"

#: (syntax, who may use it, help). The order is that of `help`.
COMMANDS = (
    (
        "ABort Queue <queue> [<seconds>]",
        OPERATOR,
        "End the running requests of a queue: SIGTERM, and SIGKILL after so many seconds (60) to what still runs.",
    ),
    ("ADd DEStination = <destinations> <queue>", MANAGER, "Add destinations to the end of a pipe queue's list."),
    ("ADd DEVice <anything>", MANAGER, "jcq has no devices, so this is refused."),
    ("ADd Forms <anything>", MANAGER, "jcq has no devices, so this is refused."),
    ("ADd Groups = <accounts> <queue>", MANAGER, "Let the requests of groups into a queue with restricted access."),
    ("ADd Managers <managers>", MANAGER, "Make accounts managers (name:m) or operators (name:o) of the site."),
    ("ADd Queues = <queues> <complex>", MANAGER, "Add batch queues to a complex."),
    ("ADd Users = <accounts> <queue>", MANAGER, "Let the requests of users into a queue with restricted access."),
    (
        "Create Batch_queue <queue> [PRiority = <priority>] [PIpeonly] [Run_limit = <run_limit>]"
        " [User_limit = <user_limit>]",
        MANAGER,
        "Make a batch queue; it is disabled and stopped until enabled and started.",
    ),
    (
        "Create COmplex = <queues_or_none> <complex>",
        MANAGER,
        "Let batch queues, none yet where () is written, share a run limit, which is 1 until it is set.",
    ),
    ("Create DEVIce <anything>", MANAGER, "jcq has no devices, so this is refused."),
    ("Create DEVICE_Queue <anything>", MANAGER, "jcq has no devices, so this is refused."),
    ("Create Network_queue <anything>", MANAGER, "jcq has no network queues, so this is refused."),
    (
        "Create Pipe_queue <queue> [PRiority = <priority>] [PIpeonly] [Run_limit = <run_limit>]"
        " [Server = <program>] [DEstination = <destinations>]",
        MANAGER,
        "Make a pipe queue, which passes requests on to the first destination that takes them. Run_limit and Server are"
        " read and change nothing.",
    ),
    ("DElete Complex <complex>", MANAGER, "Forget a complex; its queues stay."),
    (
        "DElete DEFault_queues",
        MANAGER,
        "Delete batch and guilb_def, which cjcmksite makes, changed or not; only where the site has no other queue.",
    ),
    ("DElete DEStination = <destinations> <queue>", MANAGER, "Take destinations from a pipe queue's list."),
    ("DElete DEVice <anything>", MANAGER, "jcq has no devices, so this is refused."),
    ("DElete Forms <anything>", MANAGER, "jcq has no devices, so this is refused."),
    ("DElete Groups = <accounts> <queue>", MANAGER, "Take groups from a queue's access list."),
    ("DElete Managers <managers>", MANAGER, "Take their rights from managers (name:m) or operators (name:o)."),
    ("DElete Queue <queue>", MANAGER, "Remove a queue that is disabled and empty."),
    ("DElete Request [=] <requests>", OPERATOR, "Delete requests; those that run are killed (SIGKILL)."),
    ("DElete Users = <accounts> <queue>", MANAGER, "Take users from a queue's access list."),
    ("DIsable Device <anything>", OPERATOR, "jcq has no devices, so this is refused."),
    ("DIsable Queue <queue>", OPERATOR, "Let a queue accept no more requests; those in it stay."),
    ("ENable Device <anything>", OPERATOR, "jcq has no devices, so this is refused."),
    ("ENable Queue <queue>", OPERATOR, "Let a queue accept requests."),
    ("EXit", USER, "Leave qmgr; so does end of file."),
    ("Help [<topic>]", USER, "List the commands, or explain those that begin with the words given."),
    ("HOld Request [=] <requests>", OPERATOR, "Keep requests that do not run yet from running."),
    (
        "Lock Local_daemon",
        MANAGER,
        "Accepted for NQS's sake: there it keeps the daemon in memory; jcq needs no such thing.",
    ),
    (
        "MODify Request [=] <request> [PRiority = <priority>] [NAme = <name>]",
        OPERATOR,
        "Change priority or name of a request that does not run yet.",
    ),
    ("MOVE Queue <queue> <to_queue>", OPERATOR, "Move all requests of a queue that do not run yet to another one."),
    ("MOVE Request = <request_list> <queue>", OPERATOR, "Move requests that do not run yet to another queue."),
    ("Purge Queue <queue>", OPERATOR, "Delete all requests of a queue that do not run yet."),
    ("RELease Request [=] <requests>", OPERATOR, "Let held requests run again when their turn comes."),
    ("REMove Queues = <queues> <complex>", MANAGER, "Take queues out of a complex."),
    ("RESume Request [=] <requests>", OPERATOR, "Let suspended requests go on."),
    ("SEt COMplex Run_limit = <run_limit> <complex>", MANAGER, "So many requests of the complex's queues run at once."),
    (
        "SEt COrefile_limit = <core_process> <queue>",
        MANAGER,
        "The greatest core file of each process: what requests of the queue may ask for, and have if they do not ask.",
    ),
    (
        "SEt DAta_limit = <data_process> <queue>",
        MANAGER,
        "The greatest data segment of each process, such as 2gb, (2gb, 1gb) with a warning value, or unlimited.",
    ),
    ("SEt DEBug [=] <number>", MANAGER, "Accepted for NQS's sake, without effect: jcq logs everything that it does."),
    (
        "SEt DEFault Batch_request Priority [=] <priority>",
        MANAGER,
        "The priority of requests that are submitted without one.",
    ),
    ("SEt DEFault Batch_request Queue [=] <queue>", MANAGER, "Where requests go that name no queue."),
    (
        "SEt DEFault DEStination_retry Time [=] <hours>",
        MANAGER,
        "So long a pipe queue goes on trying where its destinations are disabled; then it rejects the request.",
    ),
    ("SEt DEFault DEStination_retry Wait [=] <minutes>", MANAGER, "So long a pipe queue waits until it tries again."),
    ("SEt DEFault DEVice_request <anything>", MANAGER, "jcq has no devices, so this is refused."),
    ("SEt DEFault Print_request <anything>", MANAGER, "jcq has no devices, so this is refused."),
    ("SEt DEStination = <destinations> <queue>", MANAGER, "Replace the destinations of a pipe queue."),
    ("SEt DEVice <anything>", MANAGER, "jcq has no devices, so this is refused."),
    ("SEt ELapsed_limit = <elapsed_request> <queue>", MANAGER, "The time from the start of a request to its end."),
    (
        "SEt GLobal_run_limit = <run_limit_or_none>",
        MANAGER,
        "So many requests run at once in the whole site; 0: no limit.",
    ),
    (
        "SEt LIfetime [=] <hours>",
        MANAGER,
        "So long a pipe queue tries to hand a request on; the shorter of this and destination_retry time counts.",
    ),
    ("SEt LOg_file [=] <text>", MANAGER, "Accepted for NQS's sake, without effect: the log is a file of the site."),
    ("SEt MAIl [=] <address>", MANAGER, "Who sends the site's mail, as its readers see it: an account or an address."),
    ("SEt MAnagers <managers>", MANAGER, "Replace the site's managers (name:m) and operators (name:o)."),
    ("SEt MAXimum Copies [=] <number>", MANAGER, "Accepted for NQS's sake, without effect: jcq prints nothing."),
    ("SEt MAXimum Open_retries [=] <number>", MANAGER, "Accepted for NQS's sake, without effect: jcq has no devices."),
    ("SEt MAXimum Print_size [=] <number>", MANAGER, "Accepted for NQS's sake, without effect: jcq prints nothing."),
    (
        "SEt NETwork Client [=] <program>",
        MANAGER,
        "Accepted for NQS's sake, without effect: jcq starts no network programs.",
    ),
    (
        "SEt NETwork Daemon [=] <program>",
        MANAGER,
        "Accepted for NQS's sake, without effect: jcq starts no network programs.",
    ),
    (
        "SEt NETwork Server [=] <program>",
        MANAGER,
        "Accepted for NQS's sake, without effect: jcq starts no network programs.",
    ),
    (
        "SEt NIce_value_limit = <nice_process> <queue>",
        MANAGER,
        "The smallest nice value, which is the best, that requests may ask for, and have if they do not ask.",
    ),
    ("SEt NO_Access <queue>", MANAGER, "Empty a queue's access list: it accepts nobody's requests, not even root's."),
    ("SEt NO_Default Batch_request Queue", MANAGER, "Requests that name no queue are refused."),
    ("SEt NO_Default DEvice_request <anything>", MANAGER, "jcq has no devices, so this is refused."),
    ("SEt NO_Default Print_request <anything>", MANAGER, "jcq has no devices, so this is refused."),
    ("SEt NO_Network_daemon", MANAGER, "Accepted for NQS's sake, without effect: jcq starts no network programs."),
    (
        "SEt NQsbg = <on_off> <queue>",
        MANAGER,
        "ON: processes that outlive a request's script live on until they end by themselves or the site stops;"
        " OFF: they are killed at once.",
    ),
    ("SEt Open_wait [=] <number>", MANAGER, "Accepted for NQS's sake, without effect: jcq has no devices."),
    (
        "SEt PER_Process Cpu_limit = <cpu_process> <queue>",
        MANAGER,
        "The CPU time of each process: 90 (seconds), 1:30:00, or (10:00, 9:00) with a warning value, or unlimited.",
    ),
    ("SEt PER_Process Memory_limit = <memory_process> <queue>", MANAGER, "The memory size of each process."),
    ("SEt PER_Process Permfile_limit = <permfile_process> <queue>", MANAGER, "The size of each file."),
    ("SEt PER_Process Tempfile_limit = <tempfile_process> <queue>", MANAGER, "The size of each temporary file."),
    ("SEt PER_Request Cpu_limit = <cpu_request> <queue>", MANAGER, "The CPU time of all processes of a request."),
    ("SEt PER_Request Memory_limit = <memory_request> <queue>", MANAGER, "The memory size of all processes together."),
    ("SEt PER_Request Permfile_limit = <permfile_request> <queue>", MANAGER, "The file space of a request."),
    ("SEt PER_Request Tempfile_limit = <tempfile_request> <queue>", MANAGER, "The temporary file space of a request."),
    (
        "SEt PIpe_client = <program> <queue>",
        MANAGER,
        "Accepted for NQS's sake, without effect: jcq routes requests by itself.",
    ),
    ("SEt PRiority = <priority> <queue>", MANAGER, "Requests of queues of higher priority are started first."),
    (
        "SEt REStart = <restart> <queue>",
        MANAGER,
        "What becomes of requests that a stop or crash interrupts: RESTART, PURGE, STOP, MIGRATION_PURGE or"
        " MIGRATION_STOP.",
    ),
    ("SEt RETention = <hours>", MANAGER, "So long an ended request is kept and shown."),
    ("SEt Run_limit = <run_limit> <queue>", MANAGER, "So many requests of the queue run at once."),
    (
        "SEt SHell_strategy FIxed = <program>",
        MANAGER,
        "This program runs the scripts of requests that name no shell (qsub -s).",
    ),
    (
        "SEt SHell_strategy FRee",
        MANAGER,
        "Scripts of requests that name no shell are run by their owner's login shell.",
    ),
    ("SEt SHell_strategy Login", MANAGER, "The same as FREE: the login shell reads the script itself."),
    ("SEt STack_limit = <stack_process> <queue>", MANAGER, "The greatest stack segment of each process."),
    ("SEt UNrestricted_access <queue>", MANAGER, "Let a queue accept everyone's requests."),
    (
        "SEt User_limit = <user_limit> <queue>",
        MANAGER,
        "So many requests of one user run at once in the queue; 0: no limit.",
    ),
    ("SEt WOrking_set_limit = <workset_process> <queue>", MANAGER, "The greatest working set of each process."),
    ("SHOw All", USER, "Show parameters, managers, all queues at length, and complexes."),
    ("SHOw Complex", USER, "Show the complexes with their run limits and queues."),
    (
        "SHOw CONfiguration",
        USER,
        "Write the site's whole configuration as a script for qmgr at a new site.",
    ),
    ("SHOw Device [<anything>]", USER, "Say that jcq has no devices."),
    ("SHOw Forms [<anything>]", USER, "Say that jcq has no devices."),
    ("SHOw LImits_supported", USER, "List the resource limits that requests may have, and how they are enforced."),
    ("SHOw LOng Queue [<queue>]", USER, "Show one queue, or all, with their limits, destinations and attributes."),
    (
        "SHOw LOST_found",
        USER,
        "List the requests whose records are damaged: they are in no queue and never run; what is left is kept.",
    ),
    ("SHOw Managers", USER, "List the managers and operators of the site."),
    ("SHOw Parameters", USER, "Show the site's parameters."),
    ("SHOw Queue [<queue>]", USER, "Show one queue, or all, with their state and number of requests."),
    (
        "SHUtdown [<seconds>]",
        MANAGER,
        "Stop the site; running requests are interrupted, and judged at the next start. The seconds change nothing:"
        " FORCEKILL_TIME of site.conf is the time between SIGTERM and SIGKILL.",
    ),
    ("STArt Queue <queue>", OPERATOR, "Let a queue start, or pass on, its requests."),
    ("STOp Queue <queue>", OPERATOR, "Let a queue start no more requests; those that run go on."),
    ("SUSpend Request [=] <requests>", OPERATOR, "Stop running requests (SIGSTOP); they keep their places."),
    ("Unlock Local_daemon", MANAGER, "Accepted for NQS's sake, as lock local_daemon."),
)
