"""What an nftables ruleset does with one packet: a walk through the chains of a hook as nft(8) describes it.

The ruleset is what ``nft -n -j list ruleset`` prints. Matches that cannot be decided from the outside (marks, rates,
xtables' own) are open; then an answer may be "maybe". Address translation is not followed.
"""

import functools
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import ip_address, ip_network
from typing import Any, Literal, NamedTuple

from manageout.wire.numbers import ICMP, ICMPV6, TCP, UDP

MAX_DEPTH = 16
"""Of jumps (NFT_JUMP_STACK_SIZE)."""
_STATES = {"invalid": 1, "established": 2, "related": 4, "new": 8, "untracked": 64}
_SYN = 2

Hook = Literal["prerouting", "input", "forward", "output", "postrouting"]
Result = Literal["accept", "drop", "maybe"]
Json = Any


class Packet(NamedTuple):
    """The first packet of a connection, unless ``state`` says another (established, related, untracked)."""

    src: str
    dst: str
    protocol: int
    dport: int | None = None
    sport: int | None = None
    iif: str = ""
    oif: str = ""
    icmp_type: int | None = None
    state: str = "new"

    @property
    def version(self) -> int:
        """4 or 6."""
        return ip_address(self.dst).version


class Judgement(NamedTuple):
    """``rule``: where it falls and its words; empty when nothing in the ruleset cares."""

    result: Result
    rule: str = ""


class Absent(Exception):
    """A match asks for a header that the packet does not have: the rule does not apply."""


