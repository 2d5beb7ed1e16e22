"""A running machine itself: the daemon, forwarding, the reverse path check, the packet filter, the clock."""

from __future__ import annotations

from collections.abc import Iterator

from manageout.doctor.rules.live import live_rule
from manageout.doctor.rules.machine import SKEW
from manageout.service.probe.results import Judged, Live

_IPV6_FORWARDING = "net.ipv6.conf.all.forwarding"
_IPV4_FORWARDING = "net.ipv4.ip_forward"
_FIREWALL_REMEDY = (
    "nft list ruleset   (the table is named above; firewalld, ufw and Docker make such tables)",
    "manageout check   (says what must be accepted)",
)


@live_rule(
    "LIVE-CONFIG",
    "error",
    "the site file cannot be used",
    cause="It has faults, so that the daemon does not start with it, or runs on with what it read before. What "
    "depends on the file was not looked at.",
    remedy=("manageout check   (names each fault and how to mend it)",),
)
def config(live: Live) -> Iterator[tuple[str, ...]]:
    """Faults when it was read."""
    if live.faults:
        yield live.faults[:20]


@live_rule(
    "LIVE-DAEMON-DOWN",
    "error",
    "the daemon does not run",
    cause="The site file gives this machine a role, or a daemon that was killed has left its note, but nothing answers "
    "on the control socket.",
    remedy=(
        "systemctl start manageout   (takes back what a killed one has left, too)",
        "journalctl -e -u manageout   (why it ended)",
        "manageout check",
    ),
    hides=("LIVE-FORWARDING", "LIVE-GATEWAY-SILENT"),
)
def daemon_down(live: Live) -> Iterator[tuple[str, ...]]:
    """A role, and no answer."""
    if live.daemon is not None and not live.daemon.running:
        yield (live.daemon.error,)


@live_rule(
    "LIVE-DAEMON-WAITING",
    "warning",
    "a role of the daemon does not serve yet",
    cause="It waits for something: an address, a device, a DNS server.",
    remedy=("manageout status", "journalctl -e -u manageout"),
)
def daemon_waiting(live: Live) -> Iterator[tuple[str, ...]]:
    """Not ready."""
    if live.daemon is not None and live.daemon.waiting:
        yield (f"not ready: {', '.join(live.daemon.waiting)}",)


@live_rule(
    "LIVE-FORWARDING",
    "error",
    "this router does not forward",
    cause="The kernel drops packets that are not for this machine. The daemon turns forwarding on; something "
    "has turned it off since.",
    remedy=(
        f"sysctl -w {_IPV6_FORWARDING}=1   (and {_IPV4_FORWARDING}=1 where clients have leases)",
        "grep -r forward /etc/sysctl.conf /etc/sysctl.d /etc/ufw   (who sets it back)",
    ),
)
def forwarding(live: Live) -> Iterator[tuple[str, ...]]:
    """A role that routes, and forwarding that is off."""
    if live.kind not in ("gateway", "router"):
        return
    wanted = [_IPV6_FORWARDING, *([_IPV4_FORWARDING] if live.expected.translation else [])]
    off = [name for name in wanted if live.sysctl(name) == "0"]
    if off:
        yield tuple(f"{name} = 0" for name in off)


@live_rule(
    "LIVE-IPV6-OFF",
    "error",
    "IPv6 is switched off on this machine",
    cause="net.ipv6.conf.all.disable_ipv6 is set: no device of this machine can have an IPv6 address.",
    remedy=(
        "sysctl -w net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.disable_ipv6=0",
        "grep -r disable_ipv6 /etc/sysctl.conf /etc/sysctl.d /proc/cmdline   (who sets it)",
    ),
    hides=("LIVE-FORWARDING", "LIVE-DAEMON-DOWN", "LIVE-DAEMON-WAITING"),
)
def ipv6_off(live: Live) -> Iterator[tuple[str, ...]]:
    """For all devices."""
    if live.sysctl("net.ipv6.conf.all.disable_ipv6") == "1":
        yield ("net.ipv6.conf.all.disable_ipv6 = 1",)


@live_rule(
    "LIVE-RP-FILTER",
    "error",
    "the kernel drops packets that come by another device than the way back",
    cause="The reverse path check is strict (rp_filter = 1), and the route back to these hosts leads elsewhere: "
    "their packets are dropped without a trace.",
    remedy=(
        "sysctl -w net.ipv4.conf.all.rp_filter=2 net.ipv4.conf.DEVICE.rp_filter=2   (loose; put it into "
        "/etc/sysctl.d)",
        "or mend the routes: ip route get ADDRESS",
    ),
    hides=("LIVE-ROUTER-SILENT",),
)
def rp_filter(live: Live) -> Iterator[tuple[str, ...]]:
    """Strict, and the way back is another device, or none."""
    found = [path for path in live.reverse_paths if path.strict and path.back != path.dev]
    if found:
        yield tuple(
            f"{path.dev} is strict; the way back to {path.network} is {path.back or 'unknown'}"
            for path in found
        )


@live_rule(
    "LIVE-CONNTRACK-FULL",
    "error",
    "the table of tracked connections is nearly full",
    cause="The kernel drops the first packet of every connection that does not fit: whatever is new fails, what "
    "is open goes on.",
    remedy=(
        "sysctl -w net.netfilter.nf_conntrack_max=NUMBER   (twice as many; each takes about 300 bytes)",
        "manageout sessions   (who has so many)",
    ),
)
def conntrack_full(live: Live) -> Iterator[tuple[str, ...]]:
    """More than nine tenths."""
    used, most = (live.sysctl(f"net.netfilter.nf_conntrack_{name}") or "" for name in ("count", "max"))
    if used.isdecimal() and most.isdecimal() and int(used) * 10 > int(most) * 9 > 0:
        yield (f"{used} of {most} connections",)


