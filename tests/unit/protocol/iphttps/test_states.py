"""The client's state table."""

from __future__ import annotations

from manageout.protocol.iphttps.states import TRANSITIONS, ClientState, Trigger


def test_every_state_is_reached_and_can_be_left() -> None:
    assert {state for state, _ in TRANSITIONS} == set(ClientState)
    assert set(TRANSITIONS.values()) == set(ClientState)
    assert {trigger for _, trigger in TRANSITIONS} == set(Trigger)


def test_disable_works_everywhere_but_where_it_is() -> None:
    for state in set(ClientState) - {ClientState.DISABLED}:
        assert TRANSITIONS[state, Trigger.DISABLE] is ClientState.DISABLED


def test_a_lost_transport_always_leads_to_another_attempt() -> None:
    assert {to for (_, trigger), to in TRANSITIONS.items() if trigger is Trigger.LOST} == {
        ClientState.LINK_DOWN
    }
