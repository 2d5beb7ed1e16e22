"""What ``status``, Prometheus and the log are told about certificates and revocation lists, while there is time."""

import time
from collections.abc import Iterable, Iterator

from manageout.service.iphttps.trust import Trust
from manageout.service.process.finding import Finding, finding
from manageout.service.process.metrics import Metric
from manageout.service.tls.certificates import names_of
from manageout.service.tls.revocation import Issuer, RevocationLists
from manageout.words import counted, plain

SOON = 30 * 86400.0
"""Seconds before an end at which somebody should act."""


def findings(trust: Trust, now: float, unread: str = "") -> list[Finding]:
    """What somebody should look at; ``unread``: why files that have changed could not be read."""
    found = [*_own(trust, now), *_authorities(trust, now), *lists(trust.issuers(), trust.lists, now)]
    if unread:
        found.append(finding("CERTIFICATES-UNREADABLE", why=unread))
    return found


def metrics(trust: Trust) -> Iterator[Metric]:
    """When authorities and their lists end; a list that has no end is not there."""
    yield Metric("authority_expiry_seconds", _soonest(trust.issuers()))
    lists = {issuer: standing.until for issuer in trust.issuers() if (standing := trust.lists.of(issuer))}
    ends = {issuer: until for issuer, until in lists.items() if until is not None}
    yield Metric("revocation_list_expiry_seconds", _soonest(ends))


def _soonest(ends: dict[Issuer, float]) -> list[tuple[dict[str, str], float]]:
    """One sample a name: a label must not appear twice."""
    found: dict[str, float] = {}
    for issuer, end in ends.items():
        found[issuer.name] = min(end, found.get(issuer.name, end))
    return [({"authority": name}, end) for name, end in found.items()]


def _own(trust: Trust, now: float) -> Iterator[Finding]:
    for certificate in trust.own:
        end = certificate.not_valid_after_utc.timestamp()
        if end < now + SOON:
            name = plain(", ".join(names_of(certificate))) or "no name"
            first = certificate is trust.own[0]
            whose = "the gateway's certificate" if first else "a certificate in gateway.certificate"
            remedy = "get another from your authority, or `manageout pki issue --server --force`; it is read at once"
            yield _certificate(f"{whose} ({name})", "no client can connect", end, now, remedy)


def _authorities(trust: Trust, now: float) -> Iterator[Finding]:
    for issuer, end in trust.issuers().items():
        if end < now + SOON:
            whose = f"the certificate of the authority {issuer.name}"
            remedy = "put its successor into gateway.client_ca beside it, and issue clients new certificates"
            yield _certificate(
                whose, "none of its clients can connect, those that are are cut off", end, now, remedy
            )


def _certificate(whose: str, then: str, end: float, now: float, remedy: str) -> Finding:
    code = "CERTIFICATE-EXPIRED" if end < now else "CERTIFICATE-EXPIRES"
    return finding(code, whose=whose, then=then, day=_day(end), left=_left(end, now), remedy=remedy)


def lists(issuers: Iterable[Issuer], known: RevocationLists, now: float) -> Iterator[Finding]:
    """Of which authorities there is no list, and whose end soon or have ended."""
    for issuer in issuers:
        standing = known.of(issuer)
        if standing is None:
            yield finding("REVOCATION-LIST-MISSING", issuer=issuer.name)
        elif (end := standing.until) is not None and end < now + SOON:
            code = "REVOCATION-LIST-ENDED" if end < now else "REVOCATION-LIST-EXPIRES"
            yield finding(code, issuer=issuer.name, day=_day(end), left=_left(end, now))


def _left(end: float, now: float) -> str:
    hours = int((end - now) // 3600)
    return counted(hours // 24, "day") if hours >= 48 else counted(hours, "hour")


def _day(moment: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(moment))
