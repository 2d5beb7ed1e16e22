"""Site file -> policies, scripts and lines for Windows: router, DNS name and policies cannot disagree."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
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

_SOURCE = "site file"
_NO_DOMAIN = Fault("site.domain", "is required for policies", 'for example domain = "corp.example"')


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
        hint = 'for example managers_group = "ISATAP Managers" or clients_group = "Remote Clients"'
        raise ConfigError(_SOURCE, [Fault("rollout", "asks for no policy", f"name a group, {hint}")])
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
        raise ConfigError(_SOURCE, [_NO_DOMAIN])
    return site.site.domain


def router_name(site: Site, override: str | None, *, force: bool) -> str:
    """The name that chosen machines look for.

    Raises :class:`ConfigError` when there is none, :class:`ManageoutError` for the bare ``isatap`` unless forced.
    """
    name = override or (site.isatap.name if site.isatap else "")
    if not name:
        fault = Fault("isatap.name", "is required", 'for example name = "manageout-isatap.corp.example"')
        raise ConfigError(_SOURCE, [fault])
    if name.lower().split(".")[0] == "isatap" and not force:
        raise ManageoutError(
            f"{name!r} is the name that every Windows machine with ISATAP looks for, not only the chosen ones",
            "use a unique name; --force takes it all the same and says what happens then",
        )
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
    faults = []
    if not site.site.domain:
        faults.append(_NO_DOMAIN)
    if table.managers_group and not (site.isatap and site.isatap.name):
        hint = 'for example name = "manageout-isatap.corp.example"'
        faults.append(Fault("isatap.name", "is required for rollout.managers_group", hint))
    if table.clients_group and not site.gateway and not site.policy.managers:
        hint = 'say who may call clients, for example from = ["10.0.1.30"] and services = ["tcp/3389"]'
        why = "is required for rollout.clients_group without [gateway]"
        faults.append(Fault("policy.managers", why, hint))
    if table.clients_group and site.gateway and not table.gateway_name:
        hint = 'the name in its certificate, for example gateway_name = "gateway.corp.example"'
        faults.append(Fault("rollout.gateway_name", "is required for rollout.clients_group", hint))
    return faults


def _firewall(site: Site, plan: Plan, table: RolloutTable, on: bool) -> policies.Policy:
    """What the managers may open, from where clients see them: ISATAP, NAT46, or IPv6 of their own."""
    sources: list[IPv4Network | IPv6Network] = []
    services: list[str] = []
    for manager in site.policy.managers:
        services += manager.services
        for source in manager.source:
            if isinstance(source, IPv6Network):
                sources.append(source)
            else:
                # A name: any.
                network = source if isinstance(source, IPv4Network) else IPv4Network("0.0.0.0/0")
                sources += policies.isatap_sources(plan.isatap_prefix, [network]) if site.isatap else []
                if plan.leases and plan.nat64.prefixlen == 96:
                    base = int(plan.nat64.network_address) | int(network.network_address)
                    sources.append(IPv6Network((base, 96 + network.prefixlen)))
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
