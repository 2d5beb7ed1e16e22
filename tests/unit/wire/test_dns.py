"""DNS messages as far as a forwarder reads them; checked against dnspython."""

from __future__ import annotations

import dns.message
import dns.name
import pytest

from manageout.errors import WireError
from manageout.wire import dns as wire


@pytest.mark.parametrize("name", ["app.corp.example", "APP.Corp.Example", "x", "."])
@pytest.mark.parametrize("dnssec", [True, False])
def test_a_query_is_read_as_dnspython_wrote_it(name: str, dnssec: bool) -> None:
    message = dns.message.make_query(name, "AAAA", use_edns=0, payload=1400, want_dnssec=dnssec)
    query = wire.parse_query(message.to_wire())
    assert query.name == dns.name.from_text(name.lower()).to_wire()
    assert (query.type, query.klass, query.edns, query.dnssec, query.size) == (28, 1, True, dnssec, 1400)
    assert int.from_bytes(query.id, "big") == message.id


def test_without_edns_512_bytes_are_taken() -> None:
    query = wire.parse_query(dns.message.make_query("a.example", "A", use_edns=False).to_wire())
    assert not query.edns and query.size == 512


def test_every_cut_is_a_wire_error() -> None:
    whole = dns.message.make_query("app.corp.example", "AAAA", use_edns=0).to_wire()
    for end in range(len(whole)):
        with pytest.raises(WireError):
            wire.parse_query(whole[:end])


@pytest.mark.parametrize("owner", [b"\x01a\0", b"\xc0\x0c"])
def test_rfc6891_6_1_2_an_opt_record_belongs_to_the_root(owner: bytes) -> None:
    whole = dns.message.make_query("app.corp.example", "AAAA", use_edns=0).to_wire()
    with pytest.raises(WireError):
        wire.parse_query(whole[:-11] + owner + whole[-10:])


def test_names_are_read_through_pointers_that_go_back() -> None:
    message = bytes(12) + b"\x03app\x04corp\x00" + b"\x03WWW\xc0\x10" + b"\xc0\x16"
    assert wire.read_name(message, 12) == b"\x03app\x04corp\x00"
    assert wire.read_name(message, 22) == b"\x03www\x04corp\x00"
    assert wire.read_name(message, 28) == b"\x03www\x04corp\x00"


@pytest.mark.parametrize("tail", [b"\xc0\x0c", b"\x01a\xc0\x0c", b"\xc0\x40", b"\x40", b"\x05ab", b""])
def test_loops_and_broken_names_are_wire_errors(tail: bytes) -> None:
    with pytest.raises(WireError):
        wire.read_name(bytes(12) + tail, 12)


def test_a_name_is_at_most_255_bytes() -> None:
    with pytest.raises(WireError):
        wire.read_name((b"\x3f" + b"a" * 63) * 4 + b"\0", 0)


@pytest.mark.parametrize(
    ("name", "top", "wanted"),
    [
        ("corp.example", "corp.example", True),
        ("a.b.corp.example", "corp.example", True),
        ("xcorp.example", "corp.example", False),
        ("example", "corp.example", False),
        ("anything", "", True),
    ],
)
def test_below(name: str, top: str, wanted: bool) -> None:
    assert wire.below(wire.to_wire(name), wire.to_wire(top)) == wanted


def test_below_is_not_deceived_by_lengths_within_labels() -> None:
    # "a" followed by what looks like the label "corp", all within one label.
    assert not wire.below(b"\x06a\x04corp\x00", b"\x04corp\x00")
