"""The last step against a real BIND: exactly ISATAP's records go, and the same ones come back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dns.message
import dns.query
import dns.update
import pytest

from manageout.directory.dns.conditional import DnsRow, RecordError
from manageout.directory.dns.isatap_records import IsatapRecords
from manageout.directory.dns.update import exchange
from manageout.directory.dns.zones import Place, Server, Zones
from manageout.errors import ConfigError
from manageout.retire.remove import remove_records, restore, wanted
from manageout.service.state.retire import RetireStore
from manageout.service.state.retire_phases import Phase, RetireStep
from manageout.site.contradictions import read_site
from manageout.site.plan import Plan
from manageout.site.tables.site import Site
from tests.tools.places.bind import ADDRESS, KEY, PORT, ZONE, ZONES, bind

pytestmark = pytest.mark.system
NAME = f"manageout-isatap.{ZONE}"
ISATAP, OTHER_PREFIX = "fd12:3456:789a:1:0:5efe:a00:11e", "fd12:3456:7777:1:0:5efe:a00:11e"
POINTER = "e.1.1.0.0.0.a.0.e.f.e.5.0.0.0.0.1.0.0.0.a.9.8.7.6.5.4.3.2.1.d.f.ip6.arpa"
SITE = f"""
[site]
prefix = "fd12:3456:789a::/48"
domain = "{ZONE}"
[isatap]
name = "{NAME}"
locators = ["10.0.0.1"]
routers = ["10.0.0.2"]
hosts = ["10.0.1.0/24"]
[names]
servers = ["{ADDRESS}:{PORT}"]
"""
RECORDS = f"""
manageout-isatap 120 A 10.0.0.1
manageout-isatap 120 A 10.0.0.2
manageout-isatap 120 A 10.0.0.77
manageout-isatap 120 TXT "manageout router fd12:3456:789a::/48 10.0.0.1 10.0.0.2"
manageout-isatap 120 TXT "somebody's"
isatap 300 A 10.0.0.1
isatap 300 A 10.0.0.99
helpdesk 33 A 10.0.1.30
helpdesk 44 AAAA {ISATAP}
helpdesk 44 AAAA fd12:9::30
old 55 AAAA {OTHER_PREFIX}
"""
HOSTS: dict[str, dict[str, Any]] = {
    "10.0.1.30": {
        "ipv4": "10.0.1.30",
        "name": "helpdesk",
        "records": [{"name": f"helpdesk.{ZONE}", "address": ISATAP}],
    },
    "10.0.1.99": {
        "ipv4": "10.0.1.99",
        "name": "",
        "records": [
            {"name": f"old.{ZONE}", "address": OTHER_PREFIX},
            {"name": "strange.elsewhere.example", "address": ISATAP},
        ],
    },
}
NAMES: dict[str, dict[str, Any]] = {
    "1": {"name": NAME, "place": ADDRESS, "values": ["10.0.0.1", "10.0.0.2", "10.0.0.77"]},
    "2": {"name": f"isatap.{ZONE}", "place": ADDRESS, "values": ["10.0.0.1", "10.0.0.99", f"da.{ZONE}"]},
}
POLICIES: dict[str, dict[str, Any]] = {
    "1": {
        "policy": "Old DirectAccess",
        "guid": "{31B2F340-016D-11D2-945F-00C04FB984F9}",
        "place": "Machine/Registry.pol",
        "what": "ISATAP_State = Enabled",
        "turns": "on",
        "links": [],
    },
    "2": {
        "policy": "Off",
        "guid": "{B}",
        "place": "Machine/Registry.pol",
        "what": "ISATAP_State = Disabled",
        "turns": "off",
        "links": [],
    },
    "3": {
        "policy": "Script",
        "guid": "{C}",
        "place": "Machine/Scripts/a.ps1",
        "what": "netsh int isatap set state",
        "turns": "unclear",
        "links": [],
    },
}


def quiet(line: str) -> None:
    """Nobody reads it."""


def site_of(folder: Path, text: str = SITE) -> tuple[Site, Plan]:
    (folder / "site.toml").write_text(text)
    return read_site(folder / "site.toml")


@pytest.fixture
def store(tmp_path: Path) -> RetireStore:
    made = RetireStore(tmp_path / "state")
    found = {"host": HOSTS, "name": NAMES, "policy": POLICIES}
    made.record(RetireStep.CENSUS, Phase.COUNTED, 1.0, "anna@router", found=found)
    return made


@contextmanager
def server(folder: Path, update: str = "any") -> Iterator[None]:
    with bind(folder / "named", update, RECORDS):
        if update == "any":
            change = dns.update.UpdateMessage(ZONES[2])
            change.add(POINTER.removesuffix(f".{ZONES[2]}"), 66, "PTR", f"helpdesk.{ZONE}.")
            exchange(change, Place(ZONES[2], Server(ADDRESS, PORT), ""))
        yield


def everything() -> set[str]:
    """Every record of every zone but those that say which version it is."""
    found = set()
    for zone in ZONES:
        for message in dns.query.xfr(ADDRESS, zone, port=PORT, relativize=False):
            for rrset in message.answer:
                found |= {line for line in rrset.to_text().splitlines() if " SOA " not in line}
    return found


def test_exactly_isataps_records_go_and_come_back(tmp_path: Path, store: RetireStore) -> None:
    site, plan = site_of(tmp_path)
    with server(tmp_path):
        before = everything()
        said: list[str] = []
        assert remove_records(store, site, plan, said.append, dry=True) == [
            "strange.elsewhere.example: no server of [names] holds its zone"
        ]
        assert (everything(), store.kept()) == (before, {})
        assert len(said) == 5

        said.clear()
        assert len(remove_records(store, site, plan, said.append)) == 1
        gone = {
            line.split(" IN ")[0].split()[0] + " " + line.split(" IN ")[1] for line in before - everything()
        }
        assert gone == {
            f"{NAME}. A 10.0.0.1",
            f"{NAME}. A 10.0.0.2",
            f'{NAME}. TXT "manageout router fd12:3456:789a::/48 10.0.0.1 10.0.0.2"',
            f"isatap.{ZONE}. A 10.0.0.1",
            f"helpdesk.{ZONE}. AAAA {ISATAP}",
            f"{POINTER}. PTR helpdesk.{ZONE}.",
        }
        assert len(said) == 6 and everything() < before
        assert remove_records(store, site, plan, said.append)[1:] == []
        assert len(said) == 6

        assert restore(store, site, lambda: pytest.fail("no policy was removed"), said.append) == []
        assert everything() == before
        assert store.kept() == {}


def test_a_server_that_refuses_is_named_and_nothing_is_lost(tmp_path: Path, store: RetireStore) -> None:
    site, plan = site_of(tmp_path)
    with server(tmp_path, "none"):
        before = everything()
        left = remove_records(store, site, plan, pytest.fail)
        assert len(left) == 4 and "(DNS-REFUSED)" in left[0]
        assert everything() == before
    left = restore(store, site, lambda: pytest.fail("no policy"), pytest.fail)
    assert len(left) == 3 and all("DNS-UNREACHABLE" in line for line in left)
    with server(tmp_path, "any"):
        assert restore(store, site, lambda: pytest.fail("no policy"), quiet) == []
        assert {line for line in everything() if " PTR " not in line} == before


def test_signed_by_the_key_of_the_names(tmp_path: Path, store: RetireStore) -> None:
    (tmp_path / "update.key").write_text(KEY)
    signed = SITE + f'authentication = "tsig"\nkey_file = "{tmp_path / "update.key"}"\n'
    site, plan = site_of(tmp_path, signed)
    with server(tmp_path, 'key "manageout"'):
        before = everything()
        assert len(remove_records(store, site, plan, quiet)) == 1
        assert len(before - everything()) == 5
        assert restore(store, site, lambda: pytest.fail("no policy"), quiet) == []
        assert everything() == before
    wrong = KEY.replace("c2Vj", "d2Vj")
    (tmp_path / "update.key").write_text(wrong)
    with server(tmp_path, 'key "manageout"'):
        left = remove_records(store, site, plan, pytest.fail)
        assert "DNS-BAD-SIGNATURE" in left[0] and everything() == before


def test_what_changed_since_it_was_read_stays(tmp_path: Path) -> None:
    with server(tmp_path):
        records = IsatapRecords(Zones([f"{ADDRESS}:{PORT}"], []), None)
        place, rows = records.read(f"helpdesk.{ZONE}")
        assert place is not None
        mine = [row for row in rows if row.text == ISATAP]
        assert mine == [DnsRow("AAAA", 44, ISATAP)]
        before = everything()
        assert not records.remove(f"helpdesk.{ZONE}", place, [*mine, DnsRow("AAAA", 44, "fd12:9::31")], mine)
        assert everything() == before
        assert records.remove(f"helpdesk.{ZONE}", place, rows, mine)
    with pytest.raises(RecordError) as refusal:
        records.remove(f"helpdesk.{ZONE}", place, rows, mine)
    assert refusal.value.code == "DNS-UNREACHABLE"


def test_without_names_the_scripts_are_named(tmp_path: Path, store: RetireStore) -> None:
    site, plan = site_of(tmp_path, SITE.partition("[names]")[0])
    with pytest.raises(ConfigError) as refusal:
        remove_records(store, site, plan, pytest.fail)
    assert refusal.value.faults[0].path == "names" and "scripts" in refusal.value.faults[0].hint


def test_scripts_take_what_is_isataps_and_name_the_rest(tmp_path: Path, store: RetireStore) -> None:
    made = wanted(store, *site_of(tmp_path))
    assert [(record.name, record.kind, record.address) for record in made.records] == [
        (NAME, "A", "10.0.0.1"),
        (NAME, "A", "10.0.0.2"),
        (f"isatap.{ZONE}", "A", "10.0.0.1"),
        (f"helpdesk.{ZONE}", "AAAA", ISATAP),
        ("strange.elsewhere.example", "AAAA", ISATAP),
    ]
    assert [tuple(value) for value in made.values] == [
        ("31B2F340-016D-11D2-945F-00C04FB984F9", "Old DirectAccess", "ISATAP_State")
    ]
    assert [line.partition(" (")[0] for line in made.by_hand] == [
        f"{NAME} -> 10.0.0.77",
        f"isatap.{ZONE} -> 10.0.0.99",
        f"isatap.{ZONE} -> da.{ZONE}",
        "policy Script, Machine/Scripts/a.ps1: netsh int isatap set state",
    ]
    assert made.block
