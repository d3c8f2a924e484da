#!/bin/sh
# ExpressCluster, exec resource of site @SITE@: the start script, set to asynchronous.
# The PID monitor resource watches this script: it stays as long as cjcpw, and always ends with 0.

site='@SITE@'
dbpath='@DBPATH@'
nqs='@NQS@'

# An exec resource has a stack of 2 MB, and what jobs need is not known.
# shellcheck disable=SC3045  # not in POSIX, but in every shell of Linux
ulimit -s 8192 || echo "the stack limit stays as it is" >&2

case ${CLP_EVENT:-} in
START | FAILOVER | RECOVER) ;;
*)
    echo "CLP_EVENT is '${CLP_EVENT:-}': site $site is not started"
    exit 0
    ;;
esac
if [ "${CLP_DISK:-}" != SUCCESS ]; then
    echo "CLP_DISK is '${CLP_DISK:-}': site $site is not started"
    exit 0
fi

# So that no other process takes the site's port; cjcpw says who has it where this fails.
"$nqs/nqsportkpr" "$site" || echo "nqsportkpr ended with $?" >&2

echo "site $site: cjcpw starts ($CLP_EVENT)"
"$nqs/cluster/cjcpw" "$site" "$dbpath"
echo "site $site: cjcpw ended with $?"
exit 0
