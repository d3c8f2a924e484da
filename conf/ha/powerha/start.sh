#!/bin/sh
# PowerHA, application controller of site @SITE@: the start script. It ends with 0 when the site is up, or in
# maintenance, and leaves cjcpw behind, which watches the site.

site='@SITE@'
dbpath='@DBPATH@'
nqs='@NQS@'
start_limit_s=300

state() {
    "$nqs/cluster/cjcls" --state "$site"
}

# A session of its own: cjcpw must outlive this script.
run_cjcpw() {
    if command -v setsid >/dev/null; then
        exec setsid "$nqs/cluster/cjcpw" "$site" "$dbpath" </dev/null >/dev/null 2>&1
    fi
    exec nohup "$nqs/cluster/cjcpw" "$site" "$dbpath" </dev/null >/dev/null 2>&1
}

case $(state) in
up | maintenance) exit 0 ;;
esac
# So that no other process takes the site's port; cjcpw says who has it where this fails.
"$nqs/nqsportkpr" "$site" || echo "nqsportkpr ended with $?" >&2

pid=
waited_s=0
while [ "$waited_s" -lt "$start_limit_s" ]; do
    if [ -z "$pid" ]; then
        run_cjcpw &
        pid=$!
    elif ! kill -0 "$pid" 2>/dev/null; then
        code=0
        wait "$pid" || code=$?
        # 4: another cjcpw of the site is here already, and is waited for.
        if [ "$code" -ne 4 ]; then
            echo "cjcpw ended with $code; see log/cjcpw.log of the site" >&2
            exit 1
        fi
        pid=
    fi
    sleep 1
    waited_s=$((waited_s + 1))
    case $(state) in
    up | maintenance) exit 0 ;;
    esac
done
echo "site $site is not up after $start_limit_s s" >&2
exit 1
