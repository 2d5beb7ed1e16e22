"""Who may call whom, in the lab: refused packets, rules that change, rules that somebody takes away."""

from __future__ import annotations

import functools
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import IPv4Address

import pytest

from manageout.lab import network, process, site
from manageout.lab.process import wait_until
from manageout.lab.topology import APP, HELPDESK, ISATAP_PREFIX, LAPTOP_NAME, SITE
from manageout.service.policy.filter_tracking import ESTABLISHED
from manageout.service.policy.revision import REFUSED_MARK
from manageout.site.plan import Plan, isatap_address
from manageout.wire.address import rfc6052_embed
from tests.tools.lab import Lab, drops, other_rules

pytestmark = pytest.mark.parametrize("lab", [("single", True)], indirect=True)
NATIVE = f"{str(SITE.network_address).removesuffix('::')}:2"


def calls(node: str, address: object, port: int) -> bool:
    """Whether TCP connects."""
    script = f"exec 3<>/dev/tcp/{address}/{port}"
    patience = f"{3 * network.PATIENCE:g}"
    return network.run(node, ["timeout", patience, "bash", "-c", script], check=False).returncode == 0


def lease(node: str) -> IPv4Address:
    """The lease of a connected client."""
    return wait_until(f"{node} has a lease", lambda: site.lease(node), 20)


def policy_drops(source: object) -> int:
    """How often a source was refused as a manager."""
    return drops("gateway").get(("policy", str(source)), 0)


def plan() -> Plan:
    return site.gateway_plan()


@pytest.fixture
def tablet(lab: Lab) -> None:
    """The second client is connected."""
    if site.client_address("tablet") is None:
        site.connect(node="tablet")


def test_a_manager_by_isatap_opens_what_the_table_says(lab: Lab) -> None:
    laptop = site.laptop_address()
    before = policy_drops(HELPDESK)
    assert calls("helpdesk", laptop, 22)
    assert policy_drops(HELPDESK) == before
    assert not calls("helpdesk", laptop, 81)
    assert policy_drops(HELPDESK) > before


def test_a_manager_by_lease_opens_what_the_table_says(lab: Lab) -> None:
    before = policy_drops(APP)
    assert calls("app", lease("laptop"), 80)
    assert policy_drops(APP) == before
    assert not calls("app", lease("laptop"), 22)
    assert policy_drops(APP) > before
    row = next(row for row in site.ask("gateway", "drops") if row["source"] == str(APP))
    assert "[[policy.managers]]" in row["meaning"]
    assert (row["to"], row["service"]) == (LAPTOP_NAME, "tcp/22")


def test_a_manager_of_one_client_is_none_of_another(lab: Lab, tablet: None) -> None:
    before = policy_drops(APP)
    assert not calls("app", lease("tablet"), 80)
    assert policy_drops(APP) > before


def test_clients_reach_what_the_file_says(lab: Lab) -> None:
    outside = rfc6052_embed(plan().nat64, IPv4Address("198.51.100.20"))
    assert calls("laptop", rfc6052_embed(plan().nat64, APP), 80)
    assert not calls("laptop", outside, 80)
    assert drops("gateway")["outside", LAPTOP_NAME] > 0


def test_clients_do_not_reach_each_other(lab: Lab, tablet: None) -> None:
    before = drops("gateway").get(("hairpin", LAPTOP_NAME), 0)
    assert not calls("laptop", rfc6052_embed(plan().nat64, lease("tablet")), 80)
    assert drops("gateway")["hairpin", LAPTOP_NAME] > before


def test_plain_ipv6_is_judged_alike_and_strangers_cannot_pose_as_clients(lab: Lab) -> None:
    client = site.laptop_address()
    prefix = plan().client_prefix
    for node, lines in {
        "gateway": [f"address add {NATIVE}::1/64 dev intranet nodad"],
        "app": [
            f"address add {NATIVE}::20/64 dev intranet nodad",
            f"address add {prefix[0x99]}/128 dev lo nodad",
            f"route add {prefix} via {NATIVE}::1 src {NATIVE}::20",
        ],
    }.items():
        network.run(
            node,
            ["sysctl", "-qw", "net.ipv6.conf.intranet.disable_ipv6=0", "net.ipv6.conf.lo.disable_ipv6=0"],
        )
        for line in lines:
            network.run(node, ["ip", "-6", *line.split()])
    assert not calls("app", client, 22)
    assert policy_drops(f"{NATIVE}::20") > 0
    ping = ["ping", "-c", "1", "-W", "1", "-I", str(prefix[0x99]), str(client)]
    assert network.run("app", ping, check=False).returncode
    assert drops("gateway")["wrong-way", str(prefix[0x99])] == 1
    # An intranet source, from a device that leads elsewhere.
    network.run("gateway", ["ip", "-6", "route", "add", f"{NATIVE}::20/128", "dev", "lo"])
    assert not calls("app", client, 22)
    assert drops("gateway")["wrong-way", f"{NATIVE}::20"] > 0


