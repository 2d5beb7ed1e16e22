"""``manageout join``: everything around the ISATAP host, from the lock to the last trace."""

import contextlib
import logging
from pathlib import Path

from manageout.errors import KernelError
from manageout.linux.host import privileges, sysctl
from manageout.linux.netlink.links import Netlink
from manageout.linux.packets.tun import Tun
from manageout.protocol.isatap.host import MIN_MTU
from manageout.service.isatap.host import IsatapHostService
from manageout.service.process.frame import serve
from manageout.service.process.logs import set_up_logging
from manageout.service.process.loops import run_loop
from manageout.service.process.runtime import RuntimeDir

KEPT = tuple(kept for kept in privileges.DAEMON if kept is not privileges.Capability.NET_BIND_SERVICE)

log = logging.getLogger(__name__)


def run(router: str, device: str, runtime_dir: Path, *, fast_path: bool, metric: int, log_level: str) -> None:
    """Be an ISATAP host of ``router`` until SIGINT or SIGTERM. Raises :class:`ManageoutError`."""
    set_up_logging(log_level)
    privileges.require(privileges.Capability.NET_ADMIN, "manageout join")
    with RuntimeDir(runtime_dir) as runtime, Netlink() as netlink, Tun.open(device, MIN_MTU, True) as tun:
        with contextlib.suppress(KernelError):  # where IPv6 is off for new devices
            sysctl.set(f"net/ipv6/conf/{device}/disable_ipv6", 0)
        netlink.set_up(device, MIN_MTU)
        host = IsatapHostService(router, tun, netlink, fast_path=fast_path, metric=metric)
        run_loop(serve({host.name: host}, runtime, netlink, lambda: {"what": "ISATAP host"}, kept=KEPT))
    log.info("stopped")
