"""Send hand-made packets from inside a node: ``python -m manageout.lab.inject DESTINATION < packets``.

Each input line is one inner packet in hex; it leaves as the payload of an IPv4 packet with protocol 41, whose
header the kernel makes. :func:`send` is the other end of the pipe.
"""

import socket
import sys
from collections.abc import Iterable
from ipaddress import IPv4Address

from manageout.lab import network

PROTOCOL_41 = socket.IPPROTO_IPV6


def send(node: str, destination: IPv4Address, packets: Iterable[bytes]) -> None:
    """Send each of ``packets`` (IPv6) in protocol 41 from ``node`` to ``destination``."""
    text = "".join(f"{packet.hex()}\n" for packet in packets)
    network.run(node, [sys.executable, "-m", __name__, str(destination)], text=text)


def main() -> None:
    """Inside the node: what arrives on standard input goes out."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, PROTOCOL_41) as raw:
        for line in sys.stdin:
            raw.sendto(bytes.fromhex(line), (sys.argv[1], 0))


if __name__ == "__main__":
    main()
