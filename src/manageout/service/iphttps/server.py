"""The gateway's IP-HTTPS listener: sockets, TLS and the TUN device around one :class:`IpHttpsServer`.

The way of the bytes::

    accept -> admission -> TLS handshake -> trust -> machine.open     (all but the last in the acceptor's thread)
    socket readable -> decrypt  -> machine.receive       \\
    TUNs readable   -> packets  -> machine.from_kernel    > _pump: transmit to sockets and TUN, events, timer
    timer           ->             machine.on_timer      /

What is for many clients at once is sent in several turns of the loop (:mod:`turns`).
"""

import asyncio
import gc
import logging
import random
import ssl
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from email.utils import formatdate

from manageout.errors import KernelError, ManageoutError
from manageout.linux.host import systemd
from manageout.linux.packets.tun import Tun
from manageout.protocol.core.drops import Drop
from manageout.protocol.iphttps import values as iphttps
from manageout.protocol.iphttps.server import IpHttpsServer
from manageout.protocol.iphttps.values import TUN
from manageout.service.iphttps import report, trust_report
from manageout.service.iphttps.acceptor import Acceptor
from manageout.service.iphttps.connection import Connection
from manageout.service.iphttps.listeners import Inherited
from manageout.service.iphttps.stock_device import StockDevice
from manageout.service.iphttps.trust import Refusal, Trust
from manageout.service.iphttps.turns import Turns
from manageout.service.leases.keeper import LeaseKeeper
from manageout.service.process import loops, role, rows
from manageout.service.process.finding import Finding
from manageout.service.process.metrics import Metric
from manageout.service.tls.stream import PLAIN
from manageout.site.plan import Plan
from manageout.site.tables.site import Site, needed

TUN_BATCH = 128
WATCH = 2.0
"""Seconds between two looks at the certificate files."""
RECHECK = 60.0
"""Seconds between two looks at the certificates of connected clients."""
RECHECKED = 50
"""Of them in one turn."""

_LEVELS = {"error": logging.ERROR, "warning": logging.WARNING, "note": logging.INFO}

log = logging.getLogger(__name__)


def settings(site: Site, plan: Plan, *, vnet_hdr: bool) -> iphttps.ServerConfig:
    """What the machine needs to know of a site file with a ``[gateway]`` table."""
    gateway = needed(site.gateway)
    limits = gateway.iphttps
    return iphttps.ServerConfig(
        prefix=plan.client_prefix,
        link_local=plan.gateway_link_local,
        address=plan.gateway_address,
        routes=plan.client_routes,
        dns=(plan.dns64,) if site.dns64 else (),
        search=(site.site.domain,) if site.dns64 and site.site.domain else (),
        nat64=(plan.nat64,) if site.translation else (),
        mode=gateway.authentication,
        hairpin=site.policy.hairpin,
        fixed={name.lower(): address for name, address in gateway.fixed.items()},
        paths=limits.paths,
        server_header=limits.server_header,
        own_framing=limits.own_framing,
        vnet_hdr=vnet_hdr,
        head_timeout=limits.head_timeout,
        stall_timeout=limits.stall_timeout,
        dead_after=limits.dead_after,
        max_addresses=limits.max_addresses,
        max_per_identity=limits.max_per_certificate,
    )


