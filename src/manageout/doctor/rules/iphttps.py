"""A remote client's tunnel: IP-HTTPS by its last error code, IPsec in it, Teredo beside it.

Codes are called as in Windows' headers. Sockets (10000 and more), WinHTTP (12000 and more), certificate chains
(0x800b01..), CryptoAPI (0x800920..) and Schannel (0x800903..) each have a code of their own for one and the same cause.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Address

from manageout.doctor.facts import Facts
from manageout.doctor.rules.evidence import ended as past
from manageout.doctor.rules.evidence import gateway, inner, location, quotes, stated
from manageout.doctor.rules.rule import Case, Look, Theme
from manageout.windows.policies import IPHTTPS
from manageout.wire.special import is_global6

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


ERRORS: dict[str, tuple[int, ...]] = {
    "IPHTTPS-CERTIFICATE": (
        0x103,
        0x90320,
        0x8009030D,
        0x8009030E,
    ),  # STILL_ACTIVE, INCOMPLETE_, UNKNOWN_ and NO_CREDENTIALS
    # CERT_E_UNTRUSTEDROOT, _CHAINING, _UNTRUSTEDCA, TRUST_E_CERT_SIGNATURE, SEC_E_UNTRUSTED_ROOT, WinHTTP
    "IPHTTPS-UNTRUSTED": (0x800B0109, 0x800B010A, 0x800B0112, 0x80096004, 0x80090325, 0x2F0D),
    "IPHTTPS-EXPIRED": (
        0x800B0101,
        0x800B0102,
        0x80090328,
        0x2F05,
    ),  # _EXPIRED, _VALIDITYPERIODNESTING, SEC_E_CERT_EXPIRED
    "IPHTTPS-WRONG-NAME": (0x800B010F, 0x80090322, 0x2F06),  # and SEC_E_WRONG_PRINCIPAL
    # and CRYPT_E_NO_REVOCATION_CHECK, CERT_E_REVOCATION_FAILURE, WinHTTP
    "IPHTTPS-REVOCATION": (0x80092013, 0x80092012, 0x800B010E, 0x2F19),
    "IPHTTPS-REVOKED": (0x800B010C, 0x80092010, 0x2F8A),
    "IPHTTPS-WRONG-USAGE": (0x800B0110, 0x80090349),
    # ALGORITHM_MISMATCH, ILLEGAL_MESSAGE, INVALID_TOKEN, CERT_UNKNOWN, UNSUPPORTED_FUNCTION, WinHTTP's sum
    "IPHTTPS-TLS": (0x80090331, 0x80090326, 0x80090308, 0x80090327, 0x80090302, 0x2F8F),
    # HOST_NOT_FOUND, TRY_AGAIN, NO_RECOVERY, WinHTTP
    "IPHTTPS-NAME": (HOST_NOT_FOUND, 0x2AFA, 0x2AFB, 0x2EE7),
    "IPHTTPS-NO-DATA": (0x2AFC,),
    "IPHTTPS-TIMEOUT": (0x274C, 0x2EE2),
    "IPHTTPS-REFUSED": (0x274D, 0x2746, 0x2745, 0x2EFD, 0x2EFE),  # REFUSED, RESET, ABORTED, WinHTTP
    "IPHTTPS-NO-WAY": (0x2751, 0x2743, 0x2742),  # HOSTUNREACH, NETUNREACH, NETDOWN
    "IPHTTPS-CREATE": (0x34,),
    "IPHTTPS-INSTALL": (0x643,),
}
"""Code of a rule -> the last errors that mean it."""
_KNOWN = frozenset().union(*ERRORS.values())


def _of(numbers: tuple[int, ...]) -> Look:
    def look(facts: Facts) -> Iterator[tuple[str, ...]]:
        """One of these codes."""
        if number(facts) in numbers:
            yield quotes(facts.iphttps_error, facts.iphttps_status)

    return look


for _code, _numbers in ERRORS.items():
    rule(_code)(_of(_numbers))


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


@rule("IPHTTPS-OFF")
def off(facts: Facts) -> Iterator[tuple[str, ...]]:
    """IPHTTPS_ClientState = 3."""
    yield stated(facts.value(IPHTTPS, "IPHTTPS_ClientState"), 3)


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
    """The section was read and holds no URL."""
    rules = [one for one in facts.nrpt or [] if one.direct and one.servers]
    if rules and facts.iphttps_url is None and "iphttpsConfiguration" in facts.sections:
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
        unknown = not gateway(facts) and name != location(facts) and not inner(well)
        if port == 443 and not well.value and (unknown or gateway(facts) == name):
            yield Case((well.quote,), {"NAME": name})


@rule("IPHTTPS-OWN-CERTIFICATE")
def own_certificate(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Every certificate in the computer's store has ended."""
    ended = [one for one in facts.store if past(facts, one)]
    if ended and len(ended) == len(facts.store) and facts.role in ("client", "unknown"):
        yield tuple(one.quote for one in ended)
