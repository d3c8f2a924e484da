#!/bin/sh
# PowerHA, application controller of site @SITE@: the stop script. It ends with 0 when the site is stopped here.

site='@SITE@'
nqs='@NQS@'

if ! "$nqs/cluster/cjcpw" -stop "$site"; then
    # Others may be in the way of the disk, an administrator's shell for instance; PowerHA's own unmount sees to them.
    state=$("$nqs/cluster/cjcls" --state "$site")
    echo "site $site: $state" >&2
    case $state in
    stopped | elsewhere | unknown) ;;
    *) exit 1 ;;
    esac
fi
"$nqs/nqsportkpr" -stop "$site" || echo "nqsportkpr -stop ended with $?" >&2
exit 0
