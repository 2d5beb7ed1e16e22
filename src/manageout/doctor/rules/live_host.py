"""A running machine itself: the daemon, forwarding, the reverse path check, the packet filter, the clock."""

from collections.abc import Iterable, Iterator

from manageout.doctor.rules.machine import SKEW
from manageout.doctor.rules.rule import Theme
from manageout.service.probe.results import Judged, Live

rule = Theme()

_IPV6_FORWARDING = "net.ipv6.conf.all.forwarding"
_IPV4_FORWARDING = "net.ipv4.ip_forward"


@rule.live("LIVE-CONFIG")
def config(live: Live) -> Iterator[tuple[str, ...]]:
    """Faults when it was read."""
    yield live.faults[:20]


@rule.live("LIVE-DAEMON-DOWN")
def daemon_down(live: Live) -> Iterator[tuple[str, ...]]:
    """A role, and no answer."""
    if live.daemon is not None and not live.daemon.running:
        yield (live.daemon.error,)


@rule.live("LIVE-DAEMON-WAITING")
def daemon_waiting(live: Live) -> Iterator[tuple[str, ...]]:
    """Not ready."""
    if live.daemon is not None and live.daemon.waiting:
        yield (f"not ready: {', '.join(live.daemon.waiting)}",)


@rule.live("LIVE-FORWARDING")
def forwarding(live: Live) -> Iterator[tuple[str, ...]]:
    """A role that routes, and forwarding that is off."""
    names = (_IPV6_FORWARDING, *((_IPV4_FORWARDING,) if live.expected.translation else ()))
    if live.kind in ("gateway", "router"):
        yield tuple(f"{name} = 0" for name in names if live.sysctl(name) == "0")


@rule.live("LIVE-IPV6-OFF")
def ipv6_off(live: Live) -> Iterator[tuple[str, ...]]:
    """For all devices."""
    if live.sysctl("net.ipv6.conf.all.disable_ipv6") == "1":
        yield ("net.ipv6.conf.all.disable_ipv6 = 1",)


@rule.live("LIVE-RP-FILTER")
def rp_filter(live: Live) -> Iterator[tuple[str, ...]]:
    """Strict, and the way back is another device, or none."""
    yield tuple(
        f"{path.dev} is strict; the way back to {path.network} is {path.back or 'unknown'}"
        for path in live.reverse_paths
        if path.drops
    )


@rule.live("LIVE-CONNTRACK-FULL")
def conntrack_full(live: Live) -> Iterator[tuple[str, ...]]:
    """More than nine tenths."""
    used, most = (live.sysctl(f"net.netfilter.nf_conntrack_{name}") or "" for name in ("count", "max"))
    if used.isdecimal() and most.isdecimal() and int(used) * 10 > int(most) * 9 > 0:
        yield (f"{used} of {most} connections",)


def _dropped(live: Live, *whats: str) -> tuple[str, ...]:
    return _quotes(judged for judged in live.filters if judged.what in whats and judged.result == "drop")


def _quotes(found: Iterable[Judged]) -> tuple[str, ...]:
    return tuple(f"{judged.packet}: {judged.rule}" for judged in found)


@rule.live("LIVE-FILTER-41")
def filter_41(live: Live) -> Iterator[tuple[str, ...]]:
    """Input or output."""
    yield _dropped(live, "protocol 41 in", "protocol 41 out")


@rule.live("LIVE-FILTER-TLS")
def filter_tls(live: Live) -> Iterator[tuple[str, ...]]:
    """TCP to a listener, and its answer."""
    yield _dropped(live, "TLS in", "TLS out")


@rule.live("LIVE-FILTER-FORWARD")
def filter_forward(live: Live) -> Iterator[tuple[str, ...]]:
    """Forwarded packets."""
    yield _dropped(live, "clients' packets", "leases' packets")


@rule.live("LIVE-FILTER-UNSURE")
def filter_unsure(live: Live) -> Iterator[tuple[str, ...]]:
    """Any that cannot be decided."""
    yield _quotes(judged for judged in live.filters if judged.result == "maybe")


@rule.live("LIVE-CLOCK")
def clock(live: Live) -> Iterator[tuple[str, ...]]:
    """More than Kerberos and TSIG tolerate, against any other clock."""
    others = [(other.ahead, f"{other.server} ({other.how})") for other in live.clocks]
    others += [(gateway.ahead, f"{gateway.url} (HTTP Date)") for gateway in live.gateways]
    for ahead, whose in others:
        if ahead is not None and abs(ahead) > SKEW:
            yield (f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} {whose}",)


@rule.live("LIVE-CLOCK-FREE")
def clock_free(live: Live) -> Iterator[tuple[str, ...]]:
    """The kernel says so, and nobody else has confirmed the time."""
    confirmed = any(other.ahead is not None and abs(other.ahead) <= SKEW for other in live.clocks)
    if live.clock_set is False and not confirmed:
        yield ("adjtimex: TIME_ERROR, the clock is not synchronised",)


@rule.live("LIVE-UNSEEN")
def unseen(live: Live) -> Iterator[tuple[str, ...]]:
    """Probes that could not be made."""
    yield live.unseen[:20]
