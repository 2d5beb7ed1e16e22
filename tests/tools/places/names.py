"""A remote client with names to resolve: a home DNS server, and one of the site behind the tunnel, both real BINDs.

Both know ``app.corp.example`` and both answer for everything below ``example.org``: the answers tell who was asked.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from manageout.lab.bind import no_files
from manageout.lab.process import wait_until
from tests.tools.commands import MANAGEOUT
from tests.tools.places.iphttps import GATEWAY_V4, SITE, Pair, Running, sh

HOME_DNS = GATEWAY_V4
SITE_DNS = f"{SITE}3333::1"
NAT64 = f"{SITE}7777::"
APP_LITERAL = f"{SITE}7777::a00:14"
APP_AT_HOME = "192.168.1.66"
RESOLV_CONF = Path("/etc/netns/cl/resolv.conf")
TEXT = f"# of the home router\nnameserver {HOME_DNS}\nsearch home.example\noptions ndots:1 timeout:1\n"

_SITE_ZONE = {
    "corp.example": "app 60 A 10.0.0.20\n",
    "far.example": "app 60 A 10.0.0.20\n",
    "example.org": "* 60 A 10.0.0.99\n",
}
_HOME_ZONE = {
    "corp.example": f"app 60 A {APP_AT_HOME}\nwww 60 A 203.0.113.80\nnls 60 A 203.0.113.7\n",
    "example.org": "* 60 A 203.0.113.1\nbig 60 TXT " + " ".join(f'"{"x" * 250}"' for _ in range(10)) + "\n",
    "inside.example": f"nls 5 A {GATEWAY_V4}\n",
}


class NamesPlace:
    """Gateway ``gw``, client ``cl``, and their DNS servers. Made within a :class:`Pair`."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.directory = pair.directory
        self.named = self.directory / "named"
        shutil.copy(
            shutil.which("named") or "/usr/sbin/named", self.named
        )  # AppArmor confines the other path
        RESOLV_CONF.write_text(TEXT)
        self.home = self.start_dns(
            "home", f"listen-on {{ {HOME_DNS}; }}; listen-on-v6 {{ none; }};", _HOME_ZONE
        )

    def start_site(self, policy: str = "") -> None:
        """The gateway and, behind it, the site's DNS64."""
        self.pair.start_gateway(policy=policy)
        sh(f"ip -n gw addr add {SITE_DNS}/128 dev lo nodad")
        options = f"listen-on {{ none; }}; listen-on-v6 {{ {SITE_DNS}; }}; dns64 {NAT64}/96 {{ }};"
        self.site = self.start_dns("site", options, _SITE_ZONE)

    def start_advertising_site(self) -> None:
        """A gateway with DNS64 and NAT64 of its own, which tells its clients all of it."""
        sh("ip -n gw addr add 198.51.100.13/24 dev br0")
        self.site = self.start_dns(
            "site", "listen-on { 198.51.100.13; }; listen-on-v6 { none; };", _SITE_ZONE
        )
        tables = '[dns64]\nupstreams = ["198.51.100.13"]\n[translation]\npool = "10.7.0.128/26"\n'
        self.pair.start_gateway(site='domain = "corp.example"', tables=tables)

    def start_dns(self, name: str, options: str, zones: dict[str, str]) -> Running:
        """A BIND in ``gw``, ready."""
        lines = [
            f'options {{ directory "{self.directory}"; {no_files()} '
            f"recursion no; dnssec-validation no; {options} }};",
            "controls { };",
        ]
        for zone, content in zones.items():
            file = self.directory / f"{name}-{zone}.zone"
            file.write_text(f"@ 60 SOA ns admin 1 3600 600 86400 5\n@ 60 NS ns\nns 60 A 10.0.0.2\n{content}")
            lines.append(f'zone "{zone}" {{ type primary; file "{file}"; }};')
        config = self.directory / f"{name}.conf"
        config.write_text("\n".join(lines) + "\n")
        argv = (str(self.named), "-g", "-n", "1", "-c", str(config))
        running = self.pair.start("gw", *argv, name=f"named-{name}")
        wait_until(f"{name} answers", lambda: "running\n" in running.text())
        return running

    def connect(self, *options: str, advertised: bool = False) -> Running:
        """``manageout connect``, its tunnel up; without ``advertised`` the command line says what the site is."""
        said = () if advertised else ("--dns", SITE_DNS, "--namespace", "corp.example")
        running = self.pair.start_client("laptop.corp.example", *said, *options)
        self.pair.address()
        return running

    def names(self) -> dict[str, Any]:
        """The role ``name-policy`` in the client's status."""
        status = self.pair.ask("status", "cl")
        return dict(status["roles"]["name-policy"]) if status else {}

    def wait_policy(self, state: str) -> dict[str, Any]:
        """Until the policy is ``on``, ``off`` or ``failed``."""
        wait_until(f"the policy is {state}", lambda: self.names().get("policy") == state, 30)
        return self.names()

    def dig(self, name: str, kind: str = "AAAA", *options: str) -> list[str]:
        """What a program on the client gets."""
        argv = ["ip", "netns", "exec", "cl", "dig", "+short", "+tries=1", *options, name, kind]
        return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.split()

    def getent(self, name: str) -> str:
        """The first address that the C library's resolver gives."""
        argv = ["ip", "netns", "exec", "cl", "getent", "ahosts", name]
        lines = subprocess.run(argv, capture_output=True, text=True, check=False).stdout.split()
        return lines[0] if lines else ""

    def status_text(self) -> str:
        """``manageout status`` of the client, for people."""
        argv = [*MANAGEOUT, "status", "--runtime-dir", str(self.directory / "cl")]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout
