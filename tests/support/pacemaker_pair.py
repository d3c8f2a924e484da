"""Two nodes of a real Pacemaker with fencing, as root, and a disk that one of them mounts at a time.

Each is a `Machine`, and so is the switch between them: the network that carries corosync reaches nothing else.
"""

import os
import subprocess
import threading

from support.loop_disk import LoopDisk
from support.machine import Machine
from support.two_nodes import SITE, MachineNode, TwoNodes
from support.waiting import wait_until

COMMANDS = ("corosync", "pacemakerd", "crm", "crm_mon", "ip")
#: Of the site, on the network of the two.
ADDRESS = "10.77.0.50"
#: A node's end of its link to the switch.
LINK = "jcqpair"
_NETWORK = "10.77.0"
_FENCE_LOOK_S = 0.1
#: A node is fenced, and the group is up elsewhere, well within this, also on a busy machine.
LIMIT_S = 150

_CONF = """\
totem {{
  version: 2
  cluster_name: jcqtest
  transport: udpu
  crypto_cipher: none
  crypto_hash: none
  token: 5000
}}
nodelist {{
{nodes}}}
quorum {{
  provider: corosync_votequorum
  two_node: 1
  wait_for_all: 0
}}
logging {{
  to_logfile: yes
  logfile: /var/log/corosync/corosync.log
  to_syslog: no
}}
system {{
  sched_rr: no
}}
"""
_NODE = "  node {{\n    ring0_addr: {network}.{number}\n    name: {name}\n    nodeid: {number}\n  }}\n"

#: $1: a directory for what only this node sees, $2: corosync.conf, $3: the fence agent.
_FURNISH = """\
set -e
mount -t tmpfs private "$1"
mkdir "$1/upper" "$1/work"
mount -t overlay usr -o "lowerdir=/usr,upperdir=$1/upper,workdir=$1/work" /usr
for directory in /run /dev/shm /etc/corosync /var/lib/pacemaker /var/lib/corosync /var/log; do
    mkdir -p "$directory"
    mount -t tmpfs private "$directory"
done
mkdir -p /run/crm /run/lock /run/resource-agents /var/log/corosync /var/log/pacemaker /var/log/crmsh
mkdir -p /var/lib/pacemaker/blackbox /var/lib/pacemaker/cib /var/lib/pacemaker/cores /var/lib/pacemaker/pengine
chown -R hacluster:haclient /var/lib/pacemaker /var/log/pacemaker /run/crm
cp "$2" /etc/corosync/corosync.conf
install -m 755 "$3" /usr/sbin/fence_jcqtest
# Filesystem will not do without it; there is nothing to load.
command -v modprobe >/dev/null || ln -s /bin/true /usr/sbin/modprobe
"""

#: Asks the tests to cut a node's power, and waits until that has happened.
_FENCE_AGENT = """\
#!/bin/sh
while read -r line; do
    case $line in
    action=*) action=${{line#*=}} ;;
    plug=*) plug=${{line#*=}} ;;
    esac
done
[ "$1" != -o ] || action=$2
case ${{action:-reboot}} in
metadata)
    cat <<END
<?xml version="1.0" ?>
<resource-agent name="fence_jcqtest" shortdesc="tests"><longdesc>tests</longdesc>
<parameters>
<parameter name="action"><content type="string" default="reboot"/><shortdesc lang="en">action</shortdesc></parameter>
<parameter name="plug"><content type="string"/><shortdesc lang="en">node</shortdesc></parameter>
</parameters>
<actions>
<action name="on"/><action name="off"/><action name="reboot"/><action name="status"/><action name="list"/>
<action name="monitor"/><action name="metadata"/>
</actions>
</resource-agent>
END
    ;;
on | status | list | monitor) ;;
off | reboot)
    : >{place}/ask.$plug
    until [ -e {place}/off.$plug ]; do sleep 0.1; done
    ;;
*) exit 1 ;;
esac
"""


class ClusterNode(MachineNode):
    """A machine with corosync and Pacemaker; the commands that it has laid, and its sites' links, are its own."""

    def boot(self):
        """See `OneNode.boot`."""
        super().boot()
        # The same path on both, as the crm file says; what is below it is this node's.
        self.root = self._shared.root
        private = self.make_directory("private")
        self._do("sh", "-c", _FURNISH, "sh", private, self._shared.conf, self._shared.fence_agent)
        self.run("jcq", "install").ok()
        self._do("install", "-D", "-m", "755", self._shared.file("site"), "/usr/lib/ocf/resource.d/jcq/site")

    def binds(self):
        """See `MachineNode.binds`."""
        return [(self.root, self._shared.root)]

    def join(self, number):
        """Take an end of the link, and start corosync and Pacemaker; these get nothing of the tests' environment."""
        self._do("ip", "address", "add", f"{_NETWORK}.{number}/24", "dev", LINK)
        self._do("ip", "link", "set", LINK, "up")
        self._start("corosync", "-f")
        wait_until(lambda: not self.run(["corosync-cfgtool", "-s"]).exit_code, LIMIT_S, self.cluster_log)
        self._start("pacemakerd", "-f")

    def _start(self, *argv):
        with open(os.path.join(self.scratch, f"{argv[0]}.log"), "wb") as file:
            self.popen(argv, env={"JCQ_ROOT": None}, stdin=subprocess.DEVNULL, stdout=file, stderr=file)

    def _do(self, *argv):
        return self.run(list(argv), limit_s=LIMIT_S).ok()

    def crm(self, *words):
        """Run crmsh, with success."""
        return self._do("crm", *words)

    def cluster_log(self):
        """What Pacemaker sees and did, for messages."""
        return self.run(["sh", "-c", "crm_mon -1rf; tail -n 80 /var/log/pacemaker/pacemaker.log"]).out


