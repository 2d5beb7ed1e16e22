"""Names in a real Active Directory: secure updates only, signed by Kerberos; and what goes wrong with Kerberos."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator
from ipaddress import IPv6Address
from pathlib import Path

import pytest

from manageout.errors import ManageoutError
from manageout.lab import network, samba
from manageout.lab.bind import LabRecord
from manageout.lab.topology import DNS_INTRANET, DOMAIN, PRINCIPAL, REALM, topology
from manageout.linux.host import netns
from manageout.protocol.names.registrar import NOTHING, Records, Task
from manageout.service.probe import clock as probe_clock
from tests.tools.commands import MANAGEOUT

pytestmark = pytest.mark.system
gssapi = pytest.importorskip("gssapi")
NAME = f"laptop.{DOMAIN}"
SIX = "fd12:3456:789a:1000::10"
FORWARD: Records = frozenset({("A", "10.0.0.130"), ("AAAA", SIX)})
POINTER: Records = frozenset({("PTR", f"{NAME}.")})
MARK = "manageout fd12:3456:789a::/48"
PERFORM = """
import sys
from pathlib import Path
from manageout.directory.dns.update import Updater
from manageout.directory.dns.gss_tsig import KerberosSigner
from manageout.directory.dns.zones import Zones
from manageout.protocol.names.registrar import Task
server, keytab, principal, mark = sys.argv[1:5]
updater = Updater(Zones([], [server]), KerberosSigner(Path(keytab), principal), mark, 60)
for line in sys.stdin:
    name, wanted, known, owner = eval(line)
    outcome, problem = updater.perform(Task(name, frozenset(wanted), frozenset(known), owner))
    print(outcome.name, problem.code if problem else "", problem.words if problem else "", sep="|")
"""
CHECK = """
import sys
from manageout.site.tables.site import parse
from manageout.service.check.dns import updates
for found in updates(parse(sys.stdin.read())):
    print(*found, sep="|")
