"""Values of the IP-HTTPS machines."""

from __future__ import annotations

from manageout.protocol.iphttps.values import Peer


def test_a_client_is_called_by_its_certificate_or_address() -> None:
    assert Peer("192.0.2.1", 5, "laptop").name == "laptop"
    assert Peer("192.0.2.1", 5).name == "192.0.2.1"
