"""Faults of a site file in words that say what to write instead."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel
from pydantic_core.core_schema import ErrorType

from manageout import site
from manageout.errors import ConfigError, Fault
from manageout.site.tables.complaints import texts
from manageout.site.tables.site import Site, parse
from tests.tools import site_file
from tests.tools.site_file import SITE

GATEWAY = SITE + site_file.GATEWAY
ROUTER = SITE + site_file.ROUTER


def only_fault(text: str) -> Fault:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    (fault,) = caught.value.faults
    return fault


@pytest.mark.parametrize(
    ("text", "path", "message", "hint"),
    [
        (ROUTER + 'hots = ["10.0.1.30"]\n', "isatap.hots", "no such option", "did you mean hosts?"),
        (ROUTER + "zzz = 1\n", "isatap.zzz", "no such option", "there are: name, locators, hosts"),
        (ROUTER + '[gatewy]\nkey = "k"\n', "gatewy", "no such option", "did you mean gateway?"),
        (GATEWAY + "[gateway.iphttps]\npath = 1\n", "gateway.iphttps.path", "no such", "did you mean paths?"),
        (ROUTER + 'hosts = ["10.0.1.30/24"]\n', "isatap.hosts.0", "bits set", "write 10.0.1.0/24"),
        (ROUTER + 'hosts = ["x"]\n', "isatap.hosts.0", "'x' is not an IPv4 prefix", "for example"),
        (ROUTER + 'hosts = "10.0.1.0/24"\n', "isatap.hosts", "not a list", "square brackets"),
        (ROUTER + "hosts = [7.5]\n", "isatap.hosts.0", "not an IPv4 prefix", "for example"),
        (ROUTER + 'mtu = "big"\n', "isatap.mtu", "not a whole number", "without quotes"),
        (ROUTER + "mtu = 1500\n", "isatap.mtu", "1500 is too large", "at most 1480"),
        (ROUTER + "mtu = 1279\n", "isatap.mtu", "1279 is too small", "at least 1280"),
        (ROUTER + "default_route = 7\n", "isatap.default_route", "neither true nor false", "without quotes"),
        (
            ROUTER + 'preference = "best"\n',
            "isatap.preference",
            "not one of them",
            "'low', 'medium' or 'high'",
        ),
        (GATEWAY.replace('"k"', "1"), "gateway.key", "1 is not a file name", "quotes"),
        (GATEWAY.replace('key = "k"\n', ""), "gateway.key", "is required", "for example key = "),
        (GATEWAY + "fixed = 1\n", "gateway.fixed", "not a table", "KEY = VALUE"),
        (GATEWAY + 'listen = ["443"]\n', "gateway.listen.0", "not ADDRESS:PORT", "for example"),
        *(
            (
                ROUTER.replace("10.0.0.1", address),
                "isatap.locators.0",
                f"{address} is no address of a",
                "name an",
            )
            for address in ("0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255")
        ),
        (
            ROUTER.replace('"10.0.0.1"', ", ".join(f'"10.0.0.{n}"' for n in range(1, 10))),
            "isatap.locators",
            "too many entries",
            "at most 8",
        ),
        (GATEWAY + "listen = []\n", "gateway.listen", "must not be empty", "at least 1"),
        (
            GATEWAY + "[gateway.iphttps]\ndead_after = 0\n",
            "gateway.iphttps.dead_after",
            "too small",
            "more than 0",
        ),
        (
            GATEWAY + '[gateway.iphttps]\nproxies = ["10.0.0.5/24"]\n',
            "gateway.iphttps.proxies.0",
            "bits set",
            "write 10.0.0.0/24",
        ),
        (
            GATEWAY + '[gateway.iphttps]\nproxies = ["x"]\n',
            "gateway.iphttps.proxies.0",
            "'x' is no network",
            "for",
        ),
        (
            GATEWAY + '[gateway.iphttps]\nproxies = ["::/0"]\n',
            "gateway.iphttps.proxies.0",
            "everybody",
            "own",
        ),
        (
            GATEWAY + '[policy]\nintranet = ["fd00::1/48"]\n',
            "policy.intranet.0",
            "bits set",
            "write fd00::/48",
        ),
        ("isatap = 1\n" + SITE, "isatap", "not a table", "KEY = VALUE"),
    ],
)
def test_each(text: str, path: str, message: str, hint: str) -> None:
    fault = only_fault(text)
    assert fault.path == path
    assert message in fault.message
    assert hint in fault.hint


def required(model: type[BaseModel], path: str = "") -> Iterator[str]:
    """The paths of all options without a default."""
    for name, option in model.model_fields.items():
        here = f"{path}.{option.alias or name}".lstrip(".")
        if option.is_required():
            yield here
        kinds: list[object] = [option.annotation]
        while kinds:
            kind = kinds.pop()
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from required(kind, here)
            else:
                kinds += typing.get_args(kind)


def test_whatever_is_required_has_an_example() -> None:
    assert set(required(Site)) == set(texts()["examples"])
    assert only_fault(SITE + "[dns64]\n").hint.startswith('for example upstreams = ["10.0.0.10"]')


def test_every_complaint_has_words_and_all_words_are_said() -> None:
    sources = "".join(path.read_text() for path in Path(site.__path__[0]).rglob("*.py"))
    made = set(re.findall(r'(?:Unfit|fits|_fault|worded)\((?:f?"[^"]*", )?(?:path, )?"(\w+)"', sources))
    custom = {"ip_v4_address", "ip_v6_address", "ip_v4_network", "ip_v6_network", "path_type"}
    pydantics = custom | set(typing.get_args(ErrorType))
    assert len(made) > 40 and made <= texts()["words"].keys()
    assert texts()["words"].keys() <= made | pydantics
