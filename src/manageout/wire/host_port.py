"""Where something listens, as people write it: an address and a port, or a URL."""

import re
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple, Self
from urllib.parse import urlsplit

from manageout.errors import AddressError

_WRITTEN = re.compile(r"(?:\[(?P<six>[^]]+)\]|(?P<four>[0-9.]+))(?::(?P<port>[0-9]{1,5}))?")


def host_of(url: str) -> str:
    """The host in a URL, in lower case; empty without one, or when it is no URL."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


class HostPort(NamedTuple):
    """An address, perhaps with a zone, and a port; 0: any, where one listens."""

    address: IPv4Address | IPv6Address
    port: int

    @property
    def host(self) -> str:
        """The address as text, without brackets."""
        return str(self.address)

    @classmethod
    def parse(cls, text: str, port: int | None = None) -> Self:
        """``10.0.0.10:5353`` or ``[fd12::1]:53``; an address alone, bare or not, where ``port`` is the usual one.

        Raises :class:`AddressError`.
        """
        try:
            if port is not None and text.count(":") > 1 and not text.startswith("["):
                return cls(IPv6Address(text), port)
            match = _WRITTEN.fullmatch(text)
            written = (match and match["port"]) or port
            if match is None or written is None or int(written) > 65535:
                raise ValueError
            address = IPv6Address(match["six"]) if match["six"] else IPv4Address(match["four"])
        except ValueError:
            raise AddressError(
                f"{text!r} is not ADDRESS:PORT", "for example 0.0.0.0:443 or [::]:443"
            ) from None
        return cls(address, int(written))
