"""Clients that are not ours: the stock framing, and nmap's ip-https-discover, which nobody here wrote."""

from __future__ import annotations

import signal

from manageout.lab import network, process, servers, site
from manageout.lab.process import wait_until
from manageout.lab.topology import GATEWAY_NAME, LAPTOP_NAME
from tests.tools.lab import Lab, ping


def test_stock_framing(lab: Lab) -> None:
    connected = process.find("laptop", "connect")
    assert connected
    process.stop(connected)
    site.connect("--stock")
    laptop = site.laptop_address()
    assert [client["framing"] for client in site.ask("gateway", "clients")] == ["stock"]
    assert ping("helpdesk", laptop, "-s", "1232").returncode == 0
    wanted = servers.make_download("laptop")
    url = f"http://[{laptop}]/{servers.DOWNLOAD}"
    result = network.run("helpdesk", ["sh", "-c", f"curl --globoff --silent --fail '{url}' | sha256sum"])
    assert result.stdout.split()[0] == wanted


def test_nmap_recognises_the_server(lab: Lab) -> None:
    file = network.directory("gateway") / "site.toml"
    text = file.read_text().replace("[gateway]\n", '[gateway]\nauthentication = "none"\n')
    file.write_text(text.replace(f'to = ["{LAPTOP_NAME}"]', 'to = ["*"]'))  # nobody has a name now
    running = process.find("gateway", "run")
    assert running
    process.stop(running, signal.SIGTERM)
    again = site.start_daemon("gateway")
    wait_until("the daemon is ready", lambda: site.ready("gateway"), site.READY_SECONDS, [again])
    argv = ["nmap", "-n", "-Pn", "-p", "443", "--script", "ip-https-discover", GATEWAY_NAME]
    report = network.run("laptop", argv, timeout=60).stdout
    assert "IP-HTTPS is supported" in report, report
