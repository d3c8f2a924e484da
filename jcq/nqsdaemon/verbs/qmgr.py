"""The verb qmgr: one command line, carried out with the caller's right, answered in NQS's form."""

from jcq.errors import JcqError, NotPermitted, UsageError
from jcq.jcdbs.errors import StaleEpoch
from jcq.model.qmgr_commands import MANAGER, OPERATOR, USER
from jcq.model.qmgr_grammar import parse
from jcq.model.qmgr_help import help_text
from jcq.nqsdaemon.call import Reply
from jcq.nqsdaemon.qmgr import access, complexes, configuration, nqs_only, queue_limits, queues, requests, show, site
from jcq.nqsdaemon.qmgr.replies import complete, refusal

_ACTIONS = {
    **access.ACTIONS,
    **complexes.ACTIONS,
    **nqs_only.ACTIONS,
    **queue_limits.ACTIONS,
    **queues.ACTIONS,
    **requests.ACTIONS,
    **site.ACTIONS,
}

_SHOWS = {
    "show all": show.show_all,
    "show complex": complexes.show_complexes,
    "show configuration": configuration.show_configuration,
    "show device": nqs_only.show_nothing,
    "show forms": nqs_only.show_nothing,
    "show limits_supported": show.show_limits_supported,
    "show long queue": show.show_long_queue,
    "show lost_found": show.show_lost_found,
    "show managers": show.show_managers,
    "show parameters": show.show_parameters,
    "show queue": show.show_queue,
}

_LINE_CHARACTERS_MAX = 65536
#: Role of the caller -> the rights that it has.
_RIGHTS = {"m": (USER, OPERATOR, MANAGER), "o": (USER, OPERATOR), "": (USER,)}


def handle(call, desk):
    """Carry out `call.args[0]`.

    Returns (as a generator):
        Reply: code 0 with the reply or the data shown; 1 with the refusal in NQS's frame; 2 where the
        line could not be understood. Changes are logged here, refusals by the daemon's loop.
    """
    try:
        if len(call.args) != 1:
            raise UsageError(reason="one command line is expected")
        if len(call.args[0]) > _LINE_CHARACTERS_MAX:
            raise UsageError(reason=f"the line is longer than {_LINE_CHARACTERS_MAX} characters; split the command")
        command = parse(call.args[0])
        if command is None or command.verb == "exit":
            return Reply(0)
        if command.verb == "help":
            return Reply(0, out=help_text(command.values.get("topic", ())))
        return (yield from _carry_out(command, call, desk))
    except UsageError as error:
        return Reply(error.exit_code, err=f"qmgr: {error}\n")
    except requests.Refusals as refusals:
        return Reply(1, err="".join(refusal(error, shown) for shown, error in refusals.errors))
    except StaleEpoch:
        raise
    except JcqError as error:
        return Reply(1, err=refusal(error))


def _carry_out(command, call, desk):
    role = yield from desk.role(call)
    if command.right not in _RIGHTS[role]:
        raise NotPermitted(who=call.who, what=f"use {command.verb}", rule=f"only a {command.right} may")
    if command.verb in _SHOWS:
        return Reply(0, out=(yield from _SHOWS[command.verb](command.values, call, desk)))
    notes = yield from _ACTIONS[command.verb](command.values, call, desk)
    desk.log.info("qmgr: %s (uid %d): %s", call.who, call.uid, call.args[0].strip())
    return Reply(0, out=complete(notes))
