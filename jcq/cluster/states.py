"""cjcpw as one table: what each event does in each state.

`TABLE[state][event]` is (action, next state); an action is a method `do_<action>` of
`jcq.cluster.cjcpw.Supervisor`. A cell that cannot happen, or that has nothing to do, is `STAY`.
After s6-supervise: nothing else decides what cjcpw does next.
"""

# --- states ----------------------------------------------------------------------------------

#: Daemons are being started; a failure ends cjcpw.
STARTING = "starting"
#: All daemons have announced readiness.
UP = "up"
#: jcdbs has ended over a full disk and is being started again in the same epoch; the other daemons wait for it.
REVIVING = "reviving"
#: nqsstop: daemons are being stopped, cjcpw stays.
PAUSING = "pausing"
#: Maintenance: cjcpw alone. For the cluster software this is a healthy site (manual 2.5.5).
PAUSED = "paused"
#: nqsstart: daemons are being started again; a failure goes back to PAUSED, not to another node.
RESUMING = "resuming"
#: Daemons are being stopped, then cjcpw ends.
STOPPING = "stopping"
#: Nothing is left to do.
ENDED = "ended"

STATES = (STARTING, UP, REVIVING, PAUSING, PAUSED, RESUMING, STOPPING, ENDED)

# --- events ----------------------------------------------------------------------------------

#: The daemon started last is ready, and another one is to follow.
READY = "ready"
#: The last one is ready.
ALL_READY = "all ready"
#: A daemon has ended, and others live.
GONE = "gone"
#: The last living daemon has ended.
ALL_GONE = "all gone"
#: jcdbs has ended for want of space, and the others live: the one exception to "one dies, all stop".
DATABASE_FULL = "database full"
#: It is time to start jcdbs once more.
REVIVE = "time to revive"
#: BOOT_TIMEOUT is over.
START_LATE = "start late"
#: STOP_TIMEOUT is over.
STOP_LATE = "stop late"
#: The site is another owner's, or no heartbeat reached the disk in time.
LOST = "lost"
#: jcdbs lives and does not answer.
HUNG = "hung"
#: SIGTERM, SIGINT or `cjcpw -stop`.
ASK_STOP = "stop"
#: nqsstop.
ASK_PAUSE = "pause"
#: nqsstart.
ASK_RESUME = "resume"
#: `cjcls --state`.
ASK_STATE = "state"

#: What people and signals ask for, against what happens.
ASKED = (ASK_STOP, ASK_PAUSE, ASK_RESUME, ASK_STATE)
EVENTS = (READY, ALL_READY, GONE, ALL_GONE, DATABASE_FULL, REVIVE, START_LATE, STOP_LATE, LOST, HUNG, *ASKED)

# --- the table -------------------------------------------------------------------------------

NOTHING = "nothing"


def _stay(state):
    return (NOTHING, state)


