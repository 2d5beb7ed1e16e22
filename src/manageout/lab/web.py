"""A web server over TLS, for the intranet's network-location page: ``python -m manageout.lab.web``.

Arguments: address, port, directory, certificate and key (PEM files).
"""

import functools
import ssl
import sys
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, place: tuple[str, int], directory: str, tls: ssl.SSLContext) -> None:
        super().__init__(place, functools.partial(SimpleHTTPRequestHandler, directory=directory))
        # Handshakes happen in the threads of the connections: one that stalls holds up nobody.
        self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)


def main() -> None:
    """Serve until ended."""
    address, port, directory, certificate, key = sys.argv[1:]
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    with _Server((address, int(port)), directory, tls) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
