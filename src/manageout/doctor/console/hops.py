"""Output of ping, tracert and pathping -> which router had no way on, where a packet went round, and who was silent.

The forms are the same in every language: a hop's number, its times or stars, an address, and what it reports.
"""

import re
from ipaddress import IPv4Address, IPv6Address

from manageout.doctor.facts import Facts, Unreached
from manageout.doctor.pasted.segments import Part
from manageout.windows.text import any_address

MAX_HOPS = 64
MAX_KEPT = 100
_HOP = re.compile(r"^\s*(\d{1,2})\s+(\S.{0,300})$")
_ADDRESS = r"[0-9A-Fa-f:.]*[:.][0-9A-Fa-f:.]*[0-9A-Fa-f:](?:%\w+)?"
_REPORTED = re.compile(
    rf"(?:^|[\s\[])(?P<who>{_ADDRESS})\]?(?:\s+[^\d:：]{{2,30}})?\s?[:：]\s+(?P<what>[^\W\d].{{3,200}})$"
)
"""``ADDRESS reports: Destination net unreachable.``, ``Reply from ADDRESS: TTL expired in transit.``"""
_TIME = re.compile(r"[=<]?\s?\d{1,6}\s?(?:ms|мс|毫秒)|=\s?\d|[=<]\d")
_SILENT = re.compile(r"^(?:\*\s+){3}\S?|^\*[\s*]*(?:\^C)?$")
_LOOP = re.compile(
    r"\bTTL\b|Gültigkeitsdauer|durée de vie|tiempo de vida|durata|czas wygaśnięcia|срок жизни", re.I
)
_NET = re.compile(
    r"\bnet\b|network|netz|réseau|\bred\b|\brete\b|\brede\b|netwerk|sieci|sieć|sít|nät|nett|verkk|\bağ|hálózat|сет|"
    r"网络|網路|ネットワーク|네트워크|δίκτυ",
    re.I,
)
_UNREACHABLE = re.compile(
    r"(?:destination (?:net|host|network)|ziel(?:netz|host|netzwerk)|(?:red|host) de destino|"
    r"(?:rete|host) di destinazione|(?:rede|host) de destino|impossible de joindre|doel(?:netwerk|host)|"
    r"(?:sieć|host) docelow|목적지|宛先|无法访问目标|目的地).{0,60}$",
    re.I,
)
"""Without the name of the one who reports it."""


def trace(facts: Facts, part: Part) -> bool:
    """``tracert`` and ``pathping``: judged where there are hops."""
    target = _target(part)
    hops: list[tuple[IPv4Address | IPv6Address | None, str]] = []
    for line in part.lines:
        match = _HOP.match(line)
        if match is None or len(hops) >= MAX_HOPS:
            continue
        if (told := _REPORTED.search(match[2])) is not None:
            _keep(facts, target, told["who"], told["what"], line)
            return True
        hops.append((_hop(match[2]), line.strip()))
    if not hops:
        return any(_bare(facts, target, line) for line in part.lines)
    known = [one for one, _ in hops if one is not None]
    if target is not None and target in known:
        return True
    twice = next((n for n, one in enumerate(known) if one in known[: max(0, n - 1)]), None)
    if twice is not None:
        quote = "; ".join(line for one, line in hops if one in (known[twice - 1], known[twice]))
        _add(facts, Unreached(target, known[twice], "loop", quote))
    elif len(hops) > 2 and all(_SILENT.match(line.partition(" ")[2].strip()) for _, line in hops[-3:]):
        last = next(((one, line) for one, line in reversed(hops) if one is not None), None)
        first = next(line for one, line in hops[len(hops) - _trailing(hops) :] if one is None)
        quote = f"{last[1]}; then {first}" if last else first
        _add(facts, Unreached(target, last[0] if last else None, "silent", quote))
    return True


def _trailing(hops: list[tuple[IPv4Address | IPv6Address | None, str]]) -> int:
    """How many at the end are silent."""
    return next((n for n, (one, _) in enumerate(reversed(hops)) if one is not None), len(hops))


def _hop(text: str) -> IPv4Address | IPv6Address | None:
    return next(
        (one for word in reversed(text.split()) if (one := any_address(word.strip("[]"))) is not None), None
    )


def _target(part: Part) -> IPv4Address | IPv6Address | None:
    words = [*(part.lines[0].split() if part.lines else []), *part.command.split()[1:]]
    return next((one for word in words if (one := any_address(word.strip("[]()"))) is not None), None)


def pinged(facts: Facts, part: Part) -> bool:
    """``ping``: an answer of another than the target, that it can go no further."""
    target = _target(part)
    for line in part.lines:
        told = _REPORTED.search(line) if not _TIME.search(line) else None
        if told is not None and any_address(told["who"]) is not None:
            _keep(facts, target, told["who"], told["what"], line)
            return True
    return any(_bare(facts, target, line) for line in part.lines)


def _bare(facts: Facts, target: IPv4Address | IPv6Address | None, line: str) -> bool:
    found = _UNREACHABLE.match(line.strip()) is not None and ":" not in line
    if found:
        _add(facts, Unreached(target, None, "net" if _NET.search(line) else "host", line.strip()))
    return found


def _keep(facts: Facts, target: IPv4Address | IPv6Address | None, who: str, what: str, line: str) -> None:
    reason = "loop" if _LOOP.search(what) else "net" if _NET.search(what) else "host"
    _add(facts, Unreached(target, any_address(who), reason, line.strip()))


def _add(facts: Facts, one: Unreached) -> None:
    if len(facts.unreached) < MAX_KEPT and one not in facts.unreached:
        to = f"to {one.target}: " if one.target is not None else ""
        facts.unreached.append(one._replace(quote=f"{to}{one.quote}"))
