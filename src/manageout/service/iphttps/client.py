"""A remote client's tunnel: TLS, the TUN device and the kernel's addresses and routes around one machine.

:meth:`_connect` dials when the machine asks for it; everything else is called by the event loop, ends in
:meth:`_pump`, and never waits.
"""

import asyncio
import contextlib
import logging
import random
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Interface, IPv6Network
from typing import Literal, cast

from manageout.errors import ConnectError, ManageoutError, PkiError
from manageout.linux.netlink.links import Netlink
from manageout.linux.packets.tun import Tun
from manageout.protocol.core.bucket import TokenBucket
from manageout.protocol.host.link_names import NamesSeen
from manageout.protocol.host.slaac import AddressRemoved, RouteRemoved
from manageout.protocol.iphttps import values as iphttps
from manageout.protocol.iphttps.client import IpHttpsClient
from manageout.protocol.iphttps.uplink import MOVES_AT_ONCE, MOVES_PER_SECOND, Reaction
from manageout.protocol.iphttps.values import SERVER, TUN, ClientConfig, ConnectFault
from manageout.service.iphttps.dial import Dialer, GatewayUrl, Proxy
from manageout.service.iphttps.interface_id import InterfaceId
from manageout.service.iphttps.uplink import UplinkWatch
from manageout.service.process import loops, role, rows
from manageout.service.tls import contexts as tls
from manageout.service.tls.stream import PLAIN, TlsStream
from manageout.wire.nd import INFINITE

TUN_BATCH = 128
SEND_BUFFER = 1 << 20
"""Bytes that wait for the socket before packets are dropped."""
_TCP_OPTIONS = (
    # Milliseconds that our data may stay unacknowledged: connecting anew is quicker than TCP, which waits ever longer.
    (socket.TCP_USER_TIMEOUT, 10_000),
    # A gateway whose machine was switched off says no farewell; once it is back, it refuses the first question.
    (socket.TCP_KEEPIDLE, 20),
    (socket.TCP_KEEPINTVL, 5),
)
"""For all but stock behaviour, instead of those of ``tls_stream``."""

log = logging.getLogger(__name__)


class ClientSettings:
    """What is put on one device, as the machine says. ``addresses`` and ``routes`` are what it has now, for lists."""

    def __init__(self, netlink: Netlink, device: str) -> None:
        self._netlink = netlink
        self._device = device
        self.addresses: dict[str, None] = {}
        self.routes: dict[str, None] = {}

    @property
    def usable(self) -> bool:
        """Whether there is an address with which the intranet can be reached."""
        return bool(self.own_address())

    def own_address(self) -> str:
        """An address with which the intranet can be reached, or nothing."""
        return next((address for address in self.addresses if not address.startswith("fe80:")), "")

    def apply(self, event: iphttps.AddressAdded | AddressRemoved | iphttps.RouteAdded | RouteRemoved) -> None:
        """Raises :class:`KernelError`."""
        netlink, device = self._netlink, self._device
        match event:
            case iphttps.AddressAdded():
                address = IPv6Interface((event.address, 64))
                # Duplicate Address Detection is the machine's: the kernel's would wait for nothing.
                lifetimes = {"valid": _life(event.valid), "preferred": _life(event.preferred)}
                netlink.add_address(device, address, prefix_route=False, **lifetimes)
                self.addresses[str(address.ip)] = None
            case AddressRemoved():
                address = IPv6Interface((event.address, 64))
                netlink.delete_address(device, address)
                self.addresses.pop(str(address.ip), None)
            case iphttps.RouteAdded():
                prefix = IPv6Network((event.prefix, event.length))
                preference = cast(Literal["low", "medium", "high"], event.preference.name.lower())
                netlink.replace_route(prefix, device, preference=preference)
                self.routes[str(prefix)] = None
            case RouteRemoved():
                prefix = IPv6Network((event.prefix, event.length))
                netlink.delete_route(prefix, device)
                self.routes.pop(str(prefix), None)


def _life(lifetime: int) -> int | None:
    return None if lifetime >= INFINITE else lifetime


@dataclass(frozen=True)
class ClientOptions:
    """What the command line says, as values."""

    gateway: GatewayUrl
    proxy: Proxy | None
    context: Callable[[], ssl.SSLContext]
    """Reads the certificate files: they may have been replaced since the last attempt."""
    interface_id: InterfaceId
    stock: bool = False
    """Packets and attempts as the specification says, not as we do."""


