"""``manageout connect`` as a process: files, device, control socket, signals."""

from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv6Address
from pathlib import Path

from manageout.errors import BadArgument
from manageout.linux.host import privileges
from manageout.linux.netlink.links import Netlink
from manageout.linux.packets.tun import Tun
from manageout.protocol.host.name_policy import domain
from manageout.protocol.offload.cut import MTU
from manageout.service.iphttps import interface_id
from manageout.service.iphttps.client import ClientOptions, IpHttpsClientService
from manageout.service.iphttps.dial import GatewayUrl, Proxy
from manageout.service.iphttps.interface_id import InterfaceId
from manageout.service.process import frame, logs, loops, rows
from manageout.service.process.runtime import RuntimeDir
from manageout.service.resolver.location import LocationUrl
from manageout.service.resolver.name_policy import NameOptions, NamePolicyService, Way
from manageout.service.resolver.own_lease import OwnLease
from manageout.service.tls import contexts as tls
from manageout.wire.address import is_address

KEPT = (privileges.Capability.NET_ADMIN, privileges.Capability.NET_BIND_SERVICE)
"""For the device, and for port 53 of the DNS stub."""


@dataclass(frozen=True)
class NameWishes:
    """What the command line says of names, as it was typed."""

    way: Way = "auto"
    domains: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()
    exempt: tuple[str, ...] = ()
    location: str | None = None


@dataclass(frozen=True)
class ConnectOptions:
    """What the command line says, as it was typed."""

    url: str
    certificate: Path | None
    key: Path | None
    authorities: Path | None
    proxy: str | None
    device: str
    runtime_dir: Path
    stock: bool = False
    interface_id: str | None = None
    names: NameWishes = field(default_factory=NameWishes)


def run(options: ConnectOptions, log_level: str) -> None:
    """Connect, and stay connected until SIGINT or SIGTERM. Raises :class:`ManageoutError`."""
    logs.set_up_logging(log_level)
    client, wishes = _client_options(options), _name_options(options)
    privileges.require(privileges.Capability.NET_ADMIN, "make a tunnel device")
    with (
        RuntimeDir(options.runtime_dir) as runtime,
        Tun.open(options.device, MTU, vnet_hdr=True) as tun,
        Netlink() as netlink,
    ):
        netlink.set_up(tun.name)
        service = IpHttpsClientService(client, tun, netlink, lambda seen: names.advertised(seen))
        settings = service.settings
        names = NamePolicyService(
            wishes,
            tun.name,
            addresses=lambda: settings.addresses,
            routes=lambda: settings.routes,
            connected=lambda: service.connected,
        )
        # Before there is an address of the site, another one would be the source, and be dropped.
        lease = OwnLease(
            tun.name, names.site_servers, lambda: settings.own_address() if service.connected else ""
        )
        names.prepare()
        roles = {role.name: role for role in (service, names, lease)}
        about: rows.About = {"what": "connect", "url": options.url}
        loops.run_loop(frame.serve(roles, runtime, netlink, lambda: about, kept=KEPT))


def judge(options: ConnectOptions) -> None:
    """Whether they can be used, but for the files that they name. Raises :class:`ManageoutError`."""
    GatewayUrl.parse(options.url)
    if options.proxy:
        Proxy.parse(options.proxy)
    if options.interface_id is not None:
        interface_id.parse(options.interface_id)
    _name_options(options)


def _client_options(options: ConnectOptions) -> ClientOptions:
    chosen = interface_id.parse(options.interface_id) if options.interface_id is not None else None
    context = partial(tls.client_context, options.authorities, options.certificate, options.key)
    context()  # a file that is no good is better known now
    return ClientOptions(
        GatewayUrl.parse(options.url),
        Proxy.parse(options.proxy) if options.proxy else None,
        context,
        InterfaceId(interface_id.secret_of(options.certificate), chosen),
        options.stock,
    )


def _name_options(options: ConnectOptions) -> NameOptions:
    wishes = options.names
    location = LocationUrl.parse(wishes.location) if wishes.location else None
    # The way to the gateway cannot lead through its own tunnel, and the location is to be asked from outside.
    hosts = [GatewayUrl.parse(options.url).host, *([location.host] if location else [])]
    always = [domain(host) for host in hosts if not is_address(host)]
    return NameOptions(
        wishes.way,
        tuple(map(domain, wishes.domains)),
        tuple(str(_dns_server(text)) for text in wishes.servers),
        tuple(dict.fromkeys((*always, *map(domain, wishes.exempt)))),
        location,
        partial(tls.client_context, options.authorities, None, None),
    )


def _dns_server(text: str) -> IPv6Address:
    try:
        return IPv6Address(text)
    except ValueError:
        hint = "give the one that `manageout plan` shows on the gateway"
        raise BadArgument(f"--dns: {text!r} is no IPv6 address", hint) from None
