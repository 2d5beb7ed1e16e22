"""Certificates and revocation lists of a running gateway, and of the gateways that a machine was told to try."""

from collections.abc import Iterator
from fnmatch import fnmatchcase

from manageout.doctor.rules.rule import Theme
from manageout.service.probe.results import Certificate, Live
from manageout.wire.host_port import host_of
from manageout.words import counted, day

rule = Theme()

SOON = 30 * 86400
"""Seconds before the end at which somebody should act."""


def _certificates(live: Live) -> list[Certificate]:
    """Those of files, and those that gateways showed."""
    shown = [gateway.certificate for gateway in live.gateways if gateway.certificate is not None]
    return [*live.certificates, *shown]


def _readable(live: Live) -> list[Certificate]:
    return [certificate for certificate in _certificates(live) if not certificate.error]


def _label(certificate: Certificate) -> str:
    return f"{certificate.place} ({', '.join(certificate.names) or 'no name'})"


@rule.live("LIVE-CERT-UNREADABLE")
def unreadable(live: Live) -> Iterator[tuple[str, ...]]:
    """Files only."""
    for certificate in _certificates(live):
        if certificate.error:
            yield (f"{certificate.place}: {certificate.error}",)


@rule.live("LIVE-CERT-EXPIRED")
def expired(live: Live) -> Iterator[tuple[str, ...]]:
    """Its end is past."""
    for certificate in _readable(live):
        if certificate.not_after < live.taken:
            yield (f"{_label(certificate)} expired on {day(certificate.not_after)}",)


@rule.live("LIVE-CERT-SOON")
def soon(live: Live) -> Iterator[tuple[str, ...]]:
    """Its end is near."""
    for certificate in _readable(live):
        if live.taken <= certificate.not_after < live.taken + SOON:
            yield (f"{_label(certificate)} expires on {day(certificate.not_after)}",)


@rule.live("LIVE-CERT-EARLY")
def early(live: Live) -> Iterator[tuple[str, ...]]:
    """Its beginning is ahead."""
    for certificate in _readable(live):
        if certificate.not_before > live.taken:
            yield (f"{_label(certificate)} is valid from {day(certificate.not_before)}",)


@rule.live("LIVE-CERT-NAME")
def other_name(live: Live) -> Iterator[tuple[str, ...]]:
    """No name of the certificate is the host of the URL."""
    for gateway in live.gateways:
        host = host_of(gateway.url)
        certificate = gateway.certificate
        if certificate is None or not host:
            continue
        if not any(_covers(name.lower(), host) for name in certificate.names):
            yield (f"{gateway.url}: the certificate is for {', '.join(certificate.names) or 'nobody'}",)


def _covers(name: str, host: str) -> bool:
    """RFC 6125 6.4.3: a wildcard is the whole first label."""
    return name == host or (
        name.startswith("*.") and fnmatchcase(host, name) and name[2:] == host.partition(".")[2]
    )


@rule.live("LIVE-CERT-CHAIN")
def chain(live: Live) -> Iterator[tuple[str, ...]]:
    """As the file was read."""
    for certificate in live.certificates:
        if certificate.chain:
            yield (f"{certificate.place}: {certificate.chain}",)


@rule.live("LIVE-CERT-REFUSED")
def refused(live: Live) -> Iterator[tuple[str, ...]]:
    """As a client would."""
    for gateway in live.gateways:
        if gateway.verify:
            yield (f"{gateway.url} at {gateway.address}: {gateway.verify}",)


@rule.live("LIVE-GATEWAY-SILENT")
def gateway_silent(live: Live) -> Iterator[tuple[str, ...]]:
    """No TLS."""
    for gateway in live.gateways:
        if gateway.error and gateway.certificate is None:
            yield (f"{gateway.url} at {gateway.address or 'no address'}: {gateway.error}",)


@rule.live("LIVE-CRL-EXPIRED")
def crl_expired(live: Live) -> Iterator[tuple[str, ...]]:
    """Its next update is past."""
    for crl in live.crls:
        if not crl.error and crl.next_update is not None and crl.next_update < live.taken:
            yield (f"{crl.place}: the next list was due on {day(crl.next_update)}",)


@rule.live("LIVE-CRL-SOON")
def crl_soon(live: Live) -> Iterator[tuple[str, ...]]:
    """Its next update is near. Those that an authority publishes itself are renewed at the last moment."""
    for crl in live.crls:
        if crl.error or crl.next_update is None or crl.place.startswith("http://"):
            continue
        if live.taken <= crl.next_update < live.taken + SOON:
            days = int((crl.next_update - live.taken) // 86400)
            yield (f"{crl.place} expires in {counted(days, 'day')}, on {day(crl.next_update)}",)


@rule.live("LIVE-CRL-UNREADABLE")
def crl_unreadable(live: Live) -> Iterator[tuple[str, ...]]:
    """No list in the file."""
    for crl in live.crls:
        if crl.error and not crl.place.startswith("http://"):
            yield (f"{crl.place}: {crl.error}",)


@rule.live("LIVE-CRL-UNREACHABLE")
def crl_unreachable(live: Live) -> Iterator[tuple[str, ...]]:
    """No list behind the URL."""
    for crl in live.crls:
        if crl.error and crl.place.startswith("http://"):
            yield (f"{crl.place}: {crl.error}",)


@rule.live("LIVE-CRL-FOREIGN")
def crl_foreign(live: Live) -> Iterator[tuple[str, ...]]:
    """Another signature."""
    for crl in live.crls:
        if not crl.error and not crl.signed:
            yield (f"{crl.place}: issued by {crl.issuer}",)


@rule.live("LIVE-CERT-REVOKED")
def revoked(live: Live) -> Iterator[tuple[str, ...]]:
    """Issuer and serial number of a list."""
    for certificate in _readable(live):
        for crl in live.crls:
            if crl.issuer == certificate.issuer and certificate.serial in crl.revoked:
                yield (f"{_label(certificate)}, serial number {certificate.serial}, is in {crl.place}",)
