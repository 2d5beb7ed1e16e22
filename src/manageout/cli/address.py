"""``manageout address``: derive or explain the IPv6 addresses that carry an IPv4 address."""

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from pathlib import Path

import click

from manageout.cli.options import ADDRESS, IPV4, options
from manageout.cli.show.options import json_option
from manageout.errors import AddressError, ManageoutError
from manageout.service.process.client import ask
from manageout.wire import address as wire
from manageout.wire.special import is_global

Lines = Sequence[tuple[str, str]]


@click.group()
def address() -> None:
    """Derive or explain ISATAP, NAT64, 6to4 and Teredo addresses."""


@address.command()
@click.argument("ipv4", type=IPV4)
@options("address.isatap")
def isatap(ipv4: IPv4Address, prefix: IPv6Network | None, as_json: bool) -> None:
    """The ISATAP addresses of IPV4 (RFC 5214), as Linux and Windows form them."""
    if not int(ipv4) or int(ipv4) >= 0xE0000000:
        raise click.BadParameter(f"{ipv4} is not the address of a host", param_hint="'IPV4'")
    if prefix is not None and prefix.prefixlen != 64:
        wrong = f"{wire.written(prefix)} is not a /64: give the prefix of a link"
        raise click.BadParameter(wrong, param_hint="'--prefix'")
    identifier = wire.isatap_interface_id(ipv4)
    lines = [("link-local", str(IPv6Address(wire.isatap_link_local(ipv4.packed))))]
    if prefix is not None:
        lines.append(("address", str(IPv6Address(int(prefix.network_address) | identifier))))
    lines.append(("interface identifier", _identifier(identifier)))
    strict = wire.isatap_interface_id_rfc(ipv4)
    if strict != identifier:
        lines.append(("by RFC 5214", _identifier(strict)))
        lines.append(("note", "Linux sets the u bit otherwise than RFC 5214 here; receivers accept both"))
    _print(lines, as_json)


@address.command()
@click.argument("address", type=ADDRESS)
@options("address.nat64")
def nat64(
    address: IPv4Address | IPv6Address,
    chosen: IPv6Network | None,
    offline: bool,
    runtime_dir: Path,
    as_json: bool,
) -> None:
    """The NAT64 address of an IPv4 address, or the IPv4 address in a NAT64 address (RFC 6052)."""
    well_known = isinstance(address, IPv6Address) and address in wire.WELL_KNOWN_NAT64
    if chosen is not None:
        prefixes, origin = [chosen], "--prefix"
    elif offline or well_known:
        prefixes, origin = [wire.WELL_KNOWN_NAT64], "the well-known prefix"
    else:
        prefixes, origin = _discover(runtime_dir)
    try:
        prefix, v4, v6 = _translate(address, prefixes)
    except AddressError as error:
        raise click.BadParameter(f"{error.message}; {error.hint}", param_hint="'--prefix'") from None
    lines = [("IPv6", wire.written(v6)), ("IPv4", str(v4)), ("prefix", wire.written(prefix))]
    lines.append(("prefix from", origin))
    lines += [("prefixes too", ", ".join(map(wire.written, prefixes[1:])))] if prefixes[1:] else []
    if prefix == wire.WELL_KNOWN_NAT64 and not is_global(v4.packed):
        lines.append(("note", "not a global IPv4 address: translators drop it in this prefix (RFC 6052 3.1)"))
    _print(lines, as_json)


def _discover(runtime_dir: Path) -> tuple[list[IPv6Network], str]:
    """The NAT64 prefixes of where we are, and who says so."""
    with suppress(ManageoutError):
        answer = ask(runtime_dir / "control.sock", "nat64")
        if answer["prefixes"]:
            return list(map(IPv6Network, answer["prefixes"])), f"{answer['process']} ({answer['from']})"
    from manageout.service.resolver.nat64_query import prefixes  # which the others need not wait for

    if found := prefixes():
        return found, "ipv4only.arpa (RFC 7050)"
    return [wire.WELL_KNOWN_NAT64], "the well-known prefix: none was found here"


def _translate(
    address: IPv4Address | IPv6Address, prefixes: Sequence[IPv6Network]
) -> tuple[IPv6Network, IPv4Address, IPv6Address]:
    """Prefix, IPv4 and IPv6 address. Raises :class:`AddressError`."""
    if isinstance(address, IPv4Address):
        return prefixes[0], address, wire.rfc6052_embed(prefixes[0], address)
    for prefix in prefixes:
        extracted = wire.rfc6052_extract(prefix, address)
        if extracted is not None:
            return prefix, extracted, address
    where = " or ".join(map(wire.written, prefixes))
    raise _outside(address, f"{where}; give --prefix")


@address.command(name="6to4")
@click.argument("address", type=ADDRESS)
@json_option
def sixtofour(address: IPv4Address | IPv6Address, as_json: bool) -> None:
    """The 6to4 prefix of an IPv4 address, or the IPv4 address in a 6to4 address (RFC 3056)."""
    if isinstance(address, IPv4Address):
        v4 = address
    else:
        embedded = wire.embedded_sixtofour(address.packed)
        if embedded is None:
            raise _outside(address, wire.SIXTOFOUR)
        v4 = IPv4Address(embedded)
    lines = [("prefix", str(wire.sixtofour_prefix(v4))), ("IPv4", str(v4))]
    if not is_global(v4.packed):
        lines.append(("note", "not a global IPv4 address: 6to4 routers drop it (RFC 3964 5.3)"))
    _print(lines, as_json)


@address.command()
@click.argument("server", type=IPV4)
@click.argument("client", type=IPV4)
@click.argument("port", type=click.IntRange(0, 65535))
@options("address.teredo")
def teredo(server: IPv4Address, client: IPv4Address, port: int, cone: bool, as_json: bool) -> None:
    """The Teredo address of a client: its SERVER, and its mapped IPv4 address and PORT (RFC 4380)."""
    flags = wire.CONE if cone else 0
    derived = wire.TeredoAddress(server, flags, port, client)
    link_local = IPv6Address(0xFE80 << 112 | derived.identifier())
    lines = [("address", str(derived.address())), ("link-local", str(link_local))]
    lines.append(("note", "real clients put random bits (mask 0x3cff) into the flags (RFC 5991)"))
    _print(lines, as_json)


@address.command()
@click.argument("address", type=ADDRESS)
@options("address.explain")
def explain(address: IPv4Address | IPv6Address, prefixes: tuple[IPv6Network, ...], as_json: bool) -> None:
    """Say what ADDRESS is and which IPv4 address lies in it."""
    try:
        lines = wire.explain(address, (*prefixes, wire.WELL_KNOWN_NAT64))
    except AddressError as error:
        raise click.BadParameter(f"{error.message}; {error.hint}", param_hint="'--nat64'") from None
    _print(lines, as_json)


def _outside(address: IPv6Address, where: object) -> click.BadParameter:
    return click.BadParameter(f"{wire.written(address)} is not in {where}", param_hint="'ADDRESS'")


def _identifier(value: int) -> str:
    """Sixteen hexadecimal digits in groups of four, as in an address."""
    digits = f"{value:016x}"
    return ":".join(digits[start : start + 4] for start in range(0, 16, 4))


def _print(lines: Lines, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({re.sub("[^a-z0-9]+", "_", label.lower()): value for label, value in lines}))
        return
    width = max(len(label) for label, _ in lines)
    for label, value in lines:
        click.echo(f"{label:<{width}}  {value}")
