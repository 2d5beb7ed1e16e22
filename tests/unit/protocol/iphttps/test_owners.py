"""Who holds which address."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from manageout.protocol.core.drops import Drop
from manageout.protocol.iphttps.owners import CONTEST, Neighbours
from manageout.protocol.iphttps.session import Session
from manageout.protocol.iphttps.values import AddressBound, AddressReleased, Peer, ServerEvent
from tests.tools.machines.iphttps import BEYOND, GATEWAY, GATEWAY_LL, PREFIX, gua, ll

LIMIT = 4


def table(events: list[ServerEvent] | None = None) -> Neighbours:
    own = frozenset({GATEWAY, GATEWAY_LL})
    made = Neighbours(PREFIX.network_address.packed[:8], own, [] if events is None else events)
    made.configure({gua(7): "laptop"}, LIMIT)
    return made


def session(number: int, identity: str | None = None) -> Session:
    return Session(number, number, Peer("192.0.2.1", 1, identity), 0.0)


def test_scope_and_own_addresses() -> None:
    neighbours, client = table(), session(1)
    assert neighbours.claim(gua(1), client, 0) is None
    assert neighbours.claim(ll(1), client, 0) is None
    assert neighbours.claim(BEYOND, client, 0) is Drop.NOT_OWNER
    assert neighbours.claim(PREFIX.network_address.packed, client, 0) is Drop.NOT_OWNER
    assert neighbours.claim(GATEWAY, client, 0) is Drop.ADDRESS_TAKEN
    assert set(client.addresses) == {gua(1), ll(1)}


def test_reserved_addresses_do_not_count() -> None:
    neighbours, laptop = table(), session(1, "laptop")
    for n in range(LIMIT):
        assert neighbours.claim(gua(100 + n), laptop, 0) is None
    assert neighbours.claim(gua(200), laptop, 0) is Drop.ADDRESS_LIMIT
    assert neighbours.claim(gua(7), session(2), 0) is Drop.ADDRESS_TAKEN
    assert neighbours.claim(gua(7), laptop, 0) is None


def test_only_the_newer_connection_of_an_identity_takes_over() -> None:
    events: list[ServerEvent] = []
    neighbours, old, new = table(events), session(1, "a"), session(2, "a")
    neighbours.claim(gua(1), old, 0)
    assert neighbours.claim(gua(1), session(3, "b"), 0) is Drop.ADDRESS_TAKEN
    assert neighbours.claim(gua(1), new, 0) is None
    assert neighbours.claim(gua(1), old, 0) is Drop.ADDRESS_TAKEN
    assert events == [AddressBound(1, gua(1)), AddressReleased(1, gua(1)), AddressBound(2, gua(1))]


def test_no_identity_is_not_the_same_identity() -> None:
    neighbours = table()
    neighbours.claim(gua(1), session(1), 0)
    assert neighbours.claim(gua(1), session(2), 0) is Drop.ADDRESS_TAKEN


def test_a_contest_lasts_its_time() -> None:
    neighbours, holder, claimant = table(), session(1), session(2)
    neighbours.claim(gua(1), holder, 0)
    assert neighbours.contest(gua(1), claimant, 10.0)
    assert not neighbours.contest(gua(1), session(3), 10.1)
    assert neighbours.next_end() == 10.0 + CONTEST
    assert neighbours.ended(10.5, early=True) == []
    holder.last_seen = 10.6
    assert neighbours.ended(10.7, early=False) == []
    ((contest, alive),) = neighbours.ended(10.7, early=True)
    assert contest.claimant is claimant and alive
    assert neighbours.owners[gua(1)].session is holder and neighbours.next_end() is None


def test_forgetting_releases_everything() -> None:
    neighbours, client = table(), session(1)
    neighbours.claim(gua(1), client, 0)
    neighbours.claim(ll(1), client, 0)
    neighbours.contest(gua(2), client, 0)
    neighbours.forget(client)
    assert not neighbours.owners and not client.addresses and not neighbours.contests


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["claim", "contest", "forget", "ended"]), st.integers(0, 3), st.integers(0, 5)
        )
    )
)
def test_the_two_sides_of_the_table_always_agree(steps: list[tuple[str, int, int]]) -> None:
    neighbours = table()
    sessions = [session(n, identity) for n, identity in enumerate((None, "a", "a", "laptop"))]
    for now, (step, who, what) in enumerate(steps):
        if step == "claim":
            neighbours.claim(gua(what + 3), sessions[who], now)
        elif step == "contest":
            neighbours.contest(gua(what + 3), sessions[who], now)
        elif step == "forget":
            neighbours.forget(sessions[who])
        else:
            neighbours.ended(now, early=bool(who % 2))
        held = {(n.session.number, address) for address, n in neighbours.owners.items()}
        assert held == {(s.number, address) for s in sessions for address in s.addresses}
        assert all(len(s.addresses) <= LIMIT + 1 for s in sessions)