class IpHttpsServerService(role.Role):
    """The role. Built before :meth:`run`, so that faults of files and ports are known at once."""

    name = "iphttps"

    def __init__(self, site: Site, plan: Plan, tun: Tun, stock: Tun, keeper: LeaseKeeper) -> None:
        """``stock``: for the packets of stock clients. ``keeper`` is told who is here. Raises :class:`PkiError`."""
        gateway = self._gateway = needed(site.gateway)
        self._tun = tun
        self._stock = StockDevice(tun, stock, site.daemon.fast_path)
        self._keeper = keeper
        trust, inherited = Trust(gateway), Inherited(systemd.inherited_sockets())
        self.acceptor = Acceptor(trust, gateway.iphttps, self._on_ready, self._evict, inherited)
        config = settings(site, plan, vnet_hdr=tun.vnet_hdr)
        self.machine = IpHttpsServer(config, _http_date, random.random, keeper.keeper)
        self._tuns = tun, stock
        self.ready = asyncio.Event()
        self._connections: dict[int, Connection] = {}
        self._plain = memoryview(bytearray(PLAIN))
        self._timer = loops.Timer(self._on_timer)
        self._rechecked = time.monotonic()
        self._unread = ""
        self._told: set[str] = set()

    # --- Life -------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve until cancelled; every client is disconnected then."""
        loop = self._loop = asyncio.get_running_loop()
        self._failure: asyncio.Future[None] = loop.create_future()
        self._turns = Turns(self._send, loop.call_soon)
        self.acceptor.listen(self._gateway.listen)
        self._stock.attach()
        for tun in self._tuns:
            loop.add_reader(tun.fd, self._on_tun, tun)
        # What exists now lives as long as the process: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        self._tell()
        self._pump()
        self.ready.set()
        try:
            while not (await asyncio.wait({self._failure}, timeout=WATCH))[0]:
                await self._watch()
            self._failure.result()
        finally:
            self._stop()

    def reload(self, site: Site, plan: Plan) -> None:
        """Take a changed file; sessions that stay allowed go on. Raises before anything has changed."""
        gateway = needed(site.gateway)
        trust = Trust(gateway, self.acceptor.trust)
        self.acceptor.listen(gateway.listen)
        self._gateway = gateway
        self._replace_trust(trust)
        self._unread = ""
        self.acceptor.admission.limits = gateway.iphttps
        config = settings(site, plan, vnet_hdr=self._tun.vnet_hdr)
        self.machine.reconfigure(config, time.monotonic())
        self._stock.reload()
        for _ in self._recheck():  # what a reload refuses has gone when it returns
            pass
        self._pump()

    def _stop(self) -> None:
        self.acceptor.stop()
        self.machine.shutdown(time.monotonic(), returning=True)
        self._pump()
        for tun in self._tuns:
            self._loop.remove_reader(tun.fd)
        self._timer.cancel()
        for connection in list(self._connections.values()):
            self._drop(connection, "the gateway stopped")
        self._stock.detach()
        self.ready.clear()

    async def _watch(self) -> None:
        """The certificate, key, authority and revocation files may be replaced at any time."""
        self.acceptor.look()
        if self.acceptor.trust.changed() or self._unread:  # what hindered us may not have been the files
            gateway = self._gateway
            try:
                # A long revocation list takes a while to read, and packets must not wait for it.
                trust = await asyncio.to_thread(Trust, gateway, self.acceptor.trust)
                if gateway is not self._gateway:
                    return  # a reload has read them meanwhile
                self._replace_trust(trust)
                log.info("certificate files read again")
                self._unread = ""
            except ManageoutError as error:
                self._unread = error.message  # a finding, and so in the log
        elif time.monotonic() - self._rechecked < RECHECK:  # certificates expire: now and then all are judged
            self._pump()
            return
        for _ in self._recheck():
            self._pump()
            await asyncio.sleep(0)
        self._pump()

    def _replace_trust(self, trust: Trust) -> None:
        before, self.acceptor.trust = self.acceptor.trust, trust
        if not trust.lets_in_all_of(before):
            for connection in list(self._connections.values()):
                self._lost(
                    connection, "the authority of clients has changed: they must show a certificate again"
                )

    def _recheck(self) -> Iterator[None]:
        """Judge every client anew, so many between two values: of 5,000 at once that would be 20 ms."""
        self._rechecked = time.monotonic()
        self.acceptor.trust.seen.clear()  # authorities of clients that have gone are nobody's concern
        for count, connection in enumerate(list(self._connections.values()), 1):
            fault = self.acceptor.trust.check(connection.certificate)
            if fault and connection.number in self._connections:
                self.acceptor.refuse(connection, fault)
                self._lost(connection, fault.words)
            if not count % RECHECKED:
                yield
        self._tell()

    def _tell(self) -> None:
        """Log what is found, each once until it has gone or says something else, such as one day less."""
        found = self.findings()
        for row in found:
            if row.what not in self._told:
                log.log(_LEVELS[row.severity], "%s: %s; %s", row.code, row.what, row.remedy)
        self._told = {row.what for row in found}

    # --- Connections ------------------------------------------------------------------------------------

    def _on_ready(self, connection: Connection) -> None:
        self._connections[connection.number] = connection
        # A renewed certificate may write the same name in other letters (RFC 4343).
        identity = connection.certificate.identity.lower() if connection.certificate else None
        self.machine.open(connection.number, iphttps.Peer(*connection.peer, identity), time.monotonic())
        self._loop.add_reader(connection.stream, self._on_client, connection)
        self._on_client(connection)  # what came behind the handshake is in OpenSSL already

    def _lost(self, connection: Connection, reason: str) -> None:
        """The transport is gone, or is to go, without the machine's asking."""
        self.machine.closed(connection.number, reason, time.monotonic())
        self.acceptor.say(connection, f"disconnected: {reason}")
        self._drop(connection, reason)

    def _evict(self, number: int) -> None:
        """A newcomer needs the place of a connection whose HTTP head has not come."""
        connection = self._connections.get(number)
        if connection is not None and not connection.framing:
            words = "newcomers need the place of its unfinished HTTP head"
            self.acceptor.refuse(connection, Refusal(Drop.TOO_MANY_HANDSHAKES, words))
            self._lost(connection, words)

    def _drop(self, connection: Connection, reason: str) -> None:
        self._turns.finish(connection.number)
        del self._connections[connection.number]
        self._keeper.closed(connection.number, reason)
        self._loop.remove_reader(connection.stream)
        if connection.writing:
            self._loop.remove_writer(connection.stream)
        connection.stream.close()
        self.acceptor.left(connection)
        if connection.framing:
            self._stock.left(connection.number, connection.framing)

    # --- Packets ----------------------------------------------------------------------------------------

    def _on_client(self, connection: Connection) -> None:
        begun = time.monotonic()
        try:
            size = connection.stream.receive(self._plain, connection.share)
        except EOFError:
            self._lost(connection, "the client ended the connection")
        except ssl.SSLError as error:
            self._lost(connection, f"TLS: {error.reason or error}")
        except OSError as error:
            self._lost(connection, error.strerror or "connection lost")
        else:
            self._watch_for_room(connection)  # OpenSSL answers some things by itself
            if not size:
                return
            self.machine.receive(self._plain[:size], connection.number, time.monotonic())
            self._pump()
            connection.served(size, time.monotonic() - begun)
            return
        self._pump()

    def _on_tun(self, tun: Tun) -> None:
        try:
            if tun.vnet_hdr and not tun.offloads:
                spans = tun.read_blocks()
                self.machine.receive_blocks(tun.blocks, spans, time.monotonic())
            else:
                self.machine.from_kernel(tun.read_batch(TUN_BATCH), time.monotonic())
        except KernelError as error:  # the device has gone
            self._loop.remove_reader(tun.fd)
            if not self._failure.done():
                self._failure.set_exception(error)
            return
        self._pump()

    def _pump(self) -> None:
        """Carry out what the machine wants, and ask when it wants to be called."""
        orders = self.machine.transmit()
        if orders and orders[0][0] == TUN:
            write = self._tun.write_raw
            for packet in orders[0][1]:
                write(packet)
            orders = orders[1:]
        if orders:
            self._turns.take(orders)
        for event in self.machine.events():
            self._obey(event)
        self._timer.at(self.machine.timer())

    def _obey(self, event: iphttps.ServerEvent) -> None:
        connection = self._connections.get(event.session)
        if connection is None:
            return
        if isinstance(event, iphttps.AddressBound):
            self._keeper.bound(event.session, event.address)
            if connection.framing == "stock":
                self._stock.bound(event.session, event.address)
        elif isinstance(event, iphttps.AddressReleased):
            self._keeper.unbound(event.session, event.address)
            self._stock.released(event.session, event.address)
        elif isinstance(event, iphttps.Close):
            self.acceptor.say(connection, f"disconnected: {event.reason}")
            self._drop(connection, event.reason)
        elif isinstance(event, iphttps.Opened):
            connection.framing = event.framing
            self.acceptor.established(connection)
            self._stock.opened(event.framing)
            self._keeper.opened(event.session, event.identity, report.place(*connection.peer))
            self.acceptor.say(connection, "connected")

    def _send(self, number: int, data: Sequence[bytes]) -> None:
        connection = self._connections.get(number)
        if connection is None:
            return
        stream = connection.stream
        try:
            stream.send(data)
        except (ssl.SSLError, OSError) as error:
            # The reader meets the same fault, and reports it outside this loop.
            log.debug("client %s: %s", connection.peer[0], error)
            return
        self._watch_for_room(connection)
        if stream.queued > self.acceptor.admission.limits.send_buffer:
            self.machine.congested(connection.number, True)

    def _watch_for_room(self, connection: Connection) -> None:
        if connection.stream.queued and not connection.writing:
            connection.writing = True
            self._loop.add_writer(connection.stream, self._on_writable, connection)

    def _on_writable(self, connection: Connection) -> None:
        try:
            empty = connection.stream.flush()
        except OSError as error:
            self._lost(connection, error.strerror or "connection lost")
            self._pump()
            return
        if connection.stream.queued <= self.acceptor.admission.limits.send_buffer // 2:
            self.machine.congested(connection.number, False)
        if empty:
            connection.writing = False
            self._loop.remove_writer(connection.stream)

    def recheck(self, changed: bool) -> None:
        """Whether the program that sorts out the packets of stock clients is there."""
        if self.ready.is_set():
            self._stock.recheck()

    def _on_timer(self) -> None:
        self.machine.on_timer(time.monotonic())
        self._pump()

    # --- What others may know ---------------------------------------------------------------------------

    def status(self) -> rows.RoleStatus:
        """For ``manageout status``."""
        return {
            "ready": self.ready.is_set(),
            "clients": len(self.machine.clients()),
            "fast_path": self._stock.fast.status(),
            "handshakes": self.acceptor.admission.handshakes,
            "listen": self.acceptor.listeners,
            "certificate": {
                "subject": self.acceptor.trust.subject,
                "not_after": self.acceptor.trust.not_after,
            },
        }

    def clients(self) -> Iterator[rows.ClientRow]:
        """For ``manageout clients``."""
        return report.clients(self.machine.clients())

    def drops(self) -> list[rows.DropRow]:
        """For ``manageout drops``: packets by client, and refused connections by source."""
        return report.packet_drops(self.machine.drops()) + report.refusals(self.acceptor.refused)

    def drop_totals(self) -> Mapping[str, int]:
        """Exact counts by reason; they only grow."""
        return report.totals(self.machine.drop_totals(), self.acceptor.refused)

    def metrics(self) -> Iterable[Metric]:
        """For Prometheus."""
        yield from report.metrics(self.machine.clients())
        yield from trust_report.metrics(self.acceptor.trust)

    def findings(self) -> list[Finding]:
        """What somebody should look at."""
        certificates = trust_report.findings(self.acceptor.trust, time.time(), self._unread)
        sockets = self.acceptor.inherited.findings(self._gateway.listen)
        return [*certificates, *sockets, *self._stock.fast.findings()]


def _http_date() -> str:
    return formatdate(usegmt=True)
