"""A remote client's IP-HTTPS: what its last error code says, by the names that Windows' headers give the codes.

Sockets (10000 and more), WinHTTP (12000 and more), certificate chains (0x800b01..), CryptoAPI (0x800920..) and
Schannel (0x800903..) each have a code of their own for one and the same cause.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import NamedTuple

from manageout.doctor.facts import Facts
from manageout.doctor.findings import Case, Look, gateway, rule
from manageout.windows.policies import IPHTTPS
from manageout.wire.special import is_global6

NOT_CONNECTED = ("LOCATION-FAILED", "LOCATION-PROBE", "NRPT-NSLOOKUP")
"""What a client shows while its tunnel is down."""
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


def _quotes(facts: Facts) -> tuple[str, ...]:
    return tuple(seen.quote for seen in (facts.iphttps_error, facts.iphttps_status) if seen is not None)


class _Failure(NamedTuple):
    code: str
    title: str
    cause: str
    remedy: tuple[str, ...]
    numbers: tuple[int, ...]


_LOOK_AT_IT = "on the gateway: manageout check; anywhere: openssl s_client -connect GATEWAY:443"
_FAILURES = (
    _Failure(
        "IPHTTPS-CERTIFICATE",
        "IP-HTTPS finds no usable certificate (0x103)",
        "The computer has no certificate of the authority that the gateway asks for, or it has expired.",
        (
            "certutil -store my   (a computer certificate with client authentication, valid today)",
            "gpupdate /force; certutil -pulse",
        ),
        (0x103, 0x90320, 0x8009030D, 0x8009030E),  # STILL_ACTIVE, INCOMPLETE_, UNKNOWN_ and NO_CREDENTIALS
    ),
    _Failure(
        "IPHTTPS-UNTRUSTED",
        "the gateway's certificate is not trusted (CERT_E_UNTRUSTEDROOT)",
        "Its root is not among this computer's trusted roots, or an intermediate certificate is missing on the way "
        "there. Roots that are installed for a user do not count.",
        (
            "certutil -addstore Root ROOT.cer   (as administrator; for all clients by group policy)",
            "certutil -store Root   (is the gateway's authority among them?)",
            "on the gateway: the certificate's file must hold the intermediate certificates too",
        ),
        # CERT_E_UNTRUSTEDROOT, _CHAINING, _UNTRUSTEDCA, TRUST_E_CERT_SIGNATURE, SEC_E_UNTRUSTED_ROOT, WinHTTP
        (0x800B0109, 0x800B010A, 0x800B0112, 0x80096004, 0x80090325, 0x2F0D),
    ),
    _Failure(
        "IPHTTPS-EXPIRED",
        "the gateway's certificate has expired, or is not yet valid (CERT_E_EXPIRED)",
        "It, or one above it, is outside of its dates by this computer's clock.",
        (
            "renew the gateway's certificate, and reload: systemctl reload manageout",
            _LOOK_AT_IT,
            "w32tm /query /status   (is this computer's clock right?)",
        ),
        (0x800B0101, 0x800B0102, 0x80090328, 0x2F05),  # _EXPIRED, _VALIDITYPERIODNESTING, SEC_E_CERT_EXPIRED
    ),
    _Failure(
        "IPHTTPS-WRONG-NAME",
        "the gateway's certificate is for another name (CERT_E_CN_NO_MATCH)",
        "The name in the IP-HTTPS URL is not among the names of the certificate that answered.",
        (
            "a certificate whose subject alternative names hold GATEWAY",
            _LOOK_AT_IT,
            "or another machine answers: Resolve-DnsName GATEWAY",
        ),
        (0x800B010F, 0x80090322, 0x2F06),  # and SEC_E_WRONG_PRINCIPAL
    ),
    _Failure(
        "IPHTTPS-REVOCATION",
        "the gateway's certificate cannot be checked for revocation (CRYPT_E_REVOCATION_OFFLINE)",
        "Its revocation list is not reached from outside, or has ended. Windows does not connect without: the list "
        "must be on a web server that answers on the Internet, under a name that is not asked through the tunnel.",
        (
            "certutil -urlfetch -verify GATEWAY.cer   (which address fails?)",
            "publish the list where the certificate says, over http, and renew it before it ends",
        ),
        # and CRYPT_E_NO_REVOCATION_CHECK, CERT_E_REVOCATION_FAILURE, WinHTTP
        (0x80092013, 0x80092012, 0x800B010E, 0x2F19),
    ),
    _Failure(
        "IPHTTPS-REVOKED",
        "the gateway's certificate is revoked (CERT_E_REVOKED)",
        "Its authority has taken it back.",
        ("give the gateway a new certificate, and reload: systemctl reload manageout", _LOOK_AT_IT),
        (0x800B010C, 0x80092010, 0x2F8A),
    ),
    _Failure(
        "IPHTTPS-WRONG-USAGE",
        "the gateway's certificate is not for a server (CERT_E_WRONG_USAGE)",
        "Its extended key usage lacks server authentication; mostly it is a client certificate.",
        ("a certificate with server authentication (1.3.6.1.5.5.7.3.1)", _LOOK_AT_IT),
        (0x800B0110, 0x80090349),
    ),
    _Failure(
        "IPHTTPS-TLS",
        "gateway and client agree on no TLS (SEC_E_ALGORITHM_MISMATCH)",
        "No common version or cipher, or what answers there does not speak TLS as it should: a device in between that "
        "opens TLS, or another service on the port.",
        (
            _LOOK_AT_IT,
            "on the client: Get-TlsCipherSuite   (TLS 1.2 must not be switched off)",
        ),
        # ALGORITHM_MISMATCH, ILLEGAL_MESSAGE, INVALID_TOKEN, CERT_UNKNOWN, UNSUPPORTED_FUNCTION, WinHTTP's sum
        (0x80090331, 0x80090326, 0x80090308, 0x80090327, 0x80090302, 0x2F8F),
    ),
    _Failure(
        "IPHTTPS-NAME",
        "the gateway's name cannot be resolved (0x2AF9)",
        "The name in the URL has no record in the public DNS, or the name-resolution policy sends it into the "
        "tunnel that it is to open.",
        ("Resolve-DnsName GATEWAY", "exempt the gateway's name: rollout.gateway_name does"),
        (HOST_NOT_FOUND, 0x2AFA, 0x2AFB, 0x2EE7),  # HOST_NOT_FOUND, TRY_AGAIN, NO_RECOVERY, WinHTTP
    ),
    _Failure(
        "IPHTTPS-NO-DATA",
        "the gateway's name is there but no connection comes about (0x2AFC)",
        "A proxy or NAT in between, or the server does not publish the client prefix.",
        ("try from another network", "on the gateway: manageout status, manageout drops"),
        (0x2AFC,),
    ),
    _Failure(
        "IPHTTPS-TIMEOUT",
        "the gateway does not answer (0x274C)",
        "TCP 443 does not reach it: a firewall, a wrong address, or the gateway is down.",
        ("Test-NetConnection GATEWAY -Port 443", "on the gateway: manageout status"),
        (0x274C, 0x2EE2),
    ),
    _Failure(
        "IPHTTPS-REFUSED",
        "the gateway refuses the connection (0x274D)",
        "Its address answers, but nothing listens on the port, or something on the way resets it.",
        (
            "Test-NetConnection GATEWAY -Port 443",
            "on the gateway: ss -ltnp 'sport = :443'; manageout status",
        ),
        (0x274D, 0x2746, 0x2745, 0x2EFD, 0x2EFE),  # REFUSED, RESET, ABORTED, WinHTTP
    ),
    _Failure(
        "IPHTTPS-NO-WAY",
        "there is no way to the gateway (0x2751)",
        "This computer has no route to the gateway's address: no network, or an IPv6 address where there is no IPv6.",
        ("Resolve-DnsName GATEWAY", "Test-NetConnection GATEWAY -TraceRoute"),
        (0x2751, 0x2743, 0x2742),  # HOSTUNREACH, NETUNREACH, NETDOWN
    ),
    _Failure(
        "IPHTTPS-CREATE",
        "the IP-HTTPS interface cannot be made (0x34)",
        "An interface of that name exists, mostly a left-over.",
        (
            "Device Manager, hidden devices: remove every 'Microsoft IP-HTTPS Platform Adapter'",
            "Restart-Service iphlpsvc",
        ),
        (0x34,),
    ),
    _Failure(
        "IPHTTPS-INSTALL",
        "the IP-HTTPS adapter cannot be installed (0x643)",
        "Left-over adapters, or DisabledComponents in the registry.",
        ("Device Manager, hidden devices: remove old IP-HTTPS adapters", "look for DisabledComponents"),
        (0x643,),
    ),
)
_KNOWN = frozenset(one for failure in _FAILURES for one in failure.numbers)


def _of(numbers: tuple[int, ...]) -> Look:
    def look(facts: Facts) -> Iterator[tuple[str, ...]]:
        """One of these codes."""
        if number(facts) in numbers:
            yield _quotes(facts)

    return look


for _one in _FAILURES:
    rule(_one.code, "error", _one.title, cause=_one.cause, remedy=_one.remedy, hides=NOT_CONNECTED)(
        _of(_one.numbers)
    )


@rule(
    "IPHTTPS-PROXY",
    "error",
    "the gateway's name resolves, yet IP-HTTPS does not get it (0x2AF9)",
    cause="IP-HTTPS runs as the system account, which has a proxy of its own: one that is not reached from here, or a "
    "network that lets nobody out but through one. If there is none, the name was asked elsewhere then: through "
    "the name-resolution policy, or before the network was up.",
    remedy=(
        "netsh winhttp show proxy   (of the system account; netsh winhttp reset proxy takes it away)",
        "netsh namespace show effectivepolicy   (does a rule cover GATEWAY?)",
        "Restart-Service iphlpsvc   (tries again at once)",
        "from a network without a proxy, such as a telephone's",
    ),
    hides=("IPHTTPS-NAME", *NOT_CONNECTED),
)
def proxy(facts: Facts) -> Iterator[Case]:
    """The code for a name that is not found, though a look-up found it, or with a proxy set."""
    if number(facts) not in (HOST_NOT_FOUND, 0x2EE7):
        return
    found = [
        one.quote
        for one in facts.lookups
        if one.name.lower().rstrip(".") == gateway(facts).rstrip(".")
        and any(isinstance(address, IPv4Address) or is_global6(address) for address in one.addresses)
    ]
    proxied = facts.proxy if facts.proxy is not None and facts.proxy.value else None
    if found and gateway(facts):
        yield Case((*_quotes(facts), *found, *((facts.proxy.quote,) if facts.proxy else ())))
    elif proxied is not None:
        yield Case((*_quotes(facts), proxied.quote))


@rule(
    "IPHTTPS-OTHER",
    "error",
    "IP-HTTPS does not work, with a code that has no rule here",
    cause="The code is Windows' own; the gateway's log may say more.",
    remedy=(
        "certutil -error CODE   (what Windows calls it)",
        "on the gateway: journalctl -u manageout, manageout drops",
    ),
    hides=NOT_CONNECTED,
)
def other_code(facts: Facts) -> Iterator[Case]:
    """Any other than 0 and the known ones."""
    code = number(facts)
    if code and code not in _KNOWN and facts.iphttps_error is not None:
        yield Case(_quotes(facts), {"CODE": f"0x{facts.iphttps_error.value & 0xFFFFFFFF:x}"})


@rule(
    "IPHTTPS-OFF",
    "error",
    "group policy switches IP-HTTPS off",
    cause="The policy 'Set IP-HTTPS State' is Disabled for this machine.",
    remedy=("gpresult /h report.html   (shows which policy)", "take the machine out of it"),
    hides=("IPHTTPS-OTHER", *NOT_CONNECTED),
)
def off(facts: Facts) -> Iterator[tuple[str, ...]]:
    """IPHTTPS_ClientState = 3."""
    found = facts.value(IPHTTPS, "IPHTTPS_ClientState")
    if found is not None and found.value == 3:
        yield (found.quote,)