class Ruleset:
    """``objects``: the list below "nftables"; ``texts``: (family, table, chain, handle) -> a rule's words;
    ``holds(set, address)``: knows members of sets that are not among the objects, or None.
    """

    def __init__(
        self,
        objects: Sequence[Json],
        texts: Mapping[tuple[str, str, str, int], str] | None = None,
        holds: Callable[[str, str], bool | None] | None = None,
    ) -> None:
        self._texts = texts or {}
        self._holds = holds
        self._chains: dict[tuple[str, str, str], Json] = {}
        self._rules: dict[tuple[str, str, str], list[Json]] = {}
        self._sets: dict[tuple[str, str, str], Json] = {}
        for item in objects:
            if isinstance(item, dict):
                self._add(item)

    def _add(self, item: Json) -> None:
        for kind, body in item.items():
            if not isinstance(body, dict):
                continue
            place = (str(body.get("family")), str(body.get("table")), str(body.get("name")))
            if kind == "chain":
                self._chains[place] = body
            elif kind in ("set", "map"):
                self._sets[place] = body.get("elem", [])
            elif kind == "rule":
                self._rules.setdefault((*place[:2], str(body.get("chain"))), []).append(body)

    def judge(self, hook: Hook, packet: Packet) -> Judgement:
        """What becomes of ``packet`` at ``hook``: every filter chain there has a say, in the order of priority."""
        families = ("inet", "ip" if packet.version == 4 else "ip6")
        chains = [
            (chain.get("prio", 0), place)
            for place, chain in self._chains.items()
            if place[0] in families and chain.get("hook") == hook and chain.get("type") == "filter"
        ]
        doubt: Judgement | None = None
        for _, place in sorted(chains):
            found = self._base(place, packet)
            if found.result == "drop":
                return found  # certainly, whatever a chain before it may do
            if found.result == "maybe":
                doubt = doubt or found
        return doubt or Judgement("accept")

    def _base(self, place: tuple[str, str, str], packet: Packet) -> Judgement:
        """One base chain; where nothing decides, its policy does."""
        possible: list[Judgement] = []
        found = self._walk(place, packet, possible, 0)
        if found is None:
            policy: Result = "drop" if self._chains[place].get("policy") == "drop" else "accept"
            found = Judgement(policy, f"{_where(place)}: policy {policy}")
        if all(each.result == found.result for each in possible):
            return found
        return Judgement("maybe", next(each for each in (*possible, found) if each.result == "drop").rule)

    def _walk(
        self, place: tuple[str, str, str], packet: Packet, possible: list[Judgement], depth: int
    ) -> Judgement | None:
        """What the rules of a chain decide; what they may decide is added to ``possible``. None: it falls through."""
        if depth > MAX_DEPTH:
            return None
        for rule in self._rules.get(place, ()):
            certain = True
            for statement in rule.get("expr", ()):
                applies = self._applies(statement, packet, place)
                if "xt" in statement:
                    applies = _xtables(statement["xt"], packet, self._text(rule, place, ""))
                if applies is False:
                    break
                certain = certain and applies is True
                verdict = self._verdict(statement, packet, place)
                if verdict is None:
                    continue
                kind, target = verdict
                if kind in ("jump", "goto"):
                    found = self._walk((*place[:2], target), packet, possible, depth + 1)
                elif kind == "return":
                    found = None
                else:
                    result: Result = "accept" if kind == "accept" else "drop"
                    found = Judgement(result, f"{_where(place)}: {self._text(rule, place, kind)}")
                if certain and (found is not None or kind in ("goto", "return")):
                    return found
                if found is not None:
                    possible.append(found)
                break
        return None

    def _text(self, rule: Json, place: tuple[str, str, str], kind: str) -> str:
        handle = rule.get("handle")
        words = self._texts.get((*place, handle)) if isinstance(handle, int) else None
        return words or f"rule {handle} ({kind})"

    # --- Matches ----------------------------------------------------------------------------------------

    def _applies(self, statement: Json, packet: Packet, place: tuple[str, str, str]) -> bool | None:
        """Whether a statement lets its rule go on; None: that cannot be told."""
        if "match" in statement:
            match = statement["match"]
            try:
                left = _value(match.get("left"), packet)
            except Absent:
                return False
            if left is None:
                return None
            equal = self._equal(left, match.get("right"), place)
            return not equal if match.get("op") == "!=" and equal is not None else equal
        if _counts_connections(statement):
            return False  # it is for who has many: the packet is nobody's thousandth
        return None if statement.keys() & {"limit", "quota", "xt", "ct count", "queue", "meter"} else True

    def _verdict(
        self, statement: Json, packet: Packet, place: tuple[str, str, str]
    ) -> tuple[str, str] | None:
        if "vmap" in statement:
            return self._mapped(statement["vmap"], packet, place)
        return _plain_verdict(statement)

    def _mapped(self, vmap: Json, packet: Packet, place: tuple[str, str, str]) -> tuple[str, str] | None:
        try:
            key = _value(vmap.get("key"), packet)
        except Absent:
            return None
        if key is None:
            return None
        for each in self._elements(vmap.get("data"), place):
            if isinstance(each, list) and len(each) == 2 and self._equal(key, each[0], place):
                return _plain_verdict(each[1])
        return None

    def _elements(self, data: Json, place: tuple[str, str, str]) -> Iterator[Json]:
        if isinstance(data, str) and data.startswith("@"):
            data = self._sets.get((*place[:2], data[1:]), [])
        elif isinstance(data, dict) and "set" in data:
            data = data["set"]
        yield from data if isinstance(data, list) else [data]

    def _equal(self, value: Json, right: Json, place: tuple[str, str, str]) -> bool | None:
        """Whether ``value`` is ``right`` or in it; None when ``right`` cannot be read."""
        if isinstance(right, dict) and "elem" in right:
            elem = right["elem"]
            return self._equal(value, elem.get("val"), place) if isinstance(elem, dict) else None
        if isinstance(right, dict) and "|" in right:
            return self._equal(value, mask, place) if isinstance(mask := _mask(right), int) else None
        named = isinstance(right, str) and right.startswith("@")
        if named and self._holds is not None and isinstance(value, str):
            known = self._holds(right[1:], value)
            if known is not None:
                return known
        if named or (isinstance(right, dict) and "set" in right):
            answers = [self._equal(value, each, place) for each in self._elements(right, place)]
            return True if True in answers else None if None in answers else False
        if isinstance(right, list):  # flags: any of them
            return any(isinstance(value, int) and isinstance(each, int) and value & each for each in right)
        if isinstance(value, tuple):
            parts = right.get("concat") if isinstance(right, dict) else None
            if not isinstance(parts, list) or len(parts) != len(value):
                return None
            answers = [self._equal(*pair, place) for pair in zip(value, parts, strict=True)]
            return False if False in answers else None if None in answers else True
        try:
            return _same(value, right)
        except (ValueError, TypeError, KeyError):
            return None


def _xtables(match: Json, packet: Packet, words: str) -> bool | None:
    """Matches of iptables' own, as ufw writes them: what nft's words say of them, for its JSON has names only."""
    name = match.get("name") if isinstance(match, dict) else None
    if name == "rt":
        return False  # a routing header
    states = re.findall(r"\bct (\S+) (\S+)", words)
    if name == "conntrack" and len(states) == 1 and states[0][0] == "state":
        listed = states[0][1].split(",")
        return packet.state in listed if all(each in _STATES for each in listed) else None
    kinds = re.findall(r"\bfib daddr type ([a-z]+)\b", words)
    if name == "addrtype" and len(kinds) == 1 and words.count("fib ") == 1:
        return bool(kinds[0] == ("unicast" if packet.oif else "local"))  # received, and for this machine
    return None


