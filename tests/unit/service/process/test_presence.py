"""The one table of who is connected, and who hears of its changes."""

from __future__ import annotations

from manageout.service.process.presence import Client, Presence, Watcher

A, B, C = (bytes(15) + bytes([last]) for last in (1, 2, 3))
LEASE = bytes([10, 0, 8, 1])


def client(identity: str, *addresses: bytes, lease: bytes | None = None) -> Client:
    return Client(identity, addresses[0], addresses[1:], lease, "192.0.2.1", "ip-https", 0.0)


class Heard(Watcher):
    """Notes what it hears, and what the table says then."""

    def __init__(self) -> None:
        self.all: list[tuple[object, ...]] = []
        self.table: Presence

    def present(self, client: Client, before: Client | None) -> None:
        self.all.append((client, before, self.table.get(client.identity)))

    def absent(self, client: Client) -> None:
        self.all.append((client, None, self.table.get(client.identity)))

    def released(self, identity: str, lease: bytes) -> None:
        self.all.append((identity, lease))


def test_the_table_knows_before_anybody_hears() -> None:
    heard = Heard()
    heard.table = table = Presence(heard)
    first, second = client("laptop", A), client("laptop", B, lease=LEASE)
    table.present(first)
    table.present(first)
    table.present(second)
    table.absent("laptop")
    table.absent("laptop")
    table.released("laptop", LEASE)
    assert heard.all == [
        (first, None, first),
        (second, first, second),
        (second, None, None),
        ("laptop", LEASE),
    ]
    assert len(table) == 0 and not table.owners()


def test_an_address_that_another_has_by_now_stays_that_ones() -> None:
    table = Presence()
    table.present(client("laptop", A, C, lease=LEASE))
    table.present(client("tablet", B, C))
    assert [table.owner(each) for each in (A, B, C, LEASE)] == ["laptop", "tablet", "tablet", "laptop"]
    table.absent("laptop")
    assert dict(table.owners()) == {B: "tablet", C: "tablet"}
    assert [each.identity for each in table] == ["tablet"]


def test_a_watcher_that_fails_keeps_no_other_from_hearing() -> None:
    class Broken(Watcher):
        def present(self, client: Client, before: Client | None) -> None:
            raise RuntimeError("broken")

    heard = Heard()
    heard.table = table = Presence(Broken(), heard)
    table.present(client("laptop", A))
    assert len(heard.all) == 1
