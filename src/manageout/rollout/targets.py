"""Site file -> policies, scripts and lines for Windows: router, DNS name and policies cannot disagree."""

import re
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from importlib.resources import files as resources
from ipaddress import IPv4Network, IPv6Network

from manageout.errors import ConfigError, Fault, ManageoutError
from manageout.service.names.router_dns import routers_of
from manageout.site.plan import Plan
from manageout.site.tables.rollout import RolloutTable
from manageout.site.tables.site import Site
from manageout.windows import backup, policies, powershell
from manageout.windows.gpo import WantedPolicy
from manageout.windows.powershell import Target
from manageout.wire.host_port import HostPort
from manageout.words import texts

_SOURCE = "site file"
_texts = partial(texts, "manageout.rollout")


def targets(site: Site, plan: Plan, *, on: bool = True) -> list[Target]:
    """The policies that the site file asks for, with group and place; with ``on`` false the same turned off.

    Raises :class:`ConfigError` that names the keys that are missing.
    """
    table = site.rollout or RolloutTable()
    faults = _missing(site, table)
    if faults:
        raise ConfigError(_SOURCE, faults)
    domain = ",".join(f"DC={label}" for label in site.site.domain.split("."))
    managers, clients = table.managers_unit or domain, table.clients_unit or domain
    found = []
    if table.managers_group and site.isatap:
        policy = policies.isatap_managers(f"{table.prefix}: ISATAP managers", site.isatap.name, on=on)
        found.append(Target(policy, table.managers_group, managers))
    if table.clients_group:
        if site.policy.managers:
            found.append(Target(_firewall(site, plan, table, on), table.clients_group, clients))
        if site.gateway:
            found.append(Target(_clients(site, plan, table, on), table.clients_group, clients))
    if not found:
        raise ConfigError(_SOURCE, [Fault("rollout", *_texts("no-policy"))])
    return found


def wanted_policies(site: Site, plan: Plan, *, on: bool = True) -> list[WantedPolicy]:
    """The same as Active Directory is to have them. Raises :class:`ConfigError`."""
    found = []
    for policy, group, unit in targets(site, plan, on=on):
        guid, registry = backup.policy_guid(site.site.domain, policy.name), backup.registry_file(policy)
        found.append(WantedPolicy(guid, policy.name, policy.extensions, registry, group, unit))
    return found


def folder(site: Site, plan: Plan, made: datetime) -> dict[str, bytes]:
    """The same for people with a Windows Server: relative path -> content. ``made``: naive, UTC."""
    wanted, domain = targets(site, plan), site.site.domain
    files = {
        "SUMMARY.md": summary(wanted, plan.site).encode(),
        "publish.ps1": powershell.encoded(powershell.domain(wanted, domain)),
        "unpublish.ps1": powershell.encoded(powershell.domain_undo(wanted, domain)),
    }
    if site.gateway is not None:
        files["name-rules.ps1"] = powershell.encoded(powershell.name_rules())
    for name, found in (("on", wanted), ("off", targets(site, plan, on=False))):
        rendered = backup.render([target.policy for target in found], domain, made)
        files |= {f"{name}/{path}": content for path, content in rendered.items()}
    return files


def domain_of(site: Site) -> str:
    """The domain of its policies. Raises :class:`ConfigError` when there is none."""
    if not site.site.domain:
        raise ConfigError(_SOURCE, [_fault("site.domain")])
    return site.site.domain


def router_name(site: Site, override: str | None, *, force: bool) -> str:
    """The name that chosen machines look for.

    Raises :class:`ConfigError` when there is none, :class:`ManageoutError` for the bare ``isatap`` unless forced.
    """
    name = override or (site.isatap.name if site.isatap else "")
    if not name:
        raise ConfigError(_SOURCE, [Fault("isatap.name", *_texts("no-name"))])
    if name.lower().split(".")[0] == "isatap" and not force:
        raise ManageoutError(*_texts("bare-name", name=name))
    return name


def bare_name_consequences(name: str) -> str:
    """What publishing the bare name means; for those who force it."""
    return _text("bare-name.txt", NAME=name).rstrip()


