"""Local and cluster sites on one node: what counts is local_daemon as the running local site read it (manual 2.3.6)."""

import pytest

from support.harness import Node

IN_THE_WAY = ("the local site runs", "local_daemon", "restart")


@pytest.fixture
def both():
    """(node, local site, cluster site), made and not started."""
    with Node() as node:
        yield node, node.local_site(), node.cluster_site()


def start_refused(site):
    site.node.run("cjcpw", site.name, site.db_path).refused(*IN_THE_WAY, exit_code=1)
    assert not site.processes()


def test_unset_the_local_site_is_alone_until_it_was_restarted_with_site(both):
    node, local, cluster = both
    local.start()
    start_refused(cluster)
    node.run("cjcpw", "-c", cluster.name, cluster.db_path).refused(*IN_THE_WAY, exit_code=1)
    node.run("nqsstart", cluster.name).refused(*IN_THE_WAY, exit_code=1)
    assert not cluster.processes()
    # What the file says counts from the next start of the local site.
    node.write_daemon_conf("local_daemon=SITE\n")
    start_refused(cluster)
    # A local site of which only cjcpw is left is in nobody's way.
    node.run("nqsstop").ok()
    cluster.start().stop()
    node.run("nqsstart").ok()
    cluster.start()
    assert local.qwait(local.qsub("true\n")) == 0
    assert cluster.qwait(cluster.qsub("true\n")) == 0
    assert local.cjcpw.poll() is None


def test_with_off_they_run_together_whatever_the_file_says_later(both):
    node, local, cluster = both
    node.write_daemon_conf("local_daemon=OFF\n")
    local.start()
    node.write_daemon_conf("")
    cluster.start()
    assert local.qwait(local.qsub("true\n")) == 0
    assert cluster.qwait(cluster.qsub("true\n")) == 0


def test_at_boot_the_local_site_is_wanted_unless_local_daemon_is_off(both):
    node, _, _ = both
    for text, code in (("local_daemon = off\n", 1), ("local_daemon=OFF\nlocal_daemon=SITE\n", 0), ("", 0)):
        node.write_daemon_conf(text)
        assert node.run("nqsstart", "--wanted").exit_code == code
    assert node.run("cjcls", "-a").ok().count("SHUT") == 2
    node.run("nqsstart", "--wanted", "testsite").refused("--wanted", exit_code=2)
