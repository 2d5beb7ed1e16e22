"""pydantic's complaints in an administrator's words: what is wrong, and what to write instead."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from manageout.errors import Fault


class Unfit(ValueError):
    """Raised by our own validators: a message and the hint that goes with it."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


_WORDS = {
    "missing": ("is required", "add it"),
    "int_parsing": ("{input!r} is not a whole number", "write digits only, without quotes"),
    "int_type": ("{input!r} is not a whole number", "write digits only, without quotes"),
    "int_from_float": ("{input!r} is not a whole number", "write digits only"),
    "float_parsing": ("{input!r} is not a number", "write it without quotes"),
    "float_type": ("{input!r} is not a number", "write it without quotes"),
    "bool_parsing": ("{input!r} is neither true nor false", "write true or false, without quotes"),
    "bool_type": ("{input!r} is neither true nor false", "write true or false, without quotes"),
    "string_type": ("{input!r} is not a text", "write it in quotes"),
    "path_type": ("{input!r} is not a file name", "write it in quotes"),
    "tuple_type": ("{input!r} is not a list", "write it in square brackets, also a single one"),
    "dict_type": ("{input!r} is not a table", "write a table of KEY = VALUE lines"),
    "model_type": ("{input!r} is not a table", "write a table of KEY = VALUE lines"),
    "model_attributes_type": ("{input!r} is not a table", "write a table of KEY = VALUE lines"),
    "too_short": ("must not be empty", "give at least {min_length}"),
    "too_long": ("has too many entries", "at most {max_length}"),
    "literal_error": ("{input!r} is not one of them", "write {expected}"),
    "less_than_equal": ("{input} is too large", "at most {le}"),
    "greater_than_equal": ("{input} is too small", "at least {ge}"),
    "greater_than": ("{input} is too small", "more than {gt}"),
    "ip_v4_address": ("{input!r} is not an IPv4 address", "for example 10.0.0.1"),
    "ip_v6_address": ("{input!r} is not an IPv6 address", "for example fd12:3456:789a:1000::10"),
    "ip_v4_network": (
        "{input!r} is not an IPv4 prefix",
        "for example 10.0.1.0/24, or 10.0.1.30 for one host",
    ),
    "ip_v6_network": ("{input!r} is not an IPv6 prefix", "for example fd12:3456:789a::/48"),
}

EXAMPLES = {
    "site": '[site] with prefix = "fd12:3456:789a::/48" (`manageout plan --new` makes one)',
    "site.prefix": 'prefix = "fd12:3456:789a::/48" (`manageout plan --new` makes one)',
    "gateway.certificate": 'certificate = "/etc/manageout/gateway.corp.example.pem"',
    "gateway.key": 'key = "/etc/manageout/gateway.corp.example.key"',
    "isatap.locators": 'locators = ["10.0.0.1"], an IPv4 address of this machine',
    "isatap.routes.prefix": 'prefix = "fd12:3456:789a:1000::/64"',
    "isatap.routes.via": 'via = "fd12:3456:789a:2::1"',
    "translation.pool": 'pool = "10.0.0.128/26"',
    "translation.eam.ipv4": 'ipv4 = "10.0.0.60/32"',
    "translation.eam.ipv6": 'ipv6 = "fd12:3456:789a:2::60/128"',
    "dns64.upstreams": 'upstreams = ["10.0.0.10"], the DNS servers of the intranet',
    "dns64.prefixes.prefix": 'prefix = "fd12:3456:789a:7777::/96"',
    "policy.managers.from": 'from = ["10.0.1.30"]',
    "policy.managers.services": 'services = ["icmp", "tcp/3389"]',
}
"""Of what has no default, by its path in the file."""


def describe(error: ValidationError, model: type[BaseModel]) -> list[Fault]:
    """Every complaint of ``error`` about a ``model``, in the order of the file."""
    items = error.errors(include_url=False)
    # A list whose only member is wrong is also reported as too short: once is enough.
    inside = {item["loc"][:-1] for item in items}
    shown = [item for item in items if item["type"] != "too_short" or item["loc"] not in inside]
    return [_fault(dict(item), model) for item in shown]


def _fault(item: dict[str, Any], model: type[BaseModel]) -> Fault:
    kind, location = item["type"], item["loc"]
    path = ".".join(map(str, location)) or "(file)"
    context = item.get("ctx", {})
    if kind == "extra_forbidden":
        return Fault(path, "there is no such option", _spelling(location, model))
    if kind in ("ip_v4_network", "ip_v6_network"):
        kind_of = IPv4Network if kind == "ip_v4_network" else IPv6Network
        if meant := _without_host_bits(item["input"], kind_of):
            return Fault(path, f"{item['input']!r} has bits set behind the prefix", f"write {meant}")
    if kind == "value_error" and isinstance(reason := context.get("error"), Unfit):
        return Fault(path, str(reason), reason.hint)
    if kind == "missing" and (
        example := EXAMPLES.get(".".join(str(x) for x in location if isinstance(x, str)))
    ):
        return Fault(path, "is required", f"for example {example}")
    message, hint = _WORDS.get(kind, (item["msg"], "see `manageout check --reference`"))
    values = {**context, "input": item["input"]}
    return Fault(path, message.format(**values), hint.format(**values))


def _without_host_bits(value: object, kind: type[IPv4Network | IPv6Network]) -> str | None:
    try:
        return str(kind(value, strict=False)) if isinstance(value, str) else None
    except ValueError:
        return None


def _spelling(location: Sequence[str | int], model: type[BaseModel]) -> str:
    names = list(_table(location[:-1], model).model_fields)
    near = get_close_matches(str(location[-1]), names, n=1)
    return f"did you mean {near[0]}?" if near else f"there are: {', '.join(names)}"


def _table(location: Sequence[str | int], model: type[BaseModel]) -> type[BaseModel]:
    """The model that describes the table at ``location``."""
    for name in location:
        if isinstance(name, str) and name in model.model_fields:
            found = list(_models(model.model_fields[name].annotation))
            model = found[0] if found else model
    return model


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for argument in get_args(annotation) for found in _models(argument)]
