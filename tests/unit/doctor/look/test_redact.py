"""Secrets do not leave the machine, whatever they stand in; everything else does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from manageout.doctor.look.redact import REMOVED, Redactor, secrets_of
from manageout.site.tables import site as config

SECRET = "Zm9vYmFyYmF6cXV4"
KEY = f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n{SECRET}AB\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    "text",
    [
        f"password = {SECRET}",
        f"Password: {SECRET}",
        f'password = "a b {SECRET}"',
        f"PASSWD='{SECRET} x'",
        f"export DB_PASSWORD={SECRET}",
        f'{{"apiToken": "{SECRET}", "a": 1}}',
        f'{{"client_secret":"{SECRET}"}}',
        f'key "m" {{ algorithm hmac-sha256; secret "{SECRET}"; }};',
        f"secret {SECRET};",
        f"proxy http://user:{SECRET}@proxy.example:3128/",
        f"Authorization: Basic {SECRET}",
        f"Proxy-Authorization: Negotiate {SECRET}",
        f"curl -H 'Bearer {SECRET}'",
        f"psk={SECRET}",
        f"--shared-key={SECRET}",
        f"net.ipv6.conf.all.stable_secret = {SECRET}",
        f"token={SECRET}&b=1",
        KEY,
        KEY.replace("PRIVATE", "RSA PRIVATE"),
        KEY.replace("PRIVATE", "ENCRYPTED PRIVATE"),
        KEY.partition("-----END")[0],
        f"\n# {KEY}".replace("\n", "\n# "),
    ],
)
def test_secrets_by_their_shape(text: str) -> None:
    cleaned = Redactor().clean(f"before {text} \nafter")
    assert SECRET not in cleaned and cleaned.startswith("before")


@pytest.mark.parametrize(
    "text",
    [
        'key = "/etc/manageout/gateway.key"',
        'key_file = "/etc/manageout/update.key"',
        "keytab: /etc/manageout/krb5.keytab",
        "fd12:3456:789a:1000::10 dev mo-iphttps0",
        "https://gateway.corp.example:443/IPHTTPS",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "authentication = 'tsig'",
        "laptop@corp.example",
        "a secret place",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert Redactor().clean(text) == text


def test_json_and_toml_stay_what_they_are() -> None:
    data = {"password": "x y", "secret": 5, "token": None, "rows": [{"api_key": "z", "name": "laptop"}]}
    read = json.loads(Redactor().clean(json.dumps(data)))
    assert read["password"] == read["secret"] == read["rows"][0]["api_key"] == REMOVED
    assert read["rows"][0]["name"] == "laptop"


def test_words_that_are_known_to_be_secret() -> None:
    assert Redactor([SECRET, "", "a"]).clean(f"a{SECRET}b a") == f"a{REMOVED}b a"


def test_the_files_that_a_site_names(tmp_path: Path) -> None:
    (tmp_path / "gw.key").write_text(KEY)
    (tmp_path / "update.key").write_text(
        f'key "manageout" {{ algorithm hmac-sha256; secret "{SECRET}XY=="; }};'
    )
    site = config.parse(
        f'[site]\nprefix = "fd12:3456:789a::/48"\ndomain = "corp.example"\n'
        f'[gateway]\ncertificate = "{tmp_path}/gw.pem"\nkey = "{tmp_path}/gw.key"\nauthentication = "none"\n'
        f'[names]\nservers = ["10.0.0.10"]\nauthentication = "tsig"\nkey_file = "{tmp_path}/update.key"\n'
    )
    assert secrets_of(site) == {SECRET, f"{SECRET}AB", f"{SECRET}XY=="}
    (tmp_path / "gw.key").unlink()
    assert secrets_of(site) == {f"{SECRET}XY=="}
    assert secrets_of(None) == set()


@pytest.mark.parametrize(
    "text", ["a" * 300_000, "password" * 40_000, "a.b-" * 80_000, "http://" * 40_000, '"' * 200_000, "\\" * 200_000,
             "-----BEGIN PRIVATE KEY-----" * 5000, "secret " * 40_000, "x=" * 100_000]
)  # fmt: skip
def test_large_texts_come_to_an_end(text: str) -> None:
    """None of the patterns tries every end for every beginning."""
    assert len(Redactor([SECRET]).clean(text)) <= len(text)
