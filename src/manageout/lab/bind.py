"""BIND on the lab's nodes, and what the intranet's DNS knows: the machines of the intranet and the branch.

A zone takes updates from its own node, and those that are signed with the gateway's key.
"""

from __future__ import annotations

import base64
import functools
import os
import subprocess
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv6Network
from pathlib import Path
from typing import NamedTuple

from manageout.lab import network, topology
from manageout.lab.process import Process, start

UPDATE_KEY = "manageout"
TTL = 60
ROUTER_TTL = 2
"""Seconds; short, so that a changed router address is followed while one watches."""

# AppArmor confines the path /usr/sbin/named to /etc/bind and /var/cache/bind; another path is not confined.
_NAMED = 'mount --bind "$(command -v named)" "$0" && exec "$0" "$@"'


class LabRecord(NamedTuple):
    """One record; ``name`` is complete, without the last dot."""

    name: str
    type: str
    value: str
    ttl: int = TTL


@functools.cache
def no_files() -> str:
    """The options by which a BIND keeps no files of the machine's only BIND.

    BIND 9.20 has no lock file, and refuses the option for it; ``-C`` prints every option that has a default.
    """
    known = subprocess.run(["named", "-C"], capture_output=True, text=True, check=False).stdout
    return f"pid-file none; session-keyfile none;{' lock-file none;' if 'lock-file' in known else ''}"


def start_intranet(wanted: topology.Topology) -> Process:
    """The intranet's DNS server, on dc."""
    found, names = records(wanted), [topology.DOMAIN, *reverse_zones()]
    zones = {zone: [record for record in found if record.name.endswith(f".{zone}")] for zone in names}
    return _start("dc", topology.DNS_INTRANET, zones)


def start_home() -> Process:
    """The DNS server of the home router: of the site it knows what the Internet knows."""
    return _start(
        "home",
        topology.DNS_HOME,
        {topology.DOMAIN: [LabRecord(topology.GATEWAY_NAME, "A", str(topology.GATEWAY_PUBLIC))]},
    )


def records(wanted: topology.Topology) -> list[LabRecord]:
    """Names and addresses of the intranet's own machines, both ways."""
    found = [
        LabRecord(topology.LOCATION_NAME, "A", str(topology.APP)),
        LabRecord(topology.ISATAP_NAME, "A", str(wanted.router_locator), ROUTER_TTL),
    ]
    for node in wanted.nodes:
        # The first one inside is the one by which a machine is known.
        inside = [port.address.ip for port in node.ports if port.segment in ("intranet", "branch")]
        name = host_name(node.name)
        found += [LabRecord(name, "A", str(address)) for address in inside[:1]]
        found += [LabRecord(address.reverse_pointer, "PTR", f"{name}.") for address in inside]
    return found


def host_name(node: str) -> str:
    """A machine's name in the DNS. Nobody may be called ``isatap``: all Windows machines with ISATAP would follow."""
    return f"{'isatap-router' if node == 'isatap' else node}.{topology.DOMAIN}"


def reverse_zones() -> list[str]:
    """The zones of the intranet's addresses, IPv4 and IPv6."""
    inside = (topology.SEGMENTS["intranet"], topology.SEGMENTS["branch"])
    # All of them are /24.
    zones = [each.network_address.reverse_pointer.partition(".")[2] for each in inside]
    return [*zones, _reverse6(topology.SITE)]


def key_file() -> Path:
    """The key of the gateway's account for dynamic updates."""
    return network.STATE / "update.key"


def set_router(*addresses: IPv4Address) -> None:
    """Replace the A records of the ISATAP router's name, by dynamic update."""
    lines = [f"server {topology.DNS_INTRANET}", f"update delete {topology.ISATAP_NAME} A"]
    lines += [f"update add {topology.ISATAP_NAME} {ROUTER_TTL} A {address}" for address in addresses]
    network.run("dc", ["nsupdate"], text="\n".join([*lines, "send"]) + "\n")


def _start(node: str, address: IPv4Address, zones: Mapping[str, Iterable[LabRecord]]) -> Process:
    directory = network.directory(node) / "named"
    directory.mkdir(exist_ok=True)
    lines = [
        "options {",
        f'directory "{directory}"; {no_files()}',
        f"listen-on {{ {address}; }}; listen-on-v6 {{ none; }}; recursion no; dnssec-validation no;",
        "};",
        "controls { };",
        _update_key(),
    ]
    # BIND 9.20 lets nobody transfer a zone unless told, and before it everybody.
    those = f"{{ {address}; key {UPDATE_KEY}; }}"
    update = f"allow-update {those}; allow-transfer {those};"
    for zone, content in zones.items():
        (directory / f"{zone}.zone").write_text(_zone(zone, address, content))
        lines.append(f'zone "{zone}" {{ type primary; file "{zone}.zone"; {update} }};')
    (directory / "named.conf").write_text("\n".join(lines) + "\n")
    (directory / "named").touch()
    binary = ["sh", "-c", _NAMED, str(directory / "named")]
    return start(node, "named", [*binary, "-g", "-4", "-n", "1", "-c", str(directory / "named.conf")])


def _update_key() -> str:
    """The text of :func:`key_file`, which is made when it is not there."""
    file = key_file()
    if not file.exists():
        secret = base64.b64encode(os.urandom(32)).decode()
        file.touch(mode=0o600)
        file.write_text(f'key "{UPDATE_KEY}" {{ algorithm hmac-sha256; secret "{secret}"; }};\n')
    return file.read_text()


def _reverse6(prefix: IPv6Network) -> str:
    """The zone below ip6.arpa of a prefix whose length is a multiple of four."""
    return ".".join(prefix.network_address.reverse_pointer.split(".")[32 - prefix.prefixlen // 4 :])


def _zone(zone: str, server: IPv4Address, content: Iterable[LabRecord]) -> str:
    """The text of a zone file."""
    lines = [
        f"@ {TTL} SOA ns.{topology.DOMAIN}. admin.{topology.DOMAIN}. 1 3600 600 86400 5",
        f"@ {TTL} NS ns.{topology.DOMAIN}.",
    ]
    if zone == topology.DOMAIN:
        lines.append(f"ns {TTL} A {server}")
    return (
        "\n".join([*lines, *(f"{name}. {ttl} {type_} {value}" for name, type_, value, ttl in content)]) + "\n"
    )
