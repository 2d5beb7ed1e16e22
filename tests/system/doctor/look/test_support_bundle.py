"""Certificates of a site file as `doctor --live` sees them; the archive of `doctor --save`, without secrets."""

from __future__ import annotations

import base64
import json
import os
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from manageout.lab import bind, network, servers
from manageout.lab.topology import APP
from manageout.linux.host import netns
from manageout.service.tls import certificates
from manageout.service.tls.pki import Authority
from tests.system.doctor.look.test_live import codes, doctor
from tests.system.service.probe.test_probes import https
from tests.tools.commands import MANAGEOUT
from tests.tools.lab import Lab

DAY = timedelta(days=1)


class Ca:
    """An authority that signs whatever a test wants."""

    def __init__(self, directory: Path, name: str) -> None:
        self.key, self.name, self._directory = ec.generate_private_key(ec.SECP256R1()), name, directory
        self.file = self.certificate(name, -DAY, 365 * DAY)

    def certificate(
        self, name: str, start: timedelta, end: timedelta, crl_url: str = "", serial: int = 0
    ) -> Path:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(certificates.subject(name))
            .issuer_name(certificates.subject(self.name))
            .public_key(self.key.public_key())
            .serial_number(serial or x509.random_serial_number())
            .not_valid_before(now + start)
            .not_valid_after(now + end)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        )
        if crl_url:
            where = x509.DistributionPoint([x509.UniformResourceIdentifier(crl_url)], None, None, None)
            builder = builder.add_extension(x509.CRLDistributionPoints([where]), critical=False)
        return self._write("pem", builder.sign(self.key, hashes.SHA256()))

    def crl(self, end: timedelta, *revoked: int) -> Path:
        now = datetime.now(UTC)
        builder = x509.CertificateRevocationListBuilder().issuer_name(certificates.subject(self.name))
        builder = builder.last_update(now - 10 * DAY).next_update(now + end)
        for serial in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now).build()
            builder = builder.add_revoked_certificate(entry)
        return self._write("crl", builder.sign(self.key, hashes.SHA256()))

    def _write(self, kind: str, what: x509.Certificate | x509.CertificateRevocationList) -> Path:
        path = self._directory / f"{os.urandom(4).hex()}.{kind}"
        path.write_bytes(what.public_bytes(serialization.Encoding.PEM))
        return path


@pytest.fixture
def ca(tmp_path: Path) -> Ca:
    return Ca(tmp_path, "ca.example")


def with_files(tmp_path: Path, **files: Path) -> set[str]:
    """Codes for the gateway's site file with other files in it."""
    lines = (network.directory("gateway") / "site.toml").read_text().splitlines()
    for key, path in files.items():
        lines = [f'{key} = "{path}"' if line.startswith(f"{key} = ") else line for line in lines]
    (tmp_path / "site.toml").write_text("\n".join(lines))
    return codes("gateway", "--config", str(tmp_path / "site.toml"))


def test_certificates_out_of_their_time(lab: Lab, ca: Ca, tmp_path: Path) -> None:
    name = "gateway.corp.example"
    for start, end, code in (
        (-2 * DAY, -DAY, "LIVE-CERT-EXPIRED"),
        (-2 * DAY, 5 * DAY, "LIVE-CERT-SOON"),
        (DAY, 90 * DAY, "LIVE-CERT-EARLY"),
    ):
        assert with_files(tmp_path, certificate=ca.certificate(name, start, end)) == {code}


def test_files_that_do_not_fit(lab: Lab, ca: Ca, tmp_path: Path) -> None:
    stranger = Ca(tmp_path, "stranger.example")
    leaf = ca.certificate("gateway.corp.example", -DAY, 90 * DAY)
    leaf.write_bytes(leaf.read_bytes() + stranger.file.read_bytes())
    assert with_files(tmp_path, certificate=leaf) == {"LIVE-CERT-CHAIN"}
    assert with_files(tmp_path, certificate=tmp_path / "none.pem") == {"LIVE-CERT-UNREADABLE"}
    assert with_files(tmp_path, client_crl=tmp_path / "none.pem") == {"LIVE-CRL-UNREADABLE"}
    assert with_files(tmp_path, client_crl=stranger.crl(40 * DAY)) == {"LIVE-CRL-FOREIGN"}
    assert with_files(tmp_path, client_ca=ca.file, client_crl=ca.crl(-DAY)) == {"LIVE-CRL-EXPIRED"}
    assert with_files(tmp_path, client_ca=ca.file, client_crl=ca.crl(9 * DAY)) == {"LIVE-CRL-SOON"}


def test_a_certificate_that_is_revoked(lab: Lab, ca: Ca, tmp_path: Path) -> None:
    leaf = ca.certificate("gateway.corp.example", -DAY, 90 * DAY, serial=0xBAD)
    files = {"certificate": leaf, "client_ca": ca.file}
    assert with_files(tmp_path, **files, client_crl=ca.crl(40 * DAY, 0xBAD)) == {"LIVE-CERT-REVOKED"}
    assert with_files(tmp_path, **files, client_crl=ca.crl(40 * DAY, 0xBEE)) == set()


