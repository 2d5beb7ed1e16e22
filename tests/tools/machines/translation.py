"""Packets with what must become of them, each through every speed: worked out from the RFCs, checksums by scapy.

All of one small site: prefix fd00:64::/96, the translator is 10.0.0.1 and fd00::1, and fd00:1::5 holds 10.0.0.130.
"""

from __future__ import annotations

import json
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import NamedTuple

from manageout.protocol.core.drops import Drop
from manageout.protocol.translate.mappings import Mappings
from manageout.protocol.translate.rules import Translator

CLIENT, LEASE = IPv6Address("fd00:1::5").packed, IPv4Address("10.0.0.130").packed


class Case(NamedTuple):
    """A packet (hex), the reason for which it is dropped (None: it is not), and the error or packet that goes out."""

    what: str
    packet: str
    reason: Drop | None = None
    out: str = ""


def mappings() -> Mappings:
    """The site."""
    maps = Mappings(
        IPv6Network("fd00:64::/96"),
        own4=IPv4Address("10.0.0.1").packed,
        own6=IPv6Address("fd00::1").packed,
        pool=IPv4Network("10.0.0.128/26"),
    )
    maps.set_lease(CLIENT, LEASE)
    return maps


def translator() -> Translator:
    """Over it."""
    return Translator(mappings(), random=lambda: 0.0)


CASES = [
    Case(
        each["what"], each["packet"], Drop[each["reason"]] if "reason" in each else None, each.get("out", "")
    )
    for each in json.loads((Path(__file__).parents[2] / "vectors" / "translation.json").read_text("utf-8"))
]
