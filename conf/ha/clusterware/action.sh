#!/bin/sh
# Oracle Clusterware, action script of site @SITE@: start, stop, check and clean, each ending with 0 or 1.
# POSIX sh. The site is asked for by its whole name: testsite2 is not taken for testsite.

site='@SITE@'
dbpath='@DBPATH@'
cluster='@NQS@/cluster'
# Below SCRIPT_TIMEOUT of the resource.
start_limit_s=180

state() {
    "$cluster/cjcls" --state "$site"
}

# A session of its own: cjcpw must outlive this script, and whoever ends it.
run_cjcpw() {
    if command -v setsid >/dev/null; then
        exec setsid "$cluster/cjcpw" "$site" "$dbpath" </dev/null >/dev/null 2>&1
    fi
    exec nohup "$cluster/cjcpw" "$site" "$dbpath" </dev/null >/dev/null 2>&1
}

start() {
    pid=
    waited_s=0
    while [ "$waited_s" -lt "$start_limit_s" ]; do
        case $(state) in
        up | maintenance)
            echo "site $site is up"
            return 0
            ;;
        esac
        if [ -z "$pid" ]; then
            run_cjcpw &
            pid=$!
        elif ! kill -0 "$pid" 2>/dev/null; then
            code=0
            wait "$pid" || code=$?
            # 4: another cjcpw of the site is here already, and is waited for.
            if [ "$code" -ne 4 ]; then
                echo "cjcpw ended with $code; see log/cjcpw.log of the site"
                return 1
            fi
            pid=
        fi
        sleep 1
        waited_s=$((waited_s + 1))
    done
    echo "site $site is not up after $start_limit_s s"
    return 1
}

# Of this node only: where another one runs the site, nothing is done and that is success.
stop() {
    "$cluster/cjcpw" -stop "$site" && return 0
    # Others may be in the way of the disk, an administrator's shell for instance; the site is stopped all the same.
    case $(state) in
    stopped | elsewhere | unknown) return 0 ;;
    esac
    return 1
}

# A living cjcpw is a healthy site, in maintenance too.
check() {
    now=$(state)
    echo "site $site: $now"
    case $now in
    up | maintenance | starting | stopping) return 0 ;;
    leftover) "$cluster/cjcpw" -stop "$site" ;;
    esac
    return 1
}

case ${1:-} in
start) start || exit 1 ;;
stop | clean) stop || exit 1 ;;
check) check || exit 1 ;;
*)
    echo "usage: ${0##*/} start | stop | check | clean"
    exit 1
    ;;
esac
exit 0
