"""A remote client's tunnel: IP-HTTPS by its last error code, IPsec in it, Teredo beside it.

Codes are called as in Windows' headers. Sockets (10000 and more), WinHTTP (12000 and more), certificate chains
(0x800b01..), CryptoAPI (0x800920..) and Schannel (0x800903..) each have a code of their own for one and the same cause.
"""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address

from manageout.doctor.facts import Facts
from manageout.doctor.rules.evidence import ended as past
from manageout.doctor.rules.evidence import (
    gateway,
    gateways,
    holding,
    inner,
    locations,
    own_certificates,
    quotes,
    stated,
)
from manageout.doctor.rules.rule import Case, Look, Theme
from manageout.windows.text import public
from manageout.wire.special import is_global6
from manageout.words import toml_of

rule = Theme()
HOST_NOT_FOUND = 0x2AF9
_WIN32 = 0x8007
"""The upper half of an HRESULT that wraps a plain code, as in 0x80072af9."""
_ACTIVE = re.compile(
    r"\b(active|aktiv\w*|activ[ao]|attiv[ao]|ativ[ao]|actief|aktywny|aktivní|aktiivinen|etkin|активен)\b",
    re.I,
)


def number(facts: Facts) -> int | None:
    """The last error code; one that is wrapped in an HRESULT without its wrapping. None when it is not known."""
    if facts.iphttps_error is None:
        return None
    code = facts.iphttps_error.value & 0xFFFFFFFF
    return code & 0xFFFF if code >> 16 == _WIN32 else code


def tunnel_up(facts: Facts) -> bool:
    """Whether IP-HTTPS says that it is up: no error, and a status or an address that says so."""
    status = facts.iphttps_status.value if facts.iphttps_status is not None else ""
    held = any(one.ipv6 for one in facts.of_kind("iphttps"))
    return number(facts) == 0 and (held or bool(_ACTIVE.search(status)))


ERRORS: dict[str, list[int]] = toml_of("manageout.doctor.rules", "iphttps_errors.toml")
"""Code of a rule -> the last errors that mean it."""
_KNOWN = frozenset().union(*ERRORS.values())


_SHOWN = {
    "IPHTTPS-EXPIRED": "expired", "IPHTTPS-REVOCATION": "revocation", "IPHTTPS-WRONG-NAME": "name",
    "IPHTTPS-UNTRUSTED": "untrusted",
}  # fmt: skip
"""Code of a rule -> the same as other programs say it."""


def _of(numbers: list[int], shown: str) -> Look:
    def look(facts: Facts) -> Iterator[tuple[str, ...]]:
        """One of these codes; or what another program says of the gateway's certificate, where it has none itself."""
        if number(facts) in numbers:
            yield quotes(facts.iphttps_error, facts.iphttps_status)
        elif not number(facts):
            hosts = gateways(facts) or facts.tls.keys() - locations(facts)
            yield quotes(*(why for host, why in facts.tls.items() if why.value == shown and host in hosts))

    return look


for _code, _numbers in ERRORS.items():
    rule(_code)(_of(_numbers, _SHOWN.get(_code, "-")))


@rule("IPHTTPS-PROXY")
def proxy(facts: Facts) -> Iterator[tuple[str, ...]]:
    """The code for a name that is not found, though a look-up found it, or with a proxy set."""
    if number(facts) not in (HOST_NOT_FOUND, 0x2EE7):
        return
    found = [
        one
        for one in facts.lookups
        if one.name.lower().rstrip(".") == gateway(facts).rstrip(".")
        and any(isinstance(address, IPv4Address) or is_global6(address) for address in one.addresses)
    ]
    if (found and gateway(facts)) or (facts.proxy is not None and facts.proxy.value):
        yield quotes(
            facts.iphttps_error, facts.iphttps_status, *(found if gateway(facts) else ()), facts.proxy
        )


@rule("IPHTTPS-OTHER")
def other_code(facts: Facts) -> Iterator[Case]:
    """Any other than 0 and the known ones."""
    code = number(facts)
    if code and code not in _KNOWN and facts.iphttps_error is not None:
        number_shown = f"0x{facts.iphttps_error.value & 0xFFFFFFFF:x}"
        yield Case(quotes(facts.iphttps_error, facts.iphttps_status), {"CODE": number_shown})


@rule("TEREDO-OFFLINE")
def teredo(facts: Facts) -> Iterator[Case]:
    """Offline, still without an answer, or with an error though it is on; a note where IP-HTTPS is up. What has a
    state is not switched off."""
    if stated(facts.teredo_type, "disabled", "default"):
        return
    state = facts.teredo_state.value if facts.teredo_state is not None else ""
    if state in ("offline", "probe") or (facts.teredo_type is not None and facts.teredo_error is not None):
        seen = quotes(facts.teredo_type, facts.teredo_state, facts.teredo_error)
        managed = facts.teredo_error is not None and "managed network" in facts.teredo_error.value.lower()
        variant = "managed-network" if managed else ""
        yield Case(seen, variant=variant, severity="note" if tunnel_up(facts) else None)


@rule("IPHTTPS-NO-URL")
def no_url(facts: Facts) -> Iterator[tuple[str, ...]]:
    """The section was read and holds no URL, or the cmdlet printed nothing."""
    rules = [one for one in facts.nrpt or [] if one.direct and one.servers]
    asked = "iphttpsConfiguration" in facts.sections or "get-netiphttpsconfiguration" in facts.nothing
    if rules and facts.iphttps_url is None and asked:
        yield rules[0].quote, "Get-NetIPHttpsConfiguration: no URL"


@rule("IPSEC-NONE")
def no_ipsec(facts: Facts) -> Iterator[Case]:
    """No main mode association, though the tunnel is up, and no word that the machine is connected; an error where it
    says that it is not."""
    if stated(facts.ipsec, 0) and tunnel_up(facts) and facts.inside is None:
        seen = quotes(facts.ipsec, facts.iphttps_status, facts.connection)
        yield Case(seen, severity="error" if facts.connection is not None else None)


@rule("IPHTTPS-UNREACHED")
def unreached(facts: Facts) -> Iterator[Case]:
    """Test-NetConnection to port 443 failed, and IP-HTTPS itself does not say more."""
    if facts.iphttps_error is not None and facts.iphttps_error.value:
        return
    for (name, port), well in facts.tcp.items():
        unknown = not gateway(facts) and name not in locations(facts) and not inner(well)
        if port == 443 and not well.value and (unknown or gateway(facts) == name):
            yield Case((well.quote,), {"NAME": name})


@rule("IPHTTPS-OWN-CERTIFICATE")
def own_certificate(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Every certificate in the computer's store has ended; those of the location server's page are others."""
    store = own_certificates(facts)
    ended = [one for one in store if past(facts, one)]
    if ended and len(ended) == len(store) and facts.role in ("client", "unknown"):
        yield tuple(one.quote for one in ended)


@rule("TEREDO-PAIR")
def teredo_pair(facts: Facts) -> Iterator[tuple[str, ...]]:
    """A Teredo server's card with several public IPv4 addresses, no two of them consecutive; a single one may be all
    that was pasted."""
    on = stated(facts.teredo_server, True)
    cards = [(one, {each for each in one.ipv4 if public(each)}) for one in facts.interfaces if on]
    held = {each for _, found in cards for each in found}
    if not any(each + 1 in held for each in held):
        yield from ((*on, holding(one, sorted(found))) for one, found in cards if len(found) > 1)
