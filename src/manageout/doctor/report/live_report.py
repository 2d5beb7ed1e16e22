"""What a look at a running machine found, in lines for people: the healthy things too."""

from collections.abc import Iterator

from manageout.service.probe.results import Advertisement, Live, PathMtu, RouterAnswer
from manageout.words import day


def lines(live: Live) -> list[str]:
    """Subject and words, one thing a line."""
    parts = (_names, _routers, _ways, _machine, _certificates, _clocks)
    head = ("machine", f"{live.host} ({live.kind}), {day(live.taken)}")
    return [
        f"{subject:<12}  {words}" for subject, words in (head, *(row for part in parts for row in part(live)))
    ]


def _names(live: Live) -> Iterator[tuple[str, str]]:
    for answer in live.answers:
        alive = f"{answer.server}: {'answers' if answer.rcode else answer.error}"
        yield ("name", answer.quote) if answer.kind == "A" else ("name server", alive)
    if live.records:
        held = sum(any(a.records for a in record.answers) for record in live.records)
        yield "leases", f"{held} of {len(live.records)} records of connected clients are in the DNS"


def _routers(live: Live) -> Iterator[tuple[str, str]]:
    for answer in live.routers:
        yield "router", f"{answer.router}: {_advertised(answer)}"
        if answer.advertisement is not None:
            yield from (("", words) for words in _options(answer.advertisement))


def _advertised(answer: RouterAnswer) -> str:
    message = answer.advertisement
    if message is None:
        return answer.error
    lifetime = f"router lifetime {message.lifetime} s" if message.lifetime else "no default router"
    milliseconds = (answer.seconds or 0.0) * 1000
    mtu = f", MTU {message.mtu}" if message.mtu else ""
    return f"advertises after {milliseconds:.1f} ms as {message.source}, {lifetime}{mtu}"


def _options(message: Advertisement) -> Iterator[str]:
    for prefix in message.prefixes:
        yield f"prefix {prefix.prefix}, valid {prefix.valid} s, preferred {prefix.preferred} s"
    for route in message.routes:
        yield f"route {route.prefix}, {route.lifetime} s, {route.preference} preference"
    for nat64 in message.pref64:
        yield f"NAT64 prefix {nat64}"


def _ways(live: Live) -> Iterator[tuple[str, str]]:
    for hop in live.hops:
        beside = hop.neighbour
        state = f"{beside.address} is {beside.state}" if beside is not None else hop.error
        yield "next hop", f"to {hop.target}{f' by {hop.dev}' if hop.dev else ''}: {state}"
    for path in live.paths:
        yield "path", f"to {path.target}: {_width(path)}"


def _width(path: PathMtu) -> str:
    if path.mtu is None:
        return path.error
    told = "".join(f", {who} says {mtu}" for who, mtu in path.told)
    return f"{path.mtu} bytes pass, the link has {path.first}{told}"


def _machine(live: Live) -> Iterator[tuple[str, str]]:
    if live.daemon is not None:
        yield "daemon", live.daemon.error or "runs"
    for judged in live.filters:
        yield "filter", f"{judged.packet}: {judged.result}"


def _certificates(live: Live) -> Iterator[tuple[str, str]]:
    for certificate in live.certificates:
        names = ", ".join(certificate.names) or "no name"
        words = certificate.error or f"{names}, until {day(certificate.not_after)}"
        yield "certificate", f"{certificate.place}: {words}"
    for crl in live.crls:
        until = f"next on {day(crl.next_update)}" if crl.next_update is not None else "without an end"
        yield "revocation", f"{crl.place}: {crl.error or f'{len(crl.revoked)} revoked, {until}'}"
    for gateway in live.gateways:
        shown = gateway.certificate
        good = f"answers at {gateway.address}, certificate until {day(shown.not_after)}" if shown else ""
        yield "gateway", f"{gateway.url}: {good or gateway.error}"


def _clocks(live: Live) -> Iterator[tuple[str, str]]:
    for clock in live.clocks:
        words = clock.error or f"ours is {_apart(clock.ahead or 0.0)}"
        yield "clock", f"{clock.server} ({clock.how}): {words}"


def _apart(ahead: float) -> str:
    if abs(ahead) < 1:
        return "the same"
    return f"{abs(ahead):.0f} s {'ahead' if ahead > 0 else 'behind'}"
