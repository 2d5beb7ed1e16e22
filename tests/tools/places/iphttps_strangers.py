"""What people do who have no business at the gateway, and what it costs it: for system tests and benchmarks."""

from __future__ import annotations

import contextlib
import ssl
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.tools.places.iphttps import GATEWAY_NAME, Pair

CLIENTS = 10
PADDED = 14
"""Certificates of a padded chain, ours among them."""


def memory_of(pid: int) -> int:
    """Bytes of memory that the process has for itself."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no Pss in smaps_rollup")


def padded_contexts(pair: Pair, padding: int) -> list[ssl.SSLContext]:
    """Clients of TLS 1.2: a good certificate, and others behind it, of ``padding`` bytes each, that prove nothing.

    There are several, for none may connect all the time.
    """
    return [_padded(pair, f"padded{padding}-{number}.corp.example", padding) for number in range(CLIENTS)]


def _padded(pair: Pair, name: str, padding: int) -> ssl.SSLContext:
    files = pair.ca.issue(name, server=False)
    chain = pair.directory / f"{name}-{padding}.pem"
    chain.write_bytes(files.certificate.read_bytes() + _junk(padding) * (PADDED - 1))
    context = ssl.create_default_context(cafile=str(pair.ca.certificate_path))
    context.load_cert_chain(chain, files.key)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def come_and_go(pair: Pair, contexts: list[ssl.SSLContext], times: int) -> int:
    """Connect and disconnect one after another; how many got through the handshake."""
    served = 0
    for context in islice(cycle(contexts), times):
        with contextlib.suppress(OSError), pair.tcp() as tcp:  # ssl.SSLError is one
            tls = context.wrap_socket(tcp, server_hostname=GATEWAY_NAME)
            served += 1
            with contextlib.suppress(OSError):
                tls.unwrap()
    return served


def _junk(padding: int) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "padding")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    value = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.55555.1"), bytes(padding))
    signed = made.add_extension(value, critical=False).sign(key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM)
