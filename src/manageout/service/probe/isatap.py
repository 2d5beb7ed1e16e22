"""ISATAP over protocol 41: solicit routers as a host would, and ask hosts as their router would.

The raw socket gets copies, so that this works beside a running daemon. Own addresses are not solicited: the answer
would have to come from ourselves.
"""

import contextlib
import time
from collections.abc import Container, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network

from manageout.errors import ManageoutError, WireError
from manageout.linux.netlink.links import Netlink
from manageout.linux.packets.isatap_underlay import IsatapUnderlay
from manageout.protocol.isatap.nd import TTL, link_local_forms
from manageout.service.probe import rounds
from manageout.service.probe.results import AdvertisedPrefix, AdvertisedRoute, Advertisement, RouterAnswer
from manageout.wire import icmpv4, ipv4, nd
from manageout.wire.address import isatap_link_local
from manageout.wire.numbers import PROTOCOL_41
from manageout.words import toml_of

WAIT, WAIT_FOR_HOST = 2.0, 1.5
MAX_ROUTERS = 64


def solicit(
    routers: Sequence[IPv4Address], source: IPv4Address | None = None, wait: float = WAIT
) -> list[RouterAnswer]:
    """Ask each router for an advertisement, all at once; answers in their order, after ``wait`` at the latest.

    ``source``: which of our addresses to be; else the one that the kernel would take for each router.
    Raises :class:`~manageout.errors.NotPermitted` without CAP_NET_RAW.
    """
    routers = list(dict.fromkeys(routers))[:MAX_ROUTERS]
    with Netlink() as netlink:
        own = {interface.ip for interface in netlink.addresses()}
        rows = {router: _start(netlink, router, source, own) for router in routers}
    waiting = {router for router, row in rows.items() if not row.error}
    if waiting:
        with contextlib.closing(IsatapUnderlay()) as raw:
            _exchange(raw, rows, waiting, wait)
    return [rows[router] for router in routers]


def _start(
    netlink: Netlink, router: IPv4Address, source: IPv4Address | None, own: Container[object]
) -> RouterAnswer:
    """Who asks; an error when nobody can."""
    if router in own:
        return RouterAnswer(str(router), str(router), error="it is this machine")
    if source is None:
        try:
            found = netlink.route_get(router).src
        except ManageoutError:
            return RouterAnswer(str(router), "", error="there is no route to it")
        if not isinstance(found, IPv4Address):
            return RouterAnswer(str(router), "", error="there is no address to ask from")
        source = found
    return RouterAnswer(str(router), str(source))


def _exchange(
    raw: IsatapUnderlay, rows: dict[IPv4Address, RouterAnswer], waiting: set[IPv4Address], wait: float
) -> None:
    begin = time.monotonic()

    def take() -> bool:
        _take(raw, rows, waiting, time.monotonic() - begin)
        return not waiting

    rounds.ask(lambda: raw.send(_solicitations(rows, waiting)), raw.filenos(), take, wait)
    for router in waiting:
        if not rows[router].error:
            rows[router] = rows[router]._replace(error=f"no answer in {wait:g} s")


def _solicitations(rows: dict[IPv4Address, RouterAnswer], waiting: set[IPv4Address]) -> list[bytes]:
    """To both forms of each router's link-local address: hosts cannot know which one it has."""
    packets = []
    for router in sorted(waiting):
        own = IPv4Address(rows[router].source).packed
        for target in link_local_forms(router.packed):
            inner = nd.build(isatap_link_local(own), target, nd.RouterSolicitation())
            packets.append(ipv4.build(own, router.packed, PROTOCOL_41, inner, ttl=TTL))
    return packets


def _take(
    raw: IsatapUnderlay, rows: dict[IPv4Address, RouterAnswer], waiting: set[IPv4Address], seconds: float
) -> None:
    for packet in raw.receive():
        with contextlib.suppress(WireError):
            outer, inner = ipv4.parse(packet)
            router = IPv4Address(outer.src)
            header, message = nd.parse(inner)
            if router in waiting and isinstance(message, nd.RouterAdvertisement):
                found = advertisement(header.src, message)
                rows[router] = rows[router]._replace(seconds=seconds, advertisement=found, error="")
                waiting.discard(router)
    for packet in raw.receive_errors():
        with contextlib.suppress(WireError):
            outer, segment = ipv4.parse(packet)
            message_ = icmpv4.parse(segment)
            quoted, _ = message_.quoted()
            router = IPv4Address(quoted.dst)
            if router in waiting and quoted.protocol == PROTOCOL_41:
                said = f"{IPv4Address(outer.src)} says: {_complaint(message_)}"
                rows[router] = rows[router]._replace(error=said)


def _complaint(message: icmpv4.Icmpv4) -> str:
    if message.type == icmpv4.DESTINATION_UNREACHABLE:
        words = toml_of("manageout.service.probe", "words.toml")["icmpv4"]
        return str(words.get(str(message.code), f"unreachable, code {message.code}"))
    return "the packet went in a circle" if message.type == icmpv4.TIME_EXCEEDED else f"ICMP {message.type}"


def advertisement(source: bytes, message: nd.RouterAdvertisement) -> Advertisement:
    """A Router Advertisement in words."""
    lifetime, preference = message.router_lifetime, message.preference.name.lower()
    mtus = [each.mtu for each in message.options if isinstance(each, nd.Mtu)]
    given = [each for each in message.options if isinstance(each, nd.PrefixInformation)]
    prefixes = [AdvertisedPrefix(_network(o), o.valid, o.preferred, o.autonomous) for o in given]
    ways = [each for each in message.options if isinstance(each, nd.RouteInformation)]
    routes = [AdvertisedRoute(_network(o), o.lifetime, o.preference.name.lower()) for o in ways]
    pref64 = [_network(each) for each in message.options if isinstance(each, nd.Pref64)]
    found = (mtus[0] if mtus else None, tuple(prefixes), tuple(routes), tuple(pref64))
    return Advertisement(str(IPv6Address(source)), lifetime, preference, *found)


def _network(option: nd.PrefixInformation | nd.RouteInformation | nd.Pref64) -> str:
    return str(IPv6Network((option.prefix, option.length)))


def is_there(host: IPv4Address, locator: IPv4Address, wait: float = WAIT_FOR_HOST) -> bool:
    """Whether the ISATAP host ``host`` advertises itself to the router ``locator``, which is ours.

    Hosts answer a Neighbour Solicitation whatever their firewall says. Raises :class:`~manageout.errors.NotPermitted`
    without CAP_NET_RAW.
    """
    packets = []
    for target in link_local_forms(host.packed):
        inner = nd.build(isatap_link_local(locator.packed), target, nd.NeighbourSolicitation(target))
        packets.append(ipv4.build(locator.packed, host.packed, PROTOCOL_41, inner, ttl=TTL))
    with contextlib.closing(IsatapUnderlay()) as raw:
        data = raw.filenos()[:1]
        return rounds.ask(
            lambda: raw.send(packets),
            data,
            lambda: any(_is_answer(each, host) for each in raw.receive()),
            wait,
        )


def _is_answer(packet: bytes, host: IPv4Address) -> bool:
    with contextlib.suppress(WireError):
        outer, inner = ipv4.parse(packet)
        _, message = nd.parse(inner)
        return outer.src == host.packed and isinstance(message, nd.NeighbourAdvertisement)
    return False
