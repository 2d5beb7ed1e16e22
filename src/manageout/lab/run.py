"""One pass through the demo, as its steps see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import NamedTuple

from manageout.errors import LabError
from manageout.lab import network, site
from manageout.lab.topology import Topology


class DemoStep(NamedTuple):
    """``act`` returns one line of detail, or raises :class:`LabError`."""

    name: str
    act: Callable[[Run], str]
    needs_ad: bool = False
    vital: bool = False
    """When it fails, there is nothing to try the others with."""


class Skipped(LabError):
    """A step that cannot be done on this machine, and why."""


@dataclass
class Run:
    """One pass through the steps."""

    topology: Topology
    fast_path: bool
    ad: bool = False
    """dc is an Active Directory domain controller instead of a plain DNS server."""

    @property
    def name(self) -> str:
        """Such as "single, eBPF"."""
        return f"{self.topology.name}, {'AD, ' if self.ad else ''}{'eBPF' if self.fast_path else 'no eBPF'}"

    @property
    def laptop(self) -> IPv6Address:
        """Where the laptop is reached; :class:`LabError` while it is not connected."""
        return self.client("laptop")

    def client(self, node: str) -> IPv6Address:
        """Where a remote client is reached; :class:`LabError` while it is not connected."""
        address = site.client_address(node)
        if address is None:
            raise LabError(f"the {node} is not connected")
        return address


def download(node: str, url: str, wanted: str) -> None:
    """Fetch ``url`` on ``node``; :class:`LabError` unless its SHA-256 is ``wanted``."""
    limit = f"--max-time {60 * network.PATIENCE:g}"
    pipe = f"set -o pipefail; curl --globoff --silent --show-error --fail {limit} '{url}' | sha256sum"
    got = network.run(node, ["bash", "-c", pipe], timeout=90).stdout.split()[0]
    if got != wanted:
        raise LabError(f"SHA-256 differs: {got} instead of {wanted}")