def hosts_lines(site: Site, name: str) -> list[str]:
    """A HOSTS line for each router of the site. Raises :class:`ConfigError` without an ``[isatap]`` table."""
    return [f"{address} {name}" for address in routers_of(site)]


def summary(wanted: Sequence[Target], site: IPv6Network) -> str:
    """Every value with its key and reason, as Markdown."""
    lines = ["# Group policies of Manageout", ""]
    for target in wanted:
        policy = target.policy
        lines += [f"## {policy.name}", "", policy.about, ""]
        lines += [f"Applies to computers in the group **{target.group}**, linked to `{target.unit}`.", ""]
        key = None
        for value in policy.values:
            if value.key != key:
                key = value.key
                lines += ["", f"`HKLM\\{key}`", "", "| value | type | content | why |", "|---|---|---|---|"]
            lines.append(f"| `{value.name}` | {value.kind} | {_shown(value.content)} | {value.reason} |")
        lines.append("")
    text = "\n".join([*lines, ""])
    if any(value.key.startswith(policies.NRPT) for target in wanted for value in target.policy.values):
        text += _text("name-rules.md")
    return text + _text("address-choice.md", SITE=str(site))


def _text(name: str, **words: str) -> str:
    """The file ``texts/NAME`` with its words."""
    text = resources("manageout.rollout").joinpath("texts", name).read_text(encoding="utf-8")
    return re.sub("@([A-Z]+)@", lambda match: words[match[1]], text)


def _shown(content: policies.Content) -> str:
    text = "; ".join(content) if isinstance(content, tuple) else str(content)
    return f"`{text}`".replace("|", "\\|") if text else "(empty)"


def _missing(site: Site, table: RolloutTable) -> list[Fault]:
    lacks = {
        "site.domain": not site.site.domain,
        "isatap.name": table.managers_group and not (site.isatap and site.isatap.name),
        "policy.managers": table.clients_group and not site.gateway and not site.policy.managers,
        "rollout.gateway_name": table.clients_group and site.gateway and not table.gateway_name,
    }
    return [_fault(path) for path, lacking in lacks.items() if lacking]


def _fault(path: str) -> Fault:
    return Fault(path, *_texts(path))


def _firewall(site: Site, plan: Plan, table: RolloutTable, on: bool) -> policies.Policy:
    """What the managers may open, from where clients see them: ISATAP, NAT46, or IPv6 of their own."""
    sources: list[IPv4Network | IPv6Network] = []
    for source in (source for manager in site.policy.managers for source in manager.source):
        if isinstance(source, IPv6Network):
            sources.append(source)
            continue
        network = source if isinstance(source, IPv4Network) else IPv4Network("0.0.0.0/0")  # a name: any
        sources += policies.isatap_sources(plan.isatap_prefix, [network]) if site.isatap else []
        if plan.leases and plan.nat64.prefixlen == 96:
            base = int(plan.nat64.network_address) | int(network.network_address)
            sources.append(IPv6Network((base, 96 + network.prefixlen)))
    services = [service for manager in site.policy.managers for service in manager.services]
    name = f"{table.prefix}: firewall of remote clients"
    return policies.firewall_rules(name, services, list(dict.fromkeys(sources)), on=on)


def _clients(site: Site, plan: Plan, table: RolloutTable, on: bool) -> policies.Policy:
    name = f"{table.prefix}: remote clients"
    if not on or site.gateway is None:
        return policies.remote_clients_off(name)
    port = HostPort.parse(site.gateway.listen[0]).port
    location = table.location_url.removeprefix("https://").partition("/")[0].partition(":")[0]
    return policies.remote_clients(
        name,
        f"https://{table.gateway_name}:{port}{site.gateway.iphttps.paths[0]}",
        [site.site.domain] if site.dns64 else [],
        str(plan.dns64),
        exempt=[table.gateway_name, *([location] if location else []), *table.exempt],
        location=table.location_url,
        resources=table.resources,
        site=plan.site,
    )
