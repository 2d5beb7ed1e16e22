"""Asking an Ethernet who has an IPv4 address, and saying that we have one.

Questions come from an address of ours rather than from none (as probes of RFC 5227 2.1 do), because Linux answers
those for its own addresses only, and not for what it is a proxy for.
"""

import contextlib
import select
import socket
import struct
import time
from collections.abc import Collection

from manageout.errors import KernelError, NotPermitted

MAX_ASKED = 512
TIMES = 2
"""Each address is asked for so often: a packet may be lost."""
PAUSE = 0.002
"""Seconds between two questions, so that no switch takes them for a storm."""
_ETH_ARP, _ETH_IPV4, _ETHERNET = 0x0806, 0x0800, 1
_REQUEST = 1
_HEAD = struct.pack("!HHBB", _ETHERNET, _ETH_IPV4, 6, 4)
_BODY = struct.Struct("!H6s4s6s4s")
_BROADCAST = b"\xff" * 6
_OUTGOING = 4


def who_has(dev: str, own: bytes, addresses: Collection[bytes], wait: float) -> dict[bytes, bytes]:
    """Ask on ``dev`` as ``own``, this machine's address there.

    Address -> Ethernet address of whoever has it, for those that somebody has. ``wait``: seconds to listen after
    the last question. Blocks. Raises :class:`NotPermitted` without CAP_NET_RAW, :class:`KernelError` when the
    device cannot be used, and ValueError for more than :data:`MAX_ASKED` addresses.
    """
    if len(addresses) > MAX_ASKED:
        raise ValueError(f"{len(addresses)} addresses, at most {MAX_ASKED}")
    try:
        with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, 0) as arp:
            arp.bind((dev, _ETH_ARP))
            _, _, _, kind, hardware = arp.getsockname()
            if kind != _ETHERNET:
                raise KernelError(f"{dev} is no Ethernet: nothing there asks by ARP", "see `ip link`")
            return _ask(arp, dev, hardware + own, frozenset(addresses), wait)
    except PermissionError:
        raise NotPermitted("not permitted to ask by ARP", "run as root") from None
    except OSError as error:
        raise KernelError(f"cannot ask by ARP on {dev}: {error.strerror}", "see `ip link`") from None


def announce(dev: str, v4: bytes) -> None:
    """Say on ``dev`` that ``v4`` is to be found here (a gratuitous request, RFC 5227 2.3).

    What cannot be sent, or on no Ethernet, is not: hosts ask anyway.
    """
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, 0) as arp,
    ):
        arp.bind((dev, 0))
        _, _, _, kind, hardware = arp.getsockname()
        if kind == _ETHERNET:
            packet = _HEAD + _BODY.pack(_REQUEST, hardware, v4, bytes(6), v4)
            arp.sendto(packet, (dev, _ETH_ARP, 0, 0, _BROADCAST))


def _ask(
    arp: socket.socket, dev: str, sender: bytes, wanted: frozenset[bytes], wait: float
) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for _ in range(TIMES):
        for v4 in sorted(wanted - found.keys()):
            question = _HEAD + _BODY.pack(_REQUEST, sender[:6], sender[6:], bytes(6), v4)
            arp.sendto(question, (dev, _ETH_ARP, 0, 0, _BROADCAST))
            _listen(arp, wanted, found, PAUSE, sender[:6])
        _listen(arp, wanted, found, wait / TIMES, sender[:6])
    return found


def _listen(
    arp: socket.socket, wanted: frozenset[bytes], found: dict[bytes, bytes], seconds: float, own: bytes
) -> None:
    """Note whoever else says, in answer or question, that it has one of ``wanted``."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0 and select.select([arp], [], [], left)[0]:
        packet, (_, _, kind, *_) = arp.recvfrom(64)
        if kind == _OUTGOING or packet[:6] != _HEAD or len(packet) < 6 + _BODY.size:
            continue
        _, hardware, v4, _, _ = _BODY.unpack_from(packet, 6)
        if v4 in wanted and hardware != own:
            found[v4] = hardware
