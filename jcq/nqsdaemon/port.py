"""The nqs port in nqsdaemon: bound and held; who connects is turned away until there is transfer between sites."""

import os
import selectors
import socket
import time

from jcq import nqs_port

#: Accepted in one turn of the loop, and in one second: nobody outside may keep the daemon busy.
_PER_TURN = 16
_PER_SECOND = 64
_LOG_EVERY_S = 60.0


def open_port(identity, conf, root, log):
    """Bind the site's nqs port and listen on it, or take it over from nqsportkpr.

    Args:
        identity: `SiteIdentity`.
        conf: `DaemonConf` of the site.
        root: see `jcq.site.root_directory`.
        log: logger.
    Returns:
        The listening socket, or None: `port=0`, or a port that only root may have and nobody keeps
        for us; then the site works without, and the log says it.
    Raises:
        PortTaken, PortAddressAway: the site cannot start.
    """
    if not conf.port:
        log.info("no nqs port: port=0")
        return None
    address = nqs_port.listen_address(identity, conf, root)
    kept = nqs_port.take_over(root, address, conf.port)
    if kept:
        log.info("nqs port: %s port %d, taken over from nqsportkpr[%d]", address, conf.port, kept[1])
        return kept[0]
    if os.geteuid() != 0 and conf.port < nqs_port.PRIVILEGED_BELOW:
        log.info("no nqs port: without root there is no port %d", conf.port)
        return None
    try:
        sock = nqs_port.bind(address, conf.port, root)
    except PermissionError as error:
        log.warning("no nqs port: %s port %d: %s", address, conf.port, error.strerror)
        return None
    try:
        nqs_port.listen(sock)
    except OSError:
        # Bound beside closed connections that fade away, and another one was quicker.
        sock.close()
        raise nqs_port.taken(address, conf.port, root) from None
    log.info("nqs port: %s port %d", address, conf.port)
    return sock


class Doorkeeper:
    """Turns away who connects to the nqs port.

    Args:
        listener: what `open_port` returned.
        selector: of nqsdaemon's loop; its keys carry a function of the events.
        log: logger.
        now: clock in seconds.
    """

    def __init__(self, listener, selector, log, now=time.monotonic):
        self._listener = listener
        self._selector = selector
        self._log = log
        self._now = now
        self._listening = False
        self._second_s = self._logged_s = float("-inf")
        self._in_second = 0
        self._unlogged = 0
        if listener is not None:
            listener.setblocking(False)
            self._listen()

    def keep_time(self):
        """Go on after a rest."""
        if self._listener is not None and not self._listening and self.patience_s() <= 0:
            self._listen()

    def patience_s(self):
        """Seconds until `keep_time` has something to do."""
        if self._listener is None or self._listening:
            return float("inf")
        return self._second_s + 1 - self._now()

    def close(self):
        """Give the port back."""
        if self._listener is not None:
            self._rest()
            self._listener.close()
            self._listener = None

    def _listen(self):
        self._selector.register(self._listener, selectors.EVENT_READ, self._turn_away)
        self._listening = True

    def _rest(self):
        if self._listening:
            self._selector.unregister(self._listener)
            self._listening = False

    def _turn_away(self, _events):
        if self._now() - self._second_s >= 1:
            self._second_s, self._in_second = self._now(), 0
        for _ in range(_PER_TURN):
            if self._in_second >= _PER_SECOND:
                # The others wait in the backlog, or are not let in at all.
                self._rest()
                return
            try:
                connection, address = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                # Out of descriptors: it would be readable all the time.
                self._log.warning("nqs port: %s", error)
                self._rest()
                return
            self._in_second += 1
            _close_politely(connection)
            self._say(address[0])

    def _say(self, who):
        self._unlogged += 1
        if self._now() - self._logged_s < _LOG_EVERY_S:
            return
        self._log.info("nqs port: connections closed: %d, the last from %s; there is no transfer between sites yet",
                       self._unlogged, who)  # fmt: skip
        self._logged_s, self._unlogged = self._now(), 0


def _close_politely(connection):
    """The other end reads an end of file, and no reset for what it had sent until now."""
    with connection:
        connection.setblocking(False)
        try:
            connection.shutdown(socket.SHUT_WR)
            connection.recv(65536)
        except OSError:
            return
