"""A namespace with the DNS64 role in it, and the DNS servers that it asks: real BIND and Unbound, on loopback."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dns.message
import dns.query
import pytest

from manageout.lab.bind import no_files
from manageout.lab.process import wait_until
from manageout.linux.host import netns

NAME = "mo-test-dns64"
ADDRESS = "fd12:3456:789a:3333::1"
CLIENT, OTHER_CLIENT = "fd12:3456:789a:1000::5", "fd12:3456:789a:1000::6"
UPSTREAMS = ("10.0.0.10", "10.0.0.11", "10.0.0.12")
ZONE = "corp.example"
HEAD = f"""$TTL 300
@ SOA ns.{ZONE}. admin.{ZONE}. 1 3600 600 86400 60
@ NS ns.{ZONE}.
"""
RECORDS = """ns A 10.0.0.10
app A 10.0.0.20
short 7 A 10.0.0.21
dual A 10.0.0.22
dual AAAA fd12:3456:789a:5::22
six AAAA fd12:3456:789a:5::23
mapped A 10.0.0.24
mapped AAAA ::ffff:10.0.0.24
nearly A 10.0.0.25
nearly AAAA ::ffff:10.0.0.25
nearly AAAA fd12:3456:789a:5::25
www CNAME app
far CNAME www
nowhere CNAME missing
other DNAME sub
x.sub A 10.0.0.26
text TXT "nothing to translate"
mail MX 10 app
*.any A 10.0.0.27
branch NS ns.branch
ns.branch A 10.0.0.11
"""
RECORDS += "".join(f"many A 10.7.0.{n}\n" for n in range(1, 91))
REVERSE = f"{HEAD}20 PTR app.{ZONE}.\n21 CNAME 21.class.0.0.10.in-addr.arpa.\n21.class PTR short.{ZONE}.\n"
REVERSE += '22 TXT "no PTR"\n'
SIGNED = ("signed.example", "bogus.example", "denial.example")
SITE = """
[site]
prefix = "fd12:3456:789a::/48"
domain = "corp.example"
[gateway]
listen = ["127.0.0.1:443"]
certificate = "/nowhere/c.pem"
key = "/nowhere/k.pem"
client_ca = "/nowhere/ca.pem"
[translation]
pool = "10.0.8.0/24"
"""


class Running:
    """One program of the place."""

    def __init__(self, argv: Sequence[str], log: Path, *, cpu: int | None = None) -> None:
        self.log = log
        pin = ["taskset", "-c", str(cpu)] if cpu is not None else []
        with log.open("wb") as errors:
            self.process = subprocess.Popen(
                netns.command(NAME, [*pin, *argv]),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def stop(self) -> None:
        """End it; again is nothing."""
        self.process.terminate()
        self.process.wait(20)


class Dns64(Running):
    """The role."""

    def report(self) -> dict[str, Any]:
        """What it says of itself: status, findings, metrics."""
        pipe_in, pipe_out = self.process.stdin, self.process.stdout
        assert pipe_in and pipe_out
        pipe_in.write("\n")
        pipe_in.flush()
        found: dict[str, Any] = json.loads(pipe_out.readline())
        return found

    def count(self, metric: str) -> float:
        """One number of the metrics; 0 when it is not there."""
        return float(self.report()["metrics"].get(metric, 0))


class Place:
    """Everything that was started ends with :meth:`close`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._running: list[Running] = []
        netns.create(NAME)
        for address in (ADDRESS, CLIENT, OTHER_CLIENT):
            netns.run(NAME, ["ip", "address", "add", f"{address}/128", "dev", "lo", "nodad"])
        for address in (*UPSTREAMS, "10.0.0.99"):
            netns.run(NAME, ["ip", "address", "add", f"{address}/32", "dev", "lo"])

    def close(self) -> None:
        """End all and remove the namespace."""
        for each in self._running:
            each.process.kill()
            each.process.wait()
        netns.delete(NAME)

    # --- Servers ----------------------------------------------------------------------------------------

    def bind(self, address: str = UPSTREAMS[0], *, signed: bool = False, cpu: int | None = None) -> Running:
        """BIND at ``address``, with the zone and its reverse; ``signed``: also the signed ones."""
        _needs("named")
        directory = self.directory / f"bind-{address}"
        directory.mkdir()
        zones = {ZONE: f"{HEAD}{RECORDS}", "0.0.10.in-addr.arpa": REVERSE}
        lines = [
            f'options {{ directory "{directory}"; {no_files()}',
            f"listen-on {{ {address}; }}; listen-on-v6 {{ none; }}; recursion no; dnssec-validation no; }};",
            "controls { };",
        ]
        for zone, text in zones.items():
            (directory / f"{zone}.zone").write_text(text)
        names = {zone: f"{zone}.zone" for zone in zones}
        if signed:
            names |= sign(directory)
        lines += [f'zone "{zone}" {{ type primary; file "{file}"; }};' for zone, file in names.items()]
        return self._named(directory, lines, address, cpu)

    def bind_resolver(
        self, address: str, forwarder: str, anchors: Sequence[Path] = (), extra: str = ""
    ) -> Running:
        """BIND at ``address``, which asks ``forwarder`` for everything and validates what lies below ``anchors``.

        ``extra``: further statements.
        """
        _needs("named")
        directory = self.directory / f"bind-{address}"
        directory.mkdir(exist_ok=True)
        keys = ""
        for anchor in anchors:
            owner, _, _, flags, protocol, algorithm, *key = _key_of(anchor)
            keys += f'{owner} static-key {flags} {protocol} {algorithm} "{"".join(key)}";'
        lines = [
            f'options {{ directory "{directory}"; {no_files()}',
            f"listen-on {{ {address}; }}; listen-on-v6 {{ none; }}; recursion yes; allow-query {{ any; }};",
            f"forward only; forwarders {{ {forwarder}; }}; qname-minimization off; empty-zones-enable no;",
            f"dnssec-validation {'yes' if keys else 'no'}; }};",
            f"controls {{ }}; {extra}",
        ]
        if keys:
            lines.append(f"trust-anchors {{ {keys} }};")
        return self._named(directory, lines, address, None)

    def _named(self, directory: Path, lines: Sequence[str], address: str, cpu: int | None) -> Running:
        (directory / "named.conf").write_text("\n".join(lines) + "\n")
        binary = directory / "named"
        shutil.copy(str(shutil.which("named")), binary)  # AppArmor confines the usual path
        argv = [str(binary), "-g", "-n", "1", "-c", str(directory / "named.conf")]
        return self._start(Running(argv, directory / "log", cpu=cpu), address)

    def unbound(
        self,
        address: str,
        *,
        modules: str = "iterator",
        server: str = "",
        anchors: str = "",
        cpu: int | None = None,
    ) -> Running:
        """Unbound at ``address``, a resolver that knows the first server of the place."""
        _needs("unbound")
        directory = self.directory / f"unbound-{address.replace(':', '-')}"
        directory.mkdir()
        stubs = "".join(
            f'stub-zone:\n  name: "{zone}"\n  stub-addr: {UPSTREAMS[0]}\n  stub-no-cache: no\n'
            for zone in (ZONE, "0.0.10.in-addr.arpa", *SIGNED)
        )
        (directory / "unbound.conf").write_text(
            f'server:\n  interface: {address}\n  port: 53\n  username: ""\n  chroot: ""\n'
            f'  directory: "{directory}"\n  pidfile: ""\n  use-syslog: no\n  logfile: ""\n  num-threads: 1\n'
            f'  module-config: "{modules}"\n  access-control: 0.0.0.0/0 allow\n  access-control: ::/0 allow\n'
            f"  do-not-query-localhost: no\n  do-daemonize: no\n  local-zone: 10.in-addr.arpa. nodefault\n"
            f"  domain-insecure: {ZONE}\n  domain-insecure: 10.in-addr.arpa\n{anchors}{server}"
            f"remote-control:\n  control-enable: no\n{stubs}"
        )
        argv = ["unbound", "-d", "-p", "-c", str(directory / "unbound.conf")]
        return self._start(Running(argv, directory / "log", cpu=cpu), address)

    def dns64(
        self,
        upstreams: Sequence[str] = UPSTREAMS[:1],
        extra: str = "",
        clients: Sequence[str] = (),
        tables: str = "",
        cpu: int | None = None,
    ) -> Dns64:
        """The role; ``extra``: further lines of its table, ``tables`` after it."""
        file = self.directory / "site.toml"
        file.write_text(f"{SITE}[dns64]\nupstreams = {json.dumps(list(upstreams))}\n{extra}\n{tables}")
        argv = [sys.executable, "-m", "tests.tools.programs.dns64", str(file), *clients]
        role = Dns64(argv, self.directory / "dns64.log", cpu=cpu)
        self._start(role, ADDRESS)
        return role

    def _start(self, program: Running, address: str) -> Running:
        self._running.append(program)

        def listens() -> bool:
            assert program.process.poll() is None, program.log.read_text()
            family = "-4" if "." in address else "-6"
            found = netns.run(NAME, ["ss", family, "-Hlnt", f"src [{address}]:53"]).stdout
            return bool(found.strip())

        wait_until(f"{program.log} listens", listens, 20)
        return program

    # --- Clients ----------------------------------------------------------------------------------------

    def ask(
        self,
        name: str,
        kind: str = "AAAA",
        *,
        source: str = CLIENT,
        tcp: bool = False,
        dnssec: bool = False,
        flags: int = 0,
        edns: bool = True,
        size: int = 1232,
        timeout: float = 15,
    ) -> dns.message.Message:
        """The answer of the role to one question; over TCP when it is truncated and ``tcp``."""
        query = dns.message.make_query(name, kind, use_edns=edns, want_dnssec=dnssec, payload=size)
        if not edns:
            query.use_edns(False)
        query.flags |= flags
        return self.exchange(query, source=source, tcp=tcp, timeout=timeout)

    def exchange(
        self, query: dns.message.Message, *, source: str = CLIENT, tcp: bool = False, timeout: float = 15
    ) -> dns.message.Message:
        """One question and its answer."""
        send = dns.query.tcp if tcp else dns.query.udp
        with netns.inside(NAME):
            return send(query, ADDRESS, timeout, source=source)

    def answers(self, name: str, kind: str = "AAAA", **options: Any) -> list[str]:
        """``TYPE value`` of each record of the answer, in order."""
        return values(self.ask(name, kind, **options))


