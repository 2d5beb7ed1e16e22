"""The keeper of leases with its real store: what watchers are told, when, and what survives."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from manageout.errors import ManageoutError
from manageout.linux.netlink.links import Netlink
from manageout.service.leases import commit_queue
from manageout.service.leases.keeper import LeaseKeeper
from manageout.service.process.presence import Client, Presence, Watcher
from manageout.site.plan import Plan, plan
from manageout.site.tables.site import Site, parse

A, B, C = (b"\xfd\x12\x34\x56\x78\x9a\x10\x00" + bytes(7) + bytes((n,)) for n in (0xA, 0xB, 0xC))
LAPTOP, TABLET = "laptop.corp.example", "tablet.corp.example"
PEER = "198.51.100.7:5000"
"""Addresses of clients, their names, and where they come from."""


class Told(Watcher):
    """A watcher that notes what it hears, and what is in the database then."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str, str | None]] = []
        self.clients: dict[str, Client] = {}

    def present(self, client: Client, before: Client | None) -> None:
        self.clients[client.identity] = client
        self.heard.append(("present", client.identity, _text(client.lease)))

    def absent(self, client: Client) -> None:
        del self.clients[client.identity]
        self.heard.append(("absent", client.identity, _text(client.lease)))

    def released(self, identity: str, lease: bytes) -> None:
        self.heard.append(("released", identity, _text(lease)))


def _text(v4: bytes | None) -> str | None:
    return str(IPv4Address(v4)) if v4 else None


