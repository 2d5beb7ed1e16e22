"""What the kernel says when it is asked, for ``manageout check``: rules and programs are tried, versions not believed.

They are tried where no packet passes, in a network namespace made for it.
"""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from ipaddress import IPv6Network

from manageout.errors import FastPathUnavailable, KernelError, NotPermitted
from manageout.linux.bpf import isatap as isatap_bpf
from manageout.linux.bpf import xlat as xlat_bpf
from manageout.linux.bpf.libbpf import Attachment, Object
from manageout.linux.host import netns, privileges
from manageout.linux.nft import program as nft
from manageout.linux.nft.features import features
from manageout.service.check.found import Remark, error, note, warning
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
        yield error("nft is not installed", "apt-get install nftables")
        return
    if privileges.Capability.NET_ADMIN not in privileges.effective():
        yield note("not permitted to read the packet filter", "run check as root")
        return
    try:
        nft.trial(nft.TABLE, desired(site, plan, Surroundings(features=features())).filter)
    except KernelError as failure:
        yield error(failure.message, failure.hint)
    judged = filters(site, plan, ())
    for row in filter_watch.dropped(judged):
        yield warning(row.what, row.remedy)
    for rule, kinds, packet in filter_watch.by_rule(judged, "maybe"):
        what = f"another firewall may drop {', '.join(kinds)}: {rule} (such as {packet})"
        yield note(what, "once it runs: nft monitor trace, with `meta nftrace set 1` in a rule")


def fast_path(site: Site, plan: Plan) -> Iterator[Remark]:
    """Whether eBPF will carry packets, and how it will be attached."""
    roles = {isatap_bpf.loaded: site.isatap is not None, xlat_bpf.loaded: site.translation is not None}
    wanted = [load for load, needed in roles.items() if needed and site.daemon.fast_path]
    if not wanted:
        return
    if not {privileges.Capability.BPF, privileges.Capability.PERFMON} <= privileges.effective():
        yield note("not permitted to try eBPF", "run check as root")
        return
    ways = set()
    for load in wanted:
        ways.add((yield from _tried(load)))
    if site.translation is not None and not _short(plan.nat64):
        hint = "leave translation.prefix out, or use a /96 other than 64:ff9b::/96"
        yield warning(f"eBPF cannot translate {plan.nat64}: every packet goes through Python", hint)
    if "clsact" in ways:
        yield note("this kernel has no tcx: the fast path uses clsact", "Linux 6.6 or later")


def way(load: Callable[[], Object]) -> str:
    """How programs are attached: ``tcx`` or ``clsact``. Raises :class:`FastPathUnavailable`, :class:`NotPermitted`."""
    with closing(load()) as loaded, netns.scratch():
        attachment = Attachment(loaded.program("tun_out"), socket.if_nametoindex("lo"), egress=True)
        with closing(attachment):
            return attachment.way


def _tried(load: Callable[[], Object]) -> Generator[Remark, None, str]:
    try:
        return way(load)
    except FastPathUnavailable as failure:
        yield warning(f"no fast path, the daemon goes on without: {failure.message}", failure.hint)
    except NotPermitted as failure:
        yield note(f"not tried whether eBPF can be attached: {failure.message}", failure.hint)
    return ""


def _short(prefix: IPv6Network) -> bool:
    """Whether the NAT64 prefix is one that the fast path serves."""
    return prefix.prefixlen == 96 and prefix != WELL_KNOWN_NAT64
