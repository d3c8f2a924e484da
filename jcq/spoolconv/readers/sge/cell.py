"""What both kinds of Grid Engine's spools hold, once it is read: jobs, and the parts of a cell that matter here."""

from dataclasses import dataclass, field

#: Directory of qmaster (classic), or first word of a key (Berkeley DB), of what jcq has nothing like: (directory, word,
#: what it is, names that every cell has).
WITHOUT_COUNTERPART = (
    ("calendars", "CALENDAR", "calendar: queues are started and stopped by hand", ()),
    ("pe", "PE", "parallel environment", ("make",)),
    ("ckpt", "CKPT", "checkpointing environment", ()),
    ("projects", "PROJECT", "project", ()),
    ("resource_quotas", "RQS", "resource quota: set run limits and user limits of queues and complexes", ()),
    ("advance_reservations", "AR", "advance reservation", ()),
    ("centry", "COMPLEX_ENTRY", "resource of its own", tuple(
        """arch calendar cpu display_win_gui h_core h_cpu h_data h_fsize h_rss h_rt h_stack h_vmem hostname load_avg
        load_long load_medium load_short m_core m_socket m_thread m_topology m_topology_inuse mem_free mem_total
        mem_used min_cpu_interval np_load_avg np_load_long np_load_medium np_load_short num_proc qname rerun s_core
        s_cpu s_data s_fsize s_rss s_rt s_stack s_vmem seq_no slots swap_free swap_rate swap_rsvd swap_total swap_used
        tmpdir virtual_free virtual_total virtual_used""".split())),
    ("usersets", "USERSET", "user set that no queue of jcq needs", ("arusers", "deadlineusers", "defaultdepartment")),
)  # fmt: skip


@dataclass(frozen=True)
class Job:
    """A job as qmaster kept it."""

    number: int
    where: str
    #: {JB_...: value}, see `cull.unpack`.
    fields: dict
    #: {number: {JAT_...: value}} of the tasks that had been handed to a host, or tried.
    tasks: dict
    #: {number: reason} of such tasks that cannot be read.
    unreadable: dict
    #: Gives the script's bytes; Raises Unreadable.
    script: object


@dataclass(frozen=True)
class Queue:
    """A cluster queue as qmaster kept it."""

    name: str
    where: str
    #: {attribute: {host, @group or text.EVERYWHERE: value as text}}.
    attributes: dict
    #: {host: state bits}.
    states: dict = field(default_factory=dict)
    notes: tuple[str, ...] = ()
