"""Certificates and revocation lists of a running gateway, and of the gateways that a machine was told to try."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from manageout.doctor.rules.live import day, live_rule
from manageout.service.probe.results import Certificate, Live
from manageout.words import counted

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


@live_rule(
    "LIVE-CERT-UNREADABLE",
    "error",
    "a certificate cannot be read",
    cause="The site file names a file that is missing, not readable, or no PEM certificate.",
    remedy=("openssl x509 -in FILE -noout -text", "manageout check"),
)
def unreadable(live: Live) -> Iterator[tuple[str, ...]]:
    """Files only."""
    for certificate in _certificates(live):
        if certificate.error:
            yield (f"{certificate.place}: {certificate.error}",)


@live_rule(
    "LIVE-CERT-EXPIRED",
    "error",
    "a certificate has expired",
    cause="No client accepts the gateway, or the gateway no client, until there is another.",
    remedy=(
        "manageout pki issue   (or get another from your authority; the daemon reads it at once)",
        "date -u   (is the clock right?)",
    ),
    hides=("LIVE-CERT-REFUSED", "LIVE-CERT-SOON"),
)
def expired(live: Live) -> Iterator[tuple[str, ...]]:
    """Its end is past."""
    for certificate in _readable(live):
        if certificate.not_after < live.taken:
            yield (f"{_label(certificate)} expired on {day(certificate.not_after)}",)


@live_rule(
    "LIVE-CERT-SOON",
    "warning",
    "a certificate expires within 30 days",
    cause="Afterwards no client connects.",
    remedy=("manageout pki issue   (or get another from your authority)",),
)
def soon(live: Live) -> Iterator[tuple[str, ...]]:
    """Its end is near."""
    for certificate in _readable(live):
        if live.taken <= certificate.not_after < live.taken + SOON:
            yield (f"{_label(certificate)} expires on {day(certificate.not_after)}",)


@live_rule(
    "LIVE-CERT-EARLY",
    "error",
    "a certificate is not valid yet",
    cause="Its time has not come: the clock of this machine or that of the authority is wrong.",
    remedy=("date -u", "timedatectl"),
    hides=("LIVE-CERT-REFUSED",),
)
def early(live: Live) -> Iterator[tuple[str, ...]]:
    """Its beginning is ahead."""
    for certificate in _readable(live):
        if certificate.not_before > live.taken:
            yield (f"{_label(certificate)} is valid from {day(certificate.not_before)}",)


@live_rule(
    "LIVE-CERT-NAME",
    "error",
    "the gateway's certificate is for another name",
    cause="Clients compare the name in their URL with the certificate, and refuse any other.",
    remedy=(
        "issue the gateway a certificate with the name in the URL: manageout pki issue",
        "or correct the URL at the clients: manageout rollout gpo",
    ),
    hides=("LIVE-CERT-REFUSED",),
)
def other_name(live: Live) -> Iterator[tuple[str, ...]]:
    """No name of the certificate is the host of the URL."""
    for gateway in live.gateways:
        host = _host(gateway.url)
        certificate = gateway.certificate
        if certificate is None or not host:
            continue
        if not any(_covers(name.lower(), host) for name in certificate.names):
            yield (f"{gateway.url}: the certificate is for {', '.join(certificate.names) or 'nobody'}",)


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def _covers(name: str, host: str) -> bool:
    """RFC 6125 6.4.3: a wildcard is the whole first label."""
    return name == host or (
        name.startswith("*.") and fnmatchcase(host, name) and name[2:] == host.partition(".")[2]
    )


@live_rule(
    "LIVE-CERT-CHAIN",
    "error",
    "the certificate file does not hold a chain",
    cause="Each certificate in the file must be issued by the next one; clients cannot complete a broken chain.",
    remedy=(
        "put the gateway's certificate first, then its intermediates in order, into gateway.certificate",
    ),
    hides=("LIVE-CERT-REFUSED",),
)
def chain(live: Live) -> Iterator[tuple[str, ...]]:
    """As the file was read."""
    for certificate in live.certificates:
        if certificate.chain:
            yield (f"{certificate.place}: {certificate.chain}",)


@live_rule(
    "LIVE-CERT-REFUSED",
    "error",
    "clients refuse the gateway's certificate",
    cause="A TLS connection that checks it, with the authorities that were given, does not come about.",
    remedy=(
        "openssl s_client -connect HOST:443 -servername HOST -CAfile CA.pem   (shows the chain)",
        "give clients the authority's certificate, or the gateway one that they know",
    ),
)
def refused(live: Live) -> Iterator[tuple[str, ...]]:
    """As a client would."""
    for gateway in live.gateways:
        if gateway.verify:
            yield (f"{gateway.url} at {gateway.address}: {gateway.verify}",)


@live_rule(
    "LIVE-GATEWAY-SILENT",
    "error",
    "the gateway does not answer",
    cause="There is no TLS connection to its URL: it is down, the port is closed on the way, or the name leads "
    "elsewhere.",
    remedy=(
        "curl -vk URL   (from here, and from outside)",
        "manageout status   (on the gateway)",
    ),
)
def gateway_silent(live: Live) -> Iterator[tuple[str, ...]]:
    """No TLS."""
    for gateway in live.gateways:
        if gateway.error and gateway.certificate is None:
            yield (f"{gateway.url} at {gateway.address or 'no address'}: {gateway.error}",)


@live_rule(
    "LIVE-CRL-EXPIRED",
    "error",
    "a revocation list is out of date",
    cause="Who checks revocation refuses every certificate of that authority: the gateway its clients, or "
    "Windows the gateway.",
    remedy=(
        "manageout pki crl   (makes a new list; copy it to client_crl on every gateway, it is read at once)",
        "or have your authority publish one, and renew it by a timer",
    ),
)
def crl_expired(live: Live) -> Iterator[tuple[str, ...]]:
    """Its next update is past."""
    for crl in live.crls:
        if not crl.error and crl.next_update is not None and crl.next_update < live.taken:
            yield (f"{crl.place}: the next list was due on {day(crl.next_update)}",)


@live_rule(
    "LIVE-CRL-SOON",
    "warning",
    "a revocation list ends within 30 days",
    cause="Afterwards no client of that authority connects; who is connected stays.",
    remedy=(
        "manageout pki crl   (makes a new list, good for a year unless told; copy it to client_crl on every gateway)",
        "or have your authority publish one, and copy it by a timer",
    ),
)
def crl_soon(live: Live) -> Iterator[tuple[str, ...]]:
    """Its next update is near. Those that an authority publishes itself are renewed at the last moment."""
    for crl in live.crls:
        if crl.error or crl.next_update is None or crl.place.startswith("http://"):
            continue
        if live.taken <= crl.next_update < live.taken + SOON:
            days = int((crl.next_update - live.taken) // 86400)
            yield (f"{crl.place} expires in {counted(days, 'day')}, on {day(crl.next_update)}",)


@live_rule(
    "LIVE-CRL-UNREADABLE",
    "error",
    "the clients' revocation list cannot be read",
    cause="gateway.client_crl names a file that is missing, not readable, or no revocation list.",
    remedy=("manageout pki crl   (makes one)", "manageout check"),
)
def crl_unreadable(live: Live) -> Iterator[tuple[str, ...]]:
    """No list in the file."""
    for crl in live.crls:
        if crl.error and not crl.place.startswith("http://"):
            yield (f"{crl.place}: {crl.error}",)


@live_rule(
    "LIVE-CRL-UNREACHABLE",
    "warning",
    "the revocation list that the gateway's certificate names cannot be fetched from here",
    cause="Windows clients refuse a gateway whose certificate names a list that they cannot fetch. Whether they "
    "can, from outside, this machine cannot see.",
    remedy=("curl -v URL   (from outside, where clients are)",),
)
def crl_unreachable(live: Live) -> Iterator[tuple[str, ...]]:
    """No list behind the URL."""
    for crl in live.crls:
        if crl.error and crl.place.startswith("http://"):
            yield (f"{crl.place}: {crl.error}",)


@live_rule(
    "LIVE-CRL-FOREIGN",
    "error",
    "the revocation list is not of the clients' authority",
    cause="gateway.client_crl is not signed by gateway.client_ca: it says nothing about these clients.",
    remedy=("take the list of that authority: manageout pki crl",),
)
def crl_foreign(live: Live) -> Iterator[tuple[str, ...]]:
    """Another signature."""
    for crl in live.crls:
        if not crl.error and not crl.signed:
            yield (f"{crl.place}: issued by {crl.issuer}",)


@live_rule(
    "LIVE-CERT-REVOKED",
    "error",
    "the gateway's certificate is revoked",
    cause="Its serial number is on the revocation list of its authority.",
    remedy=("manageout pki issue   (a new certificate; find out who revoked the old one, and why)",),
    hides=("LIVE-CERT-REFUSED",),
)
def revoked(live: Live) -> Iterator[tuple[str, ...]]:
    """Issuer and serial number of a list."""
    for certificate in _readable(live):
        for crl in live.crls:
            if crl.issuer == certificate.issuer and certificate.serial in crl.revoked:
                yield (f"{_label(certificate)}, serial number {certificate.serial}, is in {crl.place}",)
