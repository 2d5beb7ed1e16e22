"""The way from manager to client, hop by hop, each with a verdict: pure, from what was seen.

First what both ways need (names, permission, the client's connection), then the way by its lease, then by ISATAP.
A hop that fails names the finding that explains it (:mod:`manageout.doctor.rules.reach`).
"""

from collections.abc import Iterator
from itertools import chain

from manageout.doctor.reach.reach import ClientAnswer, ReachFacts, ReachHop, Verdict, Way
from manageout.service.probe.results import BLOCKED, DnsAnswer, PathMtu

LARGE: dict[str, int] = {"lease": 1260, "isatap": 1300}
"""Bytes of IPv4 that must pass: the clients' link has 1280, less or more the translated or added header."""
NO_ROUTE = "Network is unreachable"
RUN_ON = {
    "gateway": "run this on the gateway",
    "router": "run this on the ISATAP router",
    "manager": "run this on the manager",
}


Row = tuple[str, Verdict, str, str]
"""What, verdict, words, and the code of the finding that explains a failure."""


def hops(reach: ReachFacts) -> list[ReachHop]:
    """Every hop in order; a broken daemon or an unknown manager ends the walk."""
    both = chain(_names(reach), _policy(reach), _connection(reach), _forwarding(reach))
    ways: dict[Way, Iterator[Row]] = {"both": both, "lease": _lease(reach), "isatap": _isatap(reach)}
    found = [ReachHop("both", *row) for row in _ends(reach)]
    if not any(hop.verdict == "fails" for hop in found):
        found += [ReachHop(way, *row) for way, rows in ways.items() for row in rows]
    return found


def _ends(reach: ReachFacts) -> Iterator[Row]:
    if reach.daemon_error:
        yield "daemon", "fails", reach.daemon_error, "REACH-DAEMON-DOWN"
    if reach.host_addresses:
        given = "" if reach.host in reach.host_addresses else f"{reach.host} is "
        yield "manager", "ok", f"{given}{', '.join(reach.host_addresses)}", ""
    elif _silent(reach) or _strangers(reach):
        yield "manager", "unseen", f"{reach.host}: {reach.host_error}", ""
    else:
        yield "manager", "fails", f"{reach.host}: {reach.host_error}", "REACH-HOST-UNKNOWN"


# --- Names ----------------------------------------------------------------------------------------------


def _silent(reach: ReachFacts) -> list[str]:
    """Servers that said nothing to any question, if none did."""
    servers = {answer.server: answer.error for answer in reach.dns}
    heard = {answer.server for answer in reach.dns if answer.rcode}
    return [f"{server}: {error}" for server, error in servers.items()] if servers and not heard else []


def _strangers(reach: ReachFacts) -> list[DnsAnswer]:
    """Servers that answer, and do not know the intranet's domain."""
    return [a for a in reach.about(reach.domain, "SOA") if a.rcode and not a.records]


def _names(reach: ReachFacts) -> Iterator[Row]:
    if not reach.by_name:
        yield "client's name", "unused", "the client was given by address", ""
    elif silent := _silent(reach):
        yield "name servers", "fails", "; ".join(silent), "REACH-DNS-SILENT"
    elif strangers := _strangers(reach):
        yield "name servers", "fails", "; ".join(answer.quote for answer in strangers), "REACH-DNS-WRONG"
    else:
        yield from _records(reach)


def _records(reach: ReachFacts) -> Iterator[Row]:
    target = reach.target
    held = (target.lease,) if target.lease and target.lease_state == "held" else ()
    for kind, wanted, lasting in (("A", held, not reach.lease_unused), ("AAAA", target.addresses, True)):
        answers = [answer for answer in reach.about(target.name, kind) if answer.rcode]
        what, seen = f"name, {kind}", "; ".join(answer.quote for answer in answers)
        stale = [a for a in answers if target.connected and set(a.records) - set(wanted)]
        if not answers or not lasting:
            continue
        if wanted and stale:
            words = f"it holds {', '.join(wanted)}; " + "; ".join(answer.quote for answer in stale)
            yield what, "fails", words, "REACH-NAME-STALE"
        elif all(answer.records for answer in answers):
            known = "" if target.connected else "; whether it is right, only the gateway knows"
            yield what, "ok", seen + known, ""
        elif wanted or target.connected is None:
            yield from _missing(reach, what, kind, seen)


