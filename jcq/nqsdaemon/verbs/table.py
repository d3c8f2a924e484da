"""Which handler answers which command."""

from jcq.nqsdaemon.verbs import (
    qalter,
    qcat,
    qdel,
    qhold,
    qmgr,
    qmove,
    qmsg,
    qrerun,
    qrls,
    qrsm,
    qselect,
    qsig,
    qspnd,
    qstat,
    qsub,
    qwait,
)

#: The one list of what nqsdaemon can be asked.
HANDLERS = {
    "qalter": qalter.handle,
    "qcat": qcat.handle,
    "qdel": qdel.handle,
    "qhold": qhold.handle,
    "qmgr": qmgr.handle,
    "qmove": qmove.handle,
    "qmsg": qmsg.handle,
    "qrerun": qrerun.handle,
    "qrls": qrls.handle,
    "qrsm": qrsm.handle,
    "qselect": qselect.handle,
    "qsig": qsig.handle,
    "qspnd": qspnd.handle,
    "qstat": qstat.handle,
    "qsub": qsub.handle,
    "qwait": qwait.handle,
}
