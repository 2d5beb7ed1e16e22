"""Key files as tsig-keygen writes them, and broken ones."""

from __future__ import annotations

from pathlib import Path

import dns.tsig
import dns.update
import pytest

from manageout.directory.dns.tsig import KeySigner
from manageout.directory.dns.zones import Place, Server
from manageout.errors import ManageoutError

KEY = 'key "manageout" {\n\talgorithm hmac-sha256;\n\tsecret "c2VjcmV0IHNlY3JldA==";\n};\n'
PLACE = Place("corp.example", Server("10.0.0.10"), "dc.corp.example")


def signer(tmp_path: Path, text: str) -> KeySigner:
    file = tmp_path / "key"
    file.write_text(text)
    return KeySigner(file)


@pytest.mark.parametrize(
    "text",
    [
        KEY,
        KEY.replace('"', ""),
        "# a comment\n" + KEY,
        KEY.replace("sha256", "sha512"),
        f"// {KEY.replace(chr(10), ' ').replace('c2Vj', 'b2xk')}\n{KEY}",
        f"/* the old one:\n{KEY.replace('c2Vj', 'b2xk')} */{KEY}",
        KEY.replace("algorithm", "# algorithm hmac-md5;\n\talgorithm"),
    ],
)
def test_a_key(tmp_path: Path, text: str) -> None:
    update = dns.update.UpdateMessage("corp.example")
    signer(tmp_path, text).sign(update, PLACE)
    assert update.keyring.name.to_text() == "manageout."
    assert update.keyring.secret == b"secret secret"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no key"),
        (KEY.replace("algorithm", "alg"), "holds no key"),
        (KEY.replace("hmac-sha256", "hmac-md5"), "algorithm hmac-md5 is not used"),
        (KEY.replace("c2Vj", "c2V"), "cannot be read"),
        (KEY.replace("c2VjcmV0IHNlY3JldA==", " "), "the secret is empty"),
        (KEY + KEY.replace("manageout", "other"), "holds 2 keys: manageout, other"),
        (f"/* {KEY} */", "holds no key"),
    ],
)
def test_what_is_no_key(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ManageoutError, match=words):
        signer(tmp_path, text)


def test_slashes_in_a_secret_are_no_comment(tmp_path: Path) -> None:
    update = dns.update.UpdateMessage("corp.example")
    signer(tmp_path, KEY.replace("c2VjcmV0IHNlY3JldA==", "/////w==")).sign(update, PLACE)
    assert update.keyring.secret == b"\xff\xff\xff\xff"


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ManageoutError, match="No such file"):
        KeySigner(tmp_path / "missing")
