"""systemd-resolved, told by ``resolvectl`` which names go to which DNS servers.

What is set belongs to the tunnel's link: it vanishes with the device, also when this process is killed.
"""

import asyncio
import shutil
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Sequence
from pathlib import Path

from manageout.errors import ManageoutError
from manageout.service.resolver.resolv_conf import servers_of

TIMEOUT = 10.0
STUBS = ("127.0.0.53", "127.0.0.54")
"""Where systemd-resolved listens."""
UPLINKS = Path("/run/systemd/resolve/resolv.conf")
"""The servers of the other links, as systemd-resolved writes them."""


def serves(servers: Sequence[str]) -> bool:
    """Whether the DNS servers of ``/etc/resolv.conf`` are systemd-resolved, and we can talk to it."""
    return bool(servers) and set(servers) <= set(STUBS) and shutil.which("resolvectl") is not None


def uplinks() -> list[str]:
    """The DNS servers of all links together, ours among them."""
    try:
        return servers_of(UPLINKS.read_text(errors="replace"))
    except OSError:
        return []


class Resolved:
    """The settings of the link ``device``. Methods raise :class:`ManageoutError`."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._touched = False
        """Something may be set."""

    async def apply(self, servers: Sequence[str], domains: Sequence[str], search: Sequence[str]) -> None:
        """Names below ``domains`` to ``servers``, and no others; ``search``: those to append to short names."""
        routes = [domain if domain in search else f"~{domain}" for domain in domains]
        device, self._touched = self._device, True
        # First what this link is not for, so that no other question comes its way in between.
        await _run("default-route", device, "no")
        await _run("domain", device, *routes)
        await _run("llmnr", device, "no")
        await _run("mdns", device, "no")
        # A DNS64 makes records that no zone has signed (RFC 6147 5.5).
        await _run("dnssec", device, "no")
        await _run("dnsovertls", device, "no")
        await _run("dns", device, *servers)

    async def revert(self) -> None:
        """As if nothing had been set; to be tried again when it fails."""
        if self._touched:
            await _run("revert", self._device)
            self._touched = False


async def _run(*arguments: str) -> None:
    command = ("resolvectl", *arguments)
    try:
        process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE)
    except OSError as error:
        hint = "install systemd-resolved, or --resolver stub"
        raise ManageoutError(f"resolvectl: {error.strerror}", hint) from None
    try:
        async with asyncio.timeout(TIMEOUT):
            _, stderr = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise ManageoutError("systemd-resolved does not answer", "see: resolvectl status") from None
    if process.returncode:
        said = stderr.decode(errors="replace").strip().splitlines() or [f"exit code {process.returncode}"]
        hint = "see: resolvectl status; or --resolver stub"
        raise ManageoutError(f"resolvectl {' '.join(arguments[:2])}: {said[-1]}", hint)