def test_isatap_hosts_speak_from_where_the_other_routers_are(lab: Lab) -> None:
    """With several routers their packets may come by another one's card, but never from the Internet."""
    client, spoken = site.laptop_address(), isatap_address(ISATAP_PREFIX, HELPDESK)
    for node, card, network6 in (("app", "intranet", NATIVE + "a"), ("home", "internet", NATIVE + "b")):
        for each in ("gateway", node):
            switches = [f"net.ipv6.conf.{dev}.disable_ipv6=0" for dev in (card, "lo")]
            network.run(each, ["sysctl", "-qw", *switches])
        for each, line in (
            ("gateway", f"address replace {network6}::1/64 dev {card} nodad"),
            (node, f"address replace {network6}::20/64 dev {card} nodad"),
            (node, f"address add {spoken}/128 dev lo nodad"),
            (node, f"route replace {client} via {network6}::1"),
        ):
            network.run(each, ["ip", "-6", *line.split()])
        reached = ["ping", "-c", "1", "-W", "2", f"{network6}::1"]
        wait_until("they know each other", functools.partial(_succeeds, node, reached), 10)

    def speaks(node: str) -> bool:
        before = policy_calls()
        network.run(node, ["ping", "-c", "1", "-W", "0.2", "-I", str(spoken), str(client)], check=False)
        return policy_calls() > before

    def astray(node: str) -> bool:
        before = drops("gateway").get(("wrong-way", str(HELPDESK)), 0)
        return not speaks(node) and drops("gateway").get(("wrong-way", str(HELPDESK)), 0) > before

    assert astray("app"), "there is one router"
    with other_rules("gateway", "[isatap]", '[isatap]\nrouters = ["203.0.113.77"]'):
        assert speaks("app"), "the locator's card is the intranet's"
        network.run("gateway", ["ip", "route", "add", "default", "via", "198.51.100.20"])
        assert astray("home"), "a default route does not say where a router is"
        network.run("gateway", ["ip", "route", "add", "203.0.113.77", "via", "198.51.100.20"])
        look("192.0.2.77/32")
        wait_until("the way to the other router leads there", lambda: speaks("home"), 20)
        network.run("gateway", ["ip", "route", "replace", "203.0.113.77", "via", str(APP)])
        look("192.0.2.78/32")
        wait_until("it leads elsewhere again", lambda: astray("home"), 20)
        assert speaks("app")
        assert calls("helpdesk", client, 22), "hosts of this router go on"
    network.run("gateway", ["ip", "route", "del", "default"])


def look(address: str) -> None:
    """The daemon looks now, not within ten seconds: a new address wakes it."""
    network.run("gateway", ["ip", "address", "add", address, "dev", "lo"])


def _succeeds(node: str, argv: list[str]) -> bool:
    return network.run(node, argv, check=False).returncode == 0


def policy_calls() -> int:
    """Packets that begin a connection which the helpdesk's table has let through."""
    listed = network.run("gateway", ["nft", "list", "counter", "inet", "manageout", "m0"]).stdout
    found = re.search(r"packets (\d+)", listed)
    assert found
    return int(found[1])


def test_another_file_bites_at_once_and_keeps_who_is_there(lab: Lab, tablet: None) -> None:
    assert not calls("app", lease("tablet"), 80)
    before = site.ask("gateway", "status")["roles"]["policy"]["refused"]
    with other_rules("gateway", f'to = ["{LAPTOP_NAME}"]', 'to = ["TABLET.*"]'):
        # Nobody listens there, so what counts is that the call was let through.
        refused = policy_drops(APP)
        calls("app", lease("tablet"), 80)
        assert policy_drops(APP) == refused, "its address came with the rules"
        assert not calls("app", lease("laptop"), 80)
        assert site.ask("gateway", "status")["roles"]["policy"]["refused"] > before, "counters go on"
    assert calls("app", lease("laptop"), 80)


ECHO = """
import socket
with socket.create_server(("::", 7777), family=socket.AF_INET6) as server:
    print("ready", flush=True)
    here, _ = server.accept()
    while data := here.recv(100):
        here.sendall(data)
"""
TALK = """
import socket, sys
one = socket.create_connection((sys.argv[1], 7777), 5)
one.settimeout(3)
print(one.getsockname()[1], flush=True)
for line in sys.stdin:
    try:
        one.sendall(line.encode())
        print(one.recv(100).decode().strip(), flush=True)
    except OSError:
        print("cut off", flush=True)
"""


