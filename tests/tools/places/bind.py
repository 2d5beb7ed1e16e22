"""A BIND of the test's own on loopback, with zones that take updates, and what it says afterwards."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import dns.message
import dns.query
import dns.rdatatype
import pytest

from manageout.lab.bind import no_files
from manageout.lab.process import wait_until

ADDRESS, PORT = "127.0.0.1", 5354
ZONE = "corp.example"
ZONES = (ZONE, "0.0.10.in-addr.arpa", "a.9.8.7.6.5.4.3.2.1.d.f.ip6.arpa")
SECRET = "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0"
KEY = f'key "manageout" {{ algorithm hmac-sha256; secret "{SECRET}"; }};\n'


@contextmanager
def bind(
    directory: Path,
    update: str = "any",
    records: str = "",
    zones: tuple[str, ...] = ZONES,
    recursion: bool = False,
    updates: Mapping[str, str] | None = None,
    transfer: str = "any",
) -> Iterator[None]:
    """BIND with ``zones``, which take updates from whom ``update`` says, or ``updates`` for each, and may be
    transferred by whom ``transfer`` says; ``records`` are added to the first.

    With ``recursion`` it has also the empty reverse zones of RFC 6303.
    """
    if shutil.which("named") is None:
        pytest.skip("bind9 is not installed")
    directory.mkdir(exist_ok=True)
    (directory / "key").write_text(KEY)
    recurse = "yes" if recursion else "no"
    lines = [
        f'include "{directory}/key";',
        f'options {{ directory "{directory}"; {no_files()}',
        f"listen-on port {PORT} {{ {ADDRESS}; }}; listen-on-v6 {{ none; }};",
        f"recursion {recurse}; dnssec-validation no; allow-transfer {{ {transfer}; }}; }};",
        "controls { };",
    ]
    for zone in zones:
        head = f"$TTL 60\n@ SOA ns.{zones[0]}. admin.{zones[0]}. 1 3600 600 86400 5\n@ NS ns.{zones[0]}.\n"
        own = f"ns A {ADDRESS}\n{records}" if zone == zones[0] else ""
        (directory / f"{zone}.zone").write_text(head + own)
        who = (updates or {}).get(zone, update)
        lines.append(f'zone "{zone}" {{ type primary; file "{zone}.zone"; allow-update {{ {who}; }}; }};')
    (directory / "named.conf").write_text("\n".join(lines) + "\n")
    binary = directory / "named"
    shutil.copy(str(shutil.which("named")), binary)  # AppArmor confines the usual path
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            [binary, "-g", "-4", "-n", "1", "-c", str(directory / "named.conf")], stderr=log, stdout=log
        )
        try:
            wait_until("BIND listens", lambda: _listens() or process.poll() is not None, 20)
            assert process.poll() is None, (directory / "log").read_text()
            yield
        finally:
            process.kill()
            process.wait()


def answers(name: str, kind: str) -> list[str]:
    """What the server has."""
    query = dns.message.make_query(name, kind)
    found = dns.query.tcp(query, ADDRESS, 5, PORT).answer
    return sorted(item.to_text() for rrset in found for item in rrset)


def _listens() -> bool:
    try:
        socket.create_connection((ADDRESS, PORT), 1).close()
    except OSError:
        return False
    return True
