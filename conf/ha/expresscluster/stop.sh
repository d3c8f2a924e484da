#!/bin/sh
# ExpressCluster, exec resource of site @SITE@: the stop script, set to synchronous. It ends when the site is stopped;
# with 1, so that the cluster acts, if something of the site survives.

site='@SITE@'
nqs='@NQS@'

case ${CLP_EVENT:-} in
START | FAILOVER | RECOVER) ;;
*)
    echo "CLP_EVENT is '${CLP_EVENT:-}': site $site is not stopped"
    exit 0
    ;;
esac

# Also where the disk failed: of a site that does not run there is nothing to stop, which takes a moment.
echo "site $site: cjcpw -stop ($CLP_EVENT)"
if ! "$nqs/cluster/cjcpw" -stop "$site"; then
    # Others may be in the way of the disk, an administrator's shell for instance: they are the disk resource's.
    state=$("$nqs/cluster/cjcls" --state "$site")
    echo "site $site: $state"
    case $state in
    stopped | elsewhere | unknown) ;;
    *) exit 1 ;;
    esac
fi
"$nqs/nqsportkpr" -stop "$site" || echo "nqsportkpr -stop ended with $?" >&2
exit 0
