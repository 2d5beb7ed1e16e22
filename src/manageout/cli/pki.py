"""``manageout pki``: certificates for gateways and for their clients."""

import json
from pathlib import Path

import click

from manageout.cli.options import options
from manageout.cli.show.options import FOLDER
from manageout.service.tls.certificates import now
from manageout.service.tls.pki import Authority, CertificateFiles
from manageout.words import counted


@click.group()
def pki() -> None:
    """Make certificates for gateways and clients."""


@pki.command()
@click.argument("directory", type=FOLDER, default=Path("pki"))
@options("pki.init")
def init(directory: Path, name: str, rsa_key: bool, force: bool) -> None:
    """Make a certificate authority in DIRECTORY."""
    authority = Authority.create(directory, name, rsa_key=rsa_key, force=force)
    _print_files(("authority", authority.certificate_path), ("its key", authority.key_path))
    _print_revocations(authority)
    click.echo(f"\nKeep {authority.key_path} off the gateway. Next, with your gateway's public DNS name:")
    click.echo(f"  manageout pki issue gateway.example.com --server --dir {directory}")


@pki.command()
@click.argument("name")
@options("pki.issue")
def issue(
    name: str, directory: Path, server: bool, dns: tuple[str, ...], days: int, rsa_key: bool, force: bool
) -> None:
    """Issue a certificate for NAME, a DNS name."""
    authority = Authority(directory)
    files = authority.issue(name, server=server, dns=dns, days=days, rsa_key=rsa_key, force=force)
    _print_files(("certificate", files.certificate), ("its key", files.key))
    if authority.crl_renewed:
        _print_revocations(authority, "made anew, copy it to client_crl on every gateway: it")
    _print_server_use(authority, files) if server else _print_client_use(authority, files)


@pki.command()
@click.argument("name")
@options("pki.revoke")
def revoke(name: str, directory: Path) -> None:
    """Revoke every good certificate of NAME.

    The new list is good for a year. Gateways let nobody new in with a list that has ended: `pki crl` renews it.
    """
    authority = Authority(directory)
    for entry in authority.revoke(name):
        click.echo(f"revoked      {entry.name} (serial {entry.serial})")
    _print_revocations(authority)
    click.echo("\nCopy it to client_crl on every gateway: it is read again when it changes.")


@pki.command()
@options("pki.crl")
def crl(directory: Path, days: int) -> None:
    """Make the revocation list anew, before it expires, without revoking anything.

    Gateways let nobody new in with a list that has ended, and say so from 30 days before in `status`.
    """
    authority = Authority(directory)
    authority.write_crl(days)
    _print_revocations(authority)
    click.echo("\nCopy it to client_crl on every gateway: it is read again when it changes.")


@pki.command()
@options("pki.show")
def show(directory: Path, as_json: bool) -> None:
    """List what was issued, and until when it is good."""
    authority = Authority(directory)
    entries, crl_until = authority.entries(), authority.crl_valid_until().isoformat()
    if as_json:
        items = [{**entry._asdict(), "state": entry.state} for entry in entries]
        click.echo(json.dumps({"directory": str(directory), "crl_valid_until": crl_until, "issued": items}))
        return
    click.echo(f"authority    {authority.certificate.subject.rfc4514_string()}")
    click.echo(f"revocations  {authority.crl_path}, good until {crl_until}")
    for entry in entries:
        click.echo(f"{entry.state:12} {entry.usage:7} {entry.not_after[:10]}  {entry.name}")


def _print_revocations(authority: Authority, what: str = "it") -> None:
    _print_files(("revocations", authority.crl_path))
    until = authority.crl_valid_until()
    days = counted(round((until - now()).total_seconds() / 86400), "day")
    renew = f"manageout pki crl --dir {authority.directory}"
    click.echo(
        f"{'':12} {what} ends in {days}, on {until:%Y-%m-%d}; no client can connect then. Before: {renew}"
    )


def _print_files(*files: tuple[str, Path]) -> None:
    for what, path in files:
        click.echo(f"{what:12} {path}")


def _print_server_use(authority: Authority, files: CertificateFiles) -> None:
    click.echo("\nIn the site file:\n\n[gateway]")
    keys = {"certificate": files.certificate, "key": files.key}
    keys |= {"client_ca": authority.certificate_path, "client_crl": authority.crl_path}
    for key, path in keys.items():
        click.echo(f'{key} = "{path.resolve()}"')


def _print_client_use(authority: Authority, files: CertificateFiles) -> None:
    click.echo("\nCopy both and the authority's certificate to the client, and run there:\n")
    click.echo(
        f"  manageout connect https://GATEWAY/IPHTTPS --cert {files.certificate.name} --key {files.key.name}"
        f" --ca {authority.certificate_path.name}"
    )
