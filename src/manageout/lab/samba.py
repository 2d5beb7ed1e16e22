"""A real Active Directory domain controller: Samba on one node, provisioned anew, all of it in the node's directory.

The domain is corp.example. Its zones take secure updates only (Samba's default); the account ``manageout``, an
ordinary one, is the gateway's, and has a keytab.
"""

import importlib.util
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address
from pathlib import Path

from manageout.errors import LabError
from manageout.lab import network
from manageout.lab.bind import LabRecord, reverse_zones
from manageout.lab.process import Process, await_listening, start
from manageout.lab.topology import DOMAIN, REALM, filled, text_of

WORKGROUP = REALM.partition(".")[0]
PASSWORD = "Passw0rd!x"  # noqa: S105 - the lab's Administrator
LOGIN = f"{WORKGROUP}/Administrator%{PASSWORD}"
"""For the option -U of Samba's programs."""
START_SECONDS = 30.0
PORTS = (53, 88, 135, 389)
"""DNS, Kerberos, the end-point mapper, LDAP."""
SMB = 445

_PYTHON = "/usr/bin/python3"  # Samba's modules are Debian's, not the virtual environment's


def start_directory(
    node: str, address: IPv4Address, records: Sequence[LabRecord], *, shares: bool = False
) -> Process:
    """A new domain controller on ``node``, which answers at ``address`` and knows ``records``.

    With ``shares`` it serves SYSVOL too, where group policies live. Raises :class:`LabError`.
    """
    network.require_programs("samba")
    if importlib.util.find_spec("gssapi") is None:
        raise LabError(
            "the gateway needs Kerberos for this domain", "pip install 'manageout[ad]', or make demo-ad"
        )
    _provision(node, address, shares)
    commands = filled("servers.directory", keytab=keytab(node))
    if shares:
        commands += filled("servers.directory_shares", node=node, NODE=node.upper())
    _tool(node, commands.splitlines())
    process = serve(node, shares=shares)
    _tool(node, _dns(address, records), "-U", LOGIN)
    return process


def serve(node: str, *, shares: bool = False) -> Process:
    """Start the domain controller that :func:`start_directory` has made on ``node``, again."""
    argv = ["samba", "-F", "--no-process-group", "--debug-stdout", "-s", _settings(node)]
    process = start(node, "samba", ["sh", "-c", text_of("scripts.samba"), "sh", *argv] if shares else argv)
    for port in (*PORTS, SMB) if shares else PORTS:
        await_listening(process, port, START_SECONDS)
    return process


def keytab(node: str) -> Path:
    """The key of the gateway's account; there once a domain controller has been made on ``node``."""
    return _directory(node) / "manageout.keytab"


def krb5_conf(node: str) -> Path:
    """What KRB5_CONFIG names for members of the domain."""
    return _directory(node) / "krb5.conf"


def _directory(node: str) -> Path:
    return network.directory(node) / "samba"


def _settings(node: str) -> str:
    return str(_directory(node) / "etc" / "smb.conf")


def _provision(node: str, address: IPv4Address, shares: bool) -> None:
    directory = _directory(node)
    (directory / "run").mkdir(parents=True, exist_ok=True)
    krb5_conf(node).write_text(filled("servers.krb5"))
    base = directory / "base.conf"
    more = "servers.samba_shares" if shares else "servers.samba_alone"
    text = filled("servers.samba", directory=directory, address=address) + filled(more, directory=directory)
    base.write_text(text)
    values = {"base": base, "directory": directory, "node": node, "address": address}
    options = filled("servers.provision", domain=WORKGROUP, password=PASSWORD, **values)
    network.run(node, ["samba-tool", "domain", "provision", "--quiet", *options.split()])
    file = Path(_settings(node))
    # It takes the machine's own resolver for where to forward to.
    lines = [line for line in file.read_text().splitlines() if "dns forwarder" not in line]
    file.write_text("\n".join(lines) + "\n")


def _dns(address: IPv4Address, records: Iterable[LabRecord]) -> list[str]:
    """The commands that make the zones and fill them."""
    zones = reverse_zones()
    lines = [f"dns zonecreate {address} {zone}" for zone in zones]
    for record in records:
        zone = next((each for each in zones if record.name.endswith(f".{each}")), DOMAIN)
        if record.value != str(address):  # its own name is there
            name = record.name.removesuffix(f".{zone}")
            lines.append(f"dns add {address} {zone} {name} {record.type} {record.value}")
    return lines


def _tool(node: str, commands: Iterable[str], *options: str) -> None:
    """Run samba-tool commands, one a line."""
    more = " ".join([f"--configfile={_settings(node)}", *options])
    network.run(
        node,
        [_PYTHON, "-c", text_of("scripts.samba_batch")],
        text="".join(f"{command} {more}\n" for command in commands),
    )
