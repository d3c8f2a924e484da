# Serviceguard, package control script in the legacy style: the customer defined functions for site @SITE@.
# Put them in place of the empty ones, or read this file where those stand: . /path/to/functions.sh
# shellcheck shell=sh

jcq_site='@SITE@'
jcq_dbpath='@DBPATH@'
jcq_nqs='@NQS@'
# yes: Serviceguard watches cjcpw as the service of service.conf. no: a site that nobody watches is started here.
jcq_service=yes

customer_defined_run_cmds() {
    # First of all, so that no other process takes the site's port; cjcpw says who has it where this fails.
    "$jcq_nqs/nqsportkpr" "$jcq_site" || echo "nqsportkpr ended with $?" >&2
    jcq_status=0
    if [ "$jcq_service" != yes ]; then
        "$jcq_nqs/cluster/cjcpw" -c "$jcq_site" "$jcq_dbpath" || jcq_status=$?
    fi
    jcq_report "$jcq_status" 51
}

customer_defined_halt_cmds() {
    # A service has ended by now, and then this does nothing.
    jcq_status=0
    if ! "$jcq_nqs/cluster/cjcpw" -stop "$jcq_site"; then
        # Others may be in the way of the disk, an administrator's shell say; the package's unmount sees to them.
        case $("$jcq_nqs/cluster/cjcls" --state "$jcq_site") in
        stopped | elsewhere | unknown) ;;
        *) jcq_status=1 ;;
        esac
    fi
    "$jcq_nqs/nqsportkpr" -stop "$jcq_site" || echo "nqsportkpr -stop ended with $?" >&2
    jcq_report "$jcq_status" 52
}

# jcq_report STATUS CODE: fail as the control script's own functions do, where there is test_return.
jcq_report() {
    if command -v test_return >/dev/null; then
        (exit "$1")
        test_return "$2"
    else
        return "$1"
    fi
}
