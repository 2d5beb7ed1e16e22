"""The programs of other people that the lab runs: BIND on dc and home, sshd on laptop, web servers.

All of them keep to their node's directory. They are ordinary programs with ordinary configurations, because
that is what manage-out must work with.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from manageout.lab import bind, network, samba, topology
from manageout.lab.process import Process, await_listening, start
from manageout.service.tls.pki import Authority

START_SECONDS = 20.0
DNS_PORT = 53
WEB_PORT = 80
HTTPS_PORT = 443
APP_PAGE = "IPv4 only\n"
DOWNLOAD = "image.bin"
DOWNLOAD_BYTES = 50_000_000


def start_all(wanted: topology.Topology, *, ad: bool = False) -> None:
    """Make their certificates, start every server and wait until each one listens. Raises :class:`LabError`."""
    network.require_programs("servers")
    make_certificates()
    if ad:
        dc = samba.start_directory("dc", topology.DNS_INTRANET, bind.records(wanted), shares=True)
    else:
        dc = bind.start_intranet(wanted)
    home = bind.start_home()
    app = _start_web("app", str(topology.APP), APP_PAGE)
    location = _start_location()
    laptop = _start_web("laptop", "::", "managed out\n")
    ssh = _start_sshd("laptop")
    ports = {dc: DNS_PORT, home: DNS_PORT, app: WEB_PORT, location: HTTPS_PORT, laptop: WEB_PORT}
    for process, port in (ports | {ssh: topology.SSH_PORT}).items():
        await_listening(process, port, START_SECONDS)


def pki_directory() -> Path:
    """Where the lab's certificates are."""
    return network.STATE / "pki"


def make_certificates() -> None:
    """An authority, and certificates for the gateway, the location page and the remote clients."""
    authority = Authority.create(pki_directory(), "Lab CA")
    for name in (topology.GATEWAY_NAME, topology.LOCATION_NAME):
        authority.issue(name, server=True)
    for name in topology.REMOTE.values():
        authority.issue(name, server=False)


def make_download(node: str) -> str:
    """The file that ``node``'s web server offers, made once; returns its SHA-256 in hex."""
    path = network.directory(node) / "www" / DOWNLOAD
    if not path.exists():
        path.write_bytes(os.urandom(DOWNLOAD_BYTES))
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def ssh_command(address: str, remote: str) -> list[str]:
    """The command that runs ``remote`` on the laptop from helpdesk, with the lab's throw-away keys."""
    options = topology.filled("servers.ssh", directory=network.directory("laptop") / "sshd")
    return ["ssh", *options.split(), f"root@{address}", remote]


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
    files = [
        str(directory),
        *(str(pki_directory() / f"{topology.LOCATION_NAME}.{kind}") for kind in ("pem", "key")),
    ]
    return start(
        "app",
        "location",
        [sys.executable, "-m", "manageout.lab.web", str(topology.APP), str(HTTPS_PORT), *files],
    )


def _start_sshd(node: str) -> Process:
    directory = network.directory(node) / "sshd"
    (directory / "sshd").mkdir(parents=True, exist_ok=True)
    for name in ("host_key", "user_key"):
        _keygen(directory / name)
    (directory / "authorized_keys").write_text((directory / "user_key.pub").read_text())
    (directory / "known_hosts").write_text(f"laptop {(directory / 'host_key.pub').read_text()}")
    (directory / "shadow").write_text(topology.filled("servers.shadow"))
    (directory / "node").write_text(f"{node}\n")
    (directory / "config").write_text(topology.filled("servers.sshd"))
    return start(node, "sshd", ["sh", "-c", topology.text_of("scripts.sshd"), str(directory)])


def _keygen(path: Path) -> None:
    path.unlink(missing_ok=True)
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)]
    subprocess.run(argv, check=True, capture_output=True)
