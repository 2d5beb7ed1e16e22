"""The whole way out of ISATAP and back, in the lab: census, judge, pilot, watch, forward, report, remove, undo."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

import pytest

from manageout.lab import network, process, site
from manageout.lab.bind import key_file
from manageout.lab.process import wait_until
from manageout.lab.topology import CLIENT_PREFIX, DNS_INTRANET, DOMAIN, HELPDESK, ISATAP_NAME
from manageout.retire.watch import SETTLE, HostState, Observation, observe
from manageout.service.state.retire import RetireStore
from manageout.service.state.retire_phases import Phase
from manageout.service.state.usage import UsageFile
from manageout.wire import icmpv6, ipv4, ipv6, numbers
from tests.tools.commands import MANAGEOUT
from tests.tools.lab import AS_NOBODY, Lab, host, ping

PATIENCE = 10.0
NODE = "gateway"
pytestmark = pytest.mark.parametrize("lab", [("single", True)], indirect=True)


@pytest.fixture(autouse=True)
def as_before(lab: Lab) -> Iterator[None]:
    """Nothing of it is left for the next test."""
    yield
    store().path.unlink(missing_ok=True)
    wait_until("helpdesk is on ISATAP", route, site.READY_SECONDS)


def retire(*argv: str, code: int = 0) -> str:
    """``manageout retire ARGV`` on the router; what it says."""
    where = network.directory(NODE)
    command = [*MANAGEOUT, "retire", *argv, "--config", str(where / "site.toml")]
    if argv[0] in ("pilot", "forward", "undo", "watch", "report", "remove"):
        command += ["--runtime-dir", str(where)]
    result = network.run(NODE, command, check=False)
    said = result.stdout + result.stderr
    assert result.returncode == code, said
    assert "Traceback" not in said
    return said


def answer(*argv: str, code: int = 0) -> dict[str, Any]:
    return json.loads(retire(*argv, "--json", code=code))  # type: ignore[no-any-return]


def store() -> RetireStore:
    return RetireStore(network.directory(NODE) / "state")


def calls(way: str, port: int) -> list[Any]:
    rows = UsageFile(network.directory(NODE) / "state").rows()
    return [row for row in rows if (row.way, row.port) == (way, port)]


def call(address: object, port: int) -> bool:
    command = ["bash", "-c", f"exec 3<>/dev/tcp/{address}/{port}"]
    return network.run("helpdesk", command, check=False).returncode == 0


def route() -> bool:
    """Whether helpdesk has a way to the clients in IPv6."""
    argv = ["ip", "-6", "route", "get", str(CLIENT_PREFIX[1])]
    return network.run("helpdesk", argv, check=False).returncode == 0


def send_anyway(lab: Lab, source: IPv6Address, destination: IPv6Address) -> None:
    """An echo request through the router, from a helpdesk that has no route any more."""
    echo = icmpv6.build(source.packed, destination.packed, 128, 0, b"\x12\x34\x00\x01straggler")
    inner = ipv6.build(source.packed, destination.packed, numbers.ICMPV6, echo)
    packet = ipv4.build(HELPDESK.packed, lab.topology.router_locator.packed, 41, inner)
    script = (
        "import socket, sys; s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW); "
        "s.sendto(bytes.fromhex(sys.argv[1]), (sys.argv[2], 0))"
    )
    argv = [sys.executable, "-c", script, packet.hex(), str(lab.topology.router_locator)]
    network.run("helpdesk", argv)


def registered() -> dict[str, Any]:
    """What the router has of helpdesk."""
    found = host(NODE, HELPDESK)
    assert found
    return found


def zone() -> list[str]:
    """Everything that the intranet's DNS has of the router's name, and of ISATAP addresses."""
    argv = ["dig", f"@{DNS_INTRANET}", "-k", str(key_file()), "+noall", "+answer", "AXFR", DOMAIN]
    lines = network.run("dc", argv).stdout.splitlines()
    return sorted(" ".join(line.split()) for line in lines if "isatap" in line.lower() or ":5efe:" in line)


def add(record: str) -> None:
    network.run("dc", ["nsupdate"], text=f"server {DNS_INTRANET}\nupdate add {record}\nsend\n")


def kill_and_start() -> None:
    daemon = process.find(NODE, "run")
    assert daemon
    process.stop(daemon, signal.SIGKILL)
    again = site.start_daemon(NODE)
    wait_until("the daemon is ready", lambda: site.ready(NODE), site.READY_SECONDS, [again])


def later(seconds: float) -> dict[str, Any]:
    """What `watch` will say of helpdesk when so much time has passed without anything new."""
    state = store()
    seen = Observation(
        state.members(),
        state.found("verdict"),
        state.found("baseline"),
        list(site.ask(NODE, "hosts")),
        list(UsageFile(state.path.parent).rows()),
    )
    (found,) = observe(seen, time.time() + seconds)
    return found._asdict()


def counted_and_judged(laptop: IPv6Address) -> None:
    """What is there, who needs it, what will serve it."""
    retire("census", "--zone", DOMAIN, "--tsig", str(key_file()))
    assert call(laptop, 22)
    wait_until("the call is recorded", lambda: calls("ISATAP", 22), PATIENCE)
    assert answer("judge", "--force")["figures"]["served by a lease"] == 1


def piloted(lab: Lab, address: IPv6Address, laptop: IPv6Address) -> None:
    """Too young; then insisted upon."""
    assert "evidence is" in retire("pilot", "helpdesk", code=1)
    assert store().phase() is Phase.JUDGED and route()
    told = answer("pilot", "helpdesk", "--force")
    assert (told["router"], told["forced"], told["phase"]) == ("", True, "pilot")
    assert [row["network"] for row in told["members"]] == [f"{HELPDESK}/32"]
    wait_until("helpdesk lets go by itself", lambda: not route(), PATIENCE)
    assert registered()["retires"]

    # One that would not listen is forwarded all the same, and seen.
    before_it = registered()
    send_anyway(lab, address, laptop)
    wait_until(
        "it is counted, and the answer too",
        lambda: (
            registered()["rx_packets"] > before_it["rx_packets"]
            and registered()["tx_packets"] > before_it["tx_packets"]
        ),
        PATIENCE,
    )

    # It lasts, whatever happens to the daemon; and to a host that comes anew.
    kill_and_start()
    assert site.ask(NODE, "status")["roles"]["isatap"]["retiring"] == [f"{HELPDESK}/32"]
    joined, asked = process.find("helpdesk", "join"), registered()["last_rs"]
    assert joined
    process.stop(joined)
    again = site.start_join("helpdesk", fast_path=True)
    wait_until("helpdesk has asked anew", lambda: registered()["last_rs"] > asked, PATIENCE, [again])
    assert not route() and site.host_address("helpdesk") is None


def served(lease: IPv4Address) -> None:
    """Served another way, and seen to be."""
    assert wait_until("the laptop is back", lambda: call(lease, 22), site.READY_SECONDS)
    wait_until("the call by lease is recorded", lambda: calls("NAT46", 22), PATIENCE)
    (row,) = answer("watch")["hosts"]
    assert (row["ipv4"], row["state"], row["still"], row["fails"]) == (str(HELPDESK), HostState.TOLD, [], [])
    assert [(flow["way"], flow["port"]) for flow in row["served"]] == [("NAT46", 22)]
    assert later(SETTLE + 1)["state"] is HostState.LET_GO


def reported_and_removed(folder: Path, address: IPv6Address, before: list[str]) -> None:
    """All the rest, the report, and what is left in the DNS."""
    assert "groups that are left: none" in retire("forward", code=2)
    assert answer("forward", "--all", "--force")["phase"] == "retired"
    retire("report", "--output", str(folder))
    text = (folder / "retirement.md").read_text()
    assert "| census: hosts | 1 |" in text and "tcp/22 to laptop.corp.example by NAT46 (1)" in text
    assert (folder / "retirement.html").read_text().count("<circle") >= 3
    dry = retire("remove", "--dns", "--dry-run", "--scripts", str(folder))
    assert f"would remove {ISATAP_NAME} A" in dry and zone() == before
    assert not (folder / "remove.ps1").exists()
    said = retire("remove", "--force", "--dns", "--scripts", str(folder))
    assert f"removed helpdesk-old.{DOMAIN} AAAA {address}" in said
    assert "10.0.0.99" in said and zone() == [f"isatap.{DOMAIN}. 78 IN A 10.0.0.99"]
    assert f",@('{ISATAP_NAME}', 'A'" in (folder / "remove.ps1").read_text()
    assert store().phase() is Phase.REMOVED


def back(laptop: IPv6Address, before: list[str]) -> None:
    """And back, in one command."""
    assert "Phase: judged" in retire("undo")
    assert zone() == before
    assert store().members() == [] and store().kept() == {}
    wait_until("helpdesk is back on ISATAP", route, site.READY_SECONDS)
    wait_until("it reaches the laptop", lambda: ping("helpdesk", laptop).returncode == 0, PATIENCE)
    assert "retiring" not in site.ask(NODE, "status")["roles"]["isatap"]


def test_from_census_to_report_and_back(lab: Lab, tmp_path: Path) -> None:
    laptop, lease = site.laptop_address(), site.lease("laptop")
    address = site.host_address("helpdesk")
    assert laptop and lease and address
    add(f"helpdesk-old.{DOMAIN} 77 AAAA {address}")
    add(f"isatap.{DOMAIN} 78 A 10.0.0.99")  # of somebody else
    before = zone()
    assert len(before) == 3

    counted_and_judged(laptop)
    piloted(lab, address, laptop)
    served(lease)
    reported_and_removed(tmp_path, address, before)
    back(laptop, before)


def test_undo_while_nobody_serves_is_told_at_the_start(lab: Lab) -> None:
    retire("census")
    retire("judge", "--force")
    answer("pilot", str(HELPDESK), "--force")
    wait_until("helpdesk lets go by itself", lambda: not route(), PATIENCE)
    daemon = process.find(NODE, "run")
    assert daemon
    process.stop(daemon, signal.SIGKILL)
    assert "the router takes it up when it starts" in retire("undo")
    again = site.start_daemon(NODE)
    wait_until("helpdesk is back on ISATAP", route, PATIENCE * 2, [again])


def test_bad_words(lab: Lab) -> None:
    for words, says in (
        (["nobody-of-that-name"], "no host that was seen"),
        (["10.9.9.0/24"], "not in isatap.hosts"),
        (["10.0.1.30/24"], "has host bits set"),
        (["@/no/such/file"], "No such file"),
    ):
        said = retire("pilot", *words, code=1)
        assert says in said and len(said.splitlines()) == 2
    assert "WHO" in retire("pilot", code=2)
    assert "cannot follow here" in retire("forward", "--all", code=1)
    assert "nothing to undo" in retire("undo", code=1)
    assert "Nobody retires" in retire("watch")


def test_somebody_without_rights_changes_nothing(lab: Lab) -> None:
    retire("census")
    retire("judge", "--force")
    argv = [
        *AS_NOBODY,
        sys.executable,
        "-m",
        "manageout",
        "retire",
        "pilot",
        "helpdesk",
        "--force",
        "--config",
    ]
    result = network.run(NODE, [*argv, str(network.directory(NODE) / "site.toml")], check=False)
    assert (result.returncode, len(result.stderr.splitlines())) == (4, 2), result.stderr
    assert "not permitted" in result.stderr
    assert store().phase() is Phase.JUDGED
