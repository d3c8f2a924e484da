"""Fields of Grid Engine 8.1's packed objects: numbers, names, types, and what Berkeley DB spooling leaves out.

An object that was written again does not describe itself, so that the tables must. They are those of gridengine
8.1.9 (spool-facts.md section 2; the order of a cluster queue's is that of sge_cqueue_CQ_L.h); numbers run on from the
first. Other versions have others: whoever reads checks the counts and that no byte is left.
"""

from functools import cache

DOUBLE, U32, BOOL, STRING, LIST, OBJECT, REFERENCE, HOST = 2, 3, 6, 8, 9, 10, 11, 12
_TYPES = {"D": DOUBLE, "U": U32, "B": BOOL, "S": STRING, "L": LIST, "O": OBJECT, "R": REFERENCE, "H": HOST}
#: Flags of a described field: whether Berkeley DB spooling writes it.
_SPOOLED = 0x2000 | 0x10000 | 0x20000 | 0x40000

#: name of an object: (number of its first field, "name:type ..."); `-` behind the type: Berkeley DB leaves it out.
TABLES = {
    "JB": (
        50,
        """JB_job_number:U JB_job_name:S JB_version:U JB_jid_request_list:L JB_jid_predecessor_list:L
        JB_jid_successor_list:L- JB_ja_ad_request_list:L JB_ja_ad_predecessor_list:L JB_ja_ad_successor_list:L-
        JB_session:S JB_project:S JB_department:S JB_directive_prefix:S JB_exec_file:S JB_script_file:S
        JB_script_size:U JB_script_ptr:S- JB_submission_time:U JB_execution_time:U JB_deadline:U JB_owner:S JB_uid:U
        JB_group:S JB_gid:U JB_account:S JB_cwd:S JB_notify:B JB_type:U JB_reserve:B JB_priority:U JB_jobshare:U
        JB_shell_list:L JB_verify:U JB_env_list:L JB_context:L JB_job_args:L JB_checkpoint_attr:U JB_checkpoint_name:S
        JB_checkpoint_object:O- JB_checkpoint_interval:U JB_restart:U JB_stdout_path_list:L JB_stderr_path_list:L
        JB_stdin_path_list:L JB_merge_stderr:B JB_hard_resource_list:L JB_soft_resource_list:L JB_hard_queue_list:L
        JB_soft_queue_list:L JB_mail_options:U JB_mail_list:L JB_pe:S JB_pe_range:L JB_master_hard_queue_list:L
        JB_tgt:S- JB_cred:S- JB_ja_structure:L JB_ja_n_h_ids:L JB_ja_u_h_ids:L JB_ja_s_h_ids:L JB_ja_o_h_ids:L
        JB_ja_a_h_ids:L JB_ja_z_ids:L JB_ja_template:L JB_ja_tasks:L JB_host:H- JB_category:R- JB_user_list:L-
        JB_job_identifier_list:L- JB_verify_suitable_queues:U- JB_soft_wallclock_gmt:U JB_hard_wallclock_gmt:U
        JB_override_tickets:U JB_qs_args:L- JB_path_aliases:L JB_urg:D- JB_nurg:D- JB_nppri:D- JB_rrcontr:D-
        JB_dlcontr:D- JB_wtcontr:D- JB_ar:U JB_pty:U JB_ja_task_concurrency:U JB_binding:L""",
    ),
    "JAT": (
        141150,
        """JAT_task_number:U JAT_status:U JAT_start_time:U JAT_end_time:U JAT_hold:U JAT_granted_pe:S
        JAT_job_restarted:U JAT_granted_destin_identifier_list:L JAT_master_queue:S JAT_state:U JAT_pvm_ckpt_pid:U
        JAT_pending_signal:U JAT_pending_signal_delivery_time:U JAT_pid:U JAT_osjobid:S JAT_usage_list:L
        JAT_scaled_usage_list:L JAT_reported_usage_list:L JAT_fshare:U JAT_tix:D JAT_oticket:D JAT_fticket:D
        JAT_sticket:D JAT_share:D JAT_suitable:U- JAT_task_list:L JAT_finished_task_list:L JAT_previous_usage_list:L-
        JAT_pe_object:O- JAT_next_pe_task_id:U- JAT_stop_initiate_time:U JAT_prio:D- JAT_ntix:D- JAT_wallclock_limit:U
        JAT_message_list:L""",
    ),
    "CQ": (
        0,
        """qname:S hostlist:L qinstances:L- seq_no:L nsuspend:L slots:L rerun:L s_fsize:L h_fsize:L s_data:L h_data:L
        s_stack:L h_stack:L s_core:L h_core:L s_rss:L h_rss:L s_vmem:L h_vmem:L s_rt:L h_rt:L s_cpu:L h_cpu:L
        suspend_interval:L min_cpu_interval:L notify:L tmpdir:L shell:L calendar:L priority:L processors:L prolog:L
        epilog:L shell_start_mode:L starter_method:L suspend_method:L resume_method:L terminate_method:L
        initial_state:L pe_list:L ckpt_list:L owner_list:L user_lists:L xuser_lists:L projects:L xprojects:L
        load_thresholds:L suspend_thresholds:L complex_values:L subordinate_list:L qtype:L tag:U-""",
    ),
    "QU": (0, "hostname:H qname:S state:U pending_signal:U pending_signal_del:U version:U more:U" + " rest:U-" * 62),
    "HGRP": (0, "group_name:H hostlist:L queues:L-"),
    "US": (0, "name:S type:U fshare:U oticket:U job_cnt:U- pending_job_cnt:U- entries:L consider:B-"),
}  # fmt: skip

