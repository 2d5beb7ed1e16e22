"""What the packet filter has refused, as rows: whom, and where the policy refuses, also to whom and for what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from manageout.linux.nft.sets import Counted
from manageout.protocol.core.drops import Drop
from manageout.service.policy.filter import REFUSALS, set_name
from manageout.service.policy.sessions import PROTOCOLS
from manageout.service.process.rows import DropRow

_WIDTHS = {4: 4, 6: 16}


def rows(
    counted: Callable[[str], list[Counted]], who: Callable[[bytes], str], now: float
) -> Iterator[DropRow]:
    """``counted(set)`` reads a set of the filter, ``who(address)`` names a machine or client.

    Sources are kept for longer than what they wanted, and further ones of a full set are only in the totals.
    """
    for reason in REFUSALS:
        for version, width in _WIDTHS.items():
            name = set_name(reason)
            sources = counted(f"{name}{version}")
            pairs = counted(f"{name}_to{version}") if reason is Drop.POLICY else []
            told: Counter[bytes] = Counter()
            for element in pairs:
                source, to, service = _split(element.key, width)
                told[source] += element.packets
                row = _row(reason, who(source), element, element.packets, now)
                row["to"], row["service"] = who(to), service
                yield row
            for element in sources:
                left = element.packets - told[element.key]
                if left > 0:
                    yield _row(reason, who(element.key), element, left, now)


def _row(reason: Drop, source: str, element: Counted, count: int, now: float) -> DropRow:
    last = None if element.age is None else now - element.age
    return {"reason": reason.label, "source": source, "count": count, "last": last}


def _split(key: bytes, width: int) -> tuple[bytes, bytes, str]:
    """Source, destination and service of an element; every part takes whole words of four bytes."""
    protocol = key[2 * width]
    port = int.from_bytes(key[2 * width + 4 : 2 * width + 6], "big")
    word = PROTOCOLS.get(protocol, str(protocol))
    return key[:width], key[width : 2 * width], f"{word}/{port}" if port else word
