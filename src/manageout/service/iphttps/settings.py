"""What a connected client puts on its device: addresses and routes, as the machine says."""

from __future__ import annotations

from ipaddress import IPv6Interface, IPv6Network
from typing import Literal, cast

from manageout.linux.netlink.links import Netlink
from manageout.protocol.host.slaac import AddressRemoved, RouteRemoved
from manageout.protocol.iphttps.values import AddressAdded, RouteAdded
from manageout.wire.nd import INFINITE

Setting = AddressAdded | AddressRemoved | RouteAdded | RouteRemoved


class ClientSettings:
    """The settings of one device. ``addresses`` and ``routes`` are what it has now, for lists."""

    def __init__(self, netlink: Netlink, device: str) -> None:
        self._netlink = netlink
        self._device = device
        self.addresses: dict[str, None] = {}
        self.routes: dict[str, None] = {}

    @property
    def usable(self) -> bool:
        """Whether there is an address with which the intranet can be reached."""
        return bool(self.own_address())

    def own_address(self) -> str:
        """An address with which the intranet can be reached, or nothing."""
        return next((address for address in self.addresses if not address.startswith("fe80:")), "")

    def apply(self, event: Setting) -> None:
        """Raises :class:`KernelError`."""
        netlink, device = self._netlink, self._device
        match event:
            case AddressAdded():
                address = IPv6Interface((event.address, 64))
                # Duplicate Address Detection is the machine's: the kernel's would wait for nothing.
                lifetimes = {"valid": _life(event.valid), "preferred": _life(event.preferred)}
                netlink.add_address(device, address, prefix_route=False, **lifetimes)
                self.addresses[str(address.ip)] = None
            case AddressRemoved():
                address = IPv6Interface((event.address, 64))
                netlink.delete_address(device, address)
                self.addresses.pop(str(address.ip), None)
            case RouteAdded():
                prefix = IPv6Network((event.prefix, event.length))
                preference = cast(Literal["low", "medium", "high"], event.preference.name.lower())
                netlink.replace_route(prefix, device, preference=preference)
                self.routes[str(prefix)] = None
            case RouteRemoved():
                prefix = IPv6Network((event.prefix, event.length))
                netlink.delete_route(prefix, device)
                self.routes.pop(str(prefix), None)


def _life(lifetime: int) -> int | None:
    return None if lifetime >= INFINITE else lifetime
