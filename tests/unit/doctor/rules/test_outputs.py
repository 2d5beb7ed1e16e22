"""What outputs show of which the collector holds nothing."""

from __future__ import annotations

import pytest

from manageout.doctor.facts import Facts, Filtered, Role, Seen
from tests.unit.doctor.judging import found


@pytest.mark.parametrize(
    ("name", "severity"),
    [
        ("DA Clients", "error"),
        ("C_ISATAP_Hosts", "error"),
        ("Printers of the 3rd floor", "note"),
        ("Data", "note"),
    ],
)
def test_a_policy_for_others_is_a_note(name: str, severity: str) -> None:
    machine = Facts("x", filtered=[Filtered(name, "security", "line")])
    assert found(machine)["POLICY-DENIED"].severity == severity


@pytest.mark.parametrize(
    ("role", "name", "severity"),
    [
        ("unknown", "DirectAccess Server Settings", "note"),
        ("client", "DirectAccess Server Settings", "note"),
        ("server", "DirectAccess Server Settings", "error"),
        ("server", "DirectAccess Client Settings", "note"),
        ("manager", "DirectAccess Client Settings", "note"),
        ("client", "DirectAccess Client Settings", "error"),
        ("client", "C_ISATAP_Hosts", "note"),
        ("client", "DA ManageOut firewall of clients", "error"),
        ("unknown", "DirectAccess Client Settings", "error"),
        ("manager", "C_ISATAP_Hosts", "error"),
    ],
)
@pytest.mark.parametrize("reason", ["security", "wmi", "disabled"])
def test_a_policy_is_rightly_kept_from_machines_that_it_is_not_for(
    role: Role, name: str, severity: str, reason: str
) -> None:
    """DirectAccess links both of its policies to the whole domain."""
    (told,) = found(Facts("x", role=role, filtered=[Filtered(name, reason, "line")])).values()
    assert told.code.startswith("POLICY-") and told.severity == severity


@pytest.mark.parametrize(
    ("fields", "severity"),
    [
        ({}, "note"),
        ({"role": "manager"}, "note"),
        ({"role": "client", "inside": Seen(False, "ConnectedRemotely")}, "note"),
        ({"connection": Seen("Error", "Status: Error")}, "error"),
        ({"ike": [Seen("credentials", "IKE authentication credentials")]}, "error"),
        ({"role": "server"}, "error"),
    ],
)
def test_an_empty_store_is_a_fault_where_something_fails(fields: dict[str, object], severity: str) -> None:
    """Clients of the Kerberos proxy have no certificate, nor have managers."""
    machine = Facts("x", nothing={"cert:my": "dir Cert: nothing"}, held={})
    for name, value in fields.items():
        setattr(machine, name, value)
    assert found(machine)["CERTIFICATE-NONE"].severity == severity
