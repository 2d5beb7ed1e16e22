"""tshark reads what we write: nothing malformed, no expert's warning, every checksum right, the same values."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from collections.abc import Iterator
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any

import pytest

from manageout.wire import icmpv6, ipv4, ipv6, nd, numbers, tcp
from tests.tools.packets import udp

pytestmark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")

RAW_IP = 101  # link type: the version nibble says which
SOURCE, TARGET = bytes((10, 0, 0, 1)), bytes((10, 0, 1, 30))


def v6(text: str) -> bytes:
    return IPv6Address(text).packed


ROUTER, HOST = v6("fe80::5efe:10.0.0.1"), v6("fe80::5efe:10.0.1.30")
CLIENT, MANAGER = v6("fd12:3456:789a:1000::7"), v6("fd12:3456:789a:1:0:5efe:10.0.1.30")
RA = nd.RouterAdvertisement(
    hop_limit=64,
    other=True,
    preference=nd.Preference.HIGH,
    router_lifetime=1800,
    reachable_ms=30000,
    retrans_ms=1000,
    options=(
        nd.Mtu(1280),
        nd.PrefixInformation(v6("fd12:3456:789a:1::"), 64, True, True, 86400, 14400),
        nd.RouteInformation(v6("fd12:3456:789a:1000::"), 59, nd.Preference.HIGH, 1800),
        nd.RouteInformation(v6("64:ff9b::"), 96, nd.Preference.LOW, 600),
        nd.RouteInformation(bytes(16), 0, nd.Preference.MEDIUM, 0),
        nd.Rdnss(1800, (v6("fd12:3456:789a:3333::1"), v6("fe80::1"))),
        nd.Dnssl(1800, ("corp.example", "branch.corp.example")),
        nd.Pref64(v6("64:ff9b::"), 96, 1800),
        nd.LinkLayer(1, bytes.fromhex("020000000001")),
    ),
)
ECHO = ipv6.build(MANAGER, CLIENT, 58, icmpv6.build(MANAGER, CLIENT, 128, 0, b"\0\1\0\1ping"))
SYN = tcp.build(MANAGER, CLIENT, tcp.Tcp(1000, 22, 1, 0, tcp.SYN, 65535, 0, bytes.fromhex("020404c4")))


def answered(packet: bytes | None) -> bytes:
    assert packet is not None
    return packet


INNER = {
    "solicitation": nd.build(HOST, ROUTER, nd.RouterSolicitation()),
    "solicitation to all": nd.build(HOST, nd.ALL_ROUTERS, nd.RouterSolicitation()),
    "advertisement": nd.build(ROUTER, HOST, RA),
    "farewell": nd.build(ROUTER, HOST, nd.RouterAdvertisement()),
    "neighbour solicitation": nd.build(HOST, ROUTER, nd.NeighbourSolicitation(ROUTER)),
    "duplicate detection": nd.build(bytes(16), nd.solicited_node(CLIENT), nd.NeighbourSolicitation(CLIENT)),
    "neighbour advertisement": nd.build(
        ROUTER, HOST, nd.NeighbourAdvertisement(ROUTER, router=True, solicited=True, override=True)
    ),
    "multicast neighbour advertisement": nd.build(CLIENT, nd.ALL_NODES, nd.NeighbourAdvertisement(CLIENT)),
    "echo": ECHO,
    "datagram": ipv6.build(MANAGER, CLIENT, 17, udp.build(MANAGER, CLIENT, 1000, 9, b"data")),
    "segment": ipv6.build(MANAGER, CLIENT, 6, SYN),
    "too big": answered(icmpv6.packet_too_big(ROUTER, MANAGER, 1280, ECHO)),
    "unreachable": answered(icmpv6.unreachable(ROUTER, MANAGER, icmpv6.ADDRESS_UNREACHABLE, ECHO)),
    "time exceeded": answered(icmpv6.time_exceeded(ROUTER, MANAGER, ECHO)),
    "parameter problem": answered(icmpv6.parameter_problem(ROUTER, MANAGER, 0, 6, ECHO)),
}
PACKETS = INNER | {
    f"{name} in IPv4": ipv4.build(SOURCE, TARGET, numbers.PROTOCOL_41, packet, ident=number)
    for number, (name, packet) in enumerate(INNER.items(), 1)
}


@pytest.fixture(scope="module")
def decoded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Packet -> tshark's layers of it."""
    capture = tmp_path_factory.mktemp("capture") / "wire.pcap"
    write_capture(capture, list(PACKETS.values()))
    checks = ("ip.check_checksum", "udp.check_checksum", "tcp.check_checksum")
    command = ["tshark", "-r", str(capture), "-T", "json", "--no-duplicate-keys"]
    command += ["-o", "tcp.analyze_sequence_numbers:FALSE"]  # the same segment comes twice
    command += [argument for check in checks for argument in ("-o", f"{check}:TRUE")]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    frames = json.loads(output)
    assert len(frames) == len(PACKETS)
    return {name: frame["_source"]["layers"] for name, frame in zip(PACKETS, frames, strict=True)}


