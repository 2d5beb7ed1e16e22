"""Who is here, and by which address."""

from __future__ import annotations

from manageout.protocol.leases.attendance import Attendance, Attendee

A, B, C = (b"\xfd" + bytes(14) + bytes((n,)) for n in (1, 2, 3))
LINK_LOCAL = b"\xfe\x80" + bytes(13) + b"\x01"
NAME = "laptop.corp.example"


def attendance(*addresses: bytes, last_time: bytes = b"") -> Attendance:
    here = Attendance()
    here.opened(1, NAME, "192.0.2.1:5", "ip-https", 100.0, last_time)
    for address in addresses:
        here.bound(1, address)
    return here


def address_of(here: Attendance) -> bytes | None:
    seen = here.seen(NAME)
    return seen.address if seen else None


def test_a_client_without_a_global_address_is_not_here_yet() -> None:
    here = attendance()
    assert here.seen(NAME) is None
    assert here.bound(1, LINK_LOCAL) is None
    assert here.seen(NAME) is None


def test_the_first_address_is_the_stable_one_and_stays_it() -> None:
    here = attendance(A)
    assert here.seen(NAME) == Attendee(A, (), "192.0.2.1:5", "ip-https", 100.0)
    assert here.bound(1, B) == NAME
    assert here.seen(NAME) == Attendee(A, (B,), "192.0.2.1:5", "ip-https", 100.0)


def test_another_one_takes_its_place_when_it_goes() -> None:
    here = attendance(A, B, C)
    assert address_of(here) == A
    assert here.unbound(1, A) == NAME
    assert address_of(here) == B
    here.bound(1, A)
    assert address_of(here) == B


def test_the_address_of_the_last_time_comes_before_what_was_bound_first() -> None:
    here = attendance(A, last_time=B)
    assert address_of(here) == A
    here.bound(1, B)
    assert address_of(here) == B


def test_a_fixed_address_comes_before_all() -> None:
    here = attendance(A, B, last_time=B)
    here.fixed = {NAME: C}
    assert address_of(here) == B
    here.bound(1, C)
    assert address_of(here) == C


def test_a_second_connection_takes_over_without_absence() -> None:
    here = attendance(A)
    here.opened(2, NAME, "192.0.2.9:7", "ip-https", 200.0)
    assert here.unbound(1, A) == NAME
    assert here.bound(2, A) == NAME
    assert here.closed(1) == NAME
    assert here.seen(NAME) == Attendee(A, (), "192.0.2.9:7", "ip-https", 100.0)


def test_the_end_of_the_last_connection_is_the_end() -> None:
    here = attendance(A)
    assert here.identities() == [NAME]
    assert here.closed(1) == NAME
    assert here.seen(NAME) is None
    assert not here.identities() and not here.connections()


def test_what_is_unknown_changes_nothing() -> None:
    here = attendance(A)
    assert here.closed(7) is here.bound(7, A) is here.unbound(7, A) is here.unbound(1, B) is None


def test_connections_without_a_name_are_only_counted() -> None:
    here = attendance(A)
    here.opened(3, None, "192.0.2.3:1", "ip-https", 1.0)
    assert here.bound(3, B) is None
    assert (here.anonymous, here.connections()) == (1, [1, 3])
    assert here.closed(3) is None
    assert here.anonymous == 0
