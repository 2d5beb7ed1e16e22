"""Names in the site file as ``manageout check`` sees them: patterns that nobody can match, names that mean nothing."""

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache

from manageout.service.check.found import Remark, remark
from manageout.site.tables.site import GatewayTable, Site

LONG = 256
"""Characters of a pattern; a longer one is believed to match."""
_COMMON = re.compile(r"\s*cn\s*=\s*", re.IGNORECASE)
_TOKEN = re.compile(r"\[!?\]?[^\]]*\]|.", re.DOTALL)


def names(site: Site) -> Iterator[Remark]:
    """Of clients, in whatever table."""
    gateway = site.gateway
    if gateway is not None and gateway.authentication == "certificates":
        places = list(_places(site, gateway))
        for path, text in (*(("gateway.allow", pattern) for pattern in gateway.allow), *places):
            if found := _COMMON.match(text):
                yield remark("written-as-subject", path=path, text=text, rest=text[found.end() :])
        for path, text in places:
            met = any(overlap(text.lower(), each.lower()) for each in gateway.allow)
            if not met and not _COMMON.match(text):
                yield remark("matches-nobody", path=path, text=text)
    # A name in another zone no client could get anyway.
    zone = (site.names.zone or site.site.domain).lower().strip(".") if site.names is not None else ""
    for name in site.names.reserved if site.names is not None and zone else ():
        if "." in name.strip(".") and not f".{name.lower().strip('.')}".endswith(f".{zone}"):
            yield remark("reserves-nothing", name=name, zone=zone)


def _places(site: Site, gateway: GatewayTable) -> Iterator[tuple[str, str]]:
    """Dotted path and pattern or name, of everything that names clients but gateway.allow."""
    for number, manager in enumerate(site.policy.managers):
        yield from ((f"policy.managers.{number}.to", pattern) for pattern in manager.to)
    yield from ((f"gateway.fixed.{name}", name) for name in gateway.fixed)
    yield from (
        (f"translation.fixed.{name}", name) for name in (site.translation.fixed if site.translation else ())
    )


def overlap(one: str, other: str) -> bool:
    """Whether there is a name that both patterns match, in the way of :mod:`fnmatch`. Of two sets in brackets it is
    believed."""
    if len(one) > LONG or len(other) > LONG:
        return True
    first, second = _TOKEN.findall(one), _TOKEN.findall(other)

    @cache
    def both(at: int, to: int) -> bool:
        if at == len(first) and to == len(second):
            return True
        if at < len(first) and first[at] == "*":
            return both(at + 1, to) or (to < len(second) and both(at, to + 1))
        if to < len(second) and second[to] == "*":
            return both(at, to + 1) or (at < len(first) and both(at + 1, to))
        return at < len(first) and to < len(second) and _fit(first[at], second[to]) and both(at + 1, to + 1)

    return both(0, 0)


def _fit(one: str, other: str) -> bool:
    if "?" in (one, other) or (len(one) > 1 and len(other) > 1):
        return True
    return fnmatchcase(other, one) if len(one) > 1 else fnmatchcase(one, other)
