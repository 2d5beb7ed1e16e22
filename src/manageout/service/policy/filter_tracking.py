"""The part of our table that keeps the kernel's table of connections from filling up. Pure.

The policy rests on that table, which the whole machine shares. So:

* what ends in ourselves and needs no state is not tracked: TLS of clients to ``gateway.listen``, protocol 41 to the
  locators, both with the ICMP errors about them, and what a client says by link-local addresses. Who comes anew
  needs no entry there, however full the table is;
* what one client may have open is limited for all its addresses together, and once more for the IPv4 half of what
  is translated. The map :data:`OWNERS` gives each of its addresses the same number, which is counted by. Whoever is
  not yet in the map counts as number 0, with everybody else who is not;
* so is what one machine inside may, by its address as clients see it;
* entries that cross our devices live shorter than the kernel's default of five days. The rules that say so are in a
  table of their own (:func:`timeouts`): when such an object goes, open connections fall back to the default, so a
  reload must leave it as it is.

All this looks at the first packet of a connection only, after every rule has accepted it.
"""

from collections.abc import Iterable, Iterator, Sequence

from manageout.linux.nft.features import Features
from manageout.service.policy.filter_managers import Contents
from manageout.service.policy.filter_text import objects, pairs
from manageout.service.resolver.upstream import PORT
from manageout.site.tables.site import IsatapTable, Site
from manageout.wire.host_port import HostPort

OWNERS = "owners"
"""The map from addresses of clients to the numbers by which their connections are counted."""
LIMIT = 1024
"""Connections that one client may have open. With the IPv4 halves of them it has less than one in a hundred of the
entries of a machine with 2 GB of memory (``nf_conntrack_max`` 262,144)."""
RATE, BURST = 100, 500
"""Connections that it may open a second, and at once: those that have ended are not counted any more, and stay for a
few seconds."""
HOST_LIMIT, HOST_RATE, HOST_BURST = 4096, 500, 2000
"""The same of a machine inside that calls clients, or of an ISATAP host: one that pushes software calls many."""

ESTABLISHED = 7440
"""Seconds: RFC 5382 5 asks for 2 h 4 min at least, that a keepalive each two hours is enough."""
_FAMILIES = {"ip": "ipv4", "ip6": "ipv6"}

_NOT_OURS = 'iifname != "lo" iifname != "mo-*"'
_ERRORS = {
    "ip": "icmp type { destination-unreachable, time-exceeded, parameter-problem }",
    "ip6": "icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem }",
}
# Where the quoted packet says its protocol, and its source port: bits from the beginning of the ICMP header.
_QUOTED = {"ip": ("@th,136,8", "@th,224,16"), "ip6": ("@th,112,8", "@th,384,16")}


def class_id(number: int) -> str:
    """A number as nftables writes what it counts by."""
    return f"{number >> 16:x}:{number & 0xFFFF:x}"


def counts_by_client(site: Site, features: Features) -> bool:
    """Whether the table has the map :data:`OWNERS`."""
    return features.counts and site.gateway is not None and not anonymous(site)


def values(site: Site, chains: Iterable[str], contents: Contents) -> dict[str, str]:
    """For filter.nft. ``chains``: those of :func:`untracked`."""
    return {
        "untracked": ", ".join(f"{name.removeprefix('untracked_')} : jump {name}" for name in chains),
        "from_listeners": "\n".join(_from_listeners(site)),
        "client": "ip6 saddr" if anonymous(site) else "meta priority",
        "client_key": "ipv6_addr" if anonymous(site) else "classid",
        "client_numbers": pairs({key: class_id(number) for key, number in contents.owners.items()}),
    }


def timeouts(site: Site, features: Features) -> str:
    """The body of the table of time-outs; empty where the kernel has none."""
    if not features.timeouts:
        return ""
    facts = {"translation": site.translation is not None, "dns64": site.dns64 is not None}
    questions = "\n".join(_questions(site.dns64.upstreams)) if site.dns64 is not None else ""
    return "\n".join(objects("timeouts.nft", facts, {"established": ESTABLISHED, "questions": questions}))


# --- What is not tracked ----------------------------------------------------------------------------------


def untracked(site: Site) -> dict[str, list[str]]:
    """Chains for what may be for us: packets of other protocols pass all of these rules by one look."""
    found: dict[str, list[str]] = {}
    for family, host, port in _listeners(site):
        to = f"{family} daddr {host}" if host else f"meta nfproto {_FAMILIES[family]} fib daddr type local"
        found.setdefault("untracked_tcp", []).append(f"tcp dport {port} {_NOT_OURS} {to} notrack")
        protocol, source_port = _QUOTED[family]
        about = f"{_ERRORS[family]} {_NOT_OURS} {to} {protocol} 6 {source_port} {port} notrack"
        found.setdefault("untracked_icmp" if family == "ip" else "untracked_icmpv6", []).append(about)
    if site.isatap is not None:
        to = f"ip daddr {locators(site.isatap)}"
        found["untracked_41"] = [f"{to} notrack"]
        about = f"{_ERRORS['ip']} {_NOT_OURS} {to} {_QUOTED['ip'][0]} 41 notrack"
        found.setdefault("untracked_icmp", []).append(about)
    return found


def _from_listeners(site: Site) -> Iterator[str]:
    for family, host, port in _listeners(site):
        source = f"{family} saddr {host}" if host else f"meta nfproto {_FAMILIES[family]}"
        yield f"tcp sport {port} {_NOT_OURS.replace('iif', 'oif')} {source} notrack"


def _listeners(site: Site) -> Iterator[tuple[str, str, int]]:
    """Family, address (none for any) and port of each."""
    for listener in dict.fromkeys(site.gateway.listen if site.gateway is not None else ()):
        address, port = HostPort.parse(listener)
        text = "" if address.is_unspecified else str(address)
        yield ("ip" if address.version == 4 else "ip6"), text, port


def locators(isatap: IsatapTable) -> str:
    """A set of them."""
    return f"{{ {', '.join(map(str, isatap.locators))} }}"


# --- What is, and how much of it --------------------------------------------------------------------------


def _questions(servers: Sequence[str]) -> Iterator[str]:
    for server in servers:
        host, port = HostPort.parse(server, PORT)
        family = "ip6" if host.version == 6 else "ip"
        yield f'{family} daddr {host} udp dport {port} ct timeout set "dns_{family}"'


def anonymous(site: Site) -> bool:
    """Whether nobody has to say who he is."""
    return site.gateway is not None and site.gateway.authentication == "none"
