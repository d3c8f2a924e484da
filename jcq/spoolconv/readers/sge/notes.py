"""Options of a job of Grid Engine that jcq has nothing like: a note for each that its owner had chosen."""

import os

from jcq.spoolconv.readers.sge import resources

#: {field: (what is its usual value, words)}; a number or a text.
_OPTIONS = {
    "JB_deadline": (0, "a deadline (-dl)"),
    "JB_notify": (0, "a warning before it is stopped (-notify)"),
    "JB_reserve": (0, "a reservation (-R y)"),
    "JB_jobshare": (0, "a share (-js)"),
    "JB_override_tickets": (0, "tickets of an operator"),
    "JB_ar": (0, "an advance reservation (-ar)"),
    "JB_ja_task_concurrency": (0, "a limit of tasks at once (-tc)"),
    "JB_project": (b"", "a project (-P)"),
    "JB_checkpoint_name": (b"", "checkpointing (-ckpt)"),
    "JB_context": ([], "context variables (-ac)"),
    "JB_path_aliases": ([], "path aliases"),
    "JB_stdin_path_list": ([], "a file as its standard input (-i)"),
    "JB_master_hard_queue_list": ([], "a queue for its master task (-masterq)"),
}
#: What everybody gets.
_ACCOUNT = b"sge"


def note_options(fields, notes):
    """Add to `notes` what of a job's options is left behind."""
    for key, (usual, words) in _OPTIONS.items():
        if fields.get(key, usual) != usual:
            value = fields[key]
            shown = f" {value}" if isinstance(value, int) and value > 1 else ""
            shown = f" {os.fsdecode(value)[:60]}" if isinstance(value, bytes) else shown
            notes.append(f"it had {words}{shown}")
    if fields["JB_account"] not in (_ACCOUNT, b""):
        notes.append(f"it had an account of its own (-A) {os.fsdecode(fields['JB_account'])[:60]}")
    if fields["JB_pe"]:
        ranges = ",".join(f"{element['RN_min']}-{element['RN_max']}" for element in fields["JB_pe_range"])
        notes.append(f"it asked for slots of parallel environment {os.fsdecode(fields['JB_pe'])[:60]}: {ranges[:100]}")
    _note_resources(fields["JB_hard_resource_list"], "asked for", notes)
    _note_resources(fields["JB_soft_resource_list"], "wished for", notes)
    strategies = [element.get("BN_strategy", b"") for element in fields["JB_binding"]]
    if any(strategy not in (b"no_job_binding", b"") for strategy in strategies):
        notes.append("it had a binding to cores (-binding)")
    _note_dependencies(fields, notes)


def _note_resources(elements, words, notes):
    unknown = [
        os.fsdecode(b"%b=%b" % (element["CE_name"], element["CE_stringval"]))
        for element in elements
        if words != "asked for" or not resources.is_limit(os.fsdecode(element["CE_name"]))
    ]
    if unknown:
        notes.append(f"it {words} {' '.join(unknown)[:200]}")


def _note_dependencies(fields, notes):
    """What was asked for and had ended or was not there at submission drops out of the resolved list."""
    for wanted, resolved, option in (
        ("JB_jid_request_list", "JB_jid_predecessor_list", "-hold_jid"),
        ("JB_ja_ad_request_list", "JB_ja_ad_predecessor_list", "-hold_jid_ad"),
    ):
        if fields[resolved]:
            numbers = " ".join(str(element["JRE_job_number"]) for element in fields[resolved])
            notes.append(f"it waits for jobs {numbers[:100]} ({option})")
        if len(fields[wanted]) > len(fields[resolved]):
            names = [
                os.fsdecode(element["JRE_job_name"]) or str(element["JRE_job_number"]) for element in fields[wanted]
            ]
            notes.append(f"{option} {' '.join(names)[:100]}: some of these had ended or were not there")