class IpHttpsClientService(role.Role):
    """Runs until cancelled. Raises :class:`ManageoutError` when it cannot go on."""

    name = "iphttps-client"

    def __init__(
        self,
        options: ClientOptions,
        tun: Tun,
        netlink: Netlink,
        on_names: Callable[[NamesSeen], None] = lambda names: None,
    ) -> None:
        """``on_names`` is told what the gateway advertises of names, whenever that changes."""
        self.ready = asyncio.Event()
        self._options, self._tun = options, tun
        self.settings = ClientSettings(netlink, tun.name)
        self._on_names = on_names
        config = ClientConfig(
            options.gateway.host,
            options.gateway.path,
            not options.stock,
            vnet_hdr=tun.vnet_hdr,
            stock_retry=options.stock,
        )
        self.machine = IpHttpsClient(config, options.interface_id, random.random)
        self._uplink = UplinkWatch(netlink, tun.name, self._on_verdict, self._on_network_change)
        self._changes = TokenBucket(MOVES_PER_SECOND, MOVES_AT_ONCE)
        self._dialer = Dialer(options.gateway, options.proxy, self._uplink.device)
        self._stream: TlsStream | None = None
        self._writing = False
        self._plain = memoryview(bytearray(PLAIN))
        self._timer = loops.Timer(self._on_timer)
        self._dial: asyncio.Task[None] | None = None
        """The attempt that waits or goes on."""
        self._framing, self._trouble, self._remedy, self._since = "", "", "", 0.0

    @property
    def connected(self) -> bool:
        """Whether the tunnel carries packets just now."""
        return bool(self._framing)

    # --- Life -------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep the tunnel up until cancelled, then take everything back."""
        self._loop = asyncio.get_running_loop()
        self._failure: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_reader(self._tun.fd, self._on_tun)
        try:
            async with asyncio.TaskGroup() as self._tasks:
                self._tasks.create_task(self._uplink.run(), name="uplink")
                self.machine.enable(time.monotonic())
                self._pump()
                await self._failure
        finally:
            self._loop.remove_reader(self._tun.fd)
            self.machine.disable(time.monotonic())
            with contextlib.suppress(ManageoutError):  # the device may be what has failed
                self._carry_out()
            self._timer.cancel()
            self._hang_up()

    async def _connect(self, wanted: iphttps.Connect) -> None:
        """One attempt, at the time that the machine wants it; a later wish ends this one."""
        await asyncio.sleep(wanted.after)
        options = self._options
        try:
            stream = await self._dialer.dial(options.context(), wanted.patience, wanted.talk)
        except (ConnectError, PkiError) as error:
            self._dial, self._remedy = None, error.hint
            code = error.windows_code if isinstance(error, ConnectError) else ConnectFault.NO_CERTIFICATE
            refused = error.refused if isinstance(error, ConnectError) else True
            self.machine.failed(ConnectFault(code), error.message, time.monotonic(), refused=refused)
        else:
            self._dial = None
            self._connected(stream)
        self._pump()

    def _connected(self, stream: TlsStream) -> None:
        if not self._options.stock:
            for option, value in _TCP_OPTIONS:
                stream.sock.setsockopt(socket.IPPROTO_TCP, option, value)
        self._stream, self._remedy = stream, ""
        try:
            self._uplink.connected(stream.sock)
        except OSError as error:  # it has ended already
            log.debug("connected: %s", error)
        self._loop.add_reader(stream, self._on_server)
        self.machine.connected(time.monotonic())

    def _hang_up(self) -> None:
        stream, self._stream = self._stream, None
        self._uplink.lost()
        if stream is not None:
            self._loop.remove_reader(stream)
            if self._writing:
                self._loop.remove_writer(stream)
                self._writing = False
            stream.close()
        self._set_framing("")

    def _lost(self, reason: str, hint: str = "", refused: bool = False) -> None:
        self._hang_up()
        self.machine.closed(reason, time.monotonic(), hint, refused=refused)
        self._pump()

    def _on_network_change(self) -> None:
        """While not connected: do not wait for the timer, nor for an attempt that began in the old network."""
        self._dialer.network_changed()
        if self._changes.take(time.monotonic()):
            self.machine.retry(time.monotonic())
            self._pump()

    def _on_verdict(self, verdict: Reaction) -> None:
        """The way of the connection has changed, or this machine has slept."""
        self._dialer.network_changed()
        if verdict is Reaction.MOVE:
            self.machine.moved(time.monotonic())
        else:
            self.machine.check(time.monotonic())
        self._pump()

    # --- Packets ----------------------------------------------------------------------------------------

    def _on_server(self) -> None:
        if self._stream is None:
            return
        try:
            size = self._stream.receive(self._plain)
        except EOFError:
            self._lost(
                "the gateway ended the connection",
                "its log and `manageout drops` there say why: a reload, our certificate, another client with it",
            )
        except ssl.SSLError as error:
            self._lost(tls.explain(error, "the gateway's"), refused=True)
        except OSError as error:
            self._lost(error.strerror or "connection lost")
        else:
            if size:
                self.machine.receive(self._plain[:size], SERVER, time.monotonic())
                self._pump()

    def _on_tun(self) -> None:
        try:
            if self._tun.vnet_hdr and not self._tun.offloads:
                spans = self._tun.read_blocks()
                self.machine.receive_blocks(self._tun.blocks, spans, time.monotonic())
            else:
                self.machine.from_kernel(self._tun.read_batch(TUN_BATCH), time.monotonic())
        except ManageoutError as error:
            self._fail(error)
            return
        self._pump()

    def _fail(self, error: ManageoutError) -> None:
        self._loop.remove_reader(self._tun.fd)
        if not self._failure.done():
            self._failure.set_exception(error)

    def _pump(self) -> None:
        """Carry out what the machine wants, and ask when it wants to be called."""
        try:
            self._carry_out()
        except ManageoutError as error:
            self._fail(error)
        self._timer.at(self.machine.timer())

    def _on_timer(self) -> None:
        self.machine.on_timer(time.monotonic())
        self._pump()

    def _carry_out(self) -> None:
        for destination, data in self.machine.transmit():
            if destination == TUN:
                write = self._tun.write_raw
                for packet in data:
                    write(packet)
            elif self._stream is not None:
                self._send(self._stream, data)
        for event in self.machine.events():
            self._apply(event)

    def _send(self, stream: TlsStream, data: Sequence[bytes]) -> None:
        try:
            stream.send(data)
        except (ssl.SSLError, OSError) as error:
            log.debug("sending: %s", error)  # the reader meets the same fault, outside this loop
            return
        if stream.queued and not self._writing:
            self._writing = True
            self._loop.add_writer(stream, self._on_writable)
        if stream.queued > SEND_BUFFER:
            self.machine.congested(True)

    def _on_writable(self) -> None:
        stream = self._stream
        if stream is None:
            return
        try:
            empty = stream.flush()
        except OSError as error:
            self._lost(error.strerror or "connection lost")
            return
        if stream.queued <= SEND_BUFFER // 2:
            self.machine.congested(False)
        if empty:
            self._writing = False
            self._loop.remove_writer(stream)

    # --- What the machine wants -------------------------------------------------------------------------

    def _apply(self, event: iphttps.ClientEvent) -> None:
        """Raises :class:`KernelError`."""
        match event:
            case iphttps.Connect():
                if self._dial is not None:
                    self._dial.cancel()
                self._dial = self._tasks.create_task(self._connect(event), name="connect")
                if event.after:
                    log.debug("next attempt in %.1f s", event.after)
            case iphttps.Disconnect():
                self._hang_up()
            case iphttps.LinkUp():
                self._set_framing(event.framing)
                self._trouble, self._remedy, self._since = "", "", time.monotonic()
                log.info("connected to %s", self._options.gateway.host)
            case iphttps.LinkDown() | iphttps.Failed():
                again = event.reason == self._trouble  # then all has been said
                self._trouble, self._remedy = event.reason, event.hint or self._remedy
                hint = f" ({self._remedy})" if self._remedy and not again else ""
                log.log(
                    logging.DEBUG if again else logging.WARNING, "not connected: %s%s", event.reason, hint
                )
            case iphttps.NamesChanged():
                self._on_names(event.names)
            case _:
                self.settings.apply(event)
                if self.settings.usable:
                    self.ready.set()

    def _set_framing(self, framing: str) -> None:
        """A stock server takes no super-packets: then the kernel cuts them up, which costs least."""
        if self._framing != framing:
            self._framing = framing
            if self._tun.vnet_hdr and self._tun.fd >= 0:
                self._tun.set_offloads(framing == "own")

    # --- What is shown ----------------------------------------------------------------------------------

    def status(self) -> rows.RoleStatus:
        """Short and flat."""
        machine, up = self.machine, bool(self._framing)
        return {
            "ready": self.ready.is_set(),
            "gateway": f"{self._options.gateway.host}:{self._options.gateway.port}",
            "state": machine.state.value,
            "framing": self._framing,
            **({"connected_for": f"{time.monotonic() - self._since:.0f} s"} if up else self._why_down()),
            "device": self._tun.name,
            "addresses": list(self.settings.addresses),
            "routes": list(self.settings.routes),
            "rx_packets": machine.link.packets_in,
            "rx_bytes": machine.link.bytes_in,
            "tx_packets": machine.link.packets_out,
            "tx_bytes": machine.link.bytes_out,
        }

    def _why_down(self) -> dict[str, str]:
        return {"trouble": self._trouble} | ({"remedy": self._remedy} if self._remedy else {})

    def drops(self) -> list[rows.DropRow]:
        """Both directions together."""
        totals = self.drop_totals().items()
        return [{"reason": reason, "source": "", "count": count, "last": None} for reason, count in totals]

    def drop_totals(self) -> Mapping[str, int]:
        """By reason."""
        return {reason.label: count for reason, count in self.machine.drop_totals().items()}
