"""Links, addresses and routes of the kernel, by rtnetlink. Synchronous: every call is a few microseconds.

Routes that we add carry the protocol number :data:`PROTO`, so that they can be told from everybody else's,
removed after a crash, and redistributed by a routing daemon.
"""

import errno
import ipaddress
import socket
import struct
from collections.abc import Iterator, Mapping
from ipaddress import ip_address, ip_interface, ip_network
from typing import Literal, NamedTuple

from manageout.errors import KernelError, NotPermitted
from manageout.linux.netlink import messages as rtnetlink
from manageout.linux.netlink.messages import attribute, attributes

PROTO = 61
KERNEL = 2
"""Of the routes to what is on a link, which come with its addresses."""
RA = 9
"""The protocol of routes that were learnt from router advertisements (RTPROT_RA)."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

FOREVER = 0xFFFFFFFF
_UP, _CARRIER = 0x1, 0x10000
_NODAD, _NOPREFIXROUTE = 0x02, 0x200
_TABLE_MAIN, _SCOPE_LINK, _UNICAST = 254, 253, 1
_PREFERENCE = {"low": 3, "medium": 0, "high": 1}

_IFINFO = struct.Struct("=BxHiII")
_IFADDR = struct.Struct("=BBBBI")
_ROUTE = struct.Struct("=BBBBBBBBI")

_IFLA_NAME, _IFLA_MTU, _IFLA_MASTER, _IFLA_LINKINFO, _IFLA_STATS64 = 3, 4, 10, 18, 23
_INFO_SLAVE_KIND = 4
_FIB_MATCH = 0x2000
_IFA_ADDRESS, _IFA_LOCAL, _IFA_CACHEINFO, _IFA_FLAGS = 1, 2, 6, 8
_CACHEINFO = struct.Struct("=8xi")  # struct rta_cacheinfo; USER_HZ is 100
_RTA_CACHEINFO = 12
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PRIORITY, _RTA_PREFSRC, _RTA_PREF = 1, 4, 5, 6, 7, 20


class NetworkLink(NamedTuple):
    """One network device. ``carrier`` is False for a TUN that nobody has opened."""

    ifindex: int
    name: str
    up: bool
    carrier: bool
    mtu: int
    rx_packets: int
    tx_packets: int
    rx_bytes: int
    tx_bytes: int
    vrf: int = 0
    """The index of the VRF that it is in: its IPv4 and IPv6 routes are not those of the main table."""


class KernelRoute(NamedTuple):
    """One route of the main table."""

    prefix: Network
    dev: str | None
    via: Address | None
    metric: int
    protocol: int
    expires: float | None = None
    """Seconds; None: never."""


class Hop(NamedTuple):
    """Where a packet would go: device, our source address, next hop (None: on the link)."""

    dev: str
    src: Address | None
    via: Address | None


class Netlink(rtnetlink.Socket):
    """The kernel's network configuration. A context manager; also usable inside an event loop.

    Every method raises :class:`KernelError`, or :class:`NotPermitted` without CAP_NET_ADMIN. Adding what is
    there and deleting what is not there succeed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.be_strict()

    # Links

    def index(self, dev: str) -> int | None:
        """The interface index of ``dev``, or None."""
        try:
            return socket.if_nametoindex(dev)
        except OSError:
            return None

    def links(self) -> list[NetworkLink]:
        """Every device of this network namespace."""
        body = _IFINFO.pack(0, 0, 0, 0, 0)
        return [_link(message.body) for message in self.dump(rtnetlink.GETLINK, body, "list links")]

    def link(self, dev: str) -> NetworkLink | None:
        """One device, or None."""
        index = self.index(dev)
        if index is None:
            return None
        body = _IFINFO.pack(0, 0, index, 0, 0)
        try:
            return _link(self.get(rtnetlink.GETLINK, body, f"look at {dev}").body)
        except rtnetlink.Refused:
            return None

    def set_up(self, dev: str, mtu: int | None = None) -> None:
        """Bring ``dev`` up, with ``mtu`` bytes if given."""
        body = _IFINFO.pack(0, 0, self._index(dev), _UP, _UP)
        if mtu is not None:
            body += attribute(_IFLA_MTU, struct.pack("=I", mtu))
        self.request(rtnetlink.NEWLINK, body, f"bring {dev} up")

    def set_down(self, dev: str) -> None:
        """Take ``dev`` down; its IPv6 addresses and its routes go with that."""
        self.request(rtnetlink.NEWLINK, _IFINFO.pack(0, 0, self._index(dev), 0, _UP), f"take {dev} down")

    # Addresses

    def addresses(self, dev: str | None = None) -> list[Interface]:
        """The addresses of ``dev``, or of every device."""
        wanted = self._index(dev) if dev else None
        return [address for index, address in self._addresses(wanted or 0) if wanted in (None, index)]

    def holdings(self) -> list[tuple[NetworkLink, list[Interface]]]:
        """Every device with its addresses, in two questions however many devices there are."""
        held: dict[int, list[Interface]] = {}
        for index, address in self._addresses():
            held.setdefault(index, []).append(address)
        return [(link, held.get(link.ifindex, [])) for link in self.links()]

    def _addresses(self, index: int = 0) -> Iterator[tuple[int, Interface]]:
        for message in self.dump(rtnetlink.GETADDR, _IFADDR.pack(0, 0, 0, 0, index), "list addresses"):
            _, length, _, _, holder = _IFADDR.unpack_from(message.body)
            values = attributes(message.body[8:])
            raw = values.get(_IFA_LOCAL, values.get(_IFA_ADDRESS))
            if raw is not None:
                yield holder, ip_interface((raw, length))

    def add_address(
        self,
        dev: str,
        address: Interface,
        valid: int | None = None,
        preferred: int | None = None,
        prefix_route: bool = True,
    ) -> None:
        """Add ``address`` or refresh its lifetimes (seconds; None means for ever). Nobody is asked for duplicates."""
        body = self._address(dev, address)
        if address.version == 6:
            flags = _NODAD if prefix_route else _NODAD | _NOPREFIXROUTE
            body += attribute(_IFA_FLAGS, struct.pack("=I", flags))
        if valid is not None or preferred is not None:
            valid = FOREVER if valid is None else valid
            preferred = valid if preferred is None else preferred
            body += attribute(_IFA_CACHEINFO, struct.pack("=IIII", preferred, valid, 0, 0))
        self.request(rtnetlink.NEWADDR, body, f"add {address} to {dev}", rtnetlink.CREATE_OR_REPLACE)

    def delete_address(self, dev: str, address: Interface) -> None:
        """Remove ``address`` from ``dev`` if it is there."""
        if self.index(dev) is None:
            return
        with rtnetlink.absent(errno.EADDRNOTAVAIL):
            self.request(rtnetlink.DELADDR, self._address(dev, address), f"remove {address} from {dev}")

    # Routes

    def replace_route(
        self,
        prefix: Network,
        dev: str | None = None,
        via: Address | None = None,
        metric: int = 1024,
        preference: Literal["low", "medium", "high"] | None = None,
    ) -> None:
        """Add the route or put it in place of the one with the same prefix and metric."""
        body = self._route(prefix, dev, via, metric)
        if preference is not None and prefix.version == 6:
            body += attribute(_RTA_PREF, bytes([_PREFERENCE[preference]]))
        what = (
            f"add the route to {prefix}" + (f" through {via}" if via else "") + (f" on {dev}" if dev else "")
        )
        self.request(rtnetlink.NEWROUTE, body, what, rtnetlink.CREATE_OR_REPLACE)

    def delete_route(
        self, prefix: Network, dev: str | None = None, via: Address | None = None, metric: int = 1024
    ) -> None:
        """Remove our route to ``prefix`` if it is there."""
        if dev is not None and self.index(dev) is None:
            return
        with rtnetlink.absent(errno.ESRCH, errno.ENOENT):
            body = self._route(prefix, dev, via, metric)
            self.request(rtnetlink.DELROUTE, body, f"remove the route to {prefix}")

    def routes(self, family: int = socket.AF_INET6, protocol: int | None = PROTO) -> list[KernelRoute]:
        """Routes of the main table; ``protocol`` None means everybody's."""
        names: dict[int, str] = {}
        body = _ROUTE.pack(family, 0, 0, 0, 0, protocol or 0, 0, 0, 0)
        messages = self.dump(rtnetlink.GETROUTE, body, "list routes")
        found = [_read_route(message.body, names) for message in messages]
        return [route for route in found if route is not None and protocol in (None, route.protocol)]

    def learnt_defaults(self) -> list[KernelRoute]:
        """IPv6 default routes from router advertisements."""
        return [route for route in self.routes(socket.AF_INET6, RA) if route.prefix.prefixlen == 0]

    def route_get(self, destination: Address, vrf: int = 0) -> Hop:
        """Where a packet to ``destination`` would go, by the routes of a VRF if it is given.

        :class:`KernelError` when nowhere.
        """
        what = f"find the route to {destination}"
        try:
            values = attributes(self._ask(destination, 0, vrf)[_ROUTE.size :])
        except NotPermitted:  # everybody may ask
            raise KernelError(f"{what}: a route of the kind prohibit", "see `ip route`") from None
        out = values.get(_RTA_OIF)
        dev = _name(struct.unpack("=I", out)[0], {}) if out else None
        if dev is None:
            raise KernelError(f"{what}: its device has just gone", "see `ip link`")
        source, via = values.get(_RTA_PREFSRC), values.get(_RTA_GATEWAY)
        return Hop(dev, ip_address(source) if source else None, ip_address(via) if via else None)

    def best_route(self, destination: Address, dev: str | None = None) -> KernelRoute | None:
        """The route of the main table that a packet to ``destination`` follows; None when it is not one of it.

        One question, however many routes there are. ``dev``: by that device, which link-local addresses need.
        """
        index = 0 if dev is None else self._index(dev)
        try:
            return _read_route(self._ask(destination, _FIB_MATCH, index), {})
        except (rtnetlink.Refused, NotPermitted):  # the latter: a route of the kind "prohibit"
            return None

    def is_barred(self, destination: Address) -> bool:
        """Whether a route of the kind "blackhole", "unreachable" or "prohibit" meets a packet to ``destination``."""
        try:
            self._ask(destination, _FIB_MATCH)
        except NotPermitted:
            return True
        except rtnetlink.Refused as error:
            return error.number in (errno.EINVAL, errno.EHOSTUNREACH)
        return False

    def _ask(self, destination: Address, flags: int, index: int = 0) -> bytes:
        """The route to ``destination``, by the device or VRF of that ``index``."""
        family = socket.AF_INET if destination.version == 4 else socket.AF_INET6
        body = _ROUTE.pack(family, destination.max_prefixlen, 0, 0, 0, 0, 0, 0, flags)
        body += attribute(_RTA_DST, destination.packed)
        if index:
            body += attribute(_RTA_OIF, struct.pack("=I", index))
        return self.get(rtnetlink.GETROUTE, body, f"find the route to {destination}").body

    def _index(self, dev: str) -> int:
        index = self.index(dev)
        if index is None:
            raise KernelError(f"no network device {dev}", "see `ip link`")
        return index

    def _address(self, dev: str, address: Interface) -> bytes:
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        body = _IFADDR.pack(family, address.network.prefixlen, 0, 0, self._index(dev))
        return body + attribute(_IFA_LOCAL, address.packed) + attribute(_IFA_ADDRESS, address.packed)

    def _route(self, prefix: Network, dev: str | None, via: Address | None, metric: int) -> bytes:
        family = socket.AF_INET if prefix.version == 4 else socket.AF_INET6
        scope = _SCOPE_LINK if family == socket.AF_INET and via is None else 0
        body = _ROUTE.pack(family, prefix.prefixlen, 0, 0, _TABLE_MAIN, PROTO, scope, _UNICAST, 0)
        body += attribute(_RTA_DST, prefix.network_address.packed)
        body += attribute(_RTA_PRIORITY, struct.pack("=I", metric))
        if dev is not None:
            body += attribute(_RTA_OIF, struct.pack("=I", self._index(dev)))
        if via is not None:
            body += attribute(_RTA_GATEWAY, via.packed)
        return body


