"""A client that sends what it is told: ``python -m tests.tools.programs.rogue_client HOST PKI NAME < packets in hex``.

Ends well when the gateway has read everything and still keeps the session. Prints the packets that it was sent.
"""

from __future__ import annotations

import socket
import ssl
import sys
from pathlib import Path

from manageout.protocol.offload.join import StockStream
from manageout.wire import iphttps


def main(host: str, pki: Path, name: str) -> None:
    context = ssl.create_default_context(cafile=pki / "ca.pem")
    context.load_cert_chain(pki / f"{name}.pem", pki / f"{name}.key")
    with (
        socket.create_connection((host, 443), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=host) as stream,
    ):
        stream.sendall(iphttps.build_request("/IPHTTPS", host))
        answer = stream.recv(4096)
        assert answer.startswith(b"HTTP/1.1 200 "), answer
        for line in sys.stdin:
            stream.sendall(bytes.fromhex(line))
        stream.settimeout(0.5)
        framer = StockStream(1500, vnet_hdr=False)
        rest = answer.partition(b"\r\n\r\n")[2]
        try:
            while True:
                for packet in framer.feed(rest):
                    print(packet.hex())
                if not (rest := stream.recv(65536)):
                    break
        except TimeoutError:
            return
        raise SystemExit("the gateway ended the session")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