def values(message: dns.message.Message) -> list[str]:
    """``TYPE value`` of each record of the answer, in order."""
    return [
        f"{dns.rdatatype.to_text(rrset.rdtype)} {record.to_text()}"
        for rrset in message.answer
        for record in rrset
    ]


def sign(directory: Path) -> dict[str, str]:
    """The signed zones and their files. The address in ``bogus.``, the denials in ``denial.`` do not fit."""
    _needs("dnssec-signzone")
    names = {}
    for zone in SIGNED:
        key = subprocess.run(
            ["dnssec-keygen", "-q", "-K", str(directory), "-a", "ECDSAP256SHA256", "-f", "KSK", zone],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        file = directory / f"{zone}.zone"
        text = HEAD.replace(ZONE, zone) + "ns A 10.0.0.10\napp A 10.0.0.20\n"
        file.write_text(text + (directory / f"{key}.key").read_text())
        subprocess.run(
            ["dnssec-signzone", "-q", "-z", "-K", str(directory), "-o", zone, str(file)],
            cwd=directory,
            capture_output=True,
            check=True,
        )
        (directory / f"{zone}.anchor").write_text((directory / f"{key}.key").read_text())
        names[zone] = f"{zone}.zone.signed"
    _change(directory / names["bogus.example"], r"10\.0\.0\.20", "10.0.0.66")
    _change(directory / names["denial.example"], r"(\sNSEC\s+\S+\s+A) ", r"\1 MX ")
    return names


def _change(file: Path, old: str, new: str) -> None:
    text, count = re.subn(old, new, file.read_text())
    assert count, f"{file} has nothing like {old}"
    file.write_text(text)


def _key_of(anchor: Path) -> list[str]:
    """The words of a DNSKEY record: owner, class, type, flags, protocol, algorithm, key."""
    (line,) = [line for line in anchor.read_text().splitlines() if not line.startswith(";")]
    return line.split()


def _needs(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
