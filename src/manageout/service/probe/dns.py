"""Ask each DNS server by itself, rather than whichever the resolver picks."""

import socket
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.reversename

from manageout.directory.dns.zones import Server
from manageout.service.probe.results import DnsAnswer
from manageout.service.resolver import resolv_conf, resolved
from manageout.words import said

WAIT = 2.0
MAX_SERVERS = 16
MAX_RECORDS = 64
"""Of one answer; no name here has more."""
_UNUSABLE = (dns.exception.DNSException, OSError, ValueError)


def system_servers(path: Path = resolv_conf.PATH) -> list[str]:
    """The name servers of ``path``, in order; those behind systemd-resolved in its place."""
    found: list[str] = []
    for server in resolv_conf.servers_of(_text(path)):
        found += (resolved.uplinks() if server in resolved.STUBS else []) or [server]
    return list(dict.fromkeys(found))[:MAX_SERVERS]


def search_domain(path: Path = resolv_conf.PATH) -> str:
    """The first domain that ``path`` adds to short names; empty when there is none."""
    for words in map(str.split, _text(path).splitlines()):
        if words and words[0] in ("search", "domain") and len(words) > 1:
            return words[1].rstrip(".")
    return ""


def ask(name: str, kind: str, server: str, wait: float = WAIT) -> DnsAnswer:
    """Ask ``server`` for one kind of record of ``name``; by TCP too if the answer is long. Waits ``wait`` at most."""
    until = time.monotonic() + wait
    try:
        place = Server.parse(server)
        query = dns.message.make_query(name, kind)
        with socket.socket(place.family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
            sock.connect((place.address, place.port))  # so that a closed port is told
            answer = dns.query.udp(query, place.address, wait, place.port, ignore_trailing=True, sock=sock)
        if answer.flags & dns.flags.TC:
            answer = dns.query.tcp(query, place.address, max(until - time.monotonic(), 0.2), place.port)
    except dns.exception.Timeout:
        return DnsAnswer(name, kind, server, "", error=f"no answer in {wait:g} s")
    except _UNUSABLE as error:
        return DnsAnswer(name, kind, server, "", error=said(error))
    wanted = dns.rdatatype.from_text(kind)
    found = [item.to_text() for rrset in answer.answer if rrset.rdtype == wanted for item in rrset]
    records = tuple(sorted(text.rstrip(".") for text in found)[:MAX_RECORDS])
    authoritative = bool(answer.flags & dns.flags.AA)
    return DnsAnswer(name, kind, server, dns.rcode.to_text(answer.rcode()), records, authoritative)


def ask_all(
    questions: Iterable[tuple[str, str]], servers: Sequence[str], wait: float = WAIT
) -> list[DnsAnswer]:
    """Every (name, kind) on every server, side by side; in the order of the questions, then of the servers."""
    jobs = [(name, kind, server) for name, kind in questions for server in servers]
    if not jobs:
        return []
    with ThreadPoolExecutor(max_workers=min(32, len(jobs))) as pool:
        return list(pool.map(lambda job: ask(job[0], job[1], job[2], wait), jobs))


def resolve(host: str, wait: float = 3.0) -> tuple[list[str], str]:
    """Addresses of ``host`` as programs of this machine get them (hosts file and all), or why there are none."""
    found: list[str] = []
    faults: list[str] = []

    def look() -> None:
        try:
            rows = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            faults.append(said(error) if isinstance(error, OSError) else "not a host name")
        else:
            found.extend(dict.fromkeys(str(row[4][0]) for row in rows))

    # The resolver's patience is not ours to set, so it is left alone when it takes too long.
    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(wait)
    if thread.is_alive():
        return [], f"no answer in {wait:g} s"
    return found, faults[0] if faults else ""


def reverse_name(address: str) -> str:
    """The name that holds the PTR record of ``address``."""
    return dns.reversename.from_address(address).to_text(omit_final_dot=True)


def _text(path: Path) -> str:
    try:
        with path.open(errors="replace") as file:
            return file.read(resolv_conf.MAX_SIZE)
    except OSError:
        return ""