@contextmanager
def session(lab: Lab) -> Iterator[tuple[Callable[[str], str], str]]:
    """An open connection of the helpdesk to the laptop's lease: asks it, and its port."""
    pipe = subprocess.PIPE
    serve = network.command("laptop", [sys.executable, "-c", ECHO])
    talk = network.command("helpdesk", [sys.executable, "-c", TALK, str(lease("laptop"))])
    with ExitStack() as stack:
        server = stack.enter_context(subprocess.Popen(serve, stdout=pipe, text=True))
        stack.callback(server.kill)
        assert server.stdout and server.stdout.readline() == "ready\n"
        client = stack.enter_context(subprocess.Popen(talk, stdin=pipe, stdout=pipe, text=True))
        stack.callback(client.kill)
        assert client.stdin and client.stdout
        stdin, stdout = client.stdin, client.stdout

        def ask(text: str) -> str:
            print(text, file=stdin, flush=True)
            return stdout.readline().strip()

        yield ask, stdout.readline().strip()


def test_an_open_session_ends_with_its_permission_and_only_then(lab: Lab) -> None:
    open_7777 = other_rules("gateway", '"tcp/22", "tcp/80"]', '"tcp/22", "tcp/80", "tcp/7777"]')
    with open_7777, session(lab) as (ask, port):

        def marked() -> bool:
            argv = ["conntrack", "-L", "-f", "ipv6", "--mark", f"{REFUSED_MARK}"]
            return f"sport={port} dport=7777 " in network.run("gateway", argv).stdout

        with other_rules("gateway", '"icmp", "tcp/80"]', '"icmp", "tcp/80", "tcp/8080"]'):
            assert ask("one") == "one"
            assert not marked()
            assert lasting(port) <= ESTABLISHED, "the kernel's default is five days"
        before = policy_drops(HELPDESK)
        with other_rules("gateway", f'from = ["{HELPDESK}"]', 'from = ["10.0.0.99"]'):
            wait_until("the session is refused", marked, 10)
            assert ask("two") == "cut off"
            assert policy_drops(HELPDESK) > before
        assert ask("three") == "cut off", "a permission that comes back is for new ones"


def lasting(port: str) -> int:
    """Seconds that the gateway's kernel will remember the IPv6 half of a connection."""
    table = network.run("gateway", ["cat", "/proc/net/nf_conntrack"]).stdout
    (row,) = [each for each in table.splitlines() if each.startswith("ipv6") and f"sport={port} " in each]
    return int(row.split()[4])


def test_a_manager_by_name(lab: Lab) -> None:
    names = 'from = ["app.corp.example", "nobody.corp.example"]'
    with other_rules("gateway", f'from = ["{APP}"]', names):
        wait_until("the name is resolved", lambda: calls("app", lease("laptop"), 80), 20)
        findings = [row["what"] for row in site.ask("gateway", "status")["findings"]]
        assert "the manager nobody.corp.example has no address" in findings


def test_who_leaves_is_nobodys_to_call(lab: Lab, tablet: None) -> None:
    def elements(name: str) -> int:
        argv = ["nft", "list", "set" if name != "others" else "map", "inet", "manageout", name]
        return len(re.findall(r"fd12:[0-9a-f:]+", network.run("gateway", argv).stdout))

    before = elements("clients")
    running = process.find("tablet", "connect")
    assert running
    process.stop(running)
    wait_until("its addresses are gone", lambda: elements("clients") < before, 20)
    site.connect(node="tablet")
    wait_until("its addresses are back", lambda: elements("clients") == before, 20)


def test_rules_that_somebody_takes_away_come_back(lab: Lab) -> None:
    def rules() -> str:
        return network.run(
            "gateway", ["nft", "list", "chain", "inet", "manageout", "managers"], check=False
        ).stdout

    before = site.ask("gateway", "status")["roles"]["policy"]["refused"]
    network.run("gateway", ["nft", "flush", "ruleset"])
    wait_until("the rules are back", rules, 10)
    assert not calls("app", lease("laptop"), 22)
    assert calls("app", lease("laptop"), 80), "with everybody who is there"
    assert policy_drops(APP) > 0
    codes = [row["code"] for row in site.ask("gateway", "status")["findings"]]
    assert "RULES-REMOVED" in codes
    assert site.ask("gateway", "status")["roles"]["policy"]["refused"] > before


def test_other_tables_stay_theirs(lab: Lab) -> None:
    network.run("gateway", ["nft", "add", "table", "inet", "theirs"])
    daemon = process.find("gateway", "run")
    assert daemon
    process.stop(daemon)
    tables = network.run("gateway", ["nft", "list", "tables"]).stdout
    assert "inet theirs" in tables
    assert "manageout" not in tables