TABLE = {
    STARTING: {
        READY: ("start_next", STARTING),
        ALL_READY: ("announce", UP),
        GONE: ("fail", ENDED),
        ALL_GONE: ("fail", ENDED),
        DATABASE_FULL: ("fail", ENDED),
        REVIVE: _stay(STARTING),
        START_LATE: ("fail_late", ENDED),
        STOP_LATE: _stay(STARTING),
        LOST: ("fence", ENDED),
        HUNG: _stay(STARTING),
        ASK_STOP: ("begin_stop", STOPPING),
        ASK_PAUSE: ("begin_pause", PAUSING),
        ASK_RESUME: ("wait_along", STARTING),
        ASK_STATE: ("tell", STARTING),
    },
    UP: {
        READY: _stay(UP),
        ALL_READY: _stay(UP),
        GONE: ("fail", ENDED),
        ALL_GONE: ("fail", ENDED),
        DATABASE_FULL: ("revive", REVIVING),
        REVIVE: _stay(UP),
        START_LATE: _stay(UP),
        STOP_LATE: _stay(UP),
        LOST: ("fence", ENDED),
        HUNG: ("fail_hung", ENDED),
        ASK_STOP: ("begin_stop", STOPPING),
        ASK_PAUSE: ("begin_pause", PAUSING),
        ASK_RESUME: ("agree", UP),
        ASK_STATE: ("tell", UP),
    },
    REVIVING: {
        READY: ("revived", UP),
        ALL_READY: _stay(REVIVING),
        GONE: ("fail", ENDED),
        ALL_GONE: ("fail", ENDED),
        DATABASE_FULL: ("revive_later", REVIVING),
        REVIVE: ("revive", REVIVING),
        START_LATE: ("fail_late", ENDED),
        STOP_LATE: _stay(REVIVING),
        LOST: ("fence", ENDED),
        HUNG: _stay(REVIVING),
        ASK_STOP: ("begin_stop", STOPPING),
        ASK_PAUSE: ("begin_pause", PAUSING),
        ASK_RESUME: ("agree", REVIVING),
        ASK_STATE: ("tell", REVIVING),
    },
    PAUSING: {
        READY: _stay(PAUSING),
        ALL_READY: _stay(PAUSING),
        GONE: ("stop_next", PAUSING),
        ALL_GONE: ("rest", PAUSED),
        DATABASE_FULL: ("stop_next", PAUSING),
        REVIVE: _stay(PAUSING),
        START_LATE: _stay(PAUSING),
        STOP_LATE: ("rest_by_force", PAUSED),
        LOST: ("fence", ENDED),
        HUNG: _stay(PAUSING),
        ASK_STOP: ("agree", STOPPING),
        ASK_PAUSE: ("wait_along", PAUSING),
        ASK_RESUME: ("refuse", PAUSING),
        ASK_STATE: ("tell", PAUSING),
    },
    PAUSED: {
        READY: _stay(PAUSED),
        ALL_READY: _stay(PAUSED),
        GONE: _stay(PAUSED),
        ALL_GONE: _stay(PAUSED),
        DATABASE_FULL: _stay(PAUSED),
        REVIVE: _stay(PAUSED),
        START_LATE: _stay(PAUSED),
        STOP_LATE: _stay(PAUSED),
        LOST: ("fence", ENDED),
        HUNG: _stay(PAUSED),
        ASK_STOP: ("end_resting", ENDED),
        ASK_PAUSE: ("agree", PAUSED),
        ASK_RESUME: ("begin_resume", RESUMING),
        ASK_STATE: ("tell", PAUSED),
    },
    RESUMING: {
        READY: ("start_next", RESUMING),
        ALL_READY: ("announce", UP),
        GONE: ("fall_back", PAUSED),
        ALL_GONE: ("fall_back", PAUSED),
        DATABASE_FULL: ("fall_back", PAUSED),
        REVIVE: _stay(RESUMING),
        START_LATE: ("fall_back_late", PAUSED),
        STOP_LATE: _stay(RESUMING),
        LOST: ("fence", ENDED),
        HUNG: _stay(RESUMING),
        ASK_STOP: ("begin_stop", STOPPING),
        ASK_PAUSE: ("begin_pause", PAUSING),
        ASK_RESUME: ("wait_along", RESUMING),
        ASK_STATE: ("tell", RESUMING),
    },
    STOPPING: {
        READY: _stay(STOPPING),
        ALL_READY: _stay(STOPPING),
        GONE: ("stop_next", STOPPING),
        ALL_GONE: ("end", ENDED),
        DATABASE_FULL: ("stop_next", STOPPING),
        REVIVE: _stay(STOPPING),
        START_LATE: _stay(STOPPING),
        STOP_LATE: ("end_by_force", ENDED),
        LOST: ("fence", ENDED),
        HUNG: _stay(STOPPING),
        ASK_STOP: ("agree", STOPPING),
        ASK_PAUSE: ("refuse", STOPPING),
        ASK_RESUME: ("refuse", STOPPING),
        ASK_STATE: ("tell", STOPPING),
    },
    ENDED: {event: _stay(ENDED) for event in EVENTS},
}
