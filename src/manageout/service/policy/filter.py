"""Site and plan -> the body of our nftables table ``inet manageout``: one text, replaced as a whole. Pure.

What enters or leaves a link of ours is judged in the chain ``forward``, in this order: what belongs to a
connection that was let through; what cannot come from there; then who may begin a connection::

    client  -> intranet   from_clients    policy.intranet and the site prefix; other clients by policy.hairpin
    client  -> gateway    to_gateway      ICMP, the DNS64, policy.gateway_services
    manager -> client     managers        only by [[policy.managers]], whether by ISATAP, to its lease or in IPv6
    anything else                         refused

ICMP errors pass with the connection that they are about. Traffic between other devices is not ours to judge. What is
refused is counted by reason, and by source in bounded sets (refused.nft). The rules themselves stand in filter.nft.
"""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address

from manageout.linux.netlink.conntrack import PROBE_MARK
from manageout.linux.nft.features import ALL, Features
from manageout.protocol.core.drops import Drop
from manageout.service.policy import filter_text as text
from manageout.service.policy import filter_tracking as tracking
from manageout.service.policy.filter_managers import CLIENTS, EMPTY, Contents, managers, service_rules
from manageout.service.policy.revision import REFUSED_MARK
from manageout.site.plan import IPHTTPS_DEVICE, ISATAP_DEVICE, XLAT_DEVICE, Plan
from manageout.site.tables.site import Site
from manageout.site.tables.translation import TranslationTable

_TOLD = (Drop.POLICY, Drop.OUTSIDE, Drop.HAIRPIN, Drop.GATEWAY_SERVICE, Drop.CONNECTION_LIMIT)
_NOT_TOLD = (Drop.UNKNOWN_CLIENT, Drop.WRONG_WAY, Drop.FOREIGN)
REFUSALS = dict.fromkeys(_TOLD, "reject with icmpx admin-prohibited") | dict.fromkeys(_NOT_TOLD, "drop")
"""Why the filter refuses, and how: whoever is what it says is told so, others are not."""
_CONSTANTS = {
    "iphttps": IPHTTPS_DEVICE,
    "isatap": ISATAP_DEVICE,
    "xlat": XLAT_DEVICE,
    "refused_mark": f"{REFUSED_MARK:#x}",
    "probe_mark": f"{PROBE_MARK:#x}",
    "astray": "fib saddr . iif oif missing goto refused_wrong_way",
    "mss": 1280 - 60,  # the MTU of the clients' link ([MS-IPHTTPS] 3.2.3.1) less the headers of IPv6 and TCP
    "limit": tracking.LIMIT,
    "rate": tracking.RATE,
    "burst": tracking.BURST,
    "host_limit": tracking.HOST_LIMIT,
    "host_rate": tracking.HOST_RATE,
    "host_burst": tracking.HOST_BURST,
}


def table(
    site: Site,
    plan: Plan,
    underlays: Sequence[str] = (),
    contents: Contents = EMPTY,
    features: Features = ALL,
    towards: Sequence[str] = (),
) -> str:
    """The whole table. ``contents``: members of its sets that are known by now; ``towards``: devices by which other
    ISATAP routers are reached.
    """
    found = managers(site, plan, contents, set_name(Drop.POLICY))
    for reason, verdict in REFUSALS.items():
        name = set_name(reason)
        refusal = {"name": name, "verdict": verdict, "packets": contents.counters.get(name, 0)}
        found += text.objects("refused.nft", {"policy": reason is Drop.POLICY}, refusal)
    untracked = tracking.untracked(site)
    facts = _facts(site, plan) | {"underlays": bool(underlays), "torn": contents.torn}
    facts |= {"counts": features.counts, "untracked": bool(untracked)}
    values = _CONSTANTS | _values(site, plan, underlays, towards) | tracking.values(site, untracked, contents)
    values |= {
        "client_addresses": text.addresses(contents.members.get(CLIENTS, ())),
        "further_addresses": text.pairs({key: ip_address(to) for key, to in contents.others.items()}),
    }
    found += text.objects("filter.nft", facts, values)
    found += [text.chain(name, rules) for name, rules in untracked.items()]
    return "\n".join(
        sorted(found, key=lambda each: each.startswith("  chain "))
    )  # sets before who names them