def _counts_connections(statement: Json) -> bool:
    """Whether it goes on only for a member of a set that has reached a number of connections, or a rate."""
    added = statement.get("set")
    inner = added.get("stmt") if isinstance(added, dict) else None
    return isinstance(inner, list) and any(
        isinstance(each, dict) and each.keys() & {"ct count", "limit"} for each in inner
    )


def _plain_verdict(statement: Json) -> tuple[str, str] | None:
    for kind in ("accept", "drop", "reject", "return"):
        if kind in statement:
            return kind, ""
    for kind in ("jump", "goto"):
        if kind in statement:
            return kind, str(statement[kind].get("target"))
    return None


def _where(place: tuple[str, str, str]) -> str:
    return f"nft table {place[0]} {place[1]}, chain {place[2]}"


def _same(value: Json, right: Json) -> bool:
    if isinstance(right, dict) and "prefix" in right:
        prefix = right["prefix"]
        return ip_address(value) in ip_network(f"{prefix['addr']}/{prefix['len']}", strict=False)
    if isinstance(right, dict) and "range" in right:
        first, last = right["range"]
        if isinstance(value, str):
            return int(ip_address(first)) <= int(ip_address(value)) <= int(ip_address(last))
        return bool(first <= value <= last)
    if isinstance(value, str) and isinstance(right, str):
        if ":" in value or value.count(".") == 3:
            return ip_address(value) == ip_address(right)
        return value.startswith(right[:-1]) if right.endswith("*") else value == right
    if type(value) is not type(right):
        raise TypeError("cannot be compared")
    return bool(value == right)


def _value(left: Json, packet: Packet) -> Json:
    """What a match looks at, of ``packet``; None when that is not known. Raises :class:`Absent`."""
    try:
        return _field(left, packet)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        return None  # each version of nft has forms of its own


def _field(left: Json, packet: Packet) -> Json:
    if not isinstance(left, dict):
        return None
    if "meta" in left:
        return _meta(str(left["meta"].get("key")), packet)
    if "ct" in left:
        if packet.state == "untracked" and left["ct"].get("key") != "state":
            raise Absent  # there is no connection that could have it
        # Of a packet that begins a connection the kernel has noted nothing yet.
        known = {"state": _STATES.get(packet.state), "status": 0 if packet.state == "new" else None}
        return known.get(str(left["ct"].get("key")))
    if "payload" in left:
        return _payload(left["payload"], packet)
    if "concat" in left:
        parts = tuple(_value(part, packet) for part in left["concat"])
        return None if None in parts else parts
    if "&" in left:
        whole, *masks = _value(left["&"][0], packet), *map(_mask, left["&"][1:])
        numbers = all(isinstance(each, int) for each in (whole, *masks))
        return functools.reduce(operator.and_, masks, whole) if numbers else None
    return None


def _mask(text: Json) -> Json:
    """nft 1.0 lists the bits of a mask; 1.1 joins them by one ``|``, however many they are."""
    if isinstance(text, dict) and isinstance(text.get("|"), list):
        text = [_mask(each) for each in text["|"]]
    if isinstance(text, list) and text and all(isinstance(each, int) for each in text):
        return functools.reduce(operator.or_, text)
    return text


def _meta(key: str, packet: Packet) -> Json:
    nfproto, protocol = (2, 0x0800) if packet.version == 4 else (10, 0x86DD)
    iif, oif = packet.iif or None, packet.oif or None
    protocols = {"nfproto": nfproto, "protocol": protocol, "l4proto": packet.protocol}
    devices = {"iif": iif, "iifname": iif, "oif": oif, "oifname": oif}
    return devices.get(key) if key in devices else protocols.get(key)


def _payload(payload: Json, packet: Packet) -> Json:
    protocol, field = payload.get("protocol"), payload.get("field")
    if protocol in ("ip", "ip6"):
        if (protocol == "ip") != (packet.version == 4):
            raise Absent
        names = {"saddr": packet.src, "daddr": packet.dst, "protocol": packet.protocol}
        return names.get("protocol" if field == "nexthdr" else str(field))
    if protocol in ("icmp", "icmpv6"):
        if packet.protocol != (ICMP if protocol == "icmp" else ICMPV6):
            raise Absent
        return packet.icmp_type if field == "type" else None
    numbers = {"tcp": (TCP,), "udp": (UDP,), "th": (TCP, UDP, 132, 33)}.get(str(protocol))
    if numbers is None:
        return None
    if packet.protocol not in numbers:
        raise Absent
    known = {"dport": packet.dport, "sport": packet.sport}
    if protocol == "tcp" and packet.state == "new":
        known["flags"] = _SYN
    return known.get(str(field))