#: Elements of lists always describe themselves, by number: {number of the first field: "name:type ..."}.
_MEMBERS = {
    900: """CE_name:S CE_shortcut:S CE_valtype:U CE_stringval:S CE_doubleval:D CE_relop:U CE_consumable:U CE_default:S
        CE_dominant:U CE_pj_stringval:S CE_pj_doubleval:D CE_pj_dominant:U CE_requestable:U CE_tagged:U
        CE_urgency_weight:S""",
    1250: "RN_min:U RN_max:U RN_step:U",
    1300: "PN_path:S PN_host:H PN_file_host:H PN_file_staging:B",
    1400: "VA_variable:S VA_value:S",
    1450: "MR_user:S MR_host:H",
    1900: "QR_name:S",
    2000: "ST_name:S",
    2100: """JG_qname:S JG_qversion:U JG_qhostname:H JG_slots:U JG_queue:O JG_tag_slave_job:U JG_task_id_range:U
        JG_ticket:D JG_oticket:D JG_fticket:D JG_sticket:D JG_jcoticket:D JG_jcfticket:D JG_processors:S""",
    140450: "JRE_job_number:U JRE_job_name:S",
    143300: "QIM_type:U QIM_message:S",
    144952: "BN_strategy:S",
}
_TASK = "JAT_task_number JAT_status JAT_state JAT_hold JAT_master_queue JAT_granted_destin_identifier_list"
#: {list: names of the fields that each of its elements must have}, of the lists that are looked into.
NEEDED = {
    "JB_env_list": "VA_variable VA_value",
    "JB_job_args": "ST_name",
    "JB_shell_list": "PN_path",
    "JB_stdout_path_list": "PN_path",
    "JB_stderr_path_list": "PN_path",
    "JB_hard_resource_list": "CE_name CE_stringval",
    "JB_soft_resource_list": "CE_name CE_stringval",
    "JB_hard_queue_list": "QR_name",
    "JB_soft_queue_list": "QR_name",
    "JB_mail_list": "MR_user MR_host",
    "JB_pe_range": "RN_min RN_max",
    "JB_jid_request_list": "JRE_job_number JRE_job_name",
    "JB_jid_predecessor_list": "JRE_job_number",
    "JB_ja_ad_request_list": "JRE_job_number JRE_job_name",
    "JB_ja_ad_predecessor_list": "JRE_job_number",
    "JB_ja_structure": "RN_min RN_max RN_step",
    "JB_ja_n_h_ids": "RN_min RN_max RN_step",
    "JB_ja_u_h_ids": "RN_min RN_max RN_step",
    "JB_ja_s_h_ids": "RN_min RN_max RN_step",
    "JB_ja_o_h_ids": "RN_min RN_max RN_step",
    "JB_ja_a_h_ids": "RN_min RN_max RN_step",
    "JB_ja_tasks": f"{_TASK} JAT_message_list",
    "JAT_granted_destin_identifier_list": "JG_slots",
}


#: How the value of a field is read, where it is not by its type: both kinds of numbers, and of texts, are one.
NUMBER, TEXT = -1, -2
_READ_AS = {U32: NUMBER, BOOL: NUMBER, STRING: TEXT, HOST: TEXT}


class Description:
    """The fields of an object, in their order.

    Args:
        fields: (name, type, whether Berkeley DB spooling writes it) of each.
    """

    def __init__(self, fields):
        self.count = len(fields)
        self.kinds = tuple((name, kind) for name, kind, _ in fields)
        #: {whether only what is spooled has a value: ((name, how it is read), ...)}; a reference has never one.
        self.plans = {
            spooled_only: tuple(
                (name, _READ_AS.get(kind, kind))
                for name, kind, spooled in fields
                if kind != REFERENCE and (spooled or not spooled_only)
            )
            for spooled_only in (False, True)
        }


@cache
def _known():
    """-> {number: (name, type)}."""
    found = {}
    for first, words in (*_MEMBERS.items(), TABLES["JB"], TABLES["JAT"]):
        for step, word in enumerate(words.split()):
            name, _, kind = word.partition(":")
            found[first + step] = name, _TYPES[kind[0]]
    return found


def described(numbers):
    """The fields that an object in the bytes describes.

    Args:
        numbers: (number of a field, type and flags), flat.
    Returns:
        `Description`; a field whose number is not known is called by it.
    Raises:
        ValueError: a known one is of another type.
    """
    made = []
    for number, flags in zip(numbers[::2], numbers[1::2], strict=True):
        kind = flags & 0xFF
        name, known_kind = _known().get(number, (str(number), kind))
        if kind != known_kind:
            raise ValueError(f"field {name} is of type {kind}")
        made.append((name, kind, bool(flags & _SPOOLED)))
    return Description(made)


@cache
def description(name):
    """-> `Description` of an object of this table."""
    words = [word.partition(":") for word in TABLES[name][1].split()]
    return Description([(field, _TYPES[kind[0]], not kind.endswith("-")) for field, _, kind in words])