def _dropped(live: Live, whats: tuple[str, ...], result: str = "drop") -> list[Judged]:
    return [judged for judged in live.filters if judged.what in whats and judged.result == result]


def _quotes(found: list[Judged]) -> Iterator[tuple[str, ...]]:
    if found:
        yield tuple(f"{judged.packet}: {judged.rule}" for judged in found)


@live_rule(
    "LIVE-FILTER-41",
    "error",
    "this machine's packet filter drops IP protocol 41",
    cause="ISATAP is IPv6 within IPv4 protocol 41. Another table than ours drops it, and ours cannot overrule "
    "that.",
    remedy=("nft insert rule TABLE CHAIN meta l4proto 41 accept   (and make it last)", *_FIREWALL_REMEDY),
    hides=("LIVE-ROUTER-SILENT",),
)
def filter_41(live: Live) -> Iterator[tuple[str, ...]]:
    """Input or output."""
    yield from _quotes(_dropped(live, ("protocol 41 in", "protocol 41 out")))


@live_rule(
    "LIVE-FILTER-TLS",
    "error",
    "this gateway's packet filter drops the clients' connections",
    cause="Clients connect by TCP to gateway.listen, and another table than ours drops it. Our table leaves these "
    "connections untracked, so that rules for `ct state new` or `established` do not fit them.",
    remedy=("nft insert rule TABLE CHAIN tcp dport 443 accept   (and make it last)", *_FIREWALL_REMEDY),
    hides=("LIVE-GATEWAY-SILENT",),
)
def filter_tls(live: Live) -> Iterator[tuple[str, ...]]:
    """TCP to a listener, and its answer."""
    yield from _quotes(_dropped(live, ("TLS in", "TLS out")))


@live_rule(
    "LIVE-FILTER-FORWARD",
    "error",
    "this machine's packet filter drops what it should forward",
    cause="Packets of clients that our own policy lets through are dropped by another table: a chain whose "
    "policy is drop does so for all that it does not name.",
    remedy=(
        'nft insert rule TABLE CHAIN iifname "mo-*" accept   (and oifname "mo-*" accept; make both last)',
        *_FIREWALL_REMEDY,
    ),
)
def filter_forward(live: Live) -> Iterator[tuple[str, ...]]:
    """Forwarded packets."""
    yield from _quotes(_dropped(live, ("clients' packets", "leases' packets")))


@live_rule(
    "LIVE-FILTER-UNSURE",
    "note",
    "the packet filter may drop what must pass",
    cause="A rule depends on something that cannot be seen from outside: a mark, a rate, an xtables match.",
    remedy=("nft monitor trace   (with `meta nftrace set 1` in a rule: shows what happens to a packet)",),
    hides=(),
)
def filter_unsure(live: Live) -> Iterator[tuple[str, ...]]:
    """Any that cannot be decided."""
    yield from _quotes([judged for judged in live.filters if judged.result == "maybe"])


@live_rule(
    "LIVE-CLOCK",
    "error",
    "this machine's clock is wrong",
    cause="Beyond 5 minutes Kerberos and signed DNS updates fail, and certificates seem expired or not yet "
    "valid.",
    remedy=("chronyc makestep   (or: timedatectl set-ntp true)", "date -u"),
    hides=(
        "LIVE-CERT-EXPIRED",
        "LIVE-CERT-EARLY",
        "LIVE-CERT-SOON",
        "LIVE-CRL-EXPIRED",
        "LIVE-CRL-SOON",
        "LIVE-CLOCK-FREE",
    ),
)
def clock(live: Live) -> Iterator[tuple[str, ...]]:
    """More than Kerberos and TSIG tolerate, against any other clock."""
    for other in live.clocks:
        if other.ahead is not None and abs(other.ahead) > SKEW:
            way = "ahead of" if other.ahead > 0 else "behind"
            yield (f"{abs(other.ahead):.0f} s {way} {other.server} ({other.how})",)
    for gateway in live.gateways:
        if gateway.ahead is not None and abs(gateway.ahead) > SKEW:
            way = "ahead of" if gateway.ahead > 0 else "behind"
            yield (f"{abs(gateway.ahead):.0f} s {way} {gateway.url} (HTTP Date)",)


@live_rule(
    "LIVE-CLOCK-FREE",
    "note",
    "this machine's clock is not synchronised",
    cause="Nothing disciplines it (adjtimex says so): it will drift, and certificates and Kerberos depend on it.",
    remedy=("apt-get install chrony   (or: timedatectl set-ntp true)",),
)
def clock_free(live: Live) -> Iterator[tuple[str, ...]]:
    """The kernel says so, and nobody else has confirmed the time."""
    confirmed = any(other.ahead is not None and abs(other.ahead) <= SKEW for other in live.clocks)
    if live.clock_set is False and not confirmed:
        yield ("adjtimex: TIME_ERROR, the clock is not synchronised",)


@live_rule(
    "LIVE-UNSEEN",
    "note",
    "something could not be looked at",
    cause="What is missing here cannot be judged; everything else was.",
    remedy=("run it as root, on the machine itself",),
)
def unseen(live: Live) -> Iterator[tuple[str, ...]]:
    """Probes that could not be made."""
    if live.unseen:
        yield live.unseen[:20]
