"""The programs of other people that the lab runs: BIND on dc and home, sshd on laptop, web servers.

All of them keep to their node's directory. They are ordinary programs with ordinary configurations, because
that is what manage-out must work with.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from pathlib import Path

from manageout.lab import network
from manageout.lab.process import Process, start, wait_until
from manageout.lab.topology import (
    APP,
    DNS_HOME,
    DNS_INTRANET,
    DOMAIN,
    GATEWAY_NAME,
    GATEWAY_PUBLIC,
    ISATAP_NAME,
    LOCATION_NAME,
    REMOTE,
    SEGMENTS,
    SITE,
    Topology,
)

START_SECONDS = 20.0
PROGRAMS = {
    "named": "bind9",
    "sshd": "openssh-server",
    "ssh-keygen": "openssh-client",
    "curl": "curl",
    "ping": "iputils-ping",
}
"""Program -> Debian package, of the servers and of those who call them."""
UPDATE_KEY = "manageout"
DNS_PORT = 53
WEB_PORT = 80
HTTPS_PORT = 443
APP_PAGE = "IPv4 only\n"
SSH_PORT = 22
DOWNLOAD = "image.bin"
DOWNLOAD_BYTES = 50_000_000
ROUTER_TTL = 2
"""Seconds; short, so that a changed router address is followed while one watches."""

# AppArmor confines the path /usr/sbin/named to /etc/bind and /var/cache/bind; another path is not confined.
_NAMED = 'mount --bind "$(command -v named)" "$0" && exec "$0" "$@"'
# sshd insists on /run/sshd, and refuses root where its password is locked.
_SSHD = """mount --bind "$0/shadow" /etc/shadow && mount --bind "$0" /run &&
exec /usr/sbin/sshd -D -e -f /run/config"""


def start_all(wanted: Topology) -> None:
    """Make their certificates, start every server and wait until each one listens. Raises :class:`LabError`."""
    network.require_programs(PROGRAMS)
    make_certificates()
    dc = start_dns("dc", DNS_INTRANET, _intranet_zones(wanted))
    home = start_dns("home", DNS_HOME, {DOMAIN: _zone({"gateway": GATEWAY_PUBLIC})})
    app = _start_web("app", str(APP), APP_PAGE)
    location = _start_location()
    laptop = _start_web("laptop", "::", "managed out\n")
    ssh = _start_sshd("laptop")
    for process, port in (
        (dc, DNS_PORT),
        (home, DNS_PORT),
        (app, WEB_PORT),
        (location, HTTPS_PORT),
        (laptop, WEB_PORT),
        (ssh, SSH_PORT),
    ):
        what = f"{process.name} on {process.node} listens on port {port}"
        wait_until(what, functools.partial(process.listens, port), START_SECONDS, [process])


def start_dns(node: str, address: IPv4Address, zones: Mapping[str, str]) -> Process:
    """BIND with ``zones`` (name -> zone file), which the node itself and the gateway's key may update."""
    directory = network.directory(node) / "named"
    directory.mkdir(exist_ok=True)
    lines = [
        "options {",
        f'directory "{directory}"; pid-file none; session-keyfile none; lock-file none;',
        f"listen-on {{ {address}; }}; listen-on-v6 {{ none; }}; recursion no; dnssec-validation no;",
        "};",
        "controls { };",
    ]
    lines.append(_update_key())
    update = f"allow-update {{ {address}; key {UPDATE_KEY}; }};"
    for name, text in zones.items():
        (directory / f"{name}.zone").write_text(text)
        lines.append(f'zone "{name}" {{ type primary; file "{name}.zone"; {update} }};')
    (directory / "named.conf").write_text("\n".join(lines) + "\n")
    (directory / "named").touch()
    binary = ["sh", "-c", _NAMED, str(directory / "named")]
    return start(node, "named", [*binary, "-g", "-4", "-n", "1", "-c", str(directory / "named.conf")])


def pki_directory() -> Path:
    """Where the lab's certificates are."""
    return network.STATE / "pki"


def make_certificates() -> None:
    """An authority, and certificates for the gateway, the location page and the remote clients."""
    from manageout.service.pki import Authority

    authority = Authority.create(pki_directory(), "Lab CA")
    for name in (GATEWAY_NAME, LOCATION_NAME):
        authority.issue(name, server=True)
    for name in REMOTE.values():
        authority.issue(name, server=False)


def key_file() -> Path:
    """The key of the gateway's account for dynamic updates."""
    return network.STATE / "update.key"


def _update_key() -> str:
    """The text of :func:`key_file`, which is made when it is not there."""
    file = key_file()
    if not file.exists():
        secret = base64.b64encode(os.urandom(32)).decode()
        file.touch(mode=0o600)
        file.write_text(f'key "{UPDATE_KEY}" {{ algorithm hmac-sha256; secret "{secret}"; }};\n')
    return file.read_text()


