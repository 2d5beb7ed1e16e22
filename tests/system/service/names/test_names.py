"""The role that registers names, with a real BIND: clients come and go, the process dies, the server refuses."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest

from manageout.protocol.names import registrar as machine
from manageout.service.names import names
from manageout.service.names.names import NamesService, remedy_of
from manageout.service.names.removal import remove_names
from manageout.service.process.presence import Client, Presence
from manageout.service.process.runtime import RuntimeDir
from manageout.service.state.names import NamesStore
from manageout.site.plan import plan
from manageout.site.tables import site as config
from tests.tools import waiting
from tests.tools.commands import MANAGEOUT
from tests.tools.places.bind import ADDRESS, KEY, PORT, ZONE, answers, bind
from tests.unit.service.state.test_database import limit

pytestmark = pytest.mark.system
NAME = f"laptop.{ZONE}"
CLIENT = Client(
    NAME,
    IPv6Address("fd12:3456:789a:1000::10").packed,
    (),
    IPv4Address("10.0.0.130").packed,
    "192.0.2.1",
    "ip-https",
    0.0,
)
NAMESAKE = CLIENT._replace(
    identity="laptop.branch.example", address=CLIENT.address[:-1] + b"\x66", lease=b"\n\0\0\x42"
)
"""It has the same first label."""
SITE = f"""
[site]
prefix = "fd12:3456:789a::/48"
domain = "{ZONE}"
[gateway]
certificate = "/c"
key = "/k"
client_ca = "/ca"
[names]
servers = ["{ADDRESS}:{PORT}"]
"""


def service(directory: Path, more: str = "", server: str = f"{ADDRESS}:{PORT}") -> NamesService:
    site = config.parse(SITE.replace(f"{ADDRESS}:{PORT}", server) + more)
    return watching(site, directory)


def watching(site: config.Site, directory: Path) -> NamesService:
    """Of the site, as the daemon makes it."""
    connected = Presence()
    role = NamesService(site, plan(site), directory, connected)
    connected.watch(role)
    return role


@contextlib.asynccontextmanager
async def running(role: NamesService) -> AsyncIterator[NamesService]:
    """Until the block ends, with a farewell."""
    task = asyncio.create_task(role.run())  # noqa: TID251 - ended below
    await asyncio.wait_for(role.ready.wait(), 5)
    try:
        yield role
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


KILLED = """
import asyncio, sys
from pathlib import Path
from tests.system.service.names.test_names import CLIENT, running, service

