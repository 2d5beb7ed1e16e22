"""Updates against a real BIND: what is done, what is left alone, what each refusal is called."""

from __future__ import annotations

import time
from collections.abc import Iterator
from ipaddress import IPv6Address
from pathlib import Path

import dns.update
import pytest

from manageout.directory.dns.tsig import KeySigner
from manageout.directory.dns.update import Updater, exchange
from manageout.directory.dns.zones import Place, Server, Zones
from manageout.protocol.names.registrar import NOTHING, Outcome, Records, Task
from tests.tools.places.bind import ADDRESS, KEY, PORT, SECRET, ZONE, answers, bind

pytestmark = pytest.mark.system
SERVER = f"{ADDRESS}:{PORT}"
MARK = "manageout fd12:3456:789a::/48"
NAME = f"laptop.{ZONE}"
SIX = "fd12:3456:789a:1000::10"
FORWARD: Records = frozenset({("A", "10.0.0.130"), ("AAAA", SIX)})
POINTER: Records = frozenset({("PTR", f"{NAME}.")})


def updater(signer: KeySigner | None = None, mark: str = MARK, server: str = SERVER) -> Updater:
    return Updater(Zones([server], []), signer, mark, 60)


def code(result: tuple[Outcome, object]) -> str:
    return getattr(result[1], "code", "")


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "manageout.key"
    path.write_text(KEY)
    return path


@pytest.fixture
def open_bind(tmp_path: Path) -> Iterator[None]:
    records = 'printer A 10.0.0.77\nold TXT "somebody else"\n'
    with bind(tmp_path / "named", records=records):
        yield


def test_a_name_comes_changes_and_goes(open_bind: None) -> None:
    done = (Outcome.DONE, None)
    assert updater().perform(Task(NAME, FORWARD, NOTHING)) == done
    assert answers(NAME, "A") == ["10.0.0.130"] and answers(NAME, "AAAA") == [SIX]
    assert answers(NAME, "TXT") == [f'"{MARK}"']
    changed: Records = frozenset({("AAAA", "fd12:3456:789a:1000::11")})
    assert updater().perform(Task(NAME, changed, FORWARD)) == done
    assert answers(NAME, "A") == [] and answers(NAME, "AAAA") == ["fd12:3456:789a:1000::11"]
    assert updater().perform(Task(NAME, NOTHING, changed)) == done
    assert [answers(NAME, kind) for kind in ("A", "AAAA", "TXT")] == [[], [], []]


@pytest.mark.parametrize("name", ["130.0.0.10.in-addr.arpa", IPv6Address(SIX).reverse_pointer])
def test_pointers(open_bind: None, name: str) -> None:
    assert updater().perform(Task(name, POINTER, NOTHING))[0] is Outcome.DONE
    assert answers(name, "PTR") == [f"{NAME}."]
    assert updater().perform(Task(name, NOTHING, POINTER))[0] is Outcome.DONE
    assert answers(name, "PTR") == answers(name, "TXT") == []


def test_a_name_of_a_real_machine_is_left_alone(open_bind: None) -> None:
    for name, kind, held in (("printer", "A", ["10.0.0.77"]), ("old", "TXT", ['"somebody else"'])):
        task = Task(f"{name}.{ZONE}", FORWARD, NOTHING)
        result = updater().perform(task)
        assert result[0] is Outcome.TAKEN and code(result) == "NAME-TAKEN"
        assert updater().perform(Task(task.name, NOTHING, FORWARD)) == (Outcome.DONE, None)
        assert answers(task.name, kind) == held and answers(task.name, "AAAA") == []


def test_another_site_does_not_take_it_over(open_bind: None) -> None:
    updater().perform(Task(NAME, FORWARD, NOTHING))
    other = updater(mark="manageout fd99::/48")
    assert other.perform(Task(NAME, FORWARD, NOTHING))[0] is Outcome.TAKEN
    assert other.perform(Task(NAME, NOTHING, FORWARD))[0] is Outcome.DONE
    assert answers(NAME, "A") == ["10.0.0.130"]


def test_a_client_that_has_moved_to_another_gateway_keeps_its_records(open_bind: None) -> None:
    updater().perform(Task(NAME, FORWARD, NOTHING))
    moved: Records = frozenset({("A", "10.0.0.190"), ("AAAA", "fd12:3456:789a:1001::10")})
    updater().perform(Task(NAME, moved, NOTHING))  # by the other gateway
    assert updater().perform(Task(NAME, NOTHING, FORWARD)) == (Outcome.DONE, None)  # by the first
    assert answers(NAME, "A") == ["10.0.0.190"]