class Scene:
    """A keeper that runs, and its watcher."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.told = Told()
        self.keeper: LeaseKeeper

    def make(
        self,
        translation: str | None = "",
        gateway: str = "",
        watchers: tuple[Watcher, ...] = (),
        netlink: Netlink | None = None,
    ) -> None:
        made = self.site(translation, gateway)
        self.keeper = LeaseKeeper(*made, netlink or Netlink(), self.directory, Presence(*watchers, self.told))

    @staticmethod
    def site(translation: str | None = "", gateway: str = "") -> tuple[Site, Plan]:
        text = (
            '[site]\nprefix = "fd12:3456:789a::/48"\n[gateway]\nlisten = ["192.0.2.1:443"]\n'
            f'certificate = "/c"\nkey = "/k"\nclient_ca = "/ca"\nallow = ["*"]\n{gateway}\n'
        )
        if translation is not None:
            pool = "" if "pool" in translation else 'pool = "10.0.8.0/29"\n'
            text += f"[translation]\n{pool}{translation}\n"
        site = parse(text)
        return site, plan(site)

    def arrive(self, number: int, identity: str | None, *addresses: bytes, peer: str = PEER) -> None:
        self.keeper.opened(number, identity, peer)
        for address in addresses:
            self.keeper.bound(number, address)

    async def quiet(self) -> None:
        """Until all that happened is stored and told."""
        for _ in range(400):
            await asyncio.sleep(0.005)
            if not self.keeper.busy:
                return
        raise AssertionError("the keeper is busy for ever")

    async def hears(self, condition: Callable[[], object]) -> None:
        for _ in range(1000):
            if condition():
                return
            await asyncio.sleep(0.005)
        raise AssertionError(f"heard only {self.told.heard}")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.keeper.run())
            await self.keeper.ready.wait()
            yield
            task.cancel()

    def rows(self) -> list[tuple[object, ...]]:
        return [(r["name"], r["ipv4"], r["state"]) for r in self.keeper.leases()]

    def codes(self) -> list[str]:
        return [found.code for found in self.keeper.findings()]


Story = Callable[[Scene], Awaitable[None]]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def play(scene: Scene, story: Story) -> None:
    async def whole() -> None:
        async with scene.running():
            await story(scene)

    asyncio.run(whole())


def test_a_client_that_arrives_is_told_with_its_lease(scene: Scene) -> None:
    async def story(scene: Scene) -> None:
        scene.arrive(1, LAPTOP, A, B)
        await scene.quiet()
        client = scene.told.clients[LAPTOP]
        assert client == Client(LAPTOP, A, (B,), bytes((10, 0, 8, 1)), PEER, "ip-https", client.since)
        assert scene.rows() == [(LAPTOP, "10.0.8.1", "held")]

    scene.make()
    play(scene, story)


def test_what_is_told_is_on_the_disk_before(scene: Scene) -> None:
    stored: list[object] = []

    class Reader(Told):
        def present(self, client: Client, before: Client | None) -> None:
            with sqlite3.connect(scene.directory / "leases.db") as db:
                stored.append(db.execute("SELECT identity, state FROM leases").fetchall())
                stored.append(db.execute("SELECT event, identity FROM audit").fetchall())

    async def story(scene: Scene) -> None:
        scene.arrive(1, LAPTOP, A)
        await scene.quiet()

    scene.make(watchers=(Reader(),))
    play(scene, story)
    assert stored == [[(LAPTOP, "held")], [("held", LAPTOP)]]


def test_one_that_goes_is_absent_and_returns_to_the_same_lease(scene: Scene) -> None:
    async def story(scene: Scene) -> None:
        scene.arrive(1, LAPTOP, A)
        await scene.quiet()
        scene.keeper.closed(1, "dead peer")
        await scene.quiet()
        assert scene.rows() == [(LAPTOP, "10.0.8.1", "grace")]
        scene.arrive(2, TABLET, B)
        scene.arrive(3, LAPTOP, A)
        await scene.quiet()
        assert scene.told.heard == [
            ("present", LAPTOP, "10.0.8.1"),
            ("absent", LAPTOP, "10.0.8.1"),
            ("present", TABLET, "10.0.8.2"),
            ("present", LAPTOP, "10.0.8.1"),
        ]

    scene.make()
    play(scene, story)


def test_a_change_of_connection_within_one_turn_is_no_absence(scene: Scene) -> None:
    async def story(scene: Scene) -> None:
        scene.arrive(1, LAPTOP, A)
        await scene.quiet()
        scene.keeper.opened(2, LAPTOP, "203.0.113.5:7")
        scene.keeper.unbound(1, A)
        scene.keeper.bound(2, A)
        scene.keeper.closed(1)
        await scene.quiet()
        assert [what for what, *_ in scene.told.heard] == ["present", "present"]
        assert scene.told.clients[LAPTOP].peer == "203.0.113.5:7"

    scene.make()
    play(scene, story)
    periods = list(scene.keeper.audit())
    assert [(row["peer"], row["ended"]) for row in periods] == [
        ("203.0.113.5:7", "the gateway stopped"),
        (PEER, "disconnected"),
    ]


def test_a_client_that_left_before_it_was_told_is_never_mentioned(scene: Scene) -> None:
    async def story(scene: Scene) -> None:
        scene.arrive(1, LAPTOP, A)
        scene.keeper.closed(1)
        await scene.quiet()
        assert scene.told.heard == []

    scene.make()
    play(scene, story)
    assert list(scene.keeper.audit()) == []


def test_the_end_of_grace_is_told(scene: Scene) -> None:
    async def story(scene: Scene) -> None:
        scene.arrive(1, LAPTOP, A)
        await scene.quiet()
        scene.keeper.closed(1)
        await scene.hears(lambda: len(scene.told.heard) == 3)
        assert scene.told.heard[2] == ("released", LAPTOP, "10.0.8.1")
        assert scene.rows() == [(LAPTOP, "10.0.8.1", "quarantine")]

    scene.make("grace = 0.05")
    play(scene, story)


def test_an_exhausted_pool_is_a_finding_and_the_next_free_address_goes_to_who_waits(scene: Scene) -> None:
    async def story(scene: Scene) -> None:
        scene.arrive(1, "a", A)
        scene.arrive(2, "b", B)
        scene.arrive(3, "c", C)
        await scene.quiet()
        assert scene.told.clients["c"].lease is None
        assert scene.codes() == ["POOL-EXHAUSTED"]
        assert scene.rows()[2] == ("c", None, "waiting")
        figures = {metric.name: list(metric.labelled()) for metric in scene.keeper.metrics()}
        assert figures["leases_denied"] == figures["leases_waiting"] == [({}, 1.0)]
        scene.keeper.closed(1)
        await scene.hears(lambda: scene.told.clients["c"].lease)
        assert scene.told.heard[-1] == ("present", "c", "10.0.8.1")
        assert scene.codes() == []

    scene.make('pool = "10.0.8.0/30"\ngrace = 0.05\nquarantine = 0.05')
    play(scene, story)


def test_who_has_waited_is_served_before_who_comes_as_an_address_is_free(scene: Scene) -> None:
    async def story(scene: Scene) -> None:
        for number, name in enumerate(("one", "two", "waits")):
            scene.arrive(number, name, A[:-1] + bytes((number,)))
            await scene.quiet()
        scene.keeper.closed(0)
        await asyncio.sleep(0)  # its end is being stored
        scene.arrive(3, "comes", A[:-1] + bytes((3,)))
        await scene.hears(lambda: "comes" in scene.told.clients)
        await scene.hears(lambda: scene.told.clients["waits"].lease)
        assert list(scene.keeper.allotment.waiting) == ["comes"]

    scene.make('pool = "10.0.8.0/30"\ngrace = 0\nquarantine = 0')
    play(scene, story)


def test_clients_without_a_certificate_have_no_lease_and_are_not_told(scene: Scene) -> None:
    async def story(scene: Scene) -> None:
        scene.arrive(1, None, A)
        await scene.quiet()
        assert scene.told.heard == []
        assert scene.codes() == ["CLIENTS-WITHOUT-NAME"]
        scene.keeper.closed(1)
        assert scene.codes() == []

    scene.make()
    play(scene, story)


def test_a_name_of_the_site_file_may_be_in_any_case(scene: Scene) -> None:
    async def story(scene: Scene) -> None:
        scene.arrive(1, LAPTOP, A)
        await scene.quiet()
        assert scene.told.heard == [("present", LAPTOP, "10.0.8.5")]

    scene.make('fixed = { "LapTop.corp.example" = "10.0.8.5" }')
    play(scene, story)


def test_without_translation_clients_are_told_without_a_lease(scene: Scene) -> None:
    async def story(scene: Scene) -> None:
        scene.arrive(1, LAPTOP, A)
        await scene.quiet()
        scene.keeper.closed(1)
        await scene.quiet()
        assert scene.told.heard == [("present", LAPTOP, None), ("absent", LAPTOP, None)]
        assert scene.keeper.status() == {"pool": None}
        for rows in (scene.keeper.leases, scene.keeper.audit):
            with pytest.raises(ManageoutError, match="gives no leases"):
                rows()

    scene.make(None)
    play(scene, story)
    assert not (scene.directory / "leases.db").exists()


def test_leases_survive_a_stop(scene: Scene) -> None:
    async def first(scene: Scene) -> None:
        scene.arrive(1, TABLET, B)
        scene.arrive(2, LAPTOP, A)
        await scene.quiet()
        scene.keeper.closed(1)
        await scene.quiet()

    async def second(scene: Scene) -> None:
        assert scene.rows() == [(TABLET, "10.0.8.1", "grace"), (LAPTOP, "10.0.8.2", "grace")]
        scene.arrive(1, LAPTOP, B, A)  # another is bound first, but this was its address
        await scene.quiet()
        assert scene.told.clients[LAPTOP][1:4] == (A, (B,), bytes((10, 0, 8, 2)))

    scene.make()
    play(scene, first)
    assert scene.told.heard[-1] == ("absent", TABLET, "10.0.8.1"), "at the stop nothing is told"
    scene.make()
    play(scene, second)


def test_a_reload_moves_a_client_to_its_fixed_address(scene: Scene) -> None:
    async def story(scene: Scene) -> None:
        scene.arrive(1, LAPTOP, A)
        await scene.quiet()
        scene.keeper.reload(
            *scene.site(
                f'fixed = {{ "{LAPTOP}" = "10.0.8.5" }}',
                f'fixed = {{ "{LAPTOP}" = "fd12:3456:789a:1000::b" }}',
            )
        )
        scene.keeper.bound(1, B)
        await scene.quiet()
        assert scene.told.clients[LAPTOP][1:4] == (B, (A,), bytes((10, 0, 8, 5)))

    scene.make()
    play(scene, story)
    assert [row["ipv4"] for row in scene.keeper.audit()] == ["10.0.8.5", "10.0.8.1"]


def test_while_the_disk_refuses_nobody_gets_a_lease_and_then_everybody(scene: Scene) -> None:
    async def story(scene: Scene) -> None:
        other = sqlite3.connect(scene.directory / "leases.db", isolation_level=None)
        other.execute("ALTER TABLE leases RENAME TO elsewhere")
        scene.arrive(1, LAPTOP, A)
        await scene.hears(lambda: scene.codes() == ["LEASES-NOT-STORED"])
        scene.arrive(2, TABLET, B)
        without = [("present", LAPTOP, None), ("present", TABLET, None)]
        await scene.hears(lambda: scene.told.heard == without)
        assert {state for _, _, state in scene.rows()} == {"waiting"}
        other.execute("ALTER TABLE elsewhere RENAME TO leases")
        await scene.hears(lambda: len(scene.told.heard) == 4)
        assert {client.lease for client in scene.told.clients.values()} == {
            bytes((10, 0, 8, n)) for n in (1, 2)
        }
        assert scene.codes() == []
        assert other.execute("SELECT count(*) FROM leases").fetchone() == (2,)
        other.close()

    scene.make()
    play(scene, story)


def test_while_the_disk_refuses_leases_that_it_knows_are_served(scene: Scene) -> None:
    async def first(scene: Scene) -> None:
        scene.arrive(1, LAPTOP, A)
        scene.arrive(2, TABLET, B)
        await scene.quiet()

    async def second(scene: Scene) -> None:
        other = sqlite3.connect(scene.directory / "leases.db", isolation_level=None)
        other.execute("CREATE TRIGGER full BEFORE INSERT ON leases BEGIN SELECT RAISE(ABORT, 'full'); END")
        scene.arrive(1, TABLET, B)
        await scene.hears(lambda: scene.told.heard == [("present", TABLET, "10.0.8.2")])
        assert scene.codes() == ["LEASES-NOT-STORED"]
        scene.arrive(2, "new.corp.example", C)
        await scene.hears(lambda: scene.told.heard[1:] == [("present", "new.corp.example", None)])
        scene.keeper.closed(1)
        await scene.hears(lambda: scene.told.heard[2:] == [("absent", TABLET, "10.0.8.2")])
        scene.arrive(3, TABLET, B)
        await scene.hears(lambda: scene.told.heard[3:] == [("present", TABLET, "10.0.8.2")])
        other.execute("DROP TRIGGER full")
        await scene.hears(lambda: scene.told.heard[4:] == [("present", "new.corp.example", "10.0.8.3")])
        assert scene.codes() == []
        await scene.quiet()
        other.close()

    scene.make()
    play(scene, first)
    scene.told.heard.clear()
    scene.make()
    play(scene, second)
    periods = [(row["name"], row["until"] is not None) for row in scene.keeper.audit()]
    assert sorted(periods) == [(LAPTOP, True), ("new.corp.example", True)] + 3 * [(TABLET, True)]


def test_entries_for_a_disk_that_refuses_are_bounded(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit_queue, "MAX_UNSTORED", 10)

    async def story(scene: Scene) -> None:
        other = sqlite3.connect(scene.directory / "leases.db", isolation_level=None)
        other.execute("CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'full'); END")
        for number in range(20):
            scene.arrive(number, LAPTOP, A)
            await scene.hears(lambda: LAPTOP in scene.told.clients)
            scene.keeper.closed(number)
            await scene.hears(lambda: LAPTOP not in scene.told.clients)
        assert scene.codes() == ["LEASES-NOT-STORED", "LEASES-AUDIT-INCOMPLETE"]
        other.execute("DROP TRIGGER full")
        await scene.quiet()
        await scene.hears(lambda: scene.codes() == ["LEASES-AUDIT-INCOMPLETE"])
        other.close()

    scene.make()
    play(scene, story)
    assert 4 <= len(list(scene.keeper.audit())) <= 10


def test_after_leases_were_lost_new_ones_come_from_the_end_of_the_pool(scene: Scene) -> None:
    async def story(scene: Scene) -> None:
        scene.arrive(1, TABLET, B)
        await scene.quiet()
        assert scene.told.clients[TABLET].lease == bytes((10, 0, 8, 6))
        assert "LEASES-LOST" in scene.codes()

    async def later(scene: Scene) -> None:
        scene.arrive(1, LAPTOP, A)
        await scene.quiet()
        assert scene.told.clients[LAPTOP].lease == bytes((10, 0, 8, 1))
        assert scene.codes() == []

    (scene.directory / "leases.db").write_bytes(b"no database any more" * 1000)
    scene.make("grace = 5\nquarantine = 5")
    play(scene, story)
    scene.make("grace = 0\nquarantine = 0")
    play(scene, later)


def test_a_watcher_that_fails_does_not_keep_the_others_from_hearing(scene: Scene) -> None:
    class Broken(Told):
        def present(self, client: Client, before: Client | None) -> None:
            raise RuntimeError("broken")

    async def story(scene: Scene) -> None:
        scene.arrive(1, LAPTOP, A)
        await scene.quiet()
        assert scene.told.heard == [("present", LAPTOP, "10.0.8.1")]

    scene.make(watchers=(Broken(),))
    play(scene, story)


def test_two_thousand_come_and_go_in_a_few_commits(scene: Scene) -> None:
    async def story(scene: Scene) -> None:
        for number in range(2000):
            scene.arrive(number, f"c{number}", A[:-4] + number.to_bytes(4, "big"))
        await scene.quiet()
        assert len(scene.told.clients) == 2000
        for number in range(2000):
            scene.keeper.closed(number)
        await scene.quiet()
        assert scene.told.clients == {}

    scene.make('pool = "10.0.8.0/21"')
    play(scene, story)
    with sqlite3.connect(scene.directory / "leases.db") as db:
        commits = "SELECT event, count(DISTINCT at), count(*) FROM audit GROUP BY event"
        assert db.execute(commits).fetchall() == [("ended", 4, 2000), ("held", 4, 2000)]


def test_a_stop_in_the_middle_stores_what_happened(scene: Scene) -> None:
    async def story(scene: Scene) -> None:
        for number in range(1500):
            scene.arrive(number, f"c{number}", A[:-4] + number.to_bytes(4, "big"))

    scene.make('pool = "10.0.8.0/21"')
    play(scene, story)
    assert scene.told.heard == []
    assert all(row["until"] for row in scene.keeper.audit())
    scene.make('pool = "10.0.8.0/21"')
    assert {state for _, _, state in scene.rows()} <= {"grace"}


def test_many_leases_end_together(scene: Scene) -> None:
    async def story(scene: Scene) -> None:
        for number in range(1200):
            scene.arrive(number, f"c{number}", A[:-4] + number.to_bytes(4, "big"))
        await scene.quiet()
        for number in range(1200):
            scene.keeper.closed(number)
        await scene.hears(lambda: len(scene.told.heard) == 3600)

    scene.make('pool = "10.0.8.0/21"\ngrace = 0.05')
    play(scene, story)
