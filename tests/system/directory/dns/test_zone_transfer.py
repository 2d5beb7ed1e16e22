"""Zones by transfer from a real BIND, and what its refusal needs: BIND 9.20 refuses everybody unless told otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from manageout.directory.dns.tsig import KeySigner
from manageout.directory.dns.zone_records import ZoneRecord, transferred
from manageout.errors import ManageoutError
from tests.tools.places.bind import ADDRESS, KEY, PORT, SECRET, ZONE, bind

pytestmark = pytest.mark.system
SERVER = f"{ADDRESS}:{PORT}"
FOUND = [ZoneRecord(f"ns.{ZONE}", "A", ADDRESS), ZoneRecord(f"helpdesk.{ZONE}", "A", "10.0.1.30")]
RECORD = "helpdesk A 10.0.1.30\n"


@pytest.fixture
def key(tmp_path: Path) -> KeySigner:
    path = tmp_path / "manageout.key"
    path.write_text(KEY)
    return KeySigner(path)


def refusal(zone: str = ZONE, key: KeySigner | None = None) -> ManageoutError:
    with pytest.raises(ManageoutError) as caught:
        list(transferred(zone, SERVER, key))
    return caught.value


def test_what_a_refusal_to_an_address_names_is_what_helps(tmp_path: Path) -> None:
    with bind(tmp_path / "refuses", records=RECORD, transfer="none"):
        fault = refusal()
    assert fault.message == f"zone {ZONE}: {SERVER} refuses the transfer (REFUSED)"
    option = f"allow-transfer {{ {ADDRESS}; }};"
    assert fault.hint is not None and option in fault.hint and "9.20" in fault.hint
    with bind(tmp_path / "allows", records=RECORD, transfer=ADDRESS):
        assert sorted(transferred(ZONE, SERVER)) == sorted(FOUND)


def test_what_a_refusal_to_a_key_names_is_what_helps(tmp_path: Path, key: KeySigner) -> None:
    with bind(tmp_path / "refuses", records=RECORD, transfer="none"):
        fault = refusal(key=key)
    option = 'allow-transfer { key "manageout"; };'
    assert fault.hint is not None and option in fault.hint and ADDRESS not in fault.hint
    with bind(tmp_path / "allows", records=RECORD, transfer='key "manageout"'):
        assert sorted(transferred(ZONE, SERVER, key)) == sorted(FOUND)
        assert "--tsig" in str(refusal().hint)


def test_a_server_without_the_zone_and_one_that_has_another_key(tmp_path: Path) -> None:
    with bind(tmp_path / "named", transfer="any"):
        fault = refusal("other.example")
        assert fault.message == f"zone other.example: {SERVER} does not have it (NOTAUTH)"
        assert "allow-transfer" not in str(fault.hint)
        wrong = tmp_path / "wrong.key"
        wrong.write_text(KEY.replace(SECRET, "d3Jvbmcgd3Jvbmcgd3Jvbmc="))
        fault = refusal(key=KeySigner(wrong))
        assert "allow-transfer" not in str(fault.hint)
        assert "key" in fault.message
