"""Which handler answers which command."""

from jcq.nqsdaemon.verbs import qdel, qmgr, qstat, qsub, qwait

#: The one list of what nqsdaemon can be asked.
HANDLERS = {
    "qdel": qdel.handle,
    "qmgr": qmgr.handle,
    "qstat": qstat.handle,
    "qsub": qsub.handle,
    "qwait": qwait.handle,
}
