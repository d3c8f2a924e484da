"""The numbered cases: what each cluster manager demands of the commands and of the scripts in conf/ha.

A test names those it shows by `@pytest.mark.case(3, 4)`; at the end of a run there is one table of them.
"""

CASES = {
    1: "Serviceguard: cjcpw as service stays in the foreground, and its end is the failure",
    2: "Serviceguard: SIGTERM stops the site cleanly, with 0, and nothing is left",
    3: "Serviceguard: cjcpw -c returns 0 when the site is up, and no cjcpw stays",
    4: "Serviceguard: cjcpw -stop stops a site started with -c",
    5: "Serviceguard: nqsportkpr first; returns at once, does not disturb the daemon's bind",
    6: "ExpressCluster: start.sh runs cjcpw in the foreground and always ends with 0",
    7: "ExpressCluster: nothing is started without CLP_EVENT and CLP_DISK=SUCCESS, 0",
    8: "ExpressCluster: the site runs under a stack of 2 MB, and with the script's 8 MB",
    9: "ExpressCluster: stop.sh returns when the site is stopped",
    10: "ExpressCluster: a daemon dies, cjcpw ends, start.sh ends with 0",
    11: "ExpressCluster: nqsportkpr in start.sh",
    12: "Clusterware: start, by cjcls as the manual's script reads it; cjcpw outlives the script",
    13: "Clusterware: check by ps finds cjcpw; where it is gone: 1, and -stop is run",
    14: "Clusterware: -stop of a stopped site is quick and harmless, 0; stop's and clean's code is its",
    15: "Clusterware: check, clean and stop on the standby leave the active node's site alone",
    16: "Clusterware: a second start returns 0, a second cjcpw ends without harm",
    17: "Clusterware: a start after SIGKILL of cjcpw cleans up instead of refusing",
    18: "Clusterware: testsite2 is not taken for testsite",
}


def table(outcomes):
    """The lines of the table, the last one with the sum.

    Args:
        outcomes: {case: [outcome of each test that shows it]}.
    """
    lines, passed = [], 0
    for case, text in CASES.items():
        seen = outcomes.get(case, [])
        good = bool(seen) and set(seen) == {"passed"}
        passed += good
        word = "passed" if good else "not run" if not seen else "FAILED"
        lines.append(f"{case:>3}  {word:<7}  {len(seen):>2} tests  {text}")
    lines.append(f"{passed} of {len(CASES)}")
    return lines
