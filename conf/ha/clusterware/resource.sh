#!/bin/sh
# Oracle Clusterware: adds the address, the server pool and the site @SITE@ as resources. Once, as root, on one node.
# usage: resource.sh GRID_HOME NODE NODE...
set -eu

site='@SITE@'
address='@ADDRESS@'
network=1
script=/opt/oracle/cluster/scripts/jcq-$site.sh

if [ "$#" -lt 2 ]; then
    echo "usage: ${0##*/} GRID_HOME NODE NODE..." >&2
    exit 2
fi
bin=$1/bin
shift

"$bin/appvipcfg" create "-network=$network" "-ip=$address" "-vipname=jcq_vip_$site" -user=root
"$bin/crsctl" start resource "jcq_vip_$site"
"$bin/crsctl" add serverpool "jcq_sp_$site" -attr "PARENT_POOLS=Generic, SERVER_NAMES=$*"
# SCRIPT_TIMEOUT is more than the 180 s that the script waits for a start, and more than STOP_TIMEOUT of site.conf.
"$bin/crsctl" add resource "jcq_$site" -type cluster_resource -attr "ACTION_SCRIPT=$script,\
PLACEMENT=restricted,SERVER_POOLS=jcq_sp_$site,CHECK_INTERVAL=30,RESTART_ATTEMPTS=1,UPTIME_THRESHOLD=1h,\
SCRIPT_TIMEOUT=300,START_TIMEOUT=600,STOP_TIMEOUT=600,\
START_DEPENDENCIES='hard(jcq_vip_$site)pullup(jcq_vip_$site)',STOP_DEPENDENCIES='hard(jcq_vip_$site)'"
"$bin/crsctl" status resource "jcq_$site" -p
