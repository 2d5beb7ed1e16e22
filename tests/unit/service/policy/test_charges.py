"""Which client pays for which address, and for how long after it has gone."""

from __future__ import annotations

import struct

from manageout.linux.nft.sets import Change
from manageout.service.policy.charges import KEEP, Charges
from manageout.service.policy.filter_tracking import OWNERS
from manageout.service.process.presence import Client, Presence

A, B, C = (bytes(15) + bytes((number,)) for number in (1, 2, 3))
LEASE = bytes((10, 0, 8, 1))


def client(name: str, *addresses: bytes, lease: bytes | None = None) -> Client:
    return Client(name, addresses[0], addresses[1:], lease, "192.0.2.1", "ip-https", 0.0)


class Clients:
    """They come and go at a time, and are charged."""

    def __init__(self) -> None:
        self.connected = Presence()
        self.charges = Charges(self.connected)

    def present(self, client: Client, now: float) -> None:
        before = self.connected.get(client.identity)
        self.connected.present(client)
        self.charges.present(client, before, now)

    def absent(self, identity: str, now: float) -> None:
        client = self.connected.get(identity)
        assert client is not None
        self.connected.absent(identity)
        self.charges.absent(client, now)


def add(address: bytes, number: int) -> Change:
    return Change(OWNERS, True, address, struct.pack("=I", number))


def test_all_addresses_of_a_client_have_one_number_and_others_another() -> None:
    clients = Clients()
    charges = clients.charges
    clients.present(client("laptop", A, B, lease=LEASE), 0)
    clients.present(client("tablet", C), 0)
    assert charges.changes() == [add(A, 1), add(B, 1), add(C, 2)]
    assert charges.changes() == []
    assert charges.numbers() == {A: 1, B: 1, C: 2}


def test_who_comes_back_has_its_number_and_nothing_is_due() -> None:
    clients = Clients()
    charges = clients.charges
    clients.present(client("laptop", A, lease=LEASE), 0)
    clients.absent("laptop", 10)
    assert charges.holds(A) and charges.holds(LEASE)
    clients.present(client("tablet", C), 20)
    clients.present(client("laptop", A, lease=LEASE), 30)
    assert charges.numbers() == {A: 1, C: 2}
    assert charges.due(10 + KEEP) == set()


def test_who_stays_away_is_due_once_and_its_number_is_anybodys() -> None:
    clients = Clients()
    charges = clients.charges
    clients.present(client("laptop", A, lease=LEASE), 0)
    charges.changes()
    clients.absent("laptop", 10)
    assert charges.changes() == [Change(OWNERS, False, A)]
    assert charges.due(9 + KEEP) == set()
    assert charges.due(10 + KEEP) == {A, LEASE}
    assert charges.due(10 + KEEP) == set() and not charges.holds(A)
    clients.present(client("tablet", C), 300)
    assert charges.numbers() == {C: 1}


def test_an_address_that_is_let_go_is_due_while_its_client_stays_and_pays() -> None:
    clients = Clients()
    charges = clients.charges
    clients.present(client("laptop", A, B), 0)
    clients.present(client("laptop", A), 10)
    assert charges.numbers() == {A: 1}
    clients.present(client("laptop", A, C), 20)
    assert charges.numbers() == {A: 1, C: 1}
    assert charges.due(10 + KEEP) == {B}


def test_an_address_that_comes_to_another_is_charged_to_it() -> None:
    clients = Clients()
    charges = clients.charges
    clients.present(client("laptop", A, B), 0)
    charges.changes()
    clients.present(client("tablet", B), 10)
    clients.present(client("laptop", A), 11)
    assert charges.changes() == [Change(OWNERS, False, B), add(B, 2)]
    assert charges.due(11 + KEEP) == set(), "inherited connections are another's business, and at once"


def test_addresses_without_end_are_bounded() -> None:
    clients = Clients()
    charges = clients.charges
    for number in range(66_000):
        clients.present(client("laptop", (number + 1).to_bytes(16, "big")), 0)
    found = charges.due(1)
    assert 66_000 - 65_536 - 1 <= len(found) <= 66_000 - 65_536
    clients.present(client("tablet", A), 1)
    assert charges.numbers()[A] == 2
