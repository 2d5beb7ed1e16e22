"""The translator's eBPF program under BPF_PROG_TEST_RUN, in a network namespace of this thread's own."""

from __future__ import annotations

import struct

import pytest

from manageout.errors import FastPathUnavailable
from manageout.linux.bpf.xlat import XlatFastPath, XlatSetup
from manageout.protocol.core.drops import Drop, Verdict
from manageout.protocol.translate.mappings import Mappings
from manageout.protocol.translate.whole import Mtus, Translation
from tests.differential.kernel import CB, CONTEXT, ETHERNET, ETHERNET_V4, ETHERNET_V6, VERDICTS
from tests.tools import bpf

XLAT_VERDICTS = {answer: Verdict[verdict.name] for answer, verdict in VERDICTS.items()}


class XlatKernel:
    """The fast path, whose program is run with packets of ours."""

    def __init__(self, maps: Mappings, mtus: Mtus) -> None:
        try:
            self.path = XlatFastPath(XlatSetup(tun=1, tun_header=ETHERNET), maps, mtus)
        except FastPathUnavailable as error:
            pytest.skip(f"fast path: {error.message}")

    def translate(self, packet: bytes) -> Translation:
        # BPF_PROG_TEST_RUN wants a whole header of the family that the frame names; the program looks for itself.
        is_ipv6 = packet[0] >> 4 == 6 and len(packet) >= 40
        frame = (ETHERNET_V6 if is_ipv6 else ETHERNET_V4) + packet
        answer, out, after, _ = bpf.run(self.path.program("tun_out"), frame, bytes(CONTEXT))
        verdict = XLAT_VERDICTS[answer]
        reason = Drop(struct.unpack_from("=I", after, CB)[0]) if verdict is Verdict.DROP else None
        return Translation(verdict, reason, out[ETHERNET:] if verdict is Verdict.FORWARD else b"")
