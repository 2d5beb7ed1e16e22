"""The eBPF fast path and its Python twin judge the same packets alike: verdict, reason, every byte."""

from __future__ import annotations

import os
import random
from collections import Counter

import pytest

from manageout.linux.bpf.isatap import MAX_PREFIXES
from manageout.protocol.core.drops import Drop, Verdict
from manageout.protocol.isatap.link import LinkRole, LinkState, Result
from manageout.wire import ipv6, numbers
from tests.differential.kernel import Kernel, in_namespace
from tests.tools.packets.isatap import LOCATORS, SIBLING, Generator, isatap, state
from tests.tools.this_kernel import since
from tests.vectors import names, vector

pytestmark = pytest.mark.system
PACKETS = int(os.environ.get("DIFFERENTIAL_PACKETS", "100000"))
SEED = int(os.environ.get("DIFFERENTIAL_SEED", str(random.SystemRandom().randrange(1 << 32))))
STRIPPING = since(6, 3, "stripping that leaves super-packets whole (BPF_F_ADJ_ROOM_DECAP_L3_IPV6)")


def arriving_alike(link: LinkState, kernel: Kernel, outer: bytes) -> Result:
    expected, got = link.decapsulate(outer), kernel.decapsulate(outer)
    assert got == expected, f"arriving {outer.hex()}"
    return got


def leaving_alike(link: LinkState, kernel: Kernel, inner: bytes) -> Result:
    got = kernel.encapsulate(inner)
    ident = int.from_bytes(got.packet[4:6], "big")
    expected = link.encapsulate(inner, ident)
    if expected.verdict is not Verdict.FORWARD:
        expected = expected._replace(peer=b"")
    assert got == expected, f"leaving {inner.hex()}"
    return got


@pytest.mark.parametrize("old_kernel", [pytest.param(False, marks=STRIPPING), True])
@pytest.mark.parametrize("role", LinkRole)
def test_random_packets(role: LinkRole, old_kernel: bool) -> None:
    seen: Counter[tuple[str, Verdict, Drop | None]] = Counter()

    def compare() -> None:
        generator, link = Generator(SEED + role), state(role)
        kernel = Kernel(link, old_kernel)
        for _ in range(PACKETS // 4):
            result = arriving_alike(link, kernel, generator.arriving())
            seen["arriving", result.verdict, result.reason] += 1
            result = leaving_alike(link, kernel, generator.leaving())
            seen["leaving", result.verdict, result.reason] += 1
        kernel.path.close()

    print(f"seed {SEED}: to repeat, DIFFERENTIAL_SEED={SEED}")
    in_namespace(compare)
    for outcome, count in sorted(seen.items(), key=str):
        print(role.name, *outcome, count)
    assert seen["arriving", Verdict.FORWARD, None] > PACKETS // 50
    assert seen["leaving", Verdict.FORWARD, None] > PACKETS // 50


@pytest.mark.parametrize("role", LinkRole)
def test_vectors(role: LinkRole) -> None:
    packets = [vector(name) for name in names() if binary(name)]
    assert len(packets) > 40

    def compare() -> None:
        link = state(role)
        kernel = Kernel(link)
        for packet in packets:
            arriving_alike(link, kernel, packet)
            if len(packet) >= 40:
                leaving_alike(link, kernel, packet)
        kernel.path.close()

    in_namespace(compare)


def test_more_prefixes_than_the_fast_path_holds() -> None:
    """Everything is left to the slow path; above all, nothing of ours looks like a loop."""
    prefixes = [bytes.fromhex(f"fd99999999990{n:03x}") for n in range(MAX_PREFIXES + 1)]
    link = LinkState(LinkRole.HOST, prefixes=prefixes, locators=LOCATORS[:1], routers=[SIBLING])
    packets = [
        ipv6.build(isatap(prefix, LOCATORS[0]), isatap(prefix, SIBLING), numbers.UDP, bytes(8))
        for prefix in prefixes
    ]

    def compare() -> None:
        kernel = Kernel(link)
        assert {kernel.encapsulate(packet).verdict for packet in packets} == {Verdict.SLOW}
        kernel.path.close()

    in_namespace(compare)
    assert all(link.encapsulate(packet, 1).verdict is Verdict.FORWARD for packet in packets)


def binary(name: str) -> bool:
    """Whether a vector is a string of octets that could be a packet."""
    try:
        return len(vector(name)) >= 20
    except ValueError:
        return False
