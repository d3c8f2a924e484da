"""Which handler answers which command."""

from jcq.nqsdaemon.verbs import (
    qalter,
    qchk,
    qdel,
    qdev,
    qhold,
    qmgr,
    qmove,
    qpr,
    qrerun,
    qrls,
    qrsm,
    qselect,
    qsig,
    qspnd,
    qstat,
    qstatq,
    qsub,
    qwait,
)

#: The one list of what nqsdaemon can be asked.
HANDLERS = {
    "qalter": qalter.handle,
    "qchk": qchk.handle,
    "qdel": qdel.handle,
    "qdev": qdev.handle,
    "qhold": qhold.handle,
    "qmgr": qmgr.handle,
    "qmove": qmove.handle,
    "qpr": qpr.handle,
    "qrerun": qrerun.handle,
    "qrls": qrls.handle,
    "qrsm": qrsm.handle,
    "qselect": qselect.handle,
    "qsig": qsig.handle,
    "qspnd": qspnd.handle,
    "qstat": qstat.handle,
    "qstatq": qstatq.handle,
    "qsub": qsub.handle,
    "qwait": qwait.handle,
}
