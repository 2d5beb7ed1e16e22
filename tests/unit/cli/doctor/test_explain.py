"""What a code means."""

from __future__ import annotations

import json

import pytest

from manageout.cli.doctor.doctor import doctor
from manageout.errors import ManageoutError
from tests.tools import commands


def run(*arguments: str) -> str:
    return commands.run(doctor, "--explain", *arguments).output


def test_in_words() -> None:
    text = run("isatap-no-name")
    assert text.startswith("error ISATAP-NO-NAME: the ISATAP router's name cannot be resolved\n  cause   ")
    assert "  remedy  Restart-Service iphlpsvc" in text
    assert "  said    Only an fe80 address: the name does not resolve" in text
    assert "  hence   ISATAP-DISCONNECTED, ISATAP-LINK-LOCAL-ONLY, ISATAP-NO-ROUTE" in text
    assert "  unless  " in text and "IPHLPSVC-STOPPED" in text
    assert all(len(line) <= 100 for line in text.splitlines() if "remedy" not in line)


def test_for_programs() -> None:
    found = json.loads(run("CLOCK", "--json"))
    assert found["hides"] == [
        "IPHTTPS-CERTIFICATE",
        "IPHTTPS-EXPIRED",
        "IPSEC-NONE",
        "LOCATION-FAILED",
        "LOCATION-PROBE",
    ]


def test_no_such_code() -> None:
    with pytest.raises(ManageoutError, match="no finding is called 'ISATAP-NONAME'") as caught:
        run("ISATAP-NONAME")
    assert "ISATAP-NO-NAME" in caught.value.hint
    with pytest.raises(ManageoutError) as caught:
        run("\x1b[31m")
    assert "--rules" in caught.value.hint and "\x1b" not in caught.value.message


def test_what_the_daemon_finds() -> None:
    text = run("leases-lost")
    assert text.startswith("LEASES-LOST, found by the daemon: Leases\n  cause   the file of leases was lost")
    assert "  remedy  look at DNS records" in text and "\n  see     manageout status" in text
    assert all(len(line) <= 100 for line in text.splitlines())
    found = json.loads(run("HOSTS-NOT-KEPT", "--json"))
    assert (found["code"], found["heading"]) == ("HOSTS-NOT-KEPT", "What is stored")
    with pytest.raises(ManageoutError) as caught:
        run("LEASE-LOST")
    assert "LEASES-LOST" in caught.value.hint
