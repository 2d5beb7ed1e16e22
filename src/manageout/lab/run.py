"""One pass through the demo, as its steps see it, and what several of them do."""

import signal
import time
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from manageout.errors import LabError
from manageout.lab import network, process, servers, site
from manageout.lab.topology import Topology
from manageout.protocol.core.drops import Drop

DROP_SECONDS = 15.0


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


def expect(holds: object, otherwise: str, hint: str = "") -> None:
    """Go on if it ``holds``; :class:`LabError` if not."""
    if not holds:
        raise LabError(otherwise, hint)


def disconnect(node: str, sign: signal.Signals = signal.SIGTERM) -> None:
    """End the connection of a remote client; :class:`LabError` without one."""
    connected = process.find(node, "connect")
    if connected is None:
        raise LabError(f"the {node} is not connected")
    process.stop(connected, sign)


def fast_path(run: Run, node: str, role: str, words: str) -> str:
    """``words`` if the role's fast path is on; :class:`LabError` when it is not as the run wants it."""
    state = site.ask(node, "status")["roles"][role]["fast_path"]
    if state["on"] == run.fast_path:
        return words if run.fast_path else "off: every packet goes through Python"
    if run.fast_path:
        raise Skipped(f"not here: {state.get('reason')}")
    raise LabError("the fast path is on although it was switched off")


def fetch(node: str, host: str, how: str = "") -> str:
    """The laptop's file, fetched on ``node`` from ``host``; how it went. :class:`LabError` unless it is whole."""
    wanted = servers.make_download("laptop")
    started = time.monotonic()
    limit = f"--max-time {60 * network.PATIENCE:g}"
    url = f"http://{host}/{servers.DOWNLOAD}"
    pipe = f"set -o pipefail; curl --globoff --silent --show-error --fail {limit} '{url}' | sha256sum"
    got = network.run(node, ["bash", "-c", pipe], timeout=90).stdout.split()[0]
    expect(got == wanted, f"SHA-256 differs: {got} instead of {wanted}")
    speed = servers.DOWNLOAD_BYTES * 8 / (time.monotonic() - started) / 1e6
    size = f"{servers.DOWNLOAD_BYTES / 1e6:.0f} MB{how}"
    return f"{size}, SHA-256 {wanted[:16]}… as on the laptop, {speed:.0f} Mbit/s"


def dropped(node: str, reason: Drop, source: IPv4Address) -> int:
    """How many packets of ``source`` the daemon on ``node`` has dropped."""
    rows = site.ask(node, "drops")
    return sum(row["count"] for row in rows if (row["reason"], row["source"]) == (reason.label, str(source)))


def forbidden(node: str, source: IPv4Address, host: str, port: int) -> str:
    """See that ``node`` cannot open ``port``, and how many packets the gateway's policy has refused."""
    before = dropped("gateway", Drop.POLICY, source)
    try_it = ["timeout", "2", "bash", "-c", f"exec 3<>/dev/tcp/{host}/{port}"]
    expect(network.run(node, try_it, check=False).returncode, f"{node} reached the laptop's port {port}")
    count = process.wait_until(
        f"{node} is refused", lambda: dropped("gateway", Drop.POLICY, source) - before, DROP_SECONDS
    )
    return f"no connection; {count} of its packets in drops: {Drop.POLICY.label}"
