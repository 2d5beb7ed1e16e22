"""The group policies of a site: every registry value, and why it is there.

Values of the IPv6 transition technologies are those of ``tcpip.admx``; firewall rules are [MS-GPFAS] 2.2.2;
name-resolution rules are [MS-GPNRPT] 2.2.2.2.
"""

import uuid
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple

from manageout.wire.address import ISATAP_IDS
from manageout.words import toml_of

TRANSITION = r"Software\Policies\Microsoft\Windows\TCPIP\v6Transition"
IPHTTPS = rf"{TRANSITION}\IPHTTPS\IPHTTPSInterface"
FIREWALL = r"SOFTWARE\Policies\Microsoft\WindowsFirewall"
FIREWALL_RULES = rf"{FIREWALL}\FirewallRules"
NRPT = r"Software\Policies\Microsoft\Windows NT\DNSClient\DnsPolicyConfig"
CONNECTIVITY = r"Software\Policies\Microsoft\Windows\NetworkConnectivityStatusIndicator\CorporateConnectivity"
ASSISTANT = r"Software\Policies\Microsoft\Windows\NetworkConnectivityAssistant"

REGISTRY_EXTENSION = "{35378EAC-683F-11D2-A89A-00C04FBBCFA2}"
TCPIP_EXTENSION = "{CDEAFC3D-948D-49DD-AB12-E578BA4AF7AA}"
ADMINISTRATIVE_TOOL = "{D02B1F72-3407-48AE-BA88-E8213C6761F1}"
FIREWALL_TOOL = "{B05566AC-FE9C-4368-BE01-7A4CBB6CBA11}"

_RULE_VERSION = "v2.10"
"""Of the firewall rule's text: Windows 7 and Server 2008 R2, and everything later."""
_PROTOCOLS = {"tcp": 6, "udp": 17, "icmp": 58}
_OWN = uuid.UUID("6f1d0f0e-6d6f-5c2a-9d4b-6d616e616765")
"""Names our rules, so that the same site file gives the same GUIDs."""

Content = str | int | tuple[str, ...]


class Value(NamedTuple):
    """One registry value below HKLM."""

    key: str
    name: str
    content: Content
    """Text REG_SZ, number REG_DWORD, texts REG_MULTI_SZ."""
    reason: str
    """For the administrator who reads the summary."""

    @property
    def kind(self) -> str:
        """As ``Set-GPRegistryValue -Type`` and people call it."""
        if isinstance(self.content, int):
            return "DWord"
        return "String" if isinstance(self.content, str) else "MultiString"


class Policy(NamedTuple):
    """One group policy object for computers."""

    name: str
    about: str
    values: tuple[Value, ...]
    firewall: bool = False
    transition: bool = False
    """Holds values of the transition technologies, for which Windows has a client-side extension of its own."""

    @property
    def extensions(self) -> str:
        """``gPCMachineExtensionNames``: client-side extension, then its tools, in the order of their GUIDs."""
        text = f"[{REGISTRY_EXTENSION}{FIREWALL_TOOL * self.firewall}{ADMINISTRATIVE_TOOL}]"
        return text + f"[{TCPIP_EXTENSION}{ADMINISTRATIVE_TOOL}]" * self.transition


def isatap_managers(name: str, router: str, *, on: bool = True) -> Policy:
    """ISATAP on for chosen machines, with a router name of their own; or off for them."""
    if not on:
        return Policy(name, "Turns ISATAP off.", _values(TRANSITION, "isatap-off"), transition=True)
    about = f"Makes its members ISATAP hosts of the router {router}."
    return Policy(name, about, _values(TRANSITION, "isatap-on", router=router), transition=True)


def firewall_rules(
    name: str, services: Iterable[str], sources: Sequence[IPv4Network | IPv6Network], *, on: bool = True
) -> Policy:
    """Let ``sources`` open ``services`` (``tcp/3389``, ``udp/5000-5010``, ``icmp``, ``tcp``, ``any``) on clients."""
    rules = [*_values(FIREWALL, "firewall")]
    for service in dict.fromkeys(services):
        rule = f"manageout-{service.replace('/', '-')}-in"
        words = f"Managers may use {service} on clients, on private and public networks"
        rules.append(Value(FIREWALL_RULES, rule, _rule(service, sources, on), words))
    return Policy(name, "Opens the clients' firewall for managers.", tuple(rules), firewall=True)


