"""A revocation ends more sessions than are judged in one turn of the loop."""

from contextlib import ExitStack

from manageout.lab.process import wait_until
from manageout.service.iphttps.server import RECHECKED
from manageout.wire.iphttps import build_request
from tests.tools.places.iphttps import GATEWAY_NAME, Pair

LIMITS = "max_per_source = 1000\nmax_handshakes = 1000\nmax_per_certificate = 1000"
MANY = RECHECKED + 10


def test_all_sessions_of_a_revoked_certificate_end_and_no_others() -> None:
    with Pair() as pair, ExitStack() as opened:
        pair.start_gateway(iphttps=LIMITS)
        for name in ("kept.corp.example", *["lost.corp.example"] * MANY, "also-kept.corp.example"):
            connection = opened.enter_context(pair.tls(name))
            connection.sendall(build_request("/IPHTTPS", GATEWAY_NAME))
            assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        assert len(pair.ask("clients")) == MANY + 2
        pair.ca.revoke("lost.corp.example")  # the file is read again within seconds
        wait_until("all are gone", lambda: len(pair.ask("clients")) == 2)
        assert {row["name"] for row in pair.ask("clients")} == {"kept.corp.example", "also-kept.corp.example"}
        assert pair.drops()["certificate-revoked"] == MANY
