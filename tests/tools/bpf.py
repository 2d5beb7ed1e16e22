"""What only tests ask of the fast paths: a program's verdict on a packet of ours, and the translator's counters."""

from __future__ import annotations

import ctypes as c
import os
from collections.abc import Iterator
from typing import NamedTuple

from manageout.linux.bpf.libbpf import Program
from manageout.linux.bpf.xlat import _LEASE4, _LEASE6, XlatFastPath

_pointer, _text, _int, _u32 = c.c_void_p, c.c_char_p, c.c_int, c.c_uint32


class _TestRunOpts(c.Structure):
    _fields_ = (
        ("size", c.c_size_t),
        ("data_in", _text),
        ("data_out", _pointer),
        ("data_size_in", _u32),
        ("data_size_out", _u32),
        ("ctx_in", _pointer),
        ("ctx_out", _pointer),
        ("ctx_size_in", _u32),
        ("ctx_size_out", _u32),
        ("retval", _u32),
        ("repeat", _int),
        ("duration", _u32),
        ("flags", _u32),
        ("cpu", _u32),
        ("batch_size", _u32),
    )


_test_run = c.CDLL("libbpf.so.1").bpf_prog_test_run_opts
_test_run.argtypes = [_int, _pointer]


def run(
    program: Program, data: bytes, context: bytes = b"", repeat: int = 1
) -> tuple[int, bytes, bytes, int]:
    """BPF_PROG_TEST_RUN: (return value, packet, context, ns a run)."""
    out = c.create_string_buffer(len(data) + 256)
    seen = c.create_string_buffer(context, len(context)) if context else None
    options = _TestRunOpts(c.sizeof(_TestRunOpts), data, c.addressof(out), len(data), len(out), repeat=repeat)
    if seen is not None:
        options.ctx_in = options.ctx_out = c.addressof(seen)
        options.ctx_size_in = options.ctx_size_out = len(context)
    if code := -_test_run(program.fd, c.byref(options)):
        raise OSError(code, f"test run of {program.name}: {os.strerror(code)}")
    after = seen.raw if seen is not None else b""
    return c.c_int32(options.retval).value, out.raw[: options.data_size_out], after, int(options.duration)


class LeaseTraffic(NamedTuple):
    """What a client has sent and got. Bytes are those of IPv6; a super-packet counts as the packets it becomes."""

    v6: bytes
    v4: bytes
    rx_packets: int
    """From the client, and so the bytes."""
    rx_bytes: int
    tx_packets: int
    tx_bytes: int
    last: float
    """When it was heard from, by the monotonic clock."""


def lease_counters(path: XlatFastPath) -> Iterator[LeaseTraffic]:
    """Of every lease."""
    back = {v4: _LEASE4.unpack(value) for v4, value in path._by_v4.items()}
    for v6, value in path._by_v6.items():
        packets, size, seen, v4, _ = _LEASE6.unpack(value)
        tx_packets, tx_bytes, *_ = back.get(v4, (0, 0))
        yield LeaseTraffic(v6, v4, packets, size, tx_packets, tx_bytes, seen / 1e9)


def ways(path: object) -> set[str]:
    """By what a fast path's programs are attached: ``tcx``, ``clsact``."""
    return {attachment.way for attachment in path._attachments}  # type: ignore[attr-defined]
