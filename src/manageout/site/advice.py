"""What the administrator does elsewhere: routes, DNS names, firewalls, Windows settings. Pure, from the plan.

The words stand in advice.toml; here is which of them concern a site, and what is filled in.
"""

import secrets
from collections.abc import Mapping
from ipaddress import IPv6Network
from typing import NamedTuple

from manageout.site.plan import IPHTTPS_DEVICE, ISATAP_DEVICE, XLAT_DEVICE, Plan
from manageout.site.tables.site import Site
from manageout.words import toml_of

Values = Mapping[str, object]


class Section(NamedTuple):
    """A heading and its lines: what it is, then the value or the command."""

    title: str
    lines: list[tuple[str, str]]


def new_prefix() -> IPv6Network:
    """A random unique local /48 (RFC 4193 3.2.2)."""
    return IPv6Network((0xFD << 120 | secrets.randbits(40) << 80, 48))


def advice(site: Site, plan: Plan) -> list[Section]:
    """Every section that concerns ``site``."""
    table = toml_of("manageout.site", "advice.toml")
    values = _values(site, plan)
    facts, cases = _facts(site), {**_of_isatap(site, plan), **_of_gateway(site, plan)}
    sections = []
    for section in table["sections"]:
        lines = [
            (label.format(**values, **case), value.format(**values, **case))
            for block in section["blocks"]
            for case in (cases[block["case"]] if "case" in block else _once(_holds(block["when"], facts)))
            for label, value in block["lines"]
        ]
        sections.append(Section(section["title"], lines))
    return [section for section in sections if section.lines]


def _values(site: Site, plan: Plan) -> Values:
    """What may be filled in anywhere."""
    isatap, gateway = site.isatap, site.gateway
    routes = len(isatap.routes) if isatap else 0
    return {
        "site": site,
        "plan": plan,
        "isatap_device": ISATAP_DEVICE,
        "iphttps_device": IPHTTPS_DEVICE,
        "xlat_device": XLAT_DEVICE,
        "dns64": "DNS64" if site.dns64 else "kept for DNS64",
        "nat64": "NAT64" if site.translation else "kept for NAT64",
        "advertised": ", ".join(map(str, plan.advertised)) or "nothing",
        "default_router": "yes" if isatap and isatap.default_route else "no: only these prefixes",
        "client_routes": ", ".join(map(str, plan.client_routes)),
        "listen": ", ".join(gateway.listen) if gateway else "",
        "path": gateway.iphttps.paths[0] if gateway and gateway.iphttps.paths else "/",
        "own_locators": ", ".join(map(str, isatap.locators)) if isatap else "",
        "hosts": (isatap and ", ".join(map(str, isatap.hosts))) or "nobody yet (isatap.hosts is empty)",
        "router_name": (isatap and isatap.name) or "NAME",
        "others": f"{routes} route{'s' if routes != 1 else ''} to other nodes",
    }


def _once(condition: object) -> list[Values]:
    return [{}] if condition else []


def _holds(when: str, facts: Mapping[str, bool]) -> bool:
    return all(facts[fact.removeprefix("!")] != fact.startswith("!") for fact in when.split())


def _facts(site: Site) -> dict[str, bool]:
    isatap, gateway, translation = site.isatap, site.gateway, site.translation
    ways = bool(isatap and isatap.routes)
    routes = ways or bool(gateway and gateway.isatap_router)
    roles = {"isatap": isatap is not None, "gateway": gateway is not None, "farm": bool(isatap or routes)}
    masquerade = translation is not None and translation.masquerade
    leases = {"translation": translation is not None, "masquerade": masquerade}
    leases["callable"] = translation is not None and not masquerade
    return roles | leases | {"ways": ways, "routes": routes}


def _of_isatap(site: Site, plan: Plan) -> dict[str, list[Values]]:
    """Cases of the router: its addresses, names and routes, one by one."""
    isatap, domain = site.isatap, site.site.domain
    name = isatap.name if isatap else ""
    zone = domain if domain and name.endswith(f".{domain}") else name.partition(".")[2]
    told = name or (f"manageout-isatap.{domain}" if domain else "a name of your choice")
    locators, routers, routes = (isatap.locators, isatap.routers, isatap.routes) if isatap else ((), (), ())
    pairs = zip(locators, plan.isatap_addresses, plan.isatap_link_locals, strict=True)
    label = name.removesuffix(f".{zone}")
    named = [*locators, *routers] if zone else []
    return {
        "locators": [
            {"name": told, "locator": locator, "address": address, "link_local": link_local}
            for locator, address, link_local in pairs
        ],
        "routers": [{"name": told, "router": router} for router in routers],
        "nameless": _once(isatap and not name and not domain),
        "named": [{"name": name, "zone": zone, "label": label, "address": address} for address in named],
        "named_by_us": _once(named and site.names),
        "shared_routes": [{"route": route} for route in routes if route.prefix.prefixlen < 64],
    }


def _of_gateway(site: Site, plan: Plan) -> dict[str, list[Values]]:
    """Cases of the ways between router, clients and leases."""
    isatap, gateway, translation = site.isatap, site.gateway, site.translation
    routes: list[Values] = [
        {"machine": "gateway", "here": route.prefix, "via": route.via, "there": plan.isatap_prefix}
        for route in (isatap.routes if isatap else ())
    ]
    if gateway and gateway.isatap_router:
        router = gateway.isatap_router
        here, there = plan.isatap_prefix, plan.client_prefix
        routes.append({"machine": "ISATAP router", "here": here, "via": router, "there": there})
    callable_ = translation is not None and not translation.masquerade
    return {
        "routes": routes,
        "callable": [{"via": isatap.locators[0] if isatap else "THIS-MACHINE"}] if callable_ else [],
    }