def test_a_list_that_nobody_can_fetch(lab: Lab, ca: Ca, tmp_path: Path) -> None:
    leaf = ca.certificate("gateway.corp.example", -DAY, 90 * DAY, "http://10.0.0.20:81/ca.crl")
    assert with_files(tmp_path, certificate=leaf) == {"LIVE-CRL-UNREACHABLE"}


def test_a_clock_that_is_wrong(lab: Lab, tmp_path: Path) -> None:
    """Against the Date of a web server, whose clock stands for everybody's."""
    name, ca = "app.corp.example", Authority(servers.pki_directory())
    written = ca.issue(name, server=True)
    files = (written.certificate, written.key)
    with netns.inside(network.namespace("app")), https(*files, ahead=4000, address=str(APP)) as port:
        options = ["--gateway", f"https://{name}:{port}/", "--ca", str(ca.certificate_path)]
        (found,) = doctor("helpdesk", "--live", *options)
    assert found["code"] == "LIVE-CLOCK" and "behind" in found["seen"][0]


# --- The archive --------------------------------------------------------------------------------------


def test_an_archive_for_somebody_else(lab: Lab, tmp_path: Path) -> None:
    """Everything is in it but secrets, which stand in the site file, the packet filter and the files it names."""
    site = tmp_path / "site.toml"
    text = (network.directory("gateway") / "site.toml").read_text()
    private = (servers.pki_directory() / "gateway.corp.example.key").read_text()
    planted = (
        "hunter2-password",
        "tok-1234567890abcdef",
        "swordfish99",
        base64.b64encode(b"planted secret").decode(),
    )
    comments = (
        f"# password = {planted[0]}\n# api_token: '{planted[1]}'\n# http://admin:{planted[2]}@proxy:3128/\n"
        f'# secret "{planted[3]}";\n' + "".join(f"# {line}\n" for line in private.splitlines())
    )
    site.write_text(text + comments)
    rule = f'table inet strangers {{\nchain i {{ comment "password={planted[0]}"; }}\n}}\n'
    network.run("gateway", ["nft", "-f", "-"], text=rule)
    file = tmp_path / "bundle.zip"
    try:
        assert doctor("gateway", "--save", str(file), "--config", str(site)) == []
    finally:
        network.run("gateway", ["nft", "delete", "table", "inet", "strangers"])

    assert file.stat().st_mode & 0o777 == 0o600 and file.stat().st_size < 1 << 20
    with zipfile.ZipFile(file) as archive:
        held = {name: archive.read(name).decode() for name in archive.namelist()}
    for name in ("README.txt", "live.json", "findings.json", "site.toml", "plan.txt", "versions.txt"):
        assert held[name]
    assert json.loads(held["control/status.json"])["roles"]["iphttps"]["clients"] == 1
    assert json.loads(held["control/leases.json"])[0]["name"] == "laptop.corp.example"
    assert (
        "mo-isatap0" in held["kernel/addresses.txt"] and "table inet manageout" in held["kernel/filter.txt"]
    )
    assert "net.ipv4.ip_forward = 1" in held["kernel/sysctl.txt"]
    secret = bind.key_file().read_text().split('secret "')[1].split('"')[0]
    body = [line for line in private.splitlines() if "PRIVATE" not in line]
    for name, content in held.items():
        for word in (*planted, secret, *body, "BEGIN PRIVATE KEY", "BEGIN EC PRIVATE KEY"):
            assert word not in content, (name, word)
    assert "chain i" in held["kernel/filter.txt"] and "# password = (removed)" in held["site.toml"]


def test_the_archive_is_judged_again_elsewhere(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "bundle.zip"
    live = doctor("kiosk", "--save", str(file), "--router", "10.0.0.20", "--server", "10.0.0.10")
    assert [row["code"] for row in live] == ["LIVE-ROUTER-OFF"]
    assert doctor("laptop", str(file)) == live
    text = network.run("laptop", [*MANAGEOUT, "doctor", str(file)], check=False).stdout
    assert "router        10.0.0.20: 10.0.0.20 says: it does not speak protocol 41" in text


def test_places_that_cannot_be_written(lab: Lab, tmp_path: Path) -> None:
    argv = [*MANAGEOUT, "doctor", "--save", str(tmp_path / "none" / "a.zip")]
    result = network.run("app", argv, check=False)
    assert result.returncode == 1 and "No such file or directory" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "options", [["--live", "file"], ["--save", "a.zip", "file"], ["--router", "x", "file"]]
)
def test_options_that_do_not_go_together(options: list[str]) -> None:
    import subprocess

    argv = [*MANAGEOUT, "doctor", *options]
    assert subprocess.run(argv, capture_output=True, check=False).returncode == 2
