"""What cjcpw tells the service manager that started it (sd_notify(3)), from its start to its end."""

import os
import signal

from support import processes
from support.service_manager import ServiceManager
from support.waiting import wait_until

WATCHDOG_S = 1.0
#: Some of its looks.
SILENT_S = 0.9
VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


def start(site, manager, *options):
    env = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": str(int(WATCHDOG_S * 1e6))}
    child = site.node.spawn("cjcpw", *options, site.name, site.db_path, env=env)
    return child, manager.hear_until("READY", "1")


def variables_of(pid):
    with open(f"/proc/{pid}/environ", "rb") as file:
        return {variable.split(b"=")[0].decode() for variable in file.read().split(b"\0")}


def test_from_the_start_to_the_end(node):
    site = node.cluster_site()
    with open(os.path.join(site.directory, "site.conf"), "w", encoding="ascii") as file:
        file.write("BOOT_TIMEOUT=300\nSTOP_TIMEOUT=77\n")
    with ServiceManager() as manager:
        site.cjcpw, heard = start(site, manager)
        # Longer than a manager's own limit, if need be; at the end of its own, cjcpw gives up by itself.
        assert any(int(message.get("EXTEND_TIMEOUT_USEC", 0)) >= 300e6 for message in heard[:-1]), heard
        assert "starting" in " ".join(message.get("STATUS", "") for message in heard[:-1])
        # Making the site took epoch 1.
        assert heard[-1]["STATUS"] == "site testsite: up, epoch 2"
        assert not any("READY" in message for message in heard[:-1])
        # READY is true.
        assert site.row()[1].isdigit()

        assert site.qwait(site.qsub('test -z "$NOTIFY_SOCKET$WATCHDOG_USEC"; exit $?\n')) == 0
        daemons = [process.pid for process in site.processes()]
        assert len(daemons) >= 3
        assert not [pid for pid in daemons if variables_of(pid) & set(VARIABLES)]

        manager.hear_until("WATCHDOG", "1")
        for name in ("jcdbs", "nqsdaemon", "worker"):
            pid = site.daemon(name)
            os.kill(pid, signal.SIGSTOP)
            try:
                manager.hears_no_more("WATCHDOG", SILENT_S)
            finally:
                os.kill(pid, signal.SIGCONT)
            manager.hear_until("WATCHDOG", "1")

        # Maintenance: cjcpw alone is a healthy site.
        node.run("nqsstop", site.name).ok()
        heard = manager.hear_until("STATUS", "site testsite: maintenance, cjcpw alone holds the site")
        assert not any("STOPPING" in message for message in heard)
        for _ in range(3):
            manager.hear_until("WATCHDOG", "1")
        node.run("nqsstart", site.name).ok()
        manager.hear_until("STATUS", "site testsite: up, epoch 3")
        manager.hear_until("WATCHDOG", "1")

        site.cjcpw.send_signal(signal.SIGTERM)
        (stopping,) = manager.hear_until("STOPPING", "1")[-1:]
        assert int(stopping["EXTEND_TIMEOUT_USEC"]) >= 77e6
        assert site.cjcpw.wait(30) == 0
        site.cjcpw = None


def test_detached_another_process_speaks_and_a_death_is_told(node):
    site = node.cluster_site()
    with ServiceManager(node.scratch) as manager:
        child, heard = start(site, manager, "-c")
        assert child.wait(20) == 0
        (main_pid,) = {message["MAINPID"] for message in heard if "MAINPID" in message}
        assert int(main_pid) != child.pid
        with open(f"/proc/{main_pid}/cmdline", encoding="ascii") as file:
            assert file.read().startswith("NQS nqsdaemon testsite")
        manager.hear_until("WATCHDOG", "1")
        os.kill(site.daemon("worker"), signal.SIGKILL)
        (ended,) = manager.hear_until("STOPPING", "1")[-1:]
        assert "worker" in ended["STATUS"]
        # It was told before the last of them ended.
        wait_until(lambda: not node.left_over(), 20, lambda: processes.table(node.left_over()))


def test_a_site_in_maintenance_from_the_start_is_ready(node):
    site = node.cluster_site()
    with open(os.path.join(site.directory, "daemon.conf"), "w", encoding="ascii") as file:
        file.write("maintenance=ON\nport=0\n")
    with ServiceManager() as manager:
        site.cjcpw, heard = start(site, manager)
        assert "maintenance" in heard[-1]["STATUS"]
        manager.hear_until("WATCHDOG", "1")
        site.stop()