def _missing(reach: ReachFacts, what: str, kind: str, seen: str) -> Iterator[Row]:
    """Away from the gateway one of both records is enough: there may be no leases, or no IPv6."""
    other = "AAAA" if kind == "A" else "A"
    if reach.target.connected is None and any(a.records for a in reach.about(reach.target.name, other)):
        yield what, "unseen", f"{seen}; whether there should be one, only the gateway knows", ""
    else:
        yield what, "fails", seen, "REACH-NAME-MISSING"


# --- Permission and connection --------------------------------------------------------------------------


def _policy(reach: ReachFacts) -> Iterator[Row]:
    if reach.policy is None:
        yield "policy", "unseen", RUN_ON["gateway"], ""
    elif reach.policy.fault:
        yield "policy", "fails", reach.policy.words, f"REACH-POLICY-{reach.policy.fault.upper()}"
    else:
        yield "policy", "ok", reach.policy.words, ""


def _connection(reach: ReachFacts) -> Iterator[Row]:
    target = reach.target
    if reach.certificate:
        yield "gateway's certificate", "fails", reach.certificate, "REACH-GATEWAY-CERTIFICATE"
    if target.connected is None:
        yield "client connected", "unseen", RUN_ON["gateway"], ""
    elif target.connected:
        since = "" if target.quiet is None else f", last heard of {target.quiet:.0f} s ago"
        words = f"{target.name} from {target.peer}{since}: {', '.join(target.addresses)}"
        yield "client connected", "ok", words, ""
    elif target.refused:
        yield "client connected", "fails", "; ".join(target.refused), "REACH-CLIENT-CERTIFICATE"
    elif not target.known:
        words = f"no client of that name has been here: {target.name}"
        yield "client connected", "fails", words, "REACH-CLIENT-UNKNOWN"
    else:
        lease = f"; its lease {target.lease} is kept for it" if target.lease_state == "grace" else ""
        last = f", last from {target.peer}" if target.peer else ""
        words = f"{target.name} is not connected{last}{lease}"
        yield "client connected", "fails", words, "REACH-CLIENT-OFFLINE"


def _forwarding(reach: ReachFacts) -> Iterator[Row]:
    """What the gateway's own questions do not go through."""
    if reach.forwarding:
        yield "forwarding here", "fails", "; ".join(reach.forwarding), "REACH-FORWARDING"
    elif reach.forwarding is not None:
        words = "the kernel forwards, has this gateway's rules, and a route to the client"
        yield "forwarding here", "ok", words, ""


# --- The two ways ---------------------------------------------------------------------------------------


def _lease(reach: ReachFacts) -> Iterator[Row]:
    if reach.lease_unused:
        yield "way by the lease", "unused", reach.lease_unused, ""
        return
    target = reach.target
    if target.connected:
        if target.lease_state == "held":
            yield "lease", "ok", f"{target.lease} is held", ""
        else:
            words = f"{target.name} has none: {target.lease_state or 'no pool'}"
            yield "lease", "fails", words, "REACH-NO-LEASE"
    yield from _to_lease(reach)
    yield from _path(reach, "lease")


def _to_lease(reach: ReachFacts) -> Iterator[Row]:
    way, ping = reach.lease_way, reach.lease_ping
    if way is not None and reach.target.lease_state == "held":
        if not way.device:
            yield "intranet to gateway", "unseen", "a routed pool: " + RUN_ON["manager"], ""
        elif way.answers:
            words = f"this gateway answers ARP for {reach.target.lease} on {way.device}"
            yield "intranet to gateway", "ok", words, ""
        else:
            words = f"nobody answers ARP for {reach.target.lease} on {way.device}"
            yield "intranet to gateway", "fails", words, "REACH-LEASE-NO-WAY"
    elif ping is not None and ping.seconds is not None:
        yield "lease answers", "ok", f"ping {ping.target}: {ping.seconds * 1000:.1f} ms", ""
    elif ping is not None and ping.by and not ping.error.startswith("prohibited"):
        words = f"ping {ping.target}: {ping.by} says {ping.error}"
        yield "way to the lease", "fails", words, _nobody(reach, "lease", ping.by)


