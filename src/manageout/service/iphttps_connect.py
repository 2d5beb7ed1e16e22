"""``manageout connect`` as a process: files, device, control socket, signals."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from manageout.linux import privileges
from manageout.linux.netlink import Netlink
from manageout.linux.tun import Tun
from manageout.protocol.iphttps import MTU
from manageout.service import interface_id, tls
from manageout.service.control import ControlServer
from manageout.service.daemon import run_loop, set_up_logging
from manageout.service.dial import Gateway, Proxy
from manageout.service.interface_id import InterfaceId
from manageout.service.iphttps_client import ClientOptions, IpHttpsClientService
from manageout.service.overview import Overview
from manageout.service.runtime import RuntimeDir


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


def run(options: ConnectOptions, log_level: str) -> None:
    """Connect, and stay connected until SIGINT or SIGTERM. Raises :class:`ManageoutError`."""
    set_up_logging(log_level)
    client = _client_options(options)
    privileges.require(privileges.Capability.NET_ADMIN, "make a tunnel device")
    with (
        RuntimeDir(options.runtime_dir) as runtime,
        Tun.open(options.device, MTU, vnet_hdr=True) as tun,
        Netlink() as netlink,
    ):
        netlink.set_up(tun.name)
        privileges.keep_only([privileges.Capability.NET_ADMIN])
        run_loop(_serve(client, options, runtime, tun, netlink))


async def _serve(
    client: ClientOptions, options: ConnectOptions, runtime: RuntimeDir, tun: Tun, netlink: Netlink
) -> None:
    service = IpHttpsClientService(client, tun, netlink)
    about: dict[str, object] = {"what": "connect", "url": options.url}
    overview = Overview({service.name: service}, netlink, lambda: about)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with ControlServer(runtime.control_socket, overview.handlers()), asyncio.TaskGroup() as group:
        task = group.create_task(service.run(), name=service.name)
        await stop.wait()
        task.cancel()


def _client_options(options: ConnectOptions) -> ClientOptions:
    chosen = interface_id.parse(options.interface_id) if options.interface_id is not None else None
    context = partial(tls.client_context, options.authorities, options.certificate, options.key)
    context()  # a file that is no good is better known now
    return ClientOptions(
        Gateway.parse(options.url),
        Proxy.parse(options.proxy) if options.proxy else None,
        context,
        InterfaceId(interface_id.secret_of(options.certificate), chosen),
        not options.stock,
    )
