"""The eBPF programs under BPF_PROG_TEST_RUN, in a network namespace of this thread's own."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

from manageout.errors import FastPathUnavailable
from manageout.linux.bpf.isatap import IsatapFastPath, IsatapSetup
from manageout.protocol.core.drops import Drop, Verdict
from manageout.protocol.isatap.link import LinkState, Result
from tests.tools import bpf

T = TypeVar("T")
ETHERNET_V4 = bytes(12) + b"\x08\x00"
ETHERNET_V6 = bytes(12) + b"\x86\xdd"
ETHERNET = 14
CONTEXT = 192  # struct __sk_buff
CB = 48
GSO_SIZE = 176
VERDICTS = {-1: Verdict.SLOW, 2: Verdict.DROP, 7: Verdict.FORWARD}
CLONE_NEWNET = 0x40000000


def in_namespace(work: Callable[[], T]) -> T:
    """Run ``work`` in a thread that has a network namespace to itself: veth mo-u0 with two addresses."""

    def enter() -> T:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(CLONE_NEWNET):
            pytest.skip(f"no network namespace: {os.strerror(ctypes.get_errno())}")
        for line in (
            "link add mo-u0 type veth peer name mo-u1",
            "link set mo-u0 up",
            "link set mo-u1 up",
            "link set lo up",
            "addr add 10.0.0.1/24 dev mo-u0",
            "addr add 10.0.0.2/24 dev mo-u0",
            "route add default via 10.0.0.254",
        ):
            subprocess.run(["ip", *line.split()], check=True)
        return work()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(enter).result()


class Kernel:
    """Both directions of the fast path."""

    def __init__(self, link: LinkState, old_kernel: bool | None = None) -> None:
        underlay = socket.if_nametoindex("mo-u0")
        try:
            setup = IsatapSetup(
                tun=1, underlays=(underlay,), direct=False, tun_header=ETHERNET, old_kernel=old_kernel
            )
            self.path = IsatapFastPath(setup, link)
        except FastPathUnavailable as error:
            pytest.skip(f"fast path: {error.message}")

    def decapsulate(self, outer: bytes) -> Result:
        verdict, reason, frame = self._run("underlay_in", ETHERNET_V4 + outer)
        peer = outer[12:16] if verdict is not Verdict.SLOW else b""
        return Result(verdict, reason, frame[ETHERNET:] if verdict is Verdict.FORWARD else b"", peer)

    def encapsulate(self, inner: bytes) -> Result:
        verdict, reason, frame = self._run("tun_out", ETHERNET_V6 + inner)
        packet = frame[ETHERNET:] if verdict is Verdict.FORWARD else b""
        return Result(verdict, reason, packet, packet[16:20])

    def _run(self, program: str, frame: bytes) -> tuple[Verdict, Drop | None, bytes]:
        context = bytes(CONTEXT)
        answer, out, after, _ = bpf.run(self.path.program(program), frame, context)
        verdict = VERDICTS[answer]
        reason = Drop(struct.unpack_from("=I", after, CB)[0]) if verdict is Verdict.DROP else None
        return verdict, reason, out