class PacemakerPair(TwoNodes):
    """Both nodes run the cluster, and the file of `jcq ha pacemaker` is loaded."""

    MACHINE = ClusterNode

    def __init__(self, mount_point):
        """Make it.

        Args:
            mount_point: an empty directory that every user can pass.
        """
        self.disk = LoopDisk(mount_point)
        self._switch = None
        self._over = threading.Event()
        self._fencer = threading.Thread(target=self._fence)
        super().__init__(True, "FENCE_TIMEOUT=5\nFORCEKILL_TIME=1\n", mount_point)

    def file(self, name):
        """One that `jcq ha pacemaker` has written."""
        return os.path.join(self.scratch, "files", name)

    def _boot(self):
        self.root = self.make_directory("root")
        self._fences = self.make_directory("fences")
        self.conf = os.path.join(self.scratch, "corosync.conf")
        self.fence_agent = os.path.join(self.scratch, "fence_jcqtest")
        nodes = [_NODE.format(network=_NETWORK, number=number, name=self.nodes[number - 1].name) for number in (1, 2)]
        for path, text in (
            (self.conf, _CONF.format(nodes="".join(nodes))),
            (self.fence_agent, _FENCE_AGENT.format(place=self._fences)),
        ):
            with open(path, "w", encoding="ascii") as file:
                file.write(text)
        # Where the disk is mounted, as its README says; so its device and type are found.
        words = ["--site", SITE, "--db", self.db_path, "--address", ADDRESS, "--output", self.file("")]
        self.node_a.run("jcq", "ha", "pacemaker", *words, env={"JCQ_ROOT": self.root}).ok()
        self.disk.unmount()
        super()._boot()
        self._lay_network()
        self._fencer.start()
        for number, node in enumerate(self.nodes, 1):
            node.join(number)
        for node in self.nodes:
            wait_until(lambda node=node: self._online(node), LIMIT_S, node.cluster_log)
        self._configure(self.node_a)

    def _lay_network(self):
        """A link of a node stays up when the other node's is gone."""
        self._switch = Machine("switch")

        def switch(*argv):
            subprocess.run(self._switch.argv(argv, "/"), check=True)

        switch("ip", "link", "add", "bridge", "type", "bridge")
        switch("ip", "link", "set", "bridge", "up")
        for node in self.nodes:
            ends = [str(node.machine.init), "type", "veth", "peer", "name", node.name, "netns", str(self._switch.init)]
            subprocess.run(["ip", "link", "add", LINK, "netns", *ends], check=True)
            switch("ip", "link", "set", node.name, "master", "bridge", "up")

    def _online(self, node):
        return f"Online: [ {self.node_a.name} {self.node_b.name} ]" in node.run(["crm_mon", "-1"]).out

    def _configure(self, node):
        for other in self.nodes:
            name = f"fence-{other.name}"
            words = ("params", f"plug={other.name}", f"pcmk_host_list={other.name}")
            node.crm("configure", "primitive", name, "stonith:fence_jcqtest", *words)
            node.crm("configure", "location", f"not-{name}", name, "-inf:", other.name)
        node.crm("configure", "load", "update", self.file(f"jcq-{SITE}.crm"))

    def _fence(self):
        """Cut the power of whom the fence agent names."""
        while not self._over.wait(_FENCE_LOOK_S):
            for node in self.nodes:
                asked = os.path.join(self._fences, f"ask.{node.name}")
                if os.path.exists(asked):
                    node.machine.kill()
                    os.rename(asked, os.path.join(self._fences, f"off.{node.name}"))

    def fenced(self):
        """Names of the nodes that the cluster has fenced."""
        return sorted(name.removeprefix("off.") for name in os.listdir(self._fences) if name.startswith("off."))

    def wait_up(self, node):
        """Wait until the site is up on a node."""

        def up():
            return node.run("cjcls", "--state", SITE).out == "up\n"

        wait_until(up, LIMIT_S, node.cluster_log)

    def close(self, failed=False):
        """See `TwoNodes.close`."""
        try:
            for machine in (self._switch, *(node.machine for node in self.nodes)):
                if machine:
                    machine.kill()
            self._over.set()
            if self._fencer.is_alive():
                self._fencer.join()
            super().close(failed)
        finally:
            self.disk.close()