def _link(body: bytes) -> NetworkLink:
    _, _, index, flags, _ = _IFINFO.unpack_from(body)
    values = attributes(body[_IFINFO.size :])
    name, stats = values[_IFLA_NAME].rstrip(b"\0").decode(), values.get(_IFLA_STATS64, bytes(32))
    (mtu,) = struct.unpack("=I", values[_IFLA_MTU])
    rx_packets, tx_packets, rx_bytes, tx_bytes = struct.unpack_from("=QQQQ", stats)
    up, carrier, vrf = bool(flags & _UP), bool(flags & _CARRIER), _vrf(values)
    return NetworkLink(index, name, up, carrier, mtu, rx_packets, tx_packets, rx_bytes, tx_bytes, vrf)


def _vrf(values: Mapping[int, bytes]) -> int:
    kind = attributes(values.get(_IFLA_LINKINFO, b"")).get(_INFO_SLAVE_KIND, b"")
    return struct.unpack("=I", values[_IFLA_MASTER])[0] if kind.rstrip(b"\0") == b"vrf" else 0


def _read_route(body: bytes, names: dict[int, str]) -> KernelRoute | None:
    family, length, _, _, table, protocol, _, kind, _ = _ROUTE.unpack_from(body)
    if table != _TABLE_MAIN or kind != _UNICAST or family not in (socket.AF_INET, socket.AF_INET6):
        return None
    values = attributes(body[_ROUTE.size :])
    raw = values.get(_RTA_DST, bytes(4 if family == socket.AF_INET else 16))
    out, gateway, priority = (values.get(each) for each in (_RTA_OIF, _RTA_GATEWAY, _RTA_PRIORITY))
    dev = _name(struct.unpack("=I", out)[0], names) if out else None
    via = ip_address(gateway) if gateway else None
    metric = struct.unpack("=I", priority)[0] if priority else 0
    expires = _expires(values.get(_RTA_CACHEINFO, b""))
    return KernelRoute(ip_network((raw, length)), dev, via, metric, protocol, expires)


def _expires(cache: bytes) -> float | None:
    (hundredths,) = _CACHEINFO.unpack_from(cache) if len(cache) >= _CACHEINFO.size else (0,)
    return hundredths / 100 if hundredths > 0 else None


def _name(index: int, names: dict[int, str]) -> str | None:
    """None for a device that has gone since it was told of."""
    if index not in names:
        try:
            names[index] = socket.if_indextoname(index)
        except OSError:
            return None
    return names[index]