def test_others_records_beside_ours_stay(open_bind: None) -> None:
    updater().perform(Task(NAME, FORWARD, NOTHING))
    update = dns.update.UpdateMessage(ZONE)
    update.add("laptop", 60, "TXT", '"a note"')
    exchange(update, Place(ZONE, Server(ADDRESS, PORT), ""))
    updater().perform(Task(NAME, FORWARD | {("AAAA", SIX)}, FORWARD))
    assert '"a note"' in answers(NAME, "TXT")


def test_of_what_may_be_there_all_that_is_there_goes(open_bind: None) -> None:
    updater().perform(Task(NAME, FORWARD, NOTHING))
    doubtful = FORWARD | {("AAAA", "fd12:3456:789a:1000::11")}  # an update of which no answer came
    assert updater().perform(Task(NAME, NOTHING, doubtful)) == (Outcome.DONE, None)
    assert [answers(NAME, kind) for kind in ("A", "AAAA", "TXT")] == [[], [], []]


def test_a_name_is_ours_as_long_as_a_record_stands_there(open_bind: None) -> None:
    updater().perform(Task(NAME, FORWARD, NOTHING))
    only_six: Records = frozenset({("AAAA", SIX)})
    assert updater().perform(Task(NAME, NOTHING, only_six)) == (Outcome.DONE, None)
    assert answers(NAME, "A") == ["10.0.0.130"] and answers(NAME, "AAAA") == []
    assert answers(NAME, "TXT") == [f'"{MARK}"']
    assert updater().perform(Task(NAME, FORWARD, NOTHING)) == (Outcome.DONE, None)


def test_what_is_gone_already_needs_no_removal(open_bind: None) -> None:
    assert updater().perform(Task(NAME, NOTHING, FORWARD)) == (Outcome.DONE, None)


def test_reverse_names_without_a_zone_are_no_trouble(open_bind: None) -> None:
    assert updater().perform(Task("1.2.0.192.in-addr.arpa", POINTER, NOTHING)) == (Outcome.NO_ZONE, None)
    result = updater().perform(Task("laptop.other.example", FORWARD, NOTHING))
    assert result[0] is Outcome.FAILED and code(result) == "DNS-NO-ZONE"


def test_the_empty_reverse_zones_of_a_resolver_are_no_trouble(tmp_path: Path) -> None:
    with bind(tmp_path / "named", zones=(ZONE,), recursion=True):
        for zones in (Zones([SERVER], []), Zones([], [SERVER])):
            for name in ("130.0.0.10.in-addr.arpa", IPv6Address(SIX).reverse_pointer):
                result = Updater(zones, None, MARK, 60).perform(Task(name, POINTER, NOTHING))
                assert result == (Outcome.NO_ZONE, None)


def test_a_zone_without_updates_refuses(tmp_path: Path) -> None:
    with bind(tmp_path / "named", "none"):
        result = updater().perform(Task(NAME, FORWARD, NOTHING))
    assert result[0] is Outcome.FAILED and code(result) == "DNS-REFUSED"


def test_signed_updates(tmp_path: Path, key: Path) -> None:
    with bind(tmp_path / "named", 'key "manageout"'):
        assert code(updater().perform(Task(NAME, FORWARD, NOTHING))) == "DNS-REFUSED"
        assert updater(KeySigner(key)).perform(Task(NAME, FORWARD, NOTHING)) == (Outcome.DONE, None)
        assert answers(NAME, "A") == ["10.0.0.130"]


def test_a_wrong_secret_and_an_unknown_key(tmp_path: Path, key: Path) -> None:
    with bind(tmp_path / "named", 'key "manageout"'):
        key.write_text(KEY.replace(SECRET, SECRET[::-1]))
        assert code(updater(KeySigner(key)).perform(Task(NAME, FORWARD, NOTHING))) == "DNS-BAD-SIGNATURE"
        key.write_text(KEY.replace('"manageout"', '"another"'))
        assert code(updater(KeySigner(key)).perform(Task(NAME, FORWARD, NOTHING))) == "DNS-BAD-KEY"


def test_a_clock_that_is_wrong(tmp_path: Path, key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with bind(tmp_path / "named", 'key "manageout"'):
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now - 3600)
        assert code(updater(KeySigner(key)).perform(Task(NAME, FORWARD, NOTHING))) == "DNS-BAD-TIME"


def test_no_server() -> None:
    result = updater(server="127.0.0.54:5399").perform(Task(NAME, FORWARD, NOTHING))
    assert result[0] is Outcome.FAILED and code(result) == "DNS-UNREACHABLE"


MAPPED = "laptop.branch.example"
THEIRS: Records = frozenset({("A", "10.0.0.66"), ("AAAA", "fd12:3456:789a:1001::66")})


