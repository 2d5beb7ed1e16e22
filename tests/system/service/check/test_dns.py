"""What ``check`` asks the DNS, against a real BIND: whether it takes our key, and where managers' names lead."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from manageout.service.check import dns as check_dns
from manageout.site.tables.site import Site, parse
from tests.tools.places.bind import ADDRESS, KEY, PORT, SECRET, ZONE, answers, bind

HEAD = f'[site]\nprefix = "fd12:3456:789a::/48"\ndomain = "{ZONE}"\n'
GATEWAY = '[gateway]\ncertificate = "/c.pem"\nkey = "/c.key"\nclient_ca = "/ca.pem"\n'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with bind(tmp_path_factory.mktemp("named"), 'key "manageout"', "helpdesk A 10.0.1.30\n"):
        yield


def names(file: Path, text: str) -> Site:
    file.write_text(text)
    table = f'[names]\nservers = ["{ADDRESS}:{PORT}"]\nauthentication = "tsig"\nkey_file = "{file}"\n'
    return parse(HEAD + GATEWAY + table)


def test_a_key_that_the_server_knows(server: None, tmp_path: Path) -> None:
    before = answers(ZONE, "SOA")
    assert list(check_dns.updates(names(tmp_path / "key", KEY))) == []
    assert answers(ZONE, "SOA") == before, "nothing was changed"


@pytest.mark.parametrize(
    ("text", "code", "remedy"),
    [
        (KEY.replace(SECRET, SECRET[::-1]), "DNS-BAD-SIGNATURE", "compare the secret"),
        (KEY.replace('"manageout"', '"somebody"'), "DNS-BAD-KEY", "under the same name"),
    ],
)
def test_a_key_that_it_does_not_take(server: None, tmp_path: Path, text: str, code: str, remedy: str) -> None:
    ((severity, message, mend),) = check_dns.updates(names(tmp_path / "key", text))
    assert severity == "error"
    assert f"zone {ZONE} on {ADDRESS}" in message and code in message
    assert remedy in mend


def managers(port: int, *sources: str) -> Site:
    tables = f'[translation]\npool = "10.0.9.0/24"\n[dns64]\nupstreams = ["{ADDRESS}:{port}"]\n'
    listed = ", ".join(f'"{source}"' for source in sources)
    return parse(HEAD + GATEWAY + tables + f'[[policy.managers]]\nfrom = [{listed}]\nservices = ["any"]\n')


def test_names_of_managers(server: None) -> None:
    assert list(check_dns.managers(managers(PORT, "10.0.0.1"))) == []
    assert list(check_dns.managers(managers(PORT, f"helpdesk.{ZONE}"))) == []
    found = list(check_dns.managers(managers(PORT, f"helpdesk.{ZONE}", f"gone.{ZONE}")))
    assert found == [
        (
            "warning",
            f"the manager gone.{ZONE} has no address",
            "correct its DNS record, or the name in [[policy.managers]]",
        )
    ]


def test_names_of_managers_when_nobody_answers() -> None:
    ((severity, message, _),) = check_dns.managers(managers(1, f"helpdesk.{ZONE}"))
    assert severity == "warning"
    assert message == f"the manager helpdesk.{ZONE} cannot be resolved: no DNS server answers"
