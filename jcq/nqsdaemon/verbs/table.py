"""Which handler answers which command."""

from jcq.nqsdaemon.verbs import (
    qalter,
    qdel,
    qhold,
    qlimit,
    qmgr,
    qmove,
    qrerun,
    qrls,
    qrsm,
    qsig,
    qspnd,
    qstat,
    qsub,
    qwait,
)

#: The one list of what nqsdaemon can be asked.
HANDLERS = {
    "qalter": qalter.handle,
    "qdel": qdel.handle,
    "qhold": qhold.handle,
    "qlimit": qlimit.handle,
    "qmgr": qmgr.handle,
    "qmove": qmove.handle,
    "qrerun": qrerun.handle,
    "qrls": qrls.handle,
    "qrsm": qrsm.handle,
    "qsig": qsig.handle,
    "qspnd": qspnd.handle,
    "qstat": qstat.handle,
    "qsub": qsub.handle,
    "qwait": qwait.handle,
}
