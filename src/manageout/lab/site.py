"""The site on the lab's networks: site files, certificates, daemons, the connected laptop, the joined helpdesk.

Everything is started as a user would start it, by ``manageout`` commands with their own runtime directories.
"""

import functools
import ipaddress
import json
import subprocess
import sys
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from pathlib import Path
from typing import Any

from manageout.errors import DaemonUnreachable
from manageout.lab import bind, draw, network, samba, servers, topology
from manageout.lab.process import Process, start, wait_until
from manageout.linux.host import netns
from manageout.service.process import client
from manageout.site.contradictions import read_site
from manageout.site.plan import IPHTTPS_DEVICE, ISATAP_DEVICE, Plan

READY_SECONDS = 75.0  # a client whose first attempt fails tries again after 30 s ([MS-IPHTTPS] 3.1.2.1)
URL = f"https://{topology.GATEWAY_NAME}:443/IPHTTPS"
LOCATION_URL = f"https://{topology.LOCATION_NAME}/"
MANAGEOUT = (sys.executable, "-m", "manageout")


def up(wanted: topology.Topology, *, fast_path: bool = True, ad: bool = False) -> None:
    """Everything: networks, servers, daemons, laptop connected, helpdesk joined.

    Raises :class:`LabError`; what was started is left for inspection and for ``lab down``.
    """
    network.up(wanted)
    servers.start_all(wanted, ad=ad)
    start_daemons(wanted, fast_path=fast_path)
    connect()
    join("helpdesk", fast_path=fast_path)


def write_site_file(
    wanted: topology.Topology, node: str, *, fast_path: bool, locators: Sequence[IPv4Address] = ()
) -> Path:
    """The configuration of the daemon on ``node``; ``locators`` if not the router's usual one."""
    directory = network.directory(node)
    facts = [node, "domain" if samba.keytab("dc").exists() else "no domain"]
    facts += ["router"] * (node == wanted.router) + ["apart"] * (wanted.router != "gateway")
    values = {
        "pki": servers.pki_directory(),
        "keytab": samba.keytab("dc"),
        "key_file": bind.key_file(),
        "locators": ", ".join(f'"{each}"' for each in locators or [wanted.router_locator]),
        "state": directory / "state",
        "fast_path": str(fast_path).lower(),
    }
    file = directory / "site.toml"
    file.write_text(topology.parts("site", facts, **values))
    return file


def daemon_nodes(wanted: topology.Topology) -> list[str]:
    """The nodes that run ``manageout run``."""
    return list(dict.fromkeys(["gateway", wanted.router]))


def start_daemons(
    wanted: topology.Topology, *, fast_path: bool, locators: Sequence[IPv4Address] = ()
) -> list[Process]:
    """Gateway and ISATAP router, ready to serve."""
    started = []
    for node in daemon_nodes(wanted):
        write_site_file(wanted, node, fast_path=fast_path, locators=locators)
        started.append(start_daemon(node))
    for process in started:
        what, is_ready = f"the daemon on {process.node} is ready", functools.partial(ready, process.node)
        wait_until(what, is_ready, READY_SECONDS, [process])
    return started


def start_daemon(node: str) -> Process:
    """``manageout run`` with the node's site file; it may not be ready yet."""
    directory = network.directory(node)
    options = ["--config", str(directory / "site.toml"), "--runtime-dir", str(directory)]
    environment = ["env", f"KRB5_CONFIG={samba.krb5_conf('dc')}"] if samba.keytab("dc").exists() else []
    return start(node, "run", [*environment, *MANAGEOUT, "run", *options])


def connect(*options: str, node: str = "laptop") -> Process:
    """``manageout connect`` on a remote client, up to its address."""
    certificate, ca = servers.pki_directory() / topology.REMOTE[node], servers.pki_directory() / "ca.pem"
    files = ["--cert", f"{certificate}.pem", "--key", f"{certificate}.key", "--ca", str(ca)]
    files += ["--location-url", LOCATION_URL]
    argv = [*MANAGEOUT, "connect", URL, *files, "--runtime-dir", str(network.directory(node)), *options]
    process = start(node, "connect", argv)
    wait_until(f"the {node} connects", functools.partial(client_address, node), READY_SECONDS, [process])
    return process


def join(node: str, *, fast_path: bool) -> Process:
    """``manageout join`` on an allowed host, up to its address and its route to the clients."""
    process = start_join(node, fast_path=fast_path)
    wait_until(f"{node} joins", lambda: host_address(node) and _has_route(node), READY_SECONDS, [process])
    return process


def start_join(node: str, *, fast_path: bool) -> Process:
    """``manageout join``; it may not have an address yet."""
    options = ["--runtime-dir", str(network.directory(node)), *([] if fast_path else ["--no-ebpf"])]
    return start(node, "join", [*MANAGEOUT, "join", topology.ISATAP_NAME, *options])


def laptop_address() -> IPv6Address | None:
    """The laptop's address inside the tunnel."""
    return client_address("laptop")


def client_address(node: str) -> IPv6Address | None:
    """The address of a remote client inside the tunnel."""
    return _address(node, IPHTTPS_DEVICE, topology.CLIENT_PREFIX)


def lease(node: str) -> IPv4Address | None:
    """The intranet IPv4 address of a remote client, while it is connected."""
    rows = [
        row
        for row in ask("gateway", "leases")
        if row["name"] == topology.REMOTE[node] and row["state"] == "held"
    ]
    return IPv4Address(rows[0]["ipv4"]) if rows else None


def links(wanted: topology.Topology) -> str:
    """Who speaks to the laptop now, drawn."""
    return draw.links(wanted, laptop_address(), host_address("helpdesk"), lease("laptop"))


def gateway_plan() -> Plan:
    """What follows from the gateway's site file."""
    return read_site(network.directory("gateway") / "site.toml")[1]


def host_address(node: str) -> IPv6Address | None:
    """The ISATAP address of ``node``."""
    return _address(node, ISATAP_DEVICE, topology.ISATAP_PREFIX)


def addresses6(node: str) -> list[str]:
    """The IPv6 addresses with which ``node`` can be reached from elsewhere."""
    found = [item for link in _ip(node, ["address", "show"]) for item in link["addr_info"]]
    return [f"{item['local']}/{item['prefixlen']}" for item in found if item["scope"] == "global"]


def ask(node: str, command: str) -> Any:
    """What ``manageout COMMAND --json`` prints on ``node``."""
    return client.ask(network.directory(node) / "control.sock", command)


def ready(node: str) -> bool:
    """Whether the daemon on ``node`` serves all its roles."""
    try:
        roles = ask(node, "status")["roles"].values()
    except DaemonUnreachable:
        return False
    return all(role.get("ready", True) for role in roles)


def _address(node: str, device: str, prefix: IPv6Network) -> IPv6Address | None:
    for link in _ip(node, ["address", "show", "dev", device]):
        for item in link.get("addr_info", ()):
            address = ipaddress.ip_address(item["local"])
            if isinstance(address, IPv6Address) and address in prefix and not item.get("tentative"):
                return address
    return None


def _has_route(node: str) -> bool:
    found = _ip(node, ["route", "get", str(topology.CLIENT_PREFIX[1])])
    return any(route.get("dev") == ISATAP_DEVICE for route in found)


def _ip(node: str, arguments: Sequence[str]) -> list[Any]:
    argv = netns.command(network.namespace(node), ["ip", "-6", "-json", *arguments])
    result = subprocess.run(argv, capture_output=True, text=True, check=False)
    found: list[Any] = json.loads(result.stdout) if result.returncode == 0 and result.stdout else []
    return found