def set_router(*addresses: IPv4Address) -> None:
    """Replace the A records of the ISATAP router's name, by dynamic update."""
    lines = [f"server {DNS_INTRANET}", f"update delete {ISATAP_NAME} A"]
    lines += [f"update add {ISATAP_NAME} {ROUTER_TTL} A {address}" for address in addresses]
    network.run("dc", ["nsupdate"], text="\n".join([*lines, "send"]) + "\n")


def make_download(node: str) -> str:
    """The file that ``node``'s web server offers, made once; returns its SHA-256 in hex."""
    path = network.directory(node) / "www" / DOWNLOAD
    if not path.exists():
        path.write_bytes(os.urandom(DOWNLOAD_BYTES))
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def ssh_command(address: str, remote: str) -> list[str]:
    """The command that runs ``remote`` on the laptop from helpdesk, with the lab's throw-away keys."""
    directory = network.directory("laptop") / "sshd"
    options = {
        "IdentityFile": str(directory / "user_key"),
        "UserKnownHostsFile": str(directory / "known_hosts"),
        "IdentitiesOnly": "yes",
        "BatchMode": "yes",
        "ConnectTimeout": "10",
        "HostKeyAlias": "laptop",
    }
    flags = [argument for key, value in options.items() for argument in ("-o", f"{key}={value}")]
    return ["ssh", "-F", "none", *flags, f"root@{address}", remote]


def _intranet_zones(wanted: Topology) -> dict[str, str]:
    """Forward and reverse zones of every node on the intranet and the branch."""
    hosts = {
        node.name: port.address.ip
        for node in wanted.nodes
        for port in reversed(node.ports)
        if port.segment in ("intranet", "branch")
    }
    zones = {
        DOMAIN: _zone(
            hosts | {"ns": DNS_INTRANET, "nls": APP}, f"{ISATAP_NAME}. {ROUTER_TTL} A {wanted.router_locator}"
        )
    }
    for segment in ("intranet", "branch"):
        network4: IPv4Network = SEGMENTS[segment]
        name = ".".join(reversed(str(network4.network_address).split(".")[:3])) + ".in-addr.arpa"
        inside = [(address, host) for host, address in hosts.items() if address in network4]
        pointers = [f"{int(address) & 255} PTR {host}.{DOMAIN}." for address, host in inside]
        zones[name] = _zone({}, *pointers)
    # Below the site prefix nobody has a name until a client registers.
    zones[_reverse6(SITE)] = _zone({})
    return zones


def _reverse6(prefix: IPv6Network) -> str:
    """The zone below ip6.arpa of a prefix whose length is a multiple of four."""
    return ".".join(prefix.network_address.reverse_pointer.split(".")[32 - prefix.prefixlen // 4 :])


def _zone(hosts: Mapping[str, IPv4Address], *more: str) -> str:
    head = ["$TTL 60", f"@ SOA ns.{DOMAIN}. admin.{DOMAIN}. 1 3600 600 86400 5", f"@ NS ns.{DOMAIN}."]
    if hosts and "ns" not in hosts:
        hosts = {"ns": next(iter(hosts.values())), **hosts}
    return "\n".join([*head, *(f"{name} A {address}" for name, address in hosts.items()), *more]) + "\n"


def _start_web(node: str, address: str, text: str) -> Process:
    directory = network.directory(node) / "www"
    directory.mkdir(exist_ok=True)
    (directory / "index.html").write_text(text)
    serve = ["-m", "http.server", "--bind", address, "--directory", str(directory), str(WEB_PORT)]
    return start(node, "web", [sys.executable, *serve])


def _start_location() -> Process:
    """The page by which clients tell that they are inside. Its certificate is the lab's."""
    directory = network.directory("app") / "location"
    directory.mkdir(exist_ok=True)
    (directory / "index.html").write_text("inside\n")
    files = [str(directory), *(str(pki_directory() / f"{LOCATION_NAME}.{kind}") for kind in ("pem", "key"))]
    return start(
        "app", "location", [sys.executable, "-m", "manageout.lab.web", str(APP), str(HTTPS_PORT), *files]
    )


def _start_sshd(node: str) -> Process:
    directory = network.directory(node) / "sshd"
    (directory / "sshd").mkdir(parents=True, exist_ok=True)
    for name in ("host_key", "user_key"):
        _keygen(directory / name)
    (directory / "authorized_keys").write_text((directory / "user_key.pub").read_text())
    (directory / "known_hosts").write_text(f"laptop {(directory / 'host_key.pub').read_text()}")
    (directory / "shadow").write_text("root:*:20000:0:99999:7:::\nsshd:*:20000:0:99999:7:::\n")
    (directory / "node").write_text(f"{node}\n")
    (directory / "config").write_text(
        f"Port {SSH_PORT}\nListenAddress ::\nHostKey /run/host_key\nAuthorizedKeysFile /run/authorized_keys\n"
        "PidFile none\nUsePAM no\nStrictModes no\nPermitRootLogin prohibit-password\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\n"
    )
    return start(node, "sshd", ["sh", "-c", _SSHD, str(directory)])


def _keygen(path: Path) -> None:
    path.unlink(missing_ok=True)
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)]
    subprocess.run(argv, check=True, capture_output=True)
