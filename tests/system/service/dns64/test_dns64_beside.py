"""The DNS64 beside Unbound's: the same questions to both, with the same validating Unbound behind them.

Left out is what differs by intent (RFC 6147 5.1.4, 5.3.3, 5.5): excluded addresses, ANY, CD, bogus denials.
"""

from __future__ import annotations

from collections.abc import Iterator

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import pytest

from manageout.linux.host import netns
from tests.tools.places.dns64 import ADDRESS, CLIENT, NAME, SIGNED, UPSTREAMS, ZONE, Place

BIND, BEHIND, BESIDE = UPSTREAMS
HOSTS = (
    "app", "short", "dual", "six", "www", "far", "nowhere", "x.other", "text", "mail", "q.any", "any", "missing",
    "a.missing", "sub", "x.sub", "many",
)  # fmt: skip
NAMES = [
    ZONE,
    *(f"{host}.{ZONE}" for host in HOSTS),
    *(f"{host}.signed.example" for host in ("app", "ns", "missing")),
    "signed.example",
    "app.bogus.example",
]
KINDS = ("AAAA", "A", "CNAME", "DNAME", "MX", "NS", "SOA", "TXT", "SRV", "HTTPS", "DS")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = Place(tmp_path_factory.mktemp("beside"))
    try:
        made.bind(BIND, signed=True)
        anchors = [made.directory / f"bind-{BIND}" / f"{zone}.anchor" for zone in SIGNED]
        lines = "".join(f'  trust-anchor-file: "{anchor}"\n' for anchor in anchors)
        made.unbound(BEHIND, modules="validator iterator", anchors=lines)
        # Of its own accord Unbound sends 4096 bytes by UDP until 1.17, later 1232.
        options = "  dns64-prefix: fd12:3456:789a:7777::/96\n  max-udp-size: 4096\n"
        made.unbound(BESIDE, modules="dns64 validator iterator", anchors=lines, server=options)
        made.dns64([BEHIND])
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("dnssec", [False, True], ids=["DO=0", "DO=1"])
@pytest.mark.parametrize("kind", KINDS)
def test_answers_are_the_same(place: Place, kind: str, dnssec: bool) -> None:
    for name in NAMES:
        query = dns.message.make_query(name, kind, use_edns=0, want_dnssec=dnssec, payload=4096)
        with netns.inside(NAME):
            ours = dns.query.udp(query, ADDRESS, 10, source=CLIENT)
            other = dns.query.udp(query, BESIDE, 10)
        assert shown(ours) == shown(other), name


def shown(message: dns.message.Message) -> list[str]:
    """All that a client may go by; not the order within a set, nor lifetimes, which depend on the moment."""
    flags = message.flags & ~dns.flags.AA
    lines = [dns.rcode.to_text(message.rcode()), dns.flags.to_text(flags), str(message.ednsflags)]
    for section in (message.answer, message.authority, message.additional):
        rows = [
            f"{rrset.name} {dns.rdatatype.to_text(rrset.rdtype)} {each}"
            for rrset in section
            for each in rrset
        ]
        lines += ["--", *sorted(rows)]
    return lines
