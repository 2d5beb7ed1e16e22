"""The translator's eBPF program and its Python twin judge the same packets alike: verdict, reason, every byte."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from manageout.protocol.core.drops import Drop, Verdict
from manageout.protocol.translate.mappings import Mappings
from manageout.protocol.translate.whole import Mtus, Translation, WholePackets
from manageout.wire import ipv4
from tests.differential.kernel import in_namespace
from tests.differential.test_isatap import PACKETS, SEED, binary
from tests.differential.xlat_kernel import XlatKernel
from tests.tools.machines.translation import CASES
from tests.tools.machines.translation import mappings as mappings_of_the_cases
from tests.tools.packets.translation import MTUS, Generator, mappings
from tests.vectors import names, vector

pytestmark = pytest.mark.system
TABLES: dict[str, Callable[[], Mappings]] = {
    "leases": mappings,
    "explicit mappings": lambda: mappings(explicit=True, stray=True),
    "a lease outside the pool": lambda: mappings(stray=True),
    "no pool": lambda: mappings(pool=False),
}


def alike(twin: WholePackets, kernel: XlatKernel, packet: bytes) -> Translation:
    """The identification is the kernel's choice, so the twin is given it."""
    got = kernel.translate(packet)
    ident = int.from_bytes(got.packet[4:6], "big") if got.packet and got.packet[0] >> 4 == 4 else 1
    assert ident
    assert got == twin.fast(packet, ident), packet.hex()
    return got


@pytest.mark.parametrize("table", TABLES)
def test_random_packets(table: str) -> None:
    seen: Counter[tuple[int, Verdict, Drop | None]] = Counter()
    sources: Counter[tuple[Drop, bytes]] = Counter()

    def compare() -> None:
        maps = TABLES[table]()
        generator, twin, kernel = Generator(SEED, maps), WholePackets(maps, MTUS), XlatKernel(maps, MTUS)
        for _ in range(PACKETS // len(TABLES)):
            packet = generator.packet()
            result = alike(twin, kernel, packet)
            seen[packet[0] >> 4, result.verdict, result.reason] += 1
            if result.reason is not None:
                sources[result.reason, claimed_source(packet)] += 1
        listed = list(kernel.path.drops())  # some have been pushed out by others
        assert listed
        assert all(0 < count <= sources[reason, source] for reason, source, count in listed)
        totals = kernel.path.totals()
        assert totals == {
            reason: sum(count for (_, _, why), count in seen.items() if why is reason) for reason in totals
        }
        assert sum(totals.values()) == sum(sources.values())
        kernel.path.close()

    print(f"seed {SEED}: to repeat, DIFFERENTIAL_SEED={SEED}")
    in_namespace(compare)
    for outcome, count in sorted(seen.items(), key=str):
        print(table, *outcome, count)
    for version in (4, 6):
        assert seen[version, Verdict.FORWARD, None] > PACKETS // 40
        assert seen[version, Verdict.SLOW, None] > PACKETS // 100


@pytest.mark.parametrize("table", TABLES)
def test_vectors(table: str) -> None:
    packets = [vector(name) for name in names() if binary(name)]
    assert len(packets) > 40

    def compare() -> None:
        maps = TABLES[table]()
        twin, kernel = WholePackets(maps, MTUS), XlatKernel(maps, MTUS)
        for packet in packets:
            alike(twin, kernel, packet)
        kernel.path.close()

    in_namespace(compare)


def test_cases() -> None:
    """The slow path's half of them is in the unit tests."""

    def compare() -> None:
        maps = mappings_of_the_cases()
        twin, kernel = WholePackets(maps, Mtus()), XlatKernel(maps, Mtus())
        for case in CASES:
            alike(twin, kernel, bytes.fromhex(case.packet))
        kernel.path.close()

    in_namespace(compare)


def claimed_source(packet: bytes) -> bytes:
    """As the list of drops shows it."""
    if packet[0] >> 4 == 6 and len(packet) >= 40:
        return packet[8:24]
    if packet[0] >> 4 == 4 and len(packet) >= ipv4.HEADER_LENGTH:
        return packet[12:16]
    return bytes(16)
