"""Puts lengths and checksums of an altered packet right, in place, as far as its shape still allows."""

from __future__ import annotations

from collections.abc import Callable

from manageout.wire.checksum import checksum, pseudo

SOURCE = bytes.fromhex("20010db8cafe00000000000000000001")
TARGET = bytes.fromhex("0064ff9b0000000000000000c0000250")


def put(data: bytearray, offset: int, value: int) -> None:
    """A 16-bit value."""
    data[offset : offset + 2] = (value & 0xFFFF).to_bytes(2, "big")


def repair_ipv4(data: bytearray) -> None:
    """Version, total length and header checksum."""
    if len(data) < 20:
        return
    data[0] = 0x40 | max(5, data[0] & 15)
    put(data, 2, len(data))
    put(data, 10, 0)
    put(data, 10, checksum(data[: (data[0] & 15) * 4]))


def repair_ipv6(data: bytearray) -> None:
    """Version and payload length."""
    if len(data) >= 40:
        data[0] = 0x60 | data[0] & 15
        put(data, 4, len(data) - 40)


def repair_nd(data: bytearray) -> None:
    """An IPv6 packet with ICMPv6 at once behind the header: hop limit and checksum too."""
    repair_ipv6(data)
    if len(data) < 44:
        return
    data[6], data[7] = 58, 255
    data[41] = 0
    put(data, 42, 0)
    put(data, 42, checksum(data[40:], pseudo(bytes(data[8:24]), bytes(data[24:40]), len(data) - 40, 58)))


def repair_tunnelled(data: bytearray) -> None:
    """Protocol 41 in IPv4, with an inner ICMPv6 message put right when it was one."""
    if len(data) < 60:
        return
    inner = data[20:]
    (repair_nd if inner[6] == 58 else repair_ipv6)(inner)
    data[20:] = inner
    data[0], data[9] = 0x45, 41
    repair_ipv4(data)


def repair_segment(offset: int, protocol: int, length_at: int | None = None) -> Callable[[bytearray], None]:
    """A repair of a transport segment between ``SOURCE`` and ``TARGET``: its checksum lies at ``offset``."""

    def repair(data: bytearray) -> None:
        if len(data) < offset + 2:
            return
        if length_at is not None:
            put(data, length_at, len(data))
        put(data, offset, 0)
        put(data, offset, checksum(data, pseudo(SOURCE, TARGET, len(data), protocol)) or 0xFFFF)

    return repair


def repair_icmpv4(data: bytearray) -> None:
    """The checksum alone."""
    if len(data) >= 4:
        put(data, 2, 0)
        put(data, 2, checksum(data))
