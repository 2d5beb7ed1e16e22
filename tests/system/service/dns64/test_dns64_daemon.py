"""The DNS64 in the daemon: for clients behind the tunnel and nobody else, by their certificate names, over reloads.

All questions are such as it answers by itself; those to real servers are in ``test_dns64.py``.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest

from manageout.lab.process import wait_until
from tests.tools.places.dns64 import values
from tests.tools.places.iphttps import SITE, Pair, in_namespace, sh

DNS64 = f"{SITE}3333::1"
TABLES = """
[translation]
pool = "10.77.0.0/24"
[dns64]
upstreams = ["198.51.100.10"]
"""
KNOWN = [f"AAAA {SITE}7777::c000:aa", f"AAAA {SITE}7777::c000:ab"]


@pytest.fixture
def pair() -> Iterator[Pair]:
    with Pair() as made:
        yield made


def ask(name: str, *, tcp: bool = False, namespace: str = "cl", timeout: float = 5) -> dns.message.Message:
    query = dns.message.make_query(name, "AAAA")
    send = dns.query.tcp if tcp else dns.query.udp

    def exchange() -> dns.message.Message | Exception:
        try:
            return send(query, DNS64, timeout)
        except (dns.exception.Timeout, OSError) as error:
            return error

    found = in_namespace(namespace, exchange)
    if isinstance(found, dns.exception.Timeout):  # a resolver repeats its question, too
        found = in_namespace(namespace, exchange)
    if isinstance(found, Exception):
        raise found
    return found


def test_clients_are_served_through_the_tunnel_and_nobody_else(pair: Pair) -> None:
    pair.start_gateway(tables=TABLES)
    client = pair.start_client("laptop.corp.example", "--resolver", "off")
    pair.address()
    assert values(ask("ipv4only.arpa")) == KNOWN
    assert values(ask("ipv4only.arpa", tcp=True)) == KNOWN
    pair.add_client("other")
    sh("ip -n gw address add fd99::1/64 dev br0 nodad; ip -n other address add fd99::2/64 dev eth0 nodad")
    sh(f"ip -n other route add {SITE}:/48 via fd99::1")
    sh("ip netns exec other ping -c 1 -W 5 fd99::1")
    for tcp in (False, True):
        with pytest.raises((dns.exception.Timeout, OSError)):
            ask("ipv4only.arpa", tcp=tcp, namespace="other", timeout=1)
    assert values(ask("ipv4only.arpa")) == KNOWN
    client.stop()


def test_blocked_names_are_reported_by_the_clients_name(pair: Pair) -> None:
    pair.start_gateway(tables=TABLES, site='domain = "corp.example"')
    pair.start_client("laptop.corp.example", "--resolver", "off")
    pair.address()
    for name in ("wpad", "isatap.corp.example"):
        assert ask(name).rcode() == dns.rcode.NXDOMAIN

    def reported() -> bool:
        blocked: list[str] = pair.ask("status")["roles"]["dns64"].get("blocked", [])
        return blocked == [
            "laptop.corp.example asked for wpad: 1",
            "laptop.corp.example asked for isatap.corp.example: 1",
        ]

    wait_until("both are reported", reported)


def test_a_reload_changes_who_and_what_is_excluded(pair: Pair) -> None:
    gateway = pair.start_gateway(tables=TABLES)
    pair.start_client("laptop.corp.example", "--resolver", "off")
    pair.address()
    assert values(ask("ipv4only.arpa")) == KNOWN
    pair.write_site(tables=TABLES + 'exclude_clients = ["laptop.*"]\nblocked = ["secret.example"]\n')
    gateway.process.send_signal(signal.SIGHUP)
    wait_until("nothing is made for the laptop", lambda: not ask("ipv4only.arpa").answer)
    assert ask("x.secret.example").rcode() == dns.rcode.NXDOMAIN
    pair.write_site(tables=TABLES)
    gateway.process.send_signal(signal.SIGHUP)
    wait_until("it is again", lambda: values(ask("ipv4only.arpa")) == KNOWN)


def test_servers_that_nobody_reaches_are_a_finding(pair: Pair) -> None:
    pair.start_gateway(tables=TABLES)
    pair.start_client("laptop.corp.example", "--resolver", "off")
    pair.address()
    assert ask("app.corp.example").rcode() == dns.rcode.SERVFAIL
    codes = [finding["code"] for finding in pair.ask("status")["findings"]]
    assert "DNS-SERVERS-SILENT" in codes
