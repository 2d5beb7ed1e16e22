"""The name policy of ``manageout connect``: whose DNS server is asked what, and what is left afterwards."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from manageout.lab.process import wait_until
from tests.tools.commands import MANAGEOUT
from tests.tools.places.iphttps import GATEWAY_NAME, GATEWAY_V4, SITE, URL, Pair, sh
from tests.tools.places.names import (
    APP_AT_HOME,
    APP_LITERAL,
    HOME_DNS,
    NAT64,
    RESOLV_CONF,
    SITE_DNS,
    TEXT,
    NamesPlace,
)

WEB = """
import http.server, socket, socketserver, ssl, sys
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
    server_bind = socketserver.TCPServer.server_bind  # HTTPServer's asks the DNS for its own name
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(sys.argv[4]))
        self.end_headers()
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2], sys.argv[3])
server = Server((sys.argv[1], 8443), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True)
print("serves", flush=True)
server.serve_forever()
"""
LOCATION = "https://nls.inside.example:8443/"


@pytest.fixture
def place() -> Iterator[NamesPlace]:
    with Pair() as pair:
        yield NamesPlace(pair)


def effective() -> list[str]:
    return [line for line in RESOLV_CONF.read_text().splitlines() if line and not line.startswith("#")]


def test_the_sites_names_go_through_the_tunnel_and_the_rest_stays(place: NamesPlace) -> None:
    place.start_site()
    client = place.connect("--exempt", "www.corp.example")
    place.wait_policy("on")
    assert place.dig("app.corp.example") == [APP_LITERAL]
    assert place.dig("app.corp.example", "AAAA", "+tcp") == [APP_LITERAL]
    assert place.getent("app.corp.example") == APP_LITERAL
    assert place.dig("www.corp.example", "A") == ["203.0.113.80"], "exempt"
    assert place.dig("x.example.org", "A") == ["203.0.113.1"], "not the site's"
    assert len("".join(place.dig("big.example.org", "TXT"))) > 2500, "truncated, then over TCP"
    assert effective() == ["nameserver 127.0.0.153", "options ndots:1 timeout:1", "search home.example"]
    names = wait_until("the prefix", lambda: place.names() if place.names().get("nat64") else None)
    assert names["nat64"] == [f"{NAT64}/96"] and names["nat64_from"] == "ipv4only.arpa"
    assert names["through"] == ["stub on 127.0.0.153"] and names["local_dns"] == [HOME_DNS]
    assert set(names["exempt"]) == {GATEWAY_NAME, "www.corp.example"}
    assert "a.9.8.7.6.5.4.3.2.1.d.f.ip6.arpa" in names["namespaces"]
    text = place.status_text()
    assert re.search(r"^  policy +on$", text, re.M) and "always outside" in text
    assert client.stop() == 0
    assert RESOLV_CONF.read_text() == TEXT
    assert place.dig("app.corp.example", "A") == [APP_AT_HOME]


def test_what_the_gateway_advertises_is_enough(place: NamesPlace) -> None:
    place.start_advertising_site()
    client = place.connect(advertised=True)
    names = place.wait_policy("on")
    assert names["namespaces"][0] == "corp.example" and names["dns"] == [SITE_DNS]
    assert names["nat64"] == [f"{NAT64}/96"] and names["nat64_from"] == "router advertisement"
    assert place.dig("app.corp.example") == [APP_LITERAL]
    assert place.getent("app") == APP_LITERAL, "the advertised domain is searched"
    assert place.dig("x.example.org", "A") == ["203.0.113.1"]
    # The gateway goes, and says so: its names stay where they are, lest somebody else answer for them.
    assert place.pair.gateway.stop() == 0
    wait_until(
        "the loss is noticed",
        lambda: place.pair.ask("status", "cl")["roles"]["iphttps-client"].get("trouble"),
    )
    assert place.names()["policy"] == "on"
    assert place.dig("app.corp.example", "A", "+time=9") == []
    assert client.stop() == 0
    assert RESOLV_CONF.read_text() == TEXT


def test_a_site_that_no_longer_has_a_dns64_is_believed_after_a_while(place: NamesPlace) -> None:
    place.start_advertising_site()
    place.connect(advertised=True)
    place.wait_policy("on")
    assert place.pair.gateway.stop() == 0
    place.pair.start_gateway(site='domain = "corp.example"')
    assert "advertises no DNS server" in place.wait_policy("off")["reason"]
    assert RESOLV_CONF.read_text() == TEXT


def test_the_literal_of_a_running_client(place: NamesPlace) -> None:
    place.start_site()
    place.connect()
    wait_until("the prefix", lambda: place.names().get("nat64"))
    argv = ["-m", "manageout", "address", "nat64", "10.0.0.20", "--json", "--runtime-dir"]
    said = json.loads(sh(f"{sys.executable} {' '.join(argv)} {place.directory}/cl"))
    assert (said["ipv6"], said["prefix_from"]) == (APP_LITERAL, "connect (ipv4only.arpa)")
    # Where no client runs, the DNS is asked: here, through the name policy, it is the home's.
    outside = sh(f"ip netns exec cl {sys.executable} {' '.join(argv)} {place.directory}/none")
    assert json.loads(outside)["prefix"] == "64:ff9b::/96"
    # In the tunnel's namespace with the DNS64 itself as resolver: in a file of its own, for the client takes over
    # whatever is written into the other, within two seconds.
    (place.directory / "resolv.conf").write_text(f"nameserver {SITE_DNS}\n")
    inside = f"mount --bind {place.directory}/resolv.conf /etc/resolv.conf && exec {sys.executable} {' '.join(argv)}"
    queried = sh(f"ip netns exec cl unshare --mount sh -c '{inside} {place.directory}/none'")
    assert json.loads(queried)["ipv6"] == APP_LITERAL


def test_a_dead_tunnel_does_not_leak_the_sites_names(place: NamesPlace) -> None:
    place.start_site()
    place.connect()
    place.wait_policy("on")
    place.site.process.kill()
    assert place.dig("app.corp.example", "A", "+time=8") == []
    assert place.dig("x.example.org", "A") == ["203.0.113.1"]
    place.pair.gateway.process.kill()
    wait_until(
        "the loss is noticed",
        lambda: place.pair.ask("status", "cl")["roles"]["iphttps-client"].get("trouble"),
    )
    assert place.dig("app.corp.example", "A", "+time=8") == []
    assert place.names()["questions"]["unanswered"] > 0


def test_after_sigkill_it_is_given_back(place: NamesPlace) -> None:
    place.start_site()
    client = place.connect()
    place.wait_policy("on")
    os.kill(client.pid, signal.SIGKILL)
    client.process.wait(10)
    wait_until("the guard has given it back", lambda: RESOLV_CONF.read_text() == TEXT)
    assert place.dig("x.example.org", "A") == ["203.0.113.1"]


def test_after_the_death_of_all_the_next_start_puts_it_right(place: NamesPlace) -> None:
    place.start_site()
    client = place.connect()
    place.wait_policy("on")
    children = sh(f"cat /proc/{client.pid}/task/{client.pid}/children").split()
    for process in (*map(int, children), client.pid):
        os.kill(process, signal.SIGKILL)
    client.process.wait(10)
    assert effective()[0] == "nameserver 127.0.0.153"
    again = place.connect("--resolver", "stub")
    place.wait_policy("on")
    assert "put right" in again.text()
    assert place.dig("app.corp.example") == [APP_LITERAL]
    assert place.dig("x.example.org", "A") == ["203.0.113.1"]
    assert again.stop() == 0
    assert RESOLV_CONF.read_text() == TEXT


def test_two_clients_do_not_take_it_from_each_other(place: NamesPlace) -> None:
    place.start_site()
    place.connect()
    place.wait_policy("on")
    second = place.pair.start(
        "cl",
        *(
            sys.executable,
            "-m",
            "manageout",
            "connect",
            URL,
            "--runtime-dir",
            str(place.directory / "second"),
        ),
        *("--ca", str(place.pair.ca.certificate_path), "--device", "mo-two"),
        *("--dns", SITE_DNS, "--namespace", "corp.example"),
    )
    wait_until("it says so", lambda: "has taken it over" in second.text())
    assert "--resolver off" in second.text()
    assert place.dig("app.corp.example") == [APP_LITERAL]


def test_what_dhcp_writes_meanwhile_is_followed_and_kept(place: NamesPlace) -> None:
    place.start_site()
    client = place.connect()
    place.wait_policy("on")
    sh("ip -n gw addr add 198.51.100.11/24 dev br0")
    RESOLV_CONF.write_text("nameserver 198.51.100.11\n")
    wait_until("it is taken again", lambda: effective() == ["nameserver 127.0.0.153"])
    wait_until("its server is used", lambda: place.names()["local_dns"] == ["198.51.100.11"])
    assert place.dig("app.corp.example") == [APP_LITERAL]
    assert client.stop() == 0
    assert RESOLV_CONF.read_text() == "nameserver 198.51.100.11\n"


def test_a_client_is_no_router_and_no_gateway_and_says_so(place: NamesPlace) -> None:
    place.start_site()
    place.connect()
    for command, what in (("hosts", "is no ISATAP router"), ("clients", "is no gateway")):
        argv = [*MANAGEOUT, command, "--runtime-dir", str(place.directory / "cl")]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr.count("\n")) == (1, 2), done.stderr
        assert f"this process (connect) {what}" in done.stderr and "--runtime-dir" in done.stderr
    assert place.pair.ask("clients")[0]["name"] == "laptop.corp.example"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--resolver", "off"), "switched off by --resolver off"),
        (("--namespace", "corp.example"), "the gateway advertises no DNS server; --dns names one"),
        (("--dns", SITE_DNS), "the gateway advertises no domain; --namespace names one"),
    ],
)
def test_off_and_why(place: NamesPlace, options: tuple[str, ...], reason: str) -> None:
    place.start_site()
    client = place.connect(*options, advertised=True)
    wait_until("it says why", lambda: place.names()["reason"] == reason)
    assert place.names()["policy"] == "off"
    told = [line for line in client.text().splitlines() if "stay local" in line]
    assert len(told) == 1 and reason in told[0], "and not before it has connected"
    assert RESOLV_CONF.read_text() == TEXT
    assert client.stop() == 0
    assert RESOLV_CONF.read_text() == TEXT


def test_the_machines_own_file_is_not_touched_from_a_namespace_within(place: NamesPlace) -> None:
    place.start_site()
    RESOLV_CONF.unlink()  # now `ip netns exec` mounts nothing over it
    before = sh("cat /etc/resolv.conf")
    place.connect()
    names = place.wait_policy("failed")
    assert "belongs to the machine" in names["reason"]
    assert sh("cat /etc/resolv.conf") == before


# --- Inside or outside ----------------------------------------------------------------------------------


def web(
    place: NamesPlace, name: str = "nls.inside.example", status: int = 200, address: str = GATEWAY_V4
) -> None:
    issued = place.pair.ca.issue(name, server=True)
    argv = (sys.executable, "-c", WEB, address, str(issued.certificate), str(issued.key), str(status))
    server = place.pair.start("gw", *argv, name="web")
    wait_until("the web server", lambda: "serves" in server.text())


def test_inside_everything_stays_local(place: NamesPlace) -> None:
    web(place)
    place.start_site()
    place.connect("--location-url", LOCATION)
    names = wait_until("the verdict", lambda: place.names() if "location" in place.names() else None)
    assert names["policy"] == "off" and names["reason"] == "inside: nls.inside.example answers"
    assert place.dig("app.corp.example", "A") == [APP_AT_HOME]
    assert RESOLV_CONF.read_text() == TEXT


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [
        ("nls.inside.example", 302, "nls.inside.example answers 302: redirects are not followed"),
        ("nls.inside.example", 404, "nls.inside.example answers 404"),
        ("portal.example", 200, "nls.inside.example: its certificate: made for another name"),
    ],
)
def test_outside_and_why(place: NamesPlace, name: str, status: int, reason: str) -> None:
    web(place, name, status)
    place.start_site()
    place.connect("--location-url", LOCATION)
    names = place.wait_policy("on")
    assert names["reason"] == f"outside: {reason}"
    assert "nls.inside.example" in names["exempt"]
    assert place.dig("app.corp.example") == [APP_LITERAL]


def test_moving_in_and_out(place: NamesPlace) -> None:
    place.start_site()
    client = place.connect("--location-url", LOCATION)
    assert place.wait_policy("on")["location"].startswith("outside: ")
    web(place)
    sh("ip -n cl addr add 10.99.0.1/24 dev eth0")  # the machine is in another network
    assert place.wait_policy("off")["location"].startswith("inside: ")
    assert RESOLV_CONF.read_text() == TEXT
    sh("ip -n gw addr add 198.51.100.12/24 dev br0; ip netns exec gw nft add table inet t")
    sh("ip netns exec gw nft 'add chain inet t i { type filter hook input priority 0; }'")
    sh("ip netns exec gw nft add rule inet t i tcp dport 8443 reject")
    sh("ip -n cl addr del 10.99.0.1/24 dev eth0")
    assert place.wait_policy("on")["location"].startswith("outside: ")
    assert place.dig("app.corp.example") == [APP_LITERAL]
    assert client.stop() == 0
    assert RESOLV_CONF.read_text() == TEXT


def test_a_location_behind_the_tunnel_says_nothing(place: NamesPlace) -> None:
    place.start_site()
    sh(f"ip -n gw addr add {SITE}1::7/128 dev lo nodad")
    web(place, address=f"{SITE}1::7")
    hosts = f"127.0.0.1 localhost\n{GATEWAY_V4} {GATEWAY_NAME}\n{SITE}1::7 nls.inside.example.\n"
    (RESOLV_CONF.parent / "hosts").write_text(hosts)
    place.connect("--location-url", LOCATION)
    wait_until("reached", lambda: "through the tunnel" in str(place.names().get("location")), 40)
    assert place.wait_policy("on")["location"] == "outside: nls.inside.example is reached through the tunnel"


# --- Load and abuse -------------------------------------------------------------------------------------


def test_many_programs_at_once(place: NamesPlace) -> None:
    place.start_site()
    place.connect()
    place.wait_policy("on")
    found: list[list[str]] = []

    def ask(number: int) -> None:
        options = ("+tcp",) if number % 2 else ()
        found.append(place.dig("app.corp.example", "AAAA", *options))
        found.append(place.dig(f"n{number}.example.org", "A", *options))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(tuple, found)) == [("203.0.113.1",)] * 12 + [(APP_LITERAL,)] * 12
    totals = place.names()["questions"]
    assert totals["site"] >= 12 and totals["local"] >= 12


def test_wrong_options_are_usage_faults() -> None:
    for options, message in (
        (("http://gateway",), "is no https URL"),
        ((URL, "--iid", "::1"), "is kept for gateways and servers"),
        ((URL, "--dns", "10.0.0.1"), "is no IPv6 address"),
        ((URL, "--namespace", "*.corp.example"), "is no domain name"),
        ((URL, "--exempt", ""), "is no domain name"),
        ((URL, "--location-url", "http://nls"), "is no https URL"),
        ((URL, "--proxy", "socks5://x"), "is no http URL"),
    ):
        argv = [*MANAGEOUT, "connect", *options]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr.count("\n")) == (2, 2), done.stderr
        assert message in done.stderr