def _isatap(reach: ReachFacts) -> Iterator[Row]:
    if reach.isatap_unused:
        yield "way by ISATAP", "unused", reach.isatap_unused, ""
        return
    if reach.isatap is not None and reach.isatap.allowed and reach.isatap.retires:
        who = ", ".join(reach.host_addresses)
        yield "way by ISATAP", "unused", f"{who} is told to let go of ISATAP (manageout retire)", ""
        return
    yield from _router_name(reach)
    yield from _router(reach)
    if reach.isatap is not None:
        yield from _registered(reach)
    yield from _path(reach, "isatap")


def _router_name(reach: ReachFacts) -> Iterator[Row]:
    if _silent(reach) or _strangers(reach):
        return
    answers = [answer for answer in reach.about(reach.router_name, "A") if answer.rcode]
    seen = "; ".join(answer.quote for answer in answers)
    lost = [answer for answer in answers if not answer.records]
    label = reach.router_name.partition(".")[0].lower()
    stray = [a for a in answers if reach.locators and set(a.records) - set(reach.locators)]
    if lost and label in BLOCKED and lost[0].authoritative:
        yield "router's name", "fails", seen, "REACH-ROUTER-BLOCKED"
    elif lost:
        yield "router's name", "fails", seen, "REACH-ROUTER-NAME"
    elif stray:
        words = f"{seen}; the site file says {', '.join(reach.locators)}"
        yield "router's name", "fails", words, "REACH-ROUTER-ASTRAY"
    elif answers:
        yield "router's name", "ok", seen, ""


def _router(reach: ReachFacts) -> Iterator[Row]:
    answer = reach.router
    if answer is None:
        if reach.isatap is None:
            yield _beyond(reach)
        return
    asked = f"{answer.router}, asked by {answer.source or 'this machine'}"
    if answer.advertisement is not None and reach.router_route is False:
        yield "ISATAP router", "fails", f"{asked}: no route to the client", "REACH-NO-ROUTE"
    elif answer.advertisement is not None:
        yield "ISATAP router", "ok", f"{asked}: it advertises", ""
    elif "manager" not in reach.views and "does not speak" not in answer.error:
        yield "ISATAP router", "unseen", f"it answers managers only: {RUN_ON['router']}", ""
    else:
        known = {"does not speak": "REACH-ROUTER-OFF", "packet filter": "REACH-PROTOCOL-41"}
        code = next((code for part, code in known.items() if part in answer.error), "REACH-ROUTER-SILENT")
        yield "ISATAP router", "fails", f"{asked}: {answer.error}", code


def _beyond(reach: ReachFacts) -> Row:
    """The ISATAP router is another machine; the gateway can look through it."""
    ping = reach.beyond
    if ping is not None and ping.seconds is not None:
        return "ISATAP router", "ok", f"the manager answers a ping to {ping.target} through it", ""
    if ping is not None and ping.by and ping.error == NO_ROUTE:
        words = f"ping {ping.target}: {ping.by} says {ping.error}"
        return "ISATAP router", "fails", words, "REACH-ROUTER-OFF"
    seen = f"ping {ping.target}: {ping.error}; " if ping is not None else ""
    return "ISATAP router", "unseen", f"{seen}{RUN_ON['router']}", ""


def _registered(reach: ReachFacts) -> Iterator[Row]:
    known = reach.isatap
    assert known is not None, "the caller has looked"
    heard = "never" if known.heard is None else f"{known.heard:.0f} s ago"
    who = ", ".join(reach.host_addresses)
    if not known.allowed:
        words = f"isatap.hosts does not hold {who}; {known.refused} packets of it were refused lately"
        yield "ISATAP host allowed", "fails", words, "REACH-ISATAP-HOSTS"
        return
    if not known.ready:
        yield "ISATAP host allowed", "unseen", "the daemon's router is not ready yet: try again", ""
        return
    yield "ISATAP host allowed", "ok", f"{who} is in isatap.hosts", ""
    if known.answers:
        yield "protocol 41", "ok", f"{who} answers through the tunnel", ""
    elif known.answers is None:
        yield "protocol 41", "unseen", f"{who} was last heard of {heard}", ""
    elif known.heard is None and not reach.lease_unused:
        yield "protocol 41", "unused", f"{who} has never been an ISATAP host here, and need not be", ""
    elif known.heard is None:
        yield "protocol 41", "fails", f"{who} has never come", "REACH-ISATAP-NEVER"
    elif reach.host_echo is not None and reach.host_echo.seconds is not None:
        words = f"{who} answers a ping, but nothing through the tunnel; last heard of there {heard}"
        yield "protocol 41", "fails", words, "REACH-PROTOCOL-41"
    else:
        words = f"{who} answers neither a ping nor through the tunnel; last heard of {heard}"
        yield "protocol 41", "unseen", words, ""


