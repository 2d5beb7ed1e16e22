"""Get-NetFirewallRule and its filters -> rules that let managers in, and DirectAccess' own for DNS64."""

import re

from manageout.doctor.facts import Facts, Seen
from manageout.doctor.powershell.value import listed
from manageout.doctor.read.sections import Row, add_rules
from manageout.windows.deployment import is_dns64
from manageout.windows.text import ipv6_address

FEW = 10
"""Rules that somebody asked for by name."""


def read(facts: Facts, sections: dict[str, list[Row]]) -> None:
    """A rule and its filters are three objects, printed one behind the other: the n-th of each belong together."""
    rules = sections.get("firewallRule", [])
    ports, addresses = sections.get("portFilter", []), sections.get("addressFilter", [])
    if not rules and 0 < len(addresses) <= FEW:
        rules = [{"Name": row.get("InstanceID"), "Profile": "Any"} for row in addresses]
    ports, addresses = _by_instance(rules, ports), _by_instance(rules, addresses)
    if not ports and not addresses:
        rules = [{**row, **_own_ports(row)} for row in rules]
    together = [row for row in rules if "LocalPort" in row]  # Select-Object has put them into one
    rules = [row for row in rules if "LocalPort" not in row]
    own = _dns64(facts, rules, addresses)
    if len(rules) == len(addresses) != len(ports):  # DirectAccess' own are judged by their addresses alone
        rules, addresses = (
            [row for n, row in enumerate(each) if n not in own] for each in (rules, addresses)
        )
    if rules and (len(rules) != len(ports) or len(addresses) not in (0, len(rules))):
        beside = addresses if len(addresses) == len(rules) else []
        _without_filters(facts, rules, beside)
        missing = "ports" if beside else "ports and addresses"
        filters = "Get-NetFirewallPortFilter" + ("" if beside else " and Get-NetFirewallAddressFilter")
        facts.unread.append(
            f"Get-NetFirewallRule {rules[0].get('DisplayName') or ''}: not judged without its {missing}; "
            f"give each rule's {filters}, or the collector's file"
        )
        rules, ports, addresses = [], [], []
    whole = []
    pairs = [
        *((rule, port) for rule, port in zip(rules, ports, strict=False)),
        *((row, row) for row in together),
    ]
    for number, (rule, port) in enumerate(pairs):
        address = port if port is rule else addresses[number] if addresses else {}
        if _allows(rule):
            whole.append(
                {
                    **{key: rule.get(key) for key in ("Profile", "EdgeTraversalPolicy")},
                    "Name": rule.get("DisplayName"),
                    "Protocol": port.get("Protocol"),
                    "LocalPort": listed(port.get("LocalPort")),
                    "RemoteAddress": listed(address.get("RemoteAddress") or address.get("RemoteIP")),
                }
            )
    add_rules(facts, whole)


def _dns64(facts: Facts, rules: list[Row], addresses: list[Row]) -> set[int]:
    """For which addresses DirectAccess' own rules for DNS64 are, known by their identifiers, or by such an address;
    which they are."""
    own = set()
    for number, row in enumerate(addresses):
        beside = rules[number] if number < len(rules) else {}
        key = _identifier(row) or _identifier(beside) or str(beside.get("DisplayName") or number + 1)
        local = listed(row.get("LocalAddress") or row.get("LocalIP"))
        found = tuple(six for text in local if (six := ipv6_address(text)) is not None)
        if found and (key in DNS64_RULES or any(map(is_dns64, found))):
            own.add(number)
            name = f"{{{key}}}" if key in DNS64_RULES else key
            facts.dns64_rules[key] = Seen(found, f"firewall rule {name}: LocalAddress {', '.join(local)}")
    return own


def _identifier(row: Row) -> str:
    return str(row.get("InstanceID") or row.get("Name") or "").strip("{}").upper()


DNS64_RULES = ("0FDEEC95-1EA6-4042-8BA6-6EF5336DE91A", "24FD98AA-178E-4B01-9220-D0DADA9C8503")
"""A DirectAccess server's own, which let questions in to DNS64."""


def _by_instance(rules: list[Row], filters: list[Row]) -> list[Row]:
    """Filters in the order of their rules, where both have their identifiers."""
    keys = [str(row.get("InstanceID") or row.get("ID") or row.get("Name") or "").lower() for row in rules]
    own = {str(row.get("InstanceID") or "").lower(): row for row in filters}
    return [own[key] for key in keys] if keys and all(key and key in own for key in keys) else filters


def _without_filters(facts: Facts, rules: list[Row], addresses: list[Row]) -> None:
    """A few rules whose ports were not pasted: their profiles and addresses say something all the same."""
    remote = [listed(row.get("RemoteAddress") or row.get("RemoteIP")) for row in addresses] or [
        [] for _ in rules
    ]
    both = [{**row, "RemoteAddress": scope} for row, scope in zip(rules, remote, strict=True)]
    found = [row for row in both if _allows(row) and row.get("Profile")]
    if len(found) <= FEW:
        add_rules(
            facts, ({**row, "Name": row.get("DisplayName") or row.get("Name")} for row in found), whole=False
        )


def _allows(rule: Row) -> bool:
    wanted = (("Direction", "Inbound"), ("Action", "Allow"), ("Enabled", True))
    return all(rule.get(key, value) == value for key, value in wanted)


def _own_ports(rule: Row) -> Row:
    """What a rule of Windows' own tells without its filters: in its description, or by its name."""
    if "LocalPort" in rule:
        return {}
    if match := _DESCRIBED.search(str(rule.get("Description") or "")):
        return {"Protocol": match[1], "LocalPort": match[2]}
    name = str(rule.get("Name") or "").lower()
    return next(
        ({"Protocol": "TCP", "LocalPort": port} for start, port in _OWN if name.startswith(start)), {}
    )


_DESCRIBED = re.compile(r"\[(TCP|UDP) (\d{1,5})\]")
_OWN = (
    ("remotedesktop-usermode-in-tcp", "3389"), ("winrm-http-in-tcp", "5985"), ("winrm-https-in-tcp", "5986"),
    ("openssh-server-in-tcp", "22"),
)  # fmt: skip
"""Names that Windows translates nowhere."""
