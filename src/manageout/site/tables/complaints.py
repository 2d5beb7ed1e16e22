"""pydantic's complaints in an administrator's words: what is wrong, and what to write instead."""

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network
from typing import Any, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ValidationError

from manageout.errors import Fault
from manageout.words import toml_of

_Value = TypeVar("_Value")


def texts() -> dict[str, dict[str, Any]]:
    """Kind of complaint -> what is wrong and the hint; path of a required option -> an example; kinds of values."""
    return toml_of("manageout.site.tables", "complaints.toml")


def worded(kind: str, **values: object) -> tuple[str, str]:
    """What is wrong, and the hint, with ``values`` filled in."""
    message, hint = texts()["words"][kind]
    return message.format(**values), hint.format(**values)


class Unfit(ValueError):
    """Raised by our own validators: the kind of complaint, the value, and what else is told of it."""

    def __init__(self, kind: str, value: object = None, **values: object) -> None:
        message, self.hint = worded(kind, input=value, **values)
        super().__init__(message)


def fits(
    kind: str, holds: Callable[[Any], bool], shown: Callable[[Any], object] = lambda value: value
) -> AfterValidator:
    """For a field whose values ``holds`` must be true of; the complaint tells of the value as it is ``shown``."""

    def checked(value: _Value) -> _Value:
        if not holds(value):
            raise Unfit(kind, shown(value))
        return value

    return AfterValidator(checked)


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
        example := texts()["examples"].get(".".join(str(x) for x in location if isinstance(x, str)))
    ):
        return Fault(path, "is required", f"for example {example}")
    if kind not in texts()["words"]:
        return Fault(path, item["msg"], "see `manageout check --reference`")
    return Fault(path, *worded(kind, **{**context, "input": item["input"]}))


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
            found = list(models(model.model_fields[name].annotation))
            model = found[0] if found else model
    return model


def models(annotation: Any) -> list[type[BaseModel]]:
    """The tables of which a field is one, or a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for argument in get_args(annotation) for found in models(argument)]