"""


@pytest.fixture(scope="module")
def domain() -> Iterator[None]:
    if shutil.which("samba") is None:
        pytest.skip("samba-ad-dc is not installed")
    network.up(topology("single"))
    try:
        samba.start_directory("dc", DNS_INTRANET, [LabRecord(f"printer.{DOMAIN}", "A", "10.0.0.77")])
        yield
    finally:
        network.down()


def perform(*tasks: Task, keytab: Path | None = None, principal: str = PRINCIPAL) -> list[list[str]]:
    """On the gateway, as its daemon does it."""
    rows = [(task.name, sorted(task.wanted), sorted(task.known), task.owner) for task in tasks]
    text = "".join(f"{row!r}\n" for row in rows)
    argv = [
        sys.executable,
        "-c",
        PERFORM,
        str(DNS_INTRANET),
        str(keytab or samba.keytab("dc")),
        principal,
        MARK,
    ]
    setting = {"KRB5_CONFIG": str(samba.krb5_conf("dc")), "PYTHONPATH": os.pathsep.join(sys.path)}
    environment = [f"{name}={value}" for name, value in setting.items()]
    result = network.run("gateway", ["env", *environment, *argv], text=text, timeout=60)
    return [line.split("|") for line in result.stdout.splitlines()]


def answers(name: str, kind: str) -> list[str]:
    result = network.run("gateway", ["dig", "+short", f"@{DNS_INTRANET}", name, kind])
    return sorted(result.stdout.split("\n"))[1:]


def test_a_name_and_its_pointers_come_and_go(domain: None) -> None:
    reverse6 = IPv6Address(SIX).reverse_pointer
    tasks = [
        Task(NAME, FORWARD, NOTHING),
        Task("130.0.0.10.in-addr.arpa", POINTER, NOTHING),
        Task(reverse6, POINTER, NOTHING),
    ]
    assert [row[0] for row in perform(*tasks)] == ["DONE"] * 3
    assert answers(NAME, "A") == ["10.0.0.130"] and answers(NAME, "AAAA") == [SIX]
    assert answers("130.0.0.10.in-addr.arpa", "PTR") == answers(reverse6, "PTR") == [f"{NAME}."]
    removals = [Task(task.name, NOTHING, task.wanted) for task in tasks]
    assert [row[0] for row in perform(*removals)] == ["DONE"] * 3
    assert answers(NAME, "A") == answers(NAME, "AAAA") == answers(reverse6, "PTR") == []


def test_a_changed_address_and_a_return(domain: None) -> None:
    other: Records = frozenset({("AAAA", "fd12:3456:789a:1000::11")})
    rows = perform(Task(NAME, FORWARD, NOTHING), Task(NAME, other, FORWARD), Task(NAME, FORWARD, NOTHING))
    assert [row[0] for row in rows] == ["DONE"] * 3
    assert answers(NAME, "AAAA") == [SIX]
    perform(Task(NAME, NOTHING, FORWARD))


def test_a_name_is_its_clients_and_its_owners_before(domain: None) -> None:
    other = "laptop.branch.example"
    rows = perform(
        Task(NAME, FORWARD, NOTHING, "laptop.a.example"),
        Task(NAME, FORWARD, NOTHING, other),
        Task(NAME, FORWARD, NOTHING, NAME),
        Task(NAME, FORWARD, NOTHING, other),
        Task(NAME, NOTHING, FORWARD, other),
    )
    assert [row[:2] for row in rows] == [
        ["DONE", ""],
        ["TAKEN", "NAME-TWICE"],
        ["DONE", ""],
        ["OWNED", "NAME-TWICE"],
        ["DONE", ""],
    ]
    assert answers(NAME, "AAAA") == [SIX]
    perform(Task(NAME, NOTHING, FORWARD, NAME), Task(NAME, FORWARD, NOTHING))  # as an older version wrote it
    assert [row[0] for row in perform(Task(NAME, FORWARD, FORWARD, other))] == ["DONE"]
    assert [row[1] for row in perform(Task(NAME, FORWARD, NOTHING, "laptop.a.example"))] == ["NAME-TWICE"]
    perform(Task(NAME, NOTHING, FORWARD, other))
    assert answers(NAME, "TXT") == answers(NAME, "A") == []


def test_a_name_of_a_real_machine_is_left_alone(domain: None) -> None:
    name = f"printer.{DOMAIN}"
    ((outcome, code, _),) = perform(Task(name, FORWARD, NOTHING))
    assert (outcome, code) == ("TAKEN", "NAME-TAKEN")
    assert answers(name, "A") == ["10.0.0.77"]


def test_an_unknown_account(domain: None) -> None:
    ((outcome, code, words),) = perform(Task(NAME, FORWARD, NOTHING), principal=f"nobody@{REALM}")
    assert outcome == "FAILED" and code.startswith("KERBEROS-")
    assert "Major" not in words and "Minor" not in words


def test_check_tries_the_keytab(domain: None, tmp_path: Path) -> None:
    def found(principal: str) -> list[str]:
        head = f'[site]\nprefix = "fd12:3456:789a::/48"\ndomain = "{DOMAIN}"\n'
        gateway = '[gateway]\ncertificate = "/c.pem"\nkey = "/c.key"\nclient_ca = "/ca.pem"\n'
        table = f'[names]\nservers = ["{DNS_INTRANET}"]\nauthentication = "kerberos"\n'
        site = f'{head}{gateway}{table}keytab = "{samba.keytab("dc")}"\nprincipal = "{principal}"\n'
        setting = {"KRB5_CONFIG": str(samba.krb5_conf("dc")), "PYTHONPATH": os.pathsep.join(sys.path)}
        environment = [f"{name}={value}" for name, value in setting.items()]
        argv = ["env", *environment, sys.executable, "-c", CHECK]
        return network.run("gateway", argv, text=site, timeout=60).stdout.splitlines()

    assert found(PRINCIPAL) == []
    (line,) = found(f"nobody@{REALM}")
    assert line.startswith("error|") and "KERBEROS-" in line and "Major" not in line


def test_no_kerberos_server(domain: None) -> None:
    hook = "type filter hook input priority 0;"
    rules = f"table inet mo-test {{\nchain closed {{\n{hook}\nmeta l4proto {{ tcp, udp }} th dport 88 reject\n}}\n}}\n"
    network.run("dc", ["nft", "-f", "-"], text=rules)
    try:
        ((outcome, code, _),) = perform(Task(NAME, FORWARD, NOTHING))
    finally:
        network.run("dc", ["nft", "delete", "table", "inet", "mo-test"])
    assert (outcome, code) == ("FAILED", "KERBEROS-NO-KDC")


def test_no_keytab(tmp_path: Path) -> None:
    from manageout.directory.dns.gss_tsig import KerberosSigner

    with pytest.raises(ManageoutError, match="no such file"):
        KerberosSigner(tmp_path / "missing", "")


def test_the_routers_name_comes_changes_and_goes(domain: None, tmp_path: Path) -> None:
    """`manageout rollout dns`, as an administrator calls it."""
    file, name = tmp_path / "site.toml", f"manageout-isatap.{DOMAIN}"
    environment = [f"KRB5_CONFIG={samba.krb5_conf('dc')}", f"PYTHONPATH={os.pathsep.join(sys.path)}"]

    def rollout(routers: str, *options: str) -> str:
        file.write_text(
            f'[site]\nprefix = "fd12:3456:789a::/48"\ndomain = "{DOMAIN}"\n'
            f'[isatap]\nname = "{name}"\nlocators = ["10.0.0.1"]\nrouters = [{routers}]\n'
            f'[names]\nservers = ["{DNS_INTRANET}"]\nauthentication = "kerberos"\n'
            f'keytab = "{samba.keytab("dc")}"\nprincipal = "{PRINCIPAL}"\n'
        )
        argv = [*MANAGEOUT, "rollout", "dns", "-c", str(file), *options]
        return network.run("gateway", ["env", *environment, *argv], timeout=60).stdout

    for _ in range(2):  # what was there once is free again
        assert "10.0.0.1, 10.0.0.2, as it should be" in rollout('"10.0.0.2"')
        assert answers(name, "A") == ["10.0.0.1", "10.0.0.2"]
        rollout('"10.0.0.3"')
        assert answers(name, "A") == ["10.0.0.1", "10.0.0.3"]
        assert "removed A 10.0.0.1, 10.0.0.3" in rollout('"10.0.0.2"', "--undo")
        assert answers(name, "A") == answers(name, "TXT") == []


@pytest.mark.parametrize("ahead", [0.0, 900.0])
def test_the_clock_of_a_domain_controller(
    domain: None, monkeypatch: pytest.MonkeyPatch, ahead: float
) -> None:
    """By an error of Kerberos, without an account; `manageout doctor --live` asks so."""
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + ahead)
    with netns.inside(network.namespace("gateway")):
        found = probe_clock.kerberos(str(DNS_INTRANET), DOMAIN)
        elsewhere = probe_clock.kerberos(str(DNS_INTRANET), "another.example")
    for clock in (found, elsewhere):
        assert not clock.error and clock.ahead is not None and abs(clock.ahead - ahead) < 3
