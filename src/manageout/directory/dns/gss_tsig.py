"""GSS-TSIG (RFC 3645): updates signed by Kerberos, for zones of Active Directory with secure updates only.

A security context is agreed on with the server in TKEY queries (RFC 2930, mode 3), then signs updates under a key name
of our choice. Deviations of Windows that matter ([MS-GSSA]) are handled by dnspython and in ``dns_update``.
"""

import threading
import time
import uuid
from pathlib import Path
from typing import Any

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.tsig
import dns.update
from dns.rdtypes.ANY.TKEY import TKEY

from manageout.directory.dns.update import SignerError, over_tcp
from manageout.directory.dns.zones import Place
from manageout.errors import ManageoutError
from manageout.words import texts

ROUNDS = 10
"""Of tokens, at most."""
LIFETIME = 3600.0
"""Seconds after which a context is agreed on anew, well within a ticket's life."""
MARGIN = 60.0
"""Seconds before its ticket's end at which a context is no longer used."""
_SPNEGO = "1.3.6.1.5.5.2"
_FLAGS = ("mutual_authentication", "replay_detection", "out_of_sequence_detection", "integrity")


class KerberosSigner:
    """Signs as the account of a keytab. Raises :class:`ManageoutError` when that can never work here."""

    def __init__(self, keytab: Path, principal: str) -> None:
        try:
            import gssapi
        except ImportError:
            raise ManageoutError(*texts(__package__, "no-gssapi")) from None
        if not keytab.is_file():
            raise ManageoutError(*texts(__package__, "no-keytab", path=keytab))
        self._gssapi: Any = gssapi
        self._keytab, self._principal = keytab, principal
        self._cache = f"MEMORY:manageout-{uuid.uuid4()}"
        self._contexts: dict[Place, tuple[dns.tsig.Key, float]] = {}
        self._lock = threading.Lock()

    def sign(self, update: dns.message.Message, place: Place) -> None:
        """With the context for that server, agreed on now if there is none. Raises :class:`SignerError`."""
        with self._lock:
            place = place._replace(zone="")
            key, until = self._contexts.get(place, (None, 0.0))
            if key is None or until < time.monotonic():
                key = self._agree(place)
                # None: a context without end. A ticket may be an old one, near its end.
                left = getattr(key.secret, "lifetime", None)
                lasts = LIFETIME if left is None else min(LIFETIME, left - MARGIN)
                self._contexts[place] = (key, time.monotonic() + lasts)
        update.use_tsig({key.name: key}, algorithm=dns.tsig.GSS_TSIG)

    def reset(self) -> None:
        """The server has forgotten our contexts, or the ticket is no longer good."""
        with self._lock:
            self._contexts.clear()

    def _agree(self, place: Place) -> dns.tsig.Key:
        gssapi = self._gssapi
        try:
            context = gssapi.SecurityContext(
                name=gssapi.Name(f"DNS@{place.host}", gssapi.NameType.hostbased_service),
                creds=self._credentials(),
                usage="initiate",
                mech=gssapi.OID.from_int_seq(_SPNEGO),
                flags=[getattr(gssapi.RequirementFlag, name) for name in _FLAGS],
            )
            return self._negotiate(context, place)
        except gssapi.exceptions.GSSError as error:
            raise _explained(error, place) from None

    def _credentials(self) -> Any:
        gssapi = self._gssapi
        name = gssapi.Name(self._principal, gssapi.NameType.kerberos_principal) if self._principal else None
        store = {"client_keytab": str(self._keytab), "ccache": self._cache}
        return gssapi.Credentials(name=name, usage="initiate", store=store)

    def _negotiate(self, context: Any, place: Place) -> dns.tsig.Key:
        """Tokens to and fro; the last answer is signed with the new key."""
        # A name that has no label in common with the message: servers take a compressed one for another length, and
        # the signature for wrong ([MS-GSSA] 3.1.4.2; Samba).
        key = dns.tsig.Key(dns.name.from_text(f"{uuid.uuid4()}.manageout"), context, dns.tsig.GSS_TSIG)
        ring = dns.tsig.GSSTSigAdapter({key.name: key})  # type: ignore[no-untyped-call]
        token = context.step()
        for _ in range(ROUNDS):
            if not token:
                break
            query = _tkey_query(key.name, token)
            query.keyring = ring
            wire = over_tcp(query.to_wire(max_size=65535), place.server)
            answer = _read(wire, ring)
            if (error := _error(answer)) != dns.rcode.NOERROR:
                words = f"{place.host} does not agree on a key: {dns.rcode.to_text(error)}"
                raise SignerError("KERBEROS-REFUSED", words)
            if context.complete:
                return key
            token = _next_token(answer, context)
        if not context.complete:
            raise SignerError("KERBEROS-REFUSED", f"{place.host} does not come to an end with the agreement")
        return key