def write_capture(path: Path, packets: list[bytes]) -> None:
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, RAW_IP))
        for number, packet in enumerate(packets):
            file.write(struct.pack("<IIII", number, 0, len(packet), len(packet)) + packet)


def fields(layers: Any) -> Iterator[tuple[str, Any]]:
    """Every field at every depth."""
    if isinstance(layers, list):
        for item in layers:
            yield from fields(item)
    elif isinstance(layers, dict):
        for key, item in layers.items():
            yield key, item
            yield from fields(item)


def values(layers: dict[str, Any], name: str) -> list[str]:
    found = [item for key, item in fields(layers) if key == name]
    return [text for item in found for text in (item if isinstance(item, list) else [item])]


def severities(layers: dict[str, Any]) -> list[int]:
    return [int(text) for text in values(layers, "_ws.expert.severity")]


WARNING = 0x00600000
"""Notes are news, not faults: 4.4 has one for a SYN without SACK, 4.6 one for every ICMPv6 error."""
GOOD, UNVERIFIED = "1", "2"


@pytest.mark.parametrize("name", PACKETS)
def test_nothing_is_wrong(name: str, decoded: dict[str, dict[str, Any]]) -> None:
    layers = decoded[name]
    assert not [key for key, _ in fields(layers) if "malformed" in key]
    assert all(severity < WARNING for severity in severities(layers)), list(fields(layers))
    statuses = {
        status
        for key, _ in fields(layers)
        if key.endswith("checksum.status")
        for status in values(layers, key)
    }
    quotes = INNER[name.removesuffix(" in IPv4")][40] < 128 and layers["ipv6"]["ipv6.nxt"] == "58"
    assert statuses == ({GOOD, UNVERIFIED} if quotes else {GOOD}), "tshark leaves quotations unverified"
    if name.endswith("in IPv4"):
        assert layers["ip"]["ip.proto"] == "41" and "ipv6" in layers


def test_the_values_of_the_advertisement(decoded: dict[str, dict[str, Any]]) -> None:
    layers = decoded["advertisement in IPv4"]
    wanted = {
        "icmpv6.nd.ra.cur_hop_limit": ["64"],
        "icmpv6.nd.ra.router_lifetime": ["1800"],
        "icmpv6.nd.ra.reachable_time": ["30000"],
        "icmpv6.nd.ra.retrans_timer": ["1000"],
        "icmpv6.nd.ra.flag.rsv": ["0"],
        "icmpv6.opt.mtu": ["1280"],
        "icmpv6.opt.prefix.valid_lifetime": ["86400"],
        "icmpv6.opt.prefix.preferred_lifetime": ["14400"],
        "icmpv6.opt.rdnss": ["fd12:3456:789a:3333::1", "fe80::1"],
        "icmpv6.opt.dnssl": ["corp.example", "branch.corp.example"],
        "icmpv6.opt.linkaddr": ["02:00:00:00:00:01"],
    }
    assert {name: values(layers, name) for name in wanted} == wanted
    routes = values(layers, "icmpv6.opt.route_lifetime")
    assert routes == ["1800", "600", "0"]
