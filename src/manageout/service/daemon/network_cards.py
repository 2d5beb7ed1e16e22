"""The cards of this machine that it needs, which are not ours to mend: gone, down, without carrier, not forwarding."""

from collections.abc import Iterator
from ipaddress import ip_network

from manageout.errors import ManageoutError
from manageout.linux.host import sysctl
from manageout.linux.netlink.links import Address, Interface, Netlink, Network, NetworkLink
from manageout.service.process.finding import Finding, finding
from manageout.site.plan import DEVICES
from manageout.site.tables.site import Site
from manageout.wire.host_port import HostPort

MOST = 16
"""Networks of the intranet that are looked at."""
_ANYWHERE = (ip_network("203.0.113.1"), ip_network("2001:db8::1"))
"""Somebody in the Internet (RFC 5737, RFC 3849)."""


class NetworkCards:
    """Remembers by which card a way led while it was there: afterwards the kernel does not know."""

    def __init__(self, netlink: Netlink) -> None:
        self._netlink = netlink
        self._ways: dict[str, str] = {}

    def look(self, site: Site) -> list[Finding]:
        """What is wrong now. Raises :class:`ManageoutError`."""
        holdings = self._netlink.holdings()
        links = {link.name: link for link, _ in holdings}
        holders = {address.ip: link for link, addresses in holdings for address in addresses}
        rows = [row for address, place in _places(site).items() for row in _address(address, place, holders)]
        said = {holders[address].name for address in _places(site) if address in holders}
        for place, destination in _ways(site).items():
            card = self._ways.get(place, "")
            if not card or (card in links and links[card].up and links[card].carrier):
                self._ways[place] = self._way(destination, holdings) or card
            elif card not in said:
                said.add(card)
                rows += _card(card, f"by which {place} was reached", links.get(card))
        return [*rows, *self._forwarding(site)]

    def _way(self, network: Network, holdings: list[tuple[NetworkLink, list[Interface]]]) -> str | None:
        for link, addresses in holdings:
            if link.name not in DEVICES and any(address.ip in network for address in addresses):
                return link.name
        try:
            dev = self._netlink.route_get(network[min(1, network.num_addresses - 1)]).dev
        except ManageoutError:
            return None
        return None if dev in DEVICES or dev == "lo" else dev

    def _forwarding(self, site: Site) -> Iterator[Finding]:
        """In IPv4 each device forwards what it receives, or does not; it may be meant for one that we do not need."""
        if site.translation is None:
            return
        inward = {self._ways.get(place, "") for place in _intranet(site)} - {""}
        outward = {dev for place, dev in self._ways.items() if place not in _intranet(site)}
        for dev in sorted(
            inward - outward or inward
        ):  # private networks that are not here go the default way
            name = f"net/ipv4/conf/{dev}/forwarding"
            if sysctl.find(name) == "0":
                yield finding("FORWARDING-OFF.card", name, dev=dev)


def _places(site: Site) -> dict[Address, str]:
    """Addresses of this machine that the site file names."""
    found: dict[Address, str] = {}
    for locator in site.isatap.locators if site.isatap else ():
        found[locator] = "isatap.locators"
    for listen in site.gateway.listen if site.gateway else ():
        address = HostPort.parse(listen).address
        if not address.is_unspecified:
            found.setdefault(address, "gateway.listen")
    return found


def _ways(site: Site) -> dict[str, Network]:
    """What must be reached."""
    found: dict[str, Network] = dict(_intranet(site))
    if site.gateway is not None:
        for somebody in _ANYWHERE:
            found[f"the Internet in IPv{somebody.version}"] = somebody
    return found


def _intranet(site: Site) -> dict[str, Network]:
    return {f"the intranet {each}": each for each in site.policy.intranet[:MOST]}


def _address(address: Address, place: str, holders: dict[Address, NetworkLink]) -> list[Finding]:
    if address in holders:
        link = holders[address]
        return _card(link.name, f"which holds {address} ({place})", link)
    return [finding("UNDERLAY-GONE.address", str(address), place=place)]


def _card(name: str, use: str, link: NetworkLink | None) -> list[Finding]:
    if link is None:
        return [finding("UNDERLAY-GONE", name, use=use)]
    if not link.up:
        return [finding("UNDERLAY-DOWN", name, use=use)]
    return [] if link.carrier else [finding("UNDERLAY-DOWN.carrier", name, use=use)]
