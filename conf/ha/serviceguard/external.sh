#!/bin/sh
# Serviceguard, modular package: the external_script for site @SITE@. cjcpw itself is the package's service.
# Called with start (before the service), stop (after it) or validate; 0 is success.

site='@SITE@'
nqs='@NQS@'

case ${1:-} in
start)
    # So that no other process takes the site's port; cjcpw says who has it where this fails.
    "$nqs/nqsportkpr" "$site" || echo "nqsportkpr ended with $?" >&2
    ;;
stop)
    # The service has ended by now. Should it have been killed, this ends what it left.
    if ! "$nqs/cluster/cjcpw" -stop "$site"; then
        # Others may be in the way of the disk, an administrator's shell say; the package's unmount sees to them.
        case $("$nqs/cluster/cjcls" --state "$site") in
        stopped | elsewhere | unknown) ;;
        *) exit 1 ;;
        esac
    fi
    "$nqs/nqsportkpr" -stop "$site" || echo "nqsportkpr -stop ended with $?" >&2
    ;;
validate)
    for command in nqsportkpr cluster/cjcpw; do
        if [ ! -x "$nqs/$command" ]; then
            echo "$nqs/$command is missing; run jcq install on this node" >&2
            exit 1
        fi
    done
    ;;
*)
    echo "usage: ${0##*/} start | stop | validate" >&2
    exit 1
    ;;
esac
exit 0
