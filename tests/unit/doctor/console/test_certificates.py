"""Which certificate answers at port 443, and whether the computer has it."""

from __future__ import annotations

import pytest

from manageout.doctor.console import certificates
from manageout.doctor.console.settings import MAX_ROWS
from manageout.doctor.facts import Facts
from manageout.doctor.pasted.segments import Part
from tests.unit.doctor.judging import pasted

NEW, OLD = "3FA1C90B7712D6E4508AB2CF19E7D0446B8C21FB", "91D0BE3377AA02C1F5649E8810CD7B3EF2A654C1"
BOUND = """PS C:\\> netsh http show sslcert

{title}:
-------------------------

    {port}                      : 0.0.0.0:{number}
    {hash}            : {value}
    {app}               : {{5d8e2743-ef20-4d38-8751-7e400f200e65}}

"""
OURS = f"""PS C:\\> (Get-RemoteAccess).SslCertificate | fl Subject,Thumbprint,NotAfter

Subject    : CN=edge.quay.example
Thumbprint : {NEW}
NotAfter   : 11/19/2099 11:59:59 PM

"""
STORE = """PS C:\\> {command} Cert:\\LocalMachine\\My


   PSParentPath: Microsoft.PowerShell.Security\\Certificate::LocalMachine\\My

Thumbprint                                Subject
----------                                -------
{held}  CN=edge.quay.example

"""


def bound(value: str, german: bool = False, number: int = 443) -> str:
    words = (
        ("SSL-Zertifikatbindungen", "IP:Port", "Zertifikathash", "Anwendungs-ID")
        if german
        else ("SSL Certificate bindings", "IP:port", "Certificate Hash", "Application ID")
    )
    return BOUND.format(
        title=words[0], port=words[1], hash=words[2], app=words[3], number=number, value=value.lower()
    )


@pytest.mark.parametrize("german", [False, True])
def test_another_certificate_is_bound(german: bool) -> None:
    found = pasted(bound(OLD, german) + OURS)
    assert set(found) == {"BINDING"} and NEW.lower() in found["BINDING"].remedy[0].lower()


def test_the_same_one_is_well() -> None:
    assert pasted(bound(NEW) + OURS) == {}
    assert pasted(bound(OLD, number=8443) + bound(NEW) + OURS) == {}


@pytest.mark.parametrize("command", ["dir", "ls", "gci", "Get-ChildItem"])
def test_the_bound_one_is_gone_from_the_store(command: str) -> None:
    assert set(pasted(bound(OLD) + STORE.format(command=command, held=NEW))) == {"BINDING"}
    assert pasted(bound(NEW) + STORE.format(command=command, held=NEW)) == {}


def test_certutil_lists_the_store() -> None:
    spaced = " ".join(NEW.lower()[n : n + 2] for n in range(0, 40, 2))
    text = (
        'C:\\>certutil -store my\nmy "Personal"\n================ Certificate 0 ================\n'
        "Serial Number: 1a2b\n NotBefore: 11/19/2024 10:00 AM\n NotAfter: 11/19/2099 10:00 AM\n"
        f"Cert Hash(sha1): {spaced}\n"
    )
    assert set(pasted(bound(OLD) + text)) == {"BINDING"}
    assert pasted(bound(NEW) + text) == {}


def test_an_empty_store_is_evidence() -> None:
    empty = "PS C:\\> Get-ChildItem Cert:\\LocalMachine\\My\nPS C:\\>\n"
    assert set(pasted(empty)) == {"CERTIFICATE-NONE"}


def test_certificates_without_keys_are_kept_as_far_as_a_table_goes() -> None:
    """Each was searched for in all of those before it."""
    rows = "".join(f"Cert Hash(sha1): {n:040x}\nMissing stored keyset\n" for n in range(MAX_ROWS + 5))
    machine = Facts("(pasted)")
    certificates.store(machine, Part("certutil -store my", rows.splitlines()))
    assert len(machine.keyless) == MAX_ROWS