def _rule(service: str, sources: Sequence[IPv4Network | IPv6Network], active: bool) -> str:
    protocol, _, ports = service.partition("/")
    parts = [_RULE_VERSION, "Action=Allow", f"Active={str(active).upper()}", "Dir=In"]
    parts += [f"Protocol={_PROTOCOLS[protocol]}"] if protocol != "any" else []
    # Outside, a client is never in the domain profile.
    parts += ["Profile=Private", "Profile=Public"]
    parts += [f"{'LPort2_10' if '-' in ports else 'LPort'}={ports}"] if ports else []
    parts += ["ICMP6=128:*"] if protocol == "icmp" else []
    parts += [f"RA{source.version}={source}" for source in sources]
    parts += [f"Name=Manageout: {service}", "Desc=Manage-out from the intranet", "EmbedCtxt=Manageout"]
    # Through Teredo nothing comes in without it.
    parts.append("Edge=TRUE")
    return "|".join(parts) + "|"


def remote_clients(
    name: str,
    url: str,
    namespaces: Iterable[str],
    dns: str,
    *,
    exempt: Iterable[str] = (),
    location: str = "",
    resources: Iterable[str] = (),
    site: IPv6Network | None = None,
) -> Policy:
    """Windows clients of our gateway: IP-HTTPS, name-resolution rules, connectivity probes.

    ``dns``: the DNS64 address for ``namespaces``; ``exempt``: names that stay with the local resolver; ``location``:
    HTTPS URL that answers only inside; ``resources``: ``PING:name`` or ``HTTP:url`` for the connectivity assistant.
    Without namespaces there is no name rule at all: any, even an exemption, silences those that others have set.
    """
    spaces = list(dict.fromkeys(namespaces))
    values = [*_values(IPHTTPS, "iphttps-on", url=url)]
    for each in spaces:
        values += _nrpt("name-rule", each, f".{each.strip('.')}", dns=dns)
    for each in dict.fromkeys(exempt if spaces else ()):
        values += _nrpt("name-exemption", each, each.strip("."))
    values += _values(CONNECTIVITY, "location", url=location) if location else ()
    values += _values(CONNECTIVITY, "site", site=str(site)) if site is not None else ()
    for resource in dict.fromkeys(resources):
        values.append(Value(rf"{ASSISTANT}\Probes", resource, "", "Reachable: the connection works"))
    return Policy(name, f"Connects its members to {url}.", tuple(values), transition=True)


def remote_clients_off(name: str) -> Policy:
    """The same turned off: IP-HTTPS disabled; without the other values Windows resolves names as before."""
    values = _values(IPHTTPS, "iphttps-off")
    return Policy(name, "Disconnects its members from the gateway.", values, transition=True)


def _nrpt(kind: str, name: str, namespace: str, dns: str = "") -> tuple[Value, ...]:
    """One rule."""
    key = rf"{NRPT}\{{{str(uuid.uuid5(_OWN, namespace)).upper()}}}"
    return _values(key, kind, name=name, namespace=namespace, dns=dns)


def _values(key: str, kind: str, **words: str) -> tuple[Value, ...]:
    """The values of the table ``kind``, with what the site says in their texts."""

    def filled(content: str | int | list[str]) -> Content:
        if isinstance(content, list):
            return tuple(text.format(**words) for text in content)
        return content.format(**words) if isinstance(content, str) else content

    rows = toml_of("manageout.windows", "policies.toml")[kind].items()
    return tuple(Value(key, name, filled(content), why.format(**words)) for name, (content, why) in rows)


def isatap_sources(prefix: IPv6Network, networks: Iterable[IPv4Network]) -> list[IPv6Network]:
    """ISATAP addresses of the hosts in ``networks`` within the link ``prefix`` (a /64), u bit clear and set."""
    found = []
    for network in networks:
        for identifier in map(int.from_bytes, ISATAP_IDS):
            base = int(prefix.network_address) | identifier << 32 | int(network.network_address)
            found.append(IPv6Network((base, 96 + network.prefixlen)))
    return found