def _tkey_query(name: dns.name.Name, token: bytes) -> dns.message.QueryMessage:
    query = dns.message.make_query(name, dns.rdatatype.TKEY, dns.rdataclass.ANY)
    now, kind = int(time.time()), (dns.rdataclass.ANY, dns.rdatatype.TKEY)
    lasts, mode = (now, now + int(LIFETIME)), TKEY.GSSAPI_NEGOTIATION
    algorithm = dns.name.from_text("gss-tsig.")
    data = TKEY(*kind, algorithm, *lasts, mode, dns.rcode.NOERROR, token, b"")  # type: ignore[no-untyped-call]
    rrset = query.find_rrset(
        query.additional, name, dns.rdataclass.ANY, dns.rdatatype.TKEY, create=True, force_unique=True
    )
    rrset.add(data)
    return query


def _read(wire: bytes, ring: Any) -> dns.message.Message:
    """The answer; the adapter steps the context with its token before the signature is verified."""
    try:
        return dns.message.from_wire(wire, keyring=ring)
    except dns.exception.FormError:
        return dns.message.from_wire(wire, keyring=False)
    except dns.tsig.PeerError as error:
        raise SignerError("KERBEROS-REFUSED", f"the server does not agree on a key: {error}") from None
    except (*_WRONG, dns.message.UnknownTSIGKey) as error:
        raise SignerError("KERBEROS-REFUSED", f"the server's signature is wrong: {error}") from None


_WRONG = (dns.tsig.BadSignature, dns.tsig.BadTime, dns.tsig.BadKey, dns.tsig.BadAlgorithm)


def _error(answer: dns.message.Message) -> dns.rcode.Rcode:
    """That of the message, else that of its TKEY record (RFC 2930 2.6): a message without an error may hold one."""
    if answer.rcode() != dns.rcode.NOERROR:
        return answer.rcode()
    keys = [rrset[0] for rrset in answer.answer if rrset.rdtype == dns.rdatatype.TKEY]
    return dns.rcode.Rcode.make(min(keys[0].error, 4095) if keys else 0)


def _next_token(answer: dns.message.Message, context: Any) -> bytes:
    for rrset in answer.answer:
        if rrset.rdtype == dns.rdatatype.TKEY:
            return context.step(rrset[0].key) or b""
    return b""


def _explained(error: Exception, place: Place) -> SignerError:
    text = _words(str(error))
    lower = str(error).lower()
    if "cannot contact" in lower or "cannot find kdc" in lower or "unable to reach" in lower:
        return SignerError("KERBEROS-NO-KDC", f"no Kerberos server answers: {text}")
    if "clock skew" in lower:
        return SignerError("KERBEROS-CLOCK", f"the clock differs from the Kerberos server's: {text}")
    if "preauthentication failed" in lower or "not found in kerberos database" in lower or "keytab" in lower:
        return SignerError("KERBEROS-ACCOUNT", f"the keytab's account cannot log in: {text}")
    return SignerError("KERBEROS-FAILED", f"no ticket for DNS/{place.host}: {text}")


def _words(text: str) -> str:
    """``Major (458752): what GSSAPI says, Minor (2529639107): what Kerberos says`` -> what Kerberos says, or else
    GSSAPI."""
    major, _, minor = " ".join(text.split()).partition(", Minor ")
    known = minor.partition(": ")[2].strip()
    if not known or "unknown" in known.lower() or known.lower() == "success":
        known = major.partition(": ")[2] if major.startswith("Major ") else major
    return known.strip(" .")
