"""Tables whose cells somebody has changed: they no longer stand below their columns."""

from __future__ import annotations

from manageout.doctor.powershell import table

HEAD = [
    "Subject                    HasPrivateKey NotAfter",
    "-------                    ------------- --------",
]


def rows(*lines: str) -> list[dict[str, str]]:
    found = table.find([*HEAD, *lines])
    assert found is not None
    return [{name: value.text for name, value in row.values.items()} for row in found.rows()]


def test_a_longer_name_moves_what_is_behind_it() -> None:
    (row,) = rows("CN=lt-44.corp.contoso.example         False 1/10/2027 8:00:00 AM")
    assert row == {
        "Subject": "CN=lt-44.corp.contoso.example",
        "HasPrivateKey": "False",
        "NotAfter": "1/10/2027 8:00:00 AM",
    }


def test_a_name_alone_is_in_the_first_column() -> None:
    (row,) = rows("CN=lt-44.corp.contoso.example.and.more")
    assert row == {"Subject": "CN=lt-44.corp.contoso.example.and.more", "HasPrivateKey": "", "NotAfter": ""}


def test_dashes_that_do_not_fit_known_names() -> None:
    found = table.find(
        ["Namespace    DirectAccessDnsServers", "--------- -----------------", ".corp.example  fd00::1"]
    )
    assert found is not None and found.names == ["Namespace", "DirectAccessDnsServers"]
    assert table.find(["Idx  Met  State", "--- ---- ----------", "1 2 connected"]) is None