def test_the_mark_says_whose_it_is(open_bind: None) -> None:
    assert updater().perform(Task(NAME, FORWARD, NOTHING, NAME))[0] is Outcome.DONE
    assert answers(NAME, "TXT") == [f'"{updater().mark(NAME)}"']
    assert updater().mark(NAME).startswith(f"{MARK} client ") and updater().mark(NAME) != updater().mark(
        MAPPED
    )


def test_another_gateway_of_the_site_takes_no_name_from_a_connected_client(open_bind: None) -> None:
    """Both have the same key, zone and site."""
    first, second = updater(), updater()
    first.perform(Task(NAME, FORWARD, NOTHING, NAME))
    result = second.perform(Task(NAME, THEIRS, NOTHING, MAPPED))
    assert result[0] is Outcome.OWNED and code(result) == "NAME-TWICE"
    assert second.perform(Task(NAME, NOTHING, THEIRS, MAPPED)) == (Outcome.DONE, None)
    assert answers(NAME, "A") == ["10.0.0.130"] and answers(NAME, "AAAA") == [SIX]


def test_nor_from_one_that_is_mapped_as_well(open_bind: None) -> None:
    updater().perform(Task(NAME, THEIRS, NOTHING, MAPPED))
    assert code(updater().perform(Task(NAME, FORWARD, NOTHING, "laptop.a.example"))) == "NAME-TWICE"
    assert answers(NAME, "A") == ["10.0.0.66"]


def test_the_exact_owner_takes_its_name_at_another_gateway(open_bind: None) -> None:
    updater().perform(Task(NAME, THEIRS, NOTHING, MAPPED))
    only_six: Records = frozenset({("AAAA", SIX)})
    assert updater().perform(Task(NAME, only_six, NOTHING, NAME)) == (Outcome.DONE, None)
    assert answers(NAME, "A") == [] and answers(NAME, "AAAA") == [SIX]
    assert answers(NAME, "TXT") == [f'"{updater().mark(NAME)}"']
    assert updater().perform(Task(NAME, NOTHING, THEIRS, MAPPED)) == (
        Outcome.DONE,
        None,
    )  # by the first gateway
    assert answers(NAME, "AAAA") == [SIX]


def test_a_client_that_comes_to_another_gateway_brings_its_name(open_bind: None) -> None:
    updater().perform(Task(NAME, THEIRS, NOTHING, MAPPED))
    assert updater().perform(Task(NAME, FORWARD, NOTHING, MAPPED)) == (Outcome.DONE, None)
    assert answers(NAME, "A") == ["10.0.0.130"]


@pytest.mark.parametrize("owner", [NAME, MAPPED])
def test_what_the_version_before_wrote_is_taken_over(open_bind: None, owner: str) -> None:
    updater().perform(Task(NAME, FORWARD, NOTHING))  # a mark of the site, without a client
    assert answers(NAME, "TXT") == [f'"{MARK}"']
    assert updater().perform(Task(NAME, FORWARD, FORWARD, owner)) == (Outcome.DONE, None)
    assert answers(NAME, "A") == ["10.0.0.130"]
    assert answers(NAME, "TXT") == [f'"{updater().mark(owner)}"']


@pytest.mark.parametrize("owner", [NAME, MAPPED])
def test_and_removed(open_bind: None, owner: str) -> None:
    updater().perform(Task(NAME, FORWARD, NOTHING))
    assert updater().perform(Task(NAME, NOTHING, FORWARD, owner)) == (Outcome.DONE, None)
    assert [answers(NAME, kind) for kind in ("A", "AAAA", "TXT")] == [[], [], []]


def test_but_not_what_another_gateway_of_that_version_wrote_for_somebody(open_bind: None) -> None:
    updater().perform(Task(NAME, FORWARD, NOTHING))
    for known in (NOTHING, THEIRS):
        result = updater().perform(Task(NAME, THEIRS, known, MAPPED))
        assert result[0] is Outcome.TAKEN and code(result) == "NAME-TWICE"
    assert answers(NAME, "A") == ["10.0.0.130"] and answers(NAME, "TXT") == [f'"{MARK}"']
    assert updater().perform(Task(NAME, THEIRS, NOTHING, NAME)) == (Outcome.DONE, None)  # its own name


@pytest.mark.parametrize(
    "text", ["somebody else", f"{MARK} client me", f"{MARK} 10.0.0.1", "manageout fd99::/48"]
)
def test_the_exact_owner_takes_nothing_of_somebody_elses(tmp_path: Path, text: str) -> None:
    with bind(tmp_path / "named", records=f'laptop A 10.0.0.77\nlaptop TXT "{text}"\n'):
        result = updater().perform(Task(NAME, FORWARD, NOTHING, NAME))
        assert result[0] is Outcome.TAKEN and code(result) == "NAME-TAKEN"
        assert answers(NAME, "A") == ["10.0.0.77"] and answers(NAME, "TXT") == [f'"{text}"']
