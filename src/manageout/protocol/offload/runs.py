"""Runs: packets of one TCP flow and one length that came in together, dealt with as one.

In bulk transfer nearly everything is a run. The rules look at one packet of it, because in all that they look
at the others are equal; and on the way to the TUN device a run becomes one super-packet, as the kernel's GRO
would make it, after its checksums were found right.
"""

from collections.abc import Iterator

from manageout.protocol.offload.cut import alike, size_of
from manageout.protocol.offload.join import SIZE, join, run
from manageout.wire.checksum import sum16
from manageout.wire.numbers import TCP

FEWEST = 3
"""Packets that make a run."""
OUTER = 20
ARRIVING_SIZE = OUTER + SIZE
_INNER = 40
_NEXT_HEADER = 6


def alike_arriving(block: memoryview) -> bool:
    """Whether the IPv4 packets back to back in ``block``, each of ARRIVING_SIZE bytes, are one TCP flow's.

    Both headers of all are equal but for identification and checksum of the outer one, and the inner packet
    goes on as it is: no padding to cut off, no congestion mark to carry over.
    """
    if block[OUTER + _NEXT_HEADER] != TCP or block[0] != 0x45 or size_of(block, OUTER) != SIZE:
        return False
    if block[1] & 3 != block[OUTER + 1] >> 4 & 3:
        return False
    count = len(block) // ARRIVING_SIZE
    halves, words = block.cast("H"), block.cast("I")
    return all(
        bytes(view[at :: ARRIVING_SIZE // width]) == bytes(block[at * width : (at + 1) * width]) * count
        for view, width, places in ((words, 4, (0, *range(3, 15))), (halves, 2, (3, 4)))
        for at in places
    )


def alike_leaving(block: memoryview) -> bool:
    """Whether the IPv6 packets back to back in ``block``, each of SIZE bytes, are one TCP flow's."""
    return block[_NEXT_HEADER] == TCP and alike(block, SIZE)


def joined(block: memoryview) -> Iterator[tuple[bool, bytes]]:
    """What to write to the TUN for the arriving packets of an alike block, outer headers taken off, in order.

    (True, a super-packet with its ``virtio_net_hdr``) or (False, one packet without).
    """
    whole = b"".join([block[at + OUTER : at + ARRIVING_SIZE] for at in range(0, len(block), ARRIVING_SIZE)])
    start, end = 0, len(whole)
    while start < end:
        count, header = run(whole, start, end)
        after = start + count * SIZE
        if count >= FEWEST and intact(whole[start:after], count):
            yield True, join(whole, start, header, after, after)
        else:
            for at in range(start, after, SIZE):
                yield False, whole[at : at + SIZE]
        start = after


def intact(packets: bytes, count: int) -> bool:
    """Whether the TCP checksums of ``count`` packets with equal IPv6 headers are right, seen all at once.

    Each packet's words but those of its first 8 bytes, with length and protocol, sum up to 0xffff. An error
    in one packet shows in the total as well as in its own sum; two would have to cancel each other out.
    """
    first = int.from_bytes(packets[:8], "big")
    pseudo = SIZE - _INNER + TCP
    return (sum16(packets) + count * (pseudo - first)) % 0xFFFF == 0
