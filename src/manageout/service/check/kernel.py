"""What the kernel says when it is asked, for ``manageout check``: rules and programs are tried, versions not believed.

They are tried where no packet passes, in a network namespace made for it.
"""

import shutil
import socket
from collections.abc import Callable, Generator, Iterator
from contextlib import closing

from manageout.errors import FastPathUnavailable, KernelError, NotPermitted
from manageout.linux.bpf import isatap as isatap_bpf
from manageout.linux.bpf import stock as stock_bpf
from manageout.linux.bpf import xlat as xlat_bpf
from manageout.linux.bpf.libbpf import Attachment, Object
from manageout.linux.host import netns, privileges
from manageout.linux.nft import program as nft
from manageout.linux.nft.features import features
from manageout.service.check.found import Remark, failed, remark
from manageout.service.daemon.desired import desired
from manageout.service.policy import filter_watch
from manageout.service.policy.surroundings import Surroundings
from manageout.service.probe.machine import filters
from manageout.site.plan import Plan
from manageout.site.tables.site import Site
from manageout.wire.address import WELL_KNOWN_NAT64


def packet_filter(site: Site, plan: Plan) -> Iterator[Remark]:
    """Whether our rules can be loaded, and whose drop what must pass."""
    if shutil.which("nft") is None:
        yield remark("no-nft")
        return
    if privileges.Capability.NET_ADMIN not in privileges.effective():
        yield remark("filter-not-read")
        return
    try:
        nft.trial(nft.TABLE, desired(site, plan, Surroundings(features=features())).filter)
    except KernelError as failure:
        yield failed(failure)
    judged = filters(site, plan, ())
    for row in filter_watch.dropped(judged):
        yield Remark("warning", row.what, row.remedy)
    for rule, kinds, packet in filter_watch.by_rule(judged, "maybe"):
        yield remark("filter-may-block", kinds=", ".join(kinds), rule=rule, packet=packet)


def fast_path(site: Site, plan: Plan) -> Iterator[Remark]:
    """Whether eBPF will carry packets, and how it will be attached."""
    roles = {
        isatap_bpf.loaded: site.isatap is not None,
        xlat_bpf.loaded: site.translation is not None,
        stock_bpf.loaded: site.gateway is not None,
    }
    wanted = [load for load, needed in roles.items() if needed and site.daemon.fast_path]
    if not wanted:
        return
    if not {privileges.Capability.BPF, privileges.Capability.PERFMON} <= privileges.effective():
        yield remark("bpf-not-tried")
        return
    ways = set()
    for load in wanted:
        ways.add((yield from _tried(load)))
    served = plan.nat64.prefixlen == 96 and plan.nat64 != WELL_KNOWN_NAT64
    if site.translation is not None and not served:
        yield remark("bpf-not-this-prefix", prefix=plan.nat64)
    if "clsact" in ways:
        yield remark("no-tcx")


def way(load: Callable[[], Object]) -> str:
    """How programs are attached: ``tcx`` or ``clsact``. Raises :class:`FastPathUnavailable`, :class:`NotPermitted`."""
    with closing(load()) as loaded, netns.inside(None):
        attachment = Attachment(loaded.program("tun_out"), socket.if_nametoindex("lo"), egress=True)
        with closing(attachment):
            return attachment.way


def _tried(load: Callable[[], Object]) -> Generator[Remark, None, str]:
    try:
        return way(load)
    except FastPathUnavailable as failure:
        yield remark("no-fast-path", why=failure.message, hint=failure.hint)
    except NotPermitted as failure:
        yield remark("bpf-not-attached", why=failure.message, hint=failure.hint)
    return ""
