"""A gateway whose clients come from an authority below another: revoked, expired, without lists, while it runs."""

from __future__ import annotations

import resource
import ssl
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from manageout.lab.process import wait_until
from manageout.wire.iphttps import build_request
from tests.tools.chains import Ca
from tests.tools.places.iphttps import GATEWAY_NAME, Pair

REQUEST = build_request("/IPHTTPS", GATEWAY_NAME)


class Place(Pair):
    """The pair with its clients' root and the authority below it, which is not on the gateway."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Ca("Root")
        self.issuing = Ca("Issuing", self.root)
        (self.ca.directory / "root.pem").write_bytes(self.root.pem)
        self.lists(self.root.crl(), self.issuing.crl())

    def lists(self, *crls: bytes) -> None:
        """Replace what the gateway reads, in one step."""
        file = self.ca.directory / "chain.crl"
        file.with_suffix(".new").write_bytes(b"".join(crls))
        file.with_suffix(".new").rename(file)

    def known(self, name: str, chain: tuple[Ca, ...] | None = None) -> ssl.SSLSocket:
        """A client with a certificate of the authority below, for ``name``, connected if it may be."""
        ca = self.issuing if chain is None else chain[0]
        if not (self.ca.directory / f"{name}.pem").exists():
            ca.write_leaf(self.ca.directory, name, [name], chain or (self.issuing,))
        tls = self.tls(name)
        tls.sendall(REQUEST)
        return tls

    def finding(self, code: str) -> dict[str, Any] | None:
        """What ``status`` says under ``code``."""
        rows = self.ask("status")["findings"]
        return next((row for row in rows if row["code"] == code), None)

    def refused(self, reason: str, name: str) -> list[dict[str, Any]]:
        """The rows of ``drops`` for one reason and certificate."""
        rows = self.ask("drops")
        return [
            r
            for r in rows
            if r["reason"] == reason and r.get("certificate", "").startswith(f"{name}, serial ")
        ]


@pytest.fixture
def place() -> Iterator[Place]:
    with Place() as place:
        pki = place.ca.directory
        mode = (
            f'authentication = "certificates"\nclient_ca = "{pki}/root.pem"\nclient_crl = "{pki}/chain.crl"'
        )
        place.start_gateway(gateway=mode)
        yield place


def connected(tls: ssl.SSLSocket) -> bool:
    return tls.recv(4096).startswith(b"HTTP/1.1 200")


def ended(tls: ssl.SSLSocket) -> bool:
    """The gateway ends it, in a handshake or later."""
    try:
        while tls.recv(4096):
            pass
    except (ssl.SSLError, ConnectionResetError):
        pass
    return True


def test_a_revoked_authority_cuts_off_who_is_connected_and_refuses_newcomers(place: Place) -> None:
    client = place.known("one.corp.example")
    assert connected(client)
    place.lists(place.root.crl([place.issuing.certificate.serial_number]), place.issuing.crl())
    assert ended(client)
    assert ended(place.known("two.corp.example"))
    for name in ("one.corp.example", "two.corp.example"):
        wait_until("it is counted by its name", partial(place.refused, "certificate-revoked", name))
    assert "two.corp.example, serial " in place.gateway.text()
    assert "its authority CN=Issuing: revoked" in place.gateway.text()


def test_a_list_that_is_missing_is_a_finding_and_one_that_has_ended_keeps_who_is_there(place: Place) -> None:
    place.lists(place.issuing.crl())
    found = wait_until("the missing list is found", lambda: place.finding("REVOCATION-LIST-MISSING"))
    assert found["severity"] == "warning" and "CN=Root" in found["what"]
    client = place.known("one.corp.example")
    assert connected(client)
    place.lists(place.root.crl(), place.issuing.crl(days=20.5))
    soon = wait_until("its end is near", lambda: place.finding("REVOCATION-LIST-EXPIRES"))
    assert "expires in 20 days" in soon["what"] and not place.finding("REVOCATION-LIST-MISSING")
    place.lists(place.root.crl(), place.issuing.crl(days=-1))
    assert wait_until("it has ended", lambda: place.finding("REVOCATION-LIST-ENDED"))["severity"] == "error"
    assert ended(place.known("two.corp.example"))
    assert wait_until("refused", lambda: place.refused("certificate-unchecked", "two.corp.example"))
    assert [row["name"] for row in place.ask("clients")] == ["one.corp.example"]
    assert "REVOCATION-LIST-ENDED" in place.gateway.text()
    place.lists(b"rubbish")
    assert wait_until("it says so", lambda: place.finding("CERTIFICATES-UNREADABLE"))["severity"] == "error"
    place.lists(place.root.crl(), place.issuing.crl())
    wait_until("all is well", lambda: not place.ask("status")["findings"])
    assert connected(place.known("two.corp.example"))
    client.close()


def test_a_revocation_that_could_not_be_read_at_once_is_read_later(place: Place) -> None:
    """Strangers may use up descriptors; the files do not change again when they have gone."""
    client = place.known("one.corp.example")
    assert connected(client)
    pid = place.gateway.pid
    most = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, most[1]))
    place.lists(place.root.crl([place.issuing.certificate.serial_number]), place.issuing.crl())
    wait_until("it could not", lambda: "the old ones stay in use" in place.gateway.text())
    resource.prlimit(pid, resource.RLIMIT_NOFILE, most)
    assert ended(client)
    assert place.gateway.text().count("the old ones stay in use") == 1  # one line for one cause


def test_whom_tls_itself_refuses_is_counted_by_name_and_serial(place: Place) -> None:
    stranger = Ca("Stranger")
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        ended_early = place.known("ceo.corp.example", (stranger,))
        ended_early.recv(100)
    assert wait_until("counted", lambda: place.refused("certificate-invalid", "ceo.corp.example"))
    row = place.refused("certificate-invalid", "ceo.corp.example")[0]
    assert row["source"].startswith("198.51.100.") and row["count"] == 1
    assert "self-signed authority in its chain (ceo.corp.example, serial " in place.gateway.text()


def test_a_forged_name_comes_to_nobody_s_terminal(place: Place) -> None:
    forged = "x from 1.2.3.4\n2026-11-30 10:00:00,000 INFO client dc.corp\x1b[31m"
    place.issuing.write_leaf(place.ca.directory, "forged", [forged], (place.issuing,))
    assert ended(place.known("forged"))
    wait_until("it is refused", lambda: place.drops().get("certificate-invalid"))
    text = place.gateway.text()
    assert "is no DNS name of a machine" in text
    assert "\x1b" not in text and "\n2026-11-30 10:00:00,000 INFO client dc.corp" not in text
