"""BIND on the lab's nodes, and what the intranet's DNS knows: the machines of the intranet and the branch.

A zone takes updates from its own node, and those that are signed with the gateway's key.
"""

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
from manageout.lab.topology import filled, text_of

ROUTER_TTL = 2
"""Seconds; short, so that a changed router address is followed while one watches."""


class LabRecord(NamedTuple):
    """One record; ``name`` is complete, without the last dot."""

    name: str
    type: str
    value: str
    ttl: int = topology.TTL


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
    gateway = LabRecord(topology.GATEWAY_NAME, "A", str(topology.GATEWAY_PUBLIC))
    return _start("home", topology.DNS_HOME, {topology.DOMAIN: [gateway]})


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


def _start(node: str, address: IPv4Address, zones: Mapping[str, Iterable[LabRecord]]) -> Process:
    directory = network.directory(node) / "named"
    directory.mkdir(exist_ok=True)
    file = key_file()
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(filled("servers.update_key", secret=base64.b64encode(os.urandom(32)).decode()))
    values = {"directory": directory, "address": address, "no_files": no_files(), "key": file.read_text()}
    text = filled("servers.named", **values)
    for zone, content in zones.items():
        (directory / f"{zone}.zone").write_text(_zone(zone, address, content))
        text += filled("servers.named_zone", zone=zone, address=address)
    (directory / "named.conf").write_text(text)
    (directory / "named").touch()
    binary = ["sh", "-c", text_of("scripts.named"), str(directory / "named")]
    return start(node, "named", [*binary, "-g", "-4", "-n", "1", "-c", str(directory / "named.conf")])


def _reverse6(prefix: IPv6Network) -> str:
    """The zone below ip6.arpa of a prefix whose length is a multiple of four."""
    return ".".join(prefix.network_address.reverse_pointer.split(".")[32 - prefix.prefixlen // 4 :])


def _zone(zone: str, server: IPv4Address, content: Iterable[LabRecord]) -> str:
    """The text of a zone file."""
    own = f"ns {topology.TTL} A {server}\n" if zone == topology.DOMAIN else ""
    rows = "".join(f"{name}. {ttl} {type_} {value}\n" for name, type_, value, ttl in content)
    return filled("servers.zone") + own + rows
