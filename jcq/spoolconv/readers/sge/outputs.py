"""Where a job of Grid Engine wrote: -o, -e and -j, with the variables that a path may hold (qsub(1))."""

import os
import re

_VARIABLE = re.compile(r"\$(USER|JOB_ID|JOB_NAME|HOSTNAME|TASK_ID|HOME)\b")


def path(elements, option, values, workdir, notes):
    """The file of one stream.

    Args:
        elements: of JB_stdout_path_list or JB_stderr_path_list.
        option: `-o` or `-e`, for notes.
        values: {`JOB_ID` and so on: text}.
        workdir: where a relative path begins; empty: unknown.
        notes: list that takes what cannot be carried over.
    Returns:
        An absolute path; empty: the usual name.
    """
    wanted = [os.fsdecode(element["PN_path"]) for element in elements if element["PN_path"]]
    hosts = sorted({os.fsdecode(element["PN_host"]) for element in elements if element.get("PN_host")})
    if hosts:
        notes.append(f"{option} was for host {' '.join(hosts)[:100]}: it holds for every host here")
    if not wanted:
        return ""
    if len(wanted) > 1:
        notes.append(f"{option} named {len(wanted)} files: {wanted[0][:100]} is taken")
    unknown = []

    def replaced(found):
        value = values.get(found[1], "")
        if not value:
            unknown.append(found[0])
        return value

    made = _VARIABLE.sub(replaced, wanted[0])
    if unknown:
        notes.append(
            f"{option} {wanted[0][:100]!r} holds {unknown[0]}, which is not known here: the usual name is taken"
        )
        return ""
    if made.startswith("~/"):
        made = f"{values.get('HOME', '')}/{made[2:]}"
    elif not made.startswith("/"):
        base = workdir or values.get("HOME", "")
        made = f"{base}/{made}"
    if not made.startswith("/"):
        notes.append(f"{option} {wanted[0][:100]!r} begins in a directory that is not known: the usual name is taken")
        return ""
    if made.endswith("/"):
        # A directory: Grid Engine's own name goes there.
        made += f"{values['JOB_NAME']}.{option[1]}{values['JOB_ID']}"
        made += f".{values['TASK_ID']}" if values["TASK_ID"] != "undefined" else ""
    return made
