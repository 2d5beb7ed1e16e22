"""The demo's steps of names: clients come and go in the intranet's real DNS, and resolve what is inside."""

import functools
from ipaddress import IPv4Address, IPv6Address

from manageout.lab import network, process, site, topology
from manageout.lab.run import Run, disconnect, expect
from manageout.wire.address import rfc6052_embed

NAMES_SECONDS = 20.0
"""Within which records come and go: a first update that is answered late is tried again after a few seconds."""
FOREIGN_NAME = f"printer.{topology.DOMAIN}"


def look_up(name: str, kind: str, *, node: str = "app", server: IPv4Address | None = None) -> list[str]:
    """What the DNS server of ``node``, or ``server``, says of ``name``: the records of type ``kind``."""
    at = [f"@{server}"] if server else []
    text = network.run(node, ["dig", *at, "+short", "+tries=2", "+time=3", name, kind]).stdout
    return sorted(line.rstrip(".").lower() for line in text.splitlines() if not line.startswith(";"))


def registered(node: str) -> bool:
    """Whether the DNS has exactly the records that the connected client on ``node`` is to have."""
    address, ipv4, name = site.client_address(node), site.lease(node), topology.REMOTE[node]
    if address is None or ipv4 is None:
        return False
    wanted = {
        (name, "A"): [str(ipv4)],
        (name, "AAAA"): [str(address)],
        (ipv4.reverse_pointer, "PTR"): [name],
        (address.reverse_pointer, "PTR"): [name],
    }
    return all(look_up(*question) == answer for question, answer in wanted.items())


def gone(name: str, *addresses: IPv4Address | IPv6Address) -> bool:
    """Whether the DNS knows neither ``name`` nor whose ``addresses`` are."""
    questions = [(name, "A"), (name, "AAAA"), *((each.reverse_pointer, "PTR") for each in addresses)]
    return not any(look_up(*question) for question in questions)


def await_registered(node: str) -> None:
    """Wait until :func:`registered`; :class:`LabError` when it takes too long."""
    what = f"{topology.REMOTE[node]} is in the DNS of dc"
    process.wait_until(what, functools.partial(registered, node), NAMES_SECONDS)


def appear(run: Run) -> str:
    await_registered("laptop")
    return f"dc says: {topology.LAPTOP_NAME} A {site.lease('laptop')}, AAAA {run.laptop}, and both PTR"


def resolve(run: Run) -> str:
    wanted = str(rfc6052_embed(site.gateway_plan().nat64, topology.APP))
    for name, kind, address, otherwise in (
        (topology.APP_NAME, "AAAA", wanted, f" instead of {wanted}"),
        (topology.GATEWAY_NAME, "A", str(topology.GATEWAY_PUBLIC), ": not its public address"),
    ):
        got = look_up(name, kind, node="laptop")
        expect(got == [address], f"{name} is {' '.join(got) or 'unknown'} on the laptop{otherwise}")
    outside = f"{topology.GATEWAY_NAME} stays {topology.GATEWAY_PUBLIC}, by the home's DNS"
    return f"{topology.APP_NAME} is {wanted} by DNS64; {outside}"


def unsigned(run: Run) -> str:
    lines = f"server {topology.DNS_INTRANET}\nupdate add {FOREIGN_NAME} 60 A 10.0.0.66\nsend\n"
    result = network.run("app", ["nsupdate"], text=lines, check=False)
    expect(not look_up(FOREIGN_NAME, "A"), "anybody may write into the zone")
    return f"app's nsupdate of {FOREIGN_NAME}: {(result.stdout + result.stderr).strip().splitlines()[-1]}"


def disappear(run: Run) -> str:
    held: dict[str, list[IPv4Address | IPv6Address]] = {}
    for node in topology.REMOTE:
        ipv4 = site.lease(node)
        held[node] = [run.client(node), *([ipv4] if ipv4 else [])]
    for node in topology.REMOTE:
        disconnect(node)
    for node, addresses in held.items():
        absent = functools.partial(gone, topology.REMOTE[node], *addresses)
        process.wait_until(f"{topology.REMOTE[node]} is no longer in the DNS of dc", absent, NAMES_SECONDS)
    return f"{' and '.join(topology.REMOTE.values())} have left, and the DNS knows them no more"