async def main():
    async with running(service(Path(sys.argv[1]), sys.argv[2])) as role:
        role.connected.present(CLIENT)
        while role.status()["registered"] < 3:
            await asyncio.sleep(0.01)
        print("registered", flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


def killed(directory: Path, more: str = "") -> None:
    """A process that has registered the client gets SIGKILL."""
    argv = [sys.executable, "-c", KILLED, str(directory), more]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None and child.stdout.readline() == "registered\n"
        finally:
            child.kill()


def stored(directory: Path) -> int:
    """Entries on the disk."""
    with contextlib.closing(sqlite3.connect(directory / "names.db")) as db:
        return int(db.execute("SELECT count(*) FROM entries").fetchone()[0])


until = partial(waiting.until, in_a_thread=True)


def test_a_client_comes_and_goes(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(service(tmp_path / "state")) as role:
            role.connected.present(CLIENT)
            await until(lambda: answers("130.0.0.10.in-addr.arpa", "PTR") == [f"{NAME}."])
            await until(lambda: answers(NAME, "A") == ["10.0.0.130"])
            await until(lambda: role.status()["registered"] == 3)
            role.connected.absent(CLIENT.identity)
            await until(lambda: answers(NAME, "AAAA") == [])
            await until(lambda: role.status()["waiting"] == 0)
            assert role.findings() == []

    with bind(tmp_path / "named"):
        asyncio.run(main())


def test_packets_wait_for_no_sync_of_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything in the loop waits for whoever writes in it, the way of packets too."""
    write, threads = NamesStore.write, list[threading.Thread]()

    def noted(self: NamesStore, changes: Iterable[tuple[str, machine.StoredEntry | None]]) -> str:
        threads.append(threading.current_thread())
        return write(self, changes)

    async def main() -> None:
        async with running(service(tmp_path)) as role:
            role.connected.present(CLIENT)
            await until(lambda: stored(tmp_path) == 3)
            role.connected.absent(CLIENT.identity)
        assert threads and threading.main_thread() not in threads

    monkeypatch.setattr(NamesStore, "write", noted)
    with bind(tmp_path / "named"):
        asyncio.run(main())


def serials(then: Callable[[], None]) -> tuple[list[str], list[str]]:
    """The zone's SOA before and after: any change of a record shows in it."""
    before = answers(ZONE, "SOA")
    then()
    return before, answers(ZONE, "SOA")


@pytest.mark.parametrize("gone_first", [False, True])
def test_records_stay_over_a_restart_and_nothing_is_written_for_a_client_that_comes_back(
    tmp_path: Path, gone_first: bool
) -> None:
    async def stop() -> None:
        async with running(service(tmp_path / "state")) as role:
            role.connected.present(CLIENT)
            await until(lambda: role.status()["registered"] == 3)
            if gone_first:  # the gateway's role that has the connections was the first to end
                role.connected.absent(CLIENT.identity)

    async def back() -> None:
        async with running(service(tmp_path / "state")) as role:
            role.connected.present(CLIENT)
            await until(lambda: role.status()["registered"] == 3 and not role.status()["waiting"])

    with bind(tmp_path / "named"):
        asyncio.run(stop())
        assert answers(NAME, "A") == ["10.0.0.130"]
        before, after = serials(lambda: asyncio.run(back()))
        assert before == after and answers(NAME, "A") == ["10.0.0.130"]


def test_who_does_not_come_back_after_a_restart_loses_its_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = CLIENT._replace(
        identity=f"tablet.{ZONE}",
        address=IPv6Address("fd12:3456:789a:1000::11").packed,
        lease=IPv4Address("10.0.0.131").packed,
    )

    async def stop() -> None:
        async with running(service(tmp_path / "state")) as role:
            role.connected.present(CLIENT)
            role.connected.present(other)
            await until(lambda: role.status()["registered"] == 6)

    async def back() -> None:
        async with running(service(tmp_path / "state")) as role:
            role.connected.present(CLIENT)
            await until(lambda: answers(f"tablet.{ZONE}", "AAAA") == [])
            assert answers(NAME, "A") == ["10.0.0.130"]

    with bind(tmp_path / "named"):
        asyncio.run(stop())
        monkeypatch.setattr(machine, "SWEEP_AFTER", 0.5)
        asyncio.run(back())


def test_after_the_last_stop_one_command_removes_everything(tmp_path: Path) -> None:
    async def stop() -> None:
        async with running(service(tmp_path / "state")) as role:
            role.connected.present(CLIENT)
            await until(lambda: role.status()["registered"] == 3)

    file = tmp_path / "site.toml"
    file.write_text(f'{SITE}[daemon]\nstate_dir = "{tmp_path}/state"\nruntime_dir = "{tmp_path}/run"\n')
    argv = [*MANAGEOUT, "names", "remove", "--config", str(file)]

    def remove() -> tuple[int, str]:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    with bind(tmp_path / "named"):
        asyncio.run(stop())
        with RuntimeDir(tmp_path / "run"):
            code, said = remove()
            assert code == 1 and "the daemon is running" in said
        code, said = remove()
        assert code == 0 and f"removed {NAME}" in said
        assert answers(NAME, "AAAA") == [] and answers("130.0.0.10.in-addr.arpa", "PTR") == []
        assert remove() == (0, "There is nothing of ours.\n")


def test_what_a_server_that_is_down_keeps_is_said_and_kept_for_the_next_try(tmp_path: Path) -> None:
    async def stop() -> None:
        async with running(service(tmp_path / "state")) as role:
            role.connected.present(CLIENT)
            await until(lambda: role.status()["registered"] == 3)

    site = config.parse(f'{SITE}[daemon]\nstate_dir = "{tmp_path}/state"\nruntime_dir = "{tmp_path}/run"\n')
    with bind(tmp_path / "named"):
        asyncio.run(stop())
    removal = remove_names(site, plan(site))
    assert not removal.removed and NAME in [left.name for left in removal.left]
    assert all(left.why and left.remedy for left in removal.left)
    assert stored(tmp_path / "state") >= 3


def test_what_a_crash_left_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def sweep() -> None:
        async with running(service(tmp_path / "state")):
            await until(lambda: answers(NAME, "AAAA") == [])

    with bind(tmp_path / "named"):
        killed(tmp_path / "state")
        assert answers(NAME, "A") == ["10.0.0.130"]
        monkeypatch.setattr(machine, "SWEEP_AFTER", 0.1)
        asyncio.run(sweep())


def test_a_name_of_somebody_else_is_a_finding(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(service(tmp_path / "state")) as role:
            role.connected.present(CLIENT)
            await until(lambda: role.findings())
            (finding,) = role.findings()
            assert (finding.code, finding.severity) == ("NAME-TAKEN", "warning")
            assert NAME in finding.what and "names.zone" in finding.remedy

    with bind(tmp_path / "named", records="laptop A 10.0.0.77\n"):
        asyncio.run(main())
        assert answers(NAME, "A") == ["10.0.0.77"]


def test_a_server_that_refuses_is_a_finding_until_it_does_not(tmp_path: Path) -> None:
    async def main() -> None:
        key = tmp_path / "key"
        key.write_text(KEY)
        async with running(service(tmp_path / "state")) as role:
            role.connected.present(CLIENT)
            await until(lambda: role.findings())
            assert role.findings()[0].code == "DNS-REFUSED"
            site = config.parse(f'{SITE}authentication = "tsig"\nkey_file = "{key}"\n')
            role.reload(site, plan(site))
            await until(lambda: role.status()["registered"] == 3)
            assert role.findings() == []

    with bind(tmp_path / "named", 'key "manageout"'):
        asyncio.run(main())


def test_a_key_that_cannot_be_used_is_a_finding_until_it_can(tmp_path: Path) -> None:
    key = tmp_path / "key"
    more = f'authentication = "tsig"\nkey_file = "{key}"\n'

    async def main() -> None:
        async with running(service(tmp_path / "state", more)) as role:
            (finding,) = role.findings()
            assert finding.code == "NAMES-UNUSABLE" and str(key) in finding.what
            role.connected.present(CLIENT)
            await until(lambda: role.machine.entries[NAME].delay > 1)
            key.write_text(KEY)
            await until(lambda: role.status()["registered"] == 3)
            assert role.findings() == []

    with bind(tmp_path / "named", 'key "manageout"'):
        asyncio.run(main())


def test_the_queue_waits_for_a_server_that_is_down(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(service(tmp_path / "state")) as role:
            role.connected.present(CLIENT)
            await until(lambda: role.findings())
            assert role.findings()[0].code == "DNS-UNREACHABLE"
            with bind(tmp_path / "named"):
                await until(lambda: role.status()["registered"] == 3)

    asyncio.run(main())


def test_without_a_lease_no_grace_is_waited_for(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(service(tmp_path / "state", 'keep = "grace"\n')) as role:
            client = CLIENT._replace(lease=None)
            role.connected.present(client)
            await until(lambda: role.status()["registered"] == 2)
            role.connected.absent(client.identity)
            await until(lambda: answers(NAME, "AAAA") == [])

    with bind(tmp_path / "named"):
        asyncio.run(main())


def test_a_remedy_has_the_values_of_the_file(tmp_path: Path) -> None:
    head = '[site]\nprefix = "fd12:3456:789a::/48"\ndomain = "corp.example"\n'
    gateway = '[gateway]\ncertificate = "/c.pem"\nkey = "/c.key"\nclient_ca = "/ca.pem"\n'
    table = '[names]\nservers = ["10.0.0.10"]\nauthentication = "kerberos"\nkeytab = "/etc/m.keytab"\n'
    named = config.parse(head + gateway + table + 'principal = "gw@CORP.EXAMPLE"\n').names
    assert "kinit -k -t /etc/m.keytab gw@CORP.EXAMPLE;" in remedy_of("KERBEROS-FAILED", named)
    unnamed = config.parse(head + gateway + table).names
    assert "klist -k /etc/m.keytab" in remedy_of("KERBEROS-FAILED", unnamed)
    assert remedy_of("NEVER-HEARD", named) == "see the DNS server's log"


def test_metrics_count_outcomes(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(service(tmp_path / "state")) as role:
            role.connected.present(CLIENT)
            await until(lambda: role.status()["registered"] == 3)
            found = {metric.name: list(metric.labelled()) for metric in role.metrics()}
            assert found["names_registered"] == [({}, 3)]
            assert found["names_updates"] == [({"outcome": "done"}, 3.0)]

    with bind(tmp_path / "named"):
        asyncio.run(main())


def test_another_zone_and_key_take_the_old_records_away(tmp_path: Path) -> None:
    """Each zone takes updates from one key alone, as two administrators have it."""
    other = "lab.example"
    (tmp_path / "key").write_text(KEY)
    table = f'authentication = "tsig"\nkey_file = "{tmp_path}/key"\n'

    async def main() -> None:
        async with running(service(tmp_path / "state", table)) as role:
            role.connected.present(CLIENT)
            await until(lambda: role.status()["registered"] == 3)
            site = config.parse(SITE + f'zone = "{other}"\n')
            role.reload(site, plan(site))
            await until(lambda: answers(f"laptop.{other}", "AAAA"))
            await until(lambda: answers(NAME, "AAAA") == [])
            await until(lambda: role.status()["waiting"] == 0)
            assert role.findings() == []

    policy = {ZONE: 'key "manageout"', "0.0.10.in-addr.arpa": "any", other: "any"}
    with bind(tmp_path / "named", zones=tuple(policy), updates=policy):
        asyncio.run(main())


def test_records_that_the_new_key_cannot_remove_are_a_finding(tmp_path: Path) -> None:
    other = "lab.example"
    (tmp_path / "key").write_text(KEY)
    table = f'authentication = "tsig"\nkey_file = "{tmp_path}/key"\n'

    async def moved() -> None:
        async with running(service(tmp_path / "state", f'zone = "{other}"\n')) as role:
            role.connected.present(CLIENT)
            await until(role.findings)
            (finding,) = role.findings()
            assert (finding.code, finding.severity) == ("NAMES-LEFT-BEHIND", "warning")
            assert NAME in finding.what and f"update delete {NAME}" in finding.remedy

    policy = {ZONE: 'key "manageout"', "0.0.10.in-addr.arpa": "any", other: "any"}
    with bind(tmp_path / "named", zones=tuple(policy), updates=policy):
        killed(tmp_path / "state", table)
        asyncio.run(moved())
        assert answers(NAME, "A") == ["10.0.0.130"]


def test_a_full_disk_is_a_finding_and_heals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "RETRY", 0.1)

    async def main() -> None:
        async with running(service(tmp_path / "state")) as role:
            limit(role._store, 3)
            for number in range(60):
                address = CLIENT.address[:-1] + bytes([number])
                role.connected.present(
                    CLIENT._replace(identity=f"c{number}.{ZONE}", address=address, lease=None)
                )
            await until(role.findings)
            (finding,) = role.findings()
            assert (finding.code, finding.severity) == ("NAMES-NOT-STORED", "error")
            assert str(tmp_path / "state") in finding.remedy
            limit(role._store, 10000)
            await until(lambda: not role.findings() and role.status()["registered"] == 120)
            await until(lambda: stored(tmp_path / "state") == 120)

    with bind(tmp_path / "named"):
        asyncio.run(main())


def test_with_masquerade_nobody_is_told_of_the_lease(tmp_path: Path) -> None:
    async def main() -> None:
        hidden = '[translation]\npool = "10.0.0.128/26"\nmasquerade = true\n'
        async with running(service(tmp_path / "state", hidden)) as role:
            role.connected.present(CLIENT)
            await until(lambda: answers(NAME, "AAAA"))
            assert not answers(NAME, "A")
            site = config.parse(SITE + hidden.replace("true", "false"))
            role.reload(site, plan(site))
            await until(lambda: answers(NAME, "A") == ["10.0.0.130"])

    with bind(tmp_path / "named"):
        asyncio.run(main())


def test_no_second_certificate_takes_a_connected_clients_name_at_another_gateway(tmp_path: Path) -> None:
    """Both gateways have the same key, zone and site."""

    async def main() -> None:
        async with running(service(tmp_path / "one")) as one, running(service(tmp_path / "two")) as two:
            one.connected.present(CLIENT)
            await until(lambda: one.status()["registered"] == 3)
            two.connected.present(NAMESAKE)
            await until(two.findings)
            (finding,) = two.findings()
            assert finding.code == "NAME-TWICE" and "certificate" in finding.remedy
            assert answers(NAME, "A") == ["10.0.0.130"]
            await until(lambda: two.status()["waiting"] == 0)  # it is no heir, also when the owner leaves
            one.connected.present(
                NAMESAKE._replace(address=CLIENT.address[:-1] + b"\x67", lease=b"\n\0\0\x43")
            )
            one.connected.absent(CLIENT.identity)
            await until(lambda: answers(NAME, "A") == [] and one.status()["waiting"] == 0)
            assert [finding.code for finding in one.findings()] == ["NAME-TWICE"]
            one.connected.present(CLIENT)
            await until(lambda: answers(NAME, "A") == ["10.0.0.130"])

    with bind(tmp_path / "named"):
        asyncio.run(main())


def test_the_owner_takes_its_name_from_another_gateway_and_keeps_it(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(service(tmp_path / "one")) as one, running(service(tmp_path / "two")) as two:
            two.connected.present(NAMESAKE)
            await until(lambda: answers(NAME, "A") == ["10.0.0.66"])
            one.connected.present(CLIENT)
            await until(lambda: answers(NAME, "A") == ["10.0.0.130"])
            two.connected.absent(NAMESAKE.identity)
            await until(lambda: two.status()["waiting"] == 0)
            assert answers(NAME, "A") == ["10.0.0.130"] and answers(NAME, "AAAA") == [
                "fd12:3456:789a:1000::10"
            ]

    with bind(tmp_path / "named"):
        asyncio.run(main())
