"""Rows of refused packets from the sets of the packet filter."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from typing import Any

from manageout.linux.nft.sets import Counted
from manageout.service.policy.report import drop_rows
from manageout.service.process.rows import DropRow

MANAGER, LAPTOP = IPv6Address("fd12::5efe:a00:128").packed, IPv6Address("fd12::7").packed
TABLET = IPv6Address("fd12::8").packed
NAMES = {LAPTOP: "laptop.corp.example"}


def pair(to: bytes, protocol: int, port: int) -> bytes:
    return MANAGER + to + bytes([protocol, 0, 0, 0]) + port.to_bytes(2, "big") + b"\0\0"


def shown(sets: dict[str, list[Counted]]) -> list[DropRow]:
    return list(
        drop_rows(lambda name: sets.get(name, []), lambda key: NAMES.get(key, str(ip_address(key))), 100.0)
    )


def test_the_policy_names_client_and_service() -> None:
    found = shown(
        {
            "refused_policy6": [Counted(MANAGER, 9, 1.0)],
            "refused_policy_to6": [
                Counted(pair(LAPTOP, 6, 3389), 5, 1.0),
                Counted(pair(TABLET, 58, 0), 2, 2.0),
            ],
        }
    )
    row: Any = {"reason": "policy", "source": "fd12::5efe:a00:128"}
    assert found == [
        row | {"count": 5, "last": 99.0, "to": "laptop.corp.example", "service": "tcp/3389"},
        row | {"count": 2, "last": 98.0, "to": "fd12::8", "service": "icmp"},
        row | {"count": 2, "last": 99.0},
    ]


def test_what_is_told_of_clients_is_not_told_twice() -> None:
    sets = {"refused_policy6": [Counted(MANAGER, 5, 1.0)]}
    sets["refused_policy_to6"] = [Counted(pair(LAPTOP, 17, 53), 6, 1.0)]  # one more came while we read
    (row,) = shown(sets)
    assert (row["count"], row["service"]) == (6, "udp/53")


def test_other_reasons_are_told_by_source() -> None:
    found = shown({"refused_outside4": [Counted(bytes([10, 0, 0, 1]), 3, None)], "refused_hairpin6": []})
    assert found == [{"reason": "outside", "source": "10.0.0.1", "count": 3, "last": None}]


def test_ipv4() -> None:
    key = bytes([10, 0, 0, 1, 10, 0, 9, 9, 6, 0, 0, 0, 0, 22, 0, 0])
    (row,) = shown({"refused_policy_to4": [Counted(key, 1, 0.0)]})
    assert (row["source"], row["to"], row["service"]) == ("10.0.0.1", "10.0.9.9", "tcp/22")
