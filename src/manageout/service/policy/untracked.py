"""Whether rules of others bear that our listeners are not tracked: what fits ``ct state new`` does not fit them."""

from collections.abc import Iterator, Sequence
from typing import Any

from manageout.linux.netlink.links import Netlink
from manageout.linux.nft import program as nft
from manageout.linux.nft.evaluate import Hook, Packet, Ruleset
from manageout.linux.nft.tables import OURS
from manageout.service.probe import machine as live_host
from manageout.service.process.finding import Finding, finding
from manageout.site.tables.site import Site
from manageout.wire.host_port import HostPort
from manageout.wire.numbers import ICMP, ICMPV6, PROTOCOL_41

_TOO_BIG = {4: (ICMP, 3), 6: (ICMPV6, 2)}  # RFC 792, RFC 4443 3.2


def harm(site: Site) -> list[Finding]:
    """The rules that do harm, of what the kernel holds now. Raises :class:`KernelError`, :class:`NotPermitted`."""
    objects, _ = nft.ruleset(OURS)
    with Netlink() as netlink:
        questions = [(hook, packet) for hook, _, packet in live_host.untracked(netlink, site)]
        own = {str(address.ip) for address in netlink.addresses()}
    return list(dict.fromkeys([*_dropped(Ruleset(objects), questions), *_translated(objects, site, own)]))


def _dropped(rules: Ruleset, questions: Sequence[tuple[Hook, Packet]]) -> Iterator[Finding]:
    """What would pass if it were tracked."""
    for hook, packet in questions:
        state = "new" if hook == "input" else "established"
        if rule := _only_untracked(rules, hook, packet, state):
            port = packet.dport if hook == "input" else packet.sport
            direction = "d" if hook == "input" else "s"
            accept = f"tcp {direction}port {port}" if port else "meta l4proto 41"
            what = f"TCP port {port}" if port else "protocol 41"
            yield finding("LISTENER-UNTRACKED", rule=rule, packet=what, hook=hook, accept=accept)
        if hook == "input" and packet.protocol != PROTOCOL_41:
            kind, number = _TOO_BIG[packet.version]
            error = packet._replace(protocol=kind, icmp_type=number, dport=None, sport=None)
            if rule := _only_untracked(rules, hook, error, "related"):
                word = "icmp type destination-unreachable" if kind == ICMP else "icmpv6 type packet-too-big"
                yield finding("LISTENER-UNTRACKED.errors", rule=rule, accept=word)


def _only_untracked(rules: Ruleset, hook: Hook, packet: Packet, state: str) -> str:
    """The rule that drops it; empty when none does, or when it does so to tracked ones as well."""
    found = rules.judge(hook, packet)
    if found.result != "drop" or rules.judge(hook, packet._replace(state=state)).result != "accept":
        return ""
    return found.rule


def _translated(objects: Sequence[Any], site: Site, own: set[str]) -> Iterator[Finding]:
    """Address translation to or from a port of ours needs tracking of its packets."""
    listeners = site.gateway.listen if site.gateway is not None else ()
    ports = {HostPort.parse(listener).port for listener in listeners}
    for rule in filter(None, map(_rule, objects)):
        for target in (*_statements(rule, "dnat"), *_statements(rule, "redirect")):  # where it sends packets
            address, port = target.get("addr"), target.get("port")
            asked = sorted(ports & _asked(rule))
            if not asked and (address is None or str(address) in own) and isinstance(port, int):
                asked = sorted(ports & {port})
            if asked:
                where = f"nft table {rule.get('family')} {rule.get('table')}, chain {rule.get('chain')}"
                yield finding("LISTENER-UNTRACKED.nat", where=where, port=asked[0])


def _rule(item: Any) -> dict[str, Any]:
    found = item.get("rule") if isinstance(item, dict) else None
    return found if isinstance(found, dict) else {}


def _statements(rule: dict[str, Any], kind: str) -> Iterator[dict[str, Any]]:
    for statement in rule.get("expr", ()):
        if isinstance(statement, dict) and kind in statement:
            yield statement[kind] if isinstance(statement[kind], dict) else {}


def _asked(rule: dict[str, Any]) -> set[int]:
    """The destination ports that it asks for one by one."""
    found: set[int] = set()
    for match in _statements(rule, "match"):
        left, right = match.get("left"), match.get("right")
        payload = left.get("payload") if isinstance(left, dict) else None
        if isinstance(payload, dict) and payload.get("field") == "dport" and match.get("op") == "==":
            each = right.get("set", []) if isinstance(right, dict) else [right]
            found |= {number for number in each if isinstance(number, int)}
    return found