# --- Packet filter, size, and what the client says ------------------------------------------------------


def _path(reach: ReachFacts, way: Way) -> Iterator[Row]:
    for refused in reach.filters:
        if refused.way == way:
            yield "packet filter here", "fails", f"{refused.packet}: {refused.rule}", "REACH-FILTER"
    for each, path in reach.paths:
        if each in (way, "both"):
            yield _size(way, path)
    answers = [answer for answer in reach.answers if answer.way == way]
    for answer in answers:
        verdict, words, code = _said(reach, answer)
        now = f"; now: {'; '.join(reach.sessions)}" if reach.sessions and verdict == "ok" else ""
        yield "client answers", verdict, f"asked by {answer.asked_as}: {words}{now}", code
    if not answers and reach.target.connected is not False:
        forbidden = reach.policy is not None and reach.policy.fault
        here = "run this as root, or on the manager" if "gateway" in reach.views else RUN_ON["manager"]
        yield "client answers", "unseen", "not tried: the policy forbids it" if forbidden else here, ""


def _size(way: Way, path: PathMtu) -> Row:
    needed = LARGE[way]
    if path.mtu is None:
        return "large packets", "unseen", f"{path.target}: {path.error}", ""
    words = f"to {path.target}: {path.mtu} bytes are answered"
    if path.black_hole and path.mtu < needed:
        more = f"{words}, {path.first} are not, and nobody says so; {needed} are needed"
        return "large packets", "fails", more, "REACH-MTU"
    return "large packets", "ok", words, ""


def _said(reach: ReachFacts, answer: ClientAnswer) -> tuple[Verdict, str, str]:
    echo, tcp = answer.echo, answer.tcp
    pinged = echo.seconds is not None
    ping = f"no ping ({echo.error})" if echo.seconds is None else f"ping {echo.seconds * 1000:.1f} ms"
    if not pinged and reach.target.quiet is not None:
        # Nobody knows whether it still lives: dead peers are found out later than this.
        ping += f", and nothing has come from it for {reach.target.quiet:.0f} s"
    if tcp is None:
        if pinged or reach.service == "icmp":
            return ("ok", ping, "") if pinged else ("fails", ping, "REACH-CLIENT-SILENT")
        more = "it may refuse pings; --port tries what you need" if not reach.service else "UDP is not tried"
        return "unseen", f"{ping}; {more}", ""
    port = f"tcp/{tcp.port}"
    if tcp.result == "open":
        return "ok", f"{port} is open", ""
    if tcp.result == "refused":
        return "fails", f"{port} is closed, {ping}", "REACH-CLIENT-CLOSED"
    if tcp.result == "silent":
        code = "REACH-CLIENT-FIREWALL" if pinged else "REACH-CLIENT-SILENT"
        return "fails", f"{port}: {tcp.error}; {ping}", code
    what, code = tcp.error, _nobody(reach, answer.way, tcp.by)
    if tcp.result == "prohibited":
        what, code = "prohibited", "REACH-PROHIBITED"
    if tcp.by in (tcp.target, *reach.target.addresses):
        code = "REACH-CLIENT-FIREWALL"
    return "fails", f"{port}: {tcp.by or 'somebody'} says {what}; {ping}", code


def _nobody(reach: ReachFacts, way: Way, by: str) -> str:
    """Who says that the client is unreachable: its gateway, or a machine before it."""
    if reach.router is not None and by == reach.router.router:
        return "REACH-CLIENT-SILENT"
    return "REACH-LEASE-NO-WAY" if way == "lease" else "REACH-NO-ROUTE"