def set_name(reason: Drop) -> str:
    """The chain and counter of a refusal; the sets of its sources end in 4 and 6."""
    return f"refused_{reason.name.lower()}"


def _facts(site: Site, plan: Plan) -> dict[str, bool]:
    translation = site.translation
    return {
        "gateway": site.gateway is not None,
        "isatap": site.isatap is not None,
        "several": site.isatap is not None and bool(site.isatap.routers),
        "translation": translation is not None,
        "masquerade": translation is not None and translation.masquerade,
        "eam": translation is not None and bool(translation.eam),
        "leases": translation is not None and plan.leases is not None,
        "intranet": bool(_intranet4(site)),
        "dns64": site.dns64 is not None,
        "anonymous": tracking.anonymous(site),
    }


def _values(site: Site, plan: Plan, underlays: Sequence[str], towards: Sequence[str]) -> dict[str, str]:
    """What the site says; nothing of a table that it has not is asked for."""
    between = "accept" if site.policy.hairpin else f"goto {set_name(Drop.HAIRPIN)}"
    intranet6 = [each for each in site.policy.intranet if isinstance(each, IPv6Network)]
    found = {
        "clients": str(plan.client_prefix),
        "hosts": str(plan.isatap_prefix),
        "all_clients": text.nets(_client_prefixes(site, plan)),
        "nat64": str(plan.nat64),
        "dns64": str(plan.dns64),
        "between": between,
        "into_ipv4": "\n".join(_into_ipv4(site, plan)),
        "intranet": text.nets([*plan.client_routes, plan.isatap_prefix, plan.site, *intranet6]),
        "gateway_services": "\n".join(service_rules(site.policy.gateway_services, "accept")),
        "underlays": ", ".join(f'"{name}"' for name in underlays),
    }
    if (isatap := site.isatap) is not None:
        others = towards if isatap.routers else ()
        found["host_devices"] = ", ".join([ISATAP_DEVICE, *(f'"{name}"' for name in others)])
        found["beyond"] = "::/0" if isatap.default_route else text.nets((*plan.advertised, plan.site))
        found["locators"] = tracking.locators(isatap)
    return found if site.translation is None else found | _of_translation(site, plan, site.translation)


def _of_translation(site: Site, plan: Plan, table: TranslationTable) -> dict[str, str]:
    machines = [each.ipv4 for each in table.eam]
    leases = [plan.leases] if plan.leases is not None else []
    intranet = _intranet4(site)
    return {
        "pool": str(table.pool),
        "pool6": str(text.embedded(plan.nat64, table.pool)),
        "leases": str(plan.leases),
        "leases_and_eam": text.nets([*leases, *machines]),
        "eam4": text.nets(machines),
        "eam6": text.nets(each.ipv6 for each in table.eam),
        "intranet4": text.nets(intranet),
        "intranet6": text.nets(text.embedded(plan.nat64, each) for each in intranet),
    }


def _into_ipv4(site: Site, plan: Plan) -> Iterator[str]:
    """The intranet's IPv4 machines, under each prefix that shows them."""
    prefixes = [each.prefix for each in site.dns64.prefixes] if site.dns64 else []
    prefixes += [plan.nat64] if site.translation is not None else []
    for prefix in dict.fromkeys(prefixes):
        # An ISATAP router would take a tunnelling client for an ISATAP host, and for a manager if its lease is one.
        yield f"ip6 daddr {prefix} meta l4proto 41 goto {set_name(Drop.OUTSIDE)}"
        if reached := [text.embedded(prefix, each) for each in _intranet4(site)]:
            yield f"ip6 daddr {text.nets(reached)} accept"
        yield f"ip6 daddr {prefix} goto {set_name(Drop.OUTSIDE)}"


def _client_prefixes(site: Site, plan: Plan) -> Iterator[IPv6Network]:
    """Where clients are, as far as an ISATAP router knows."""
    yield plan.client_aggregate
    if site.gateway is not None:
        yield plan.client_prefix
    if site.isatap is not None:
        yield from (route.prefix for route in site.isatap.routes)
    # Who advertises the whole site does not mean that all of it is clients.
    yield from (prefix for prefix in plan.advertised if not plan.isatap_prefix.subnet_of(prefix))


def _intranet4(site: Site) -> list[IPv4Network]:
    return [each for each in site.policy.intranet if isinstance(each, IPv4Network)]
