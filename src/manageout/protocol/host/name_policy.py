"""Which names belong to the site: the rules of a remote client, like the Name Resolution Policy Table of Windows.

A rule is a domain, and covers the domain and everything below it. The most specific rule wins; names that no
rule covers are resolved as they would be without a tunnel. Names are compared in ASCII, without regard to case.
"""

from collections.abc import Iterable
from ipaddress import IPv6Address

from manageout.errors import BadArgument
from manageout.protocol.host.slaac import Prefix

_ALLOWED = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")


class Rules:
    """``inside``: domains that the site's DNS answers for; ``outside``: exemptions from them."""

    def __init__(self, inside: Iterable[str] = (), outside: Iterable[str] = ()) -> None:
        """Names as :func:`domain` gives them. A name in both is an exemption."""
        self.inside, self.outside = tuple(dict.fromkeys(inside)), tuple(dict.fromkeys(outside))
        self._rules = dict.fromkeys(self.inside, True) | dict.fromkeys(self.outside, False)

    def covers(self, name: str) -> bool:
        """Whether the site's DNS is asked for ``name``: lower case, without the last dot."""
        rest = name
        while rest:
            verdict = self._rules.get(rest)
            if verdict is not None:
                return verdict
            rest = rest.partition(".")[2]
        return False

    def exempt_within(self) -> tuple[str, ...]:
        """The exemptions that lie below a domain of the site: the others would be resolved locally anyway."""
        return tuple(name for name in self.outside if Rules(self.inside).covers(name))


def domain(text: str) -> str:
    """``text`` as a rule: lower case ASCII, no dot before or behind. Raises :class:`BadArgument`."""
    stripped = text.strip().removesuffix(".").removeprefix(".").lower()
    try:
        name = stripped if stripped.isascii() else stripped.encode("idna").decode("ascii")
    except UnicodeError:
        name = ""
    if not name or len(name) > 253 or not all(map(_is_label, name.split("."))):
        raise BadArgument(f"{text!r} is no domain name", "write it like corp.example")
    return name


def _is_label(label: str) -> bool:
    return 0 < len(label) <= 63 and _ALLOWED.issuperset(label) and label[0] != "-" != label[-1]


def reverse_zone(prefix: Prefix) -> str | None:
    """The zone below ip6.arpa that holds the names of ``prefix``; None when it ends within a digit or is all."""
    network, length = prefix
    if length % 4 or not length:
        return None
    return ".".join(IPv6Address(network).reverse_pointer.split(".")[32 - length // 4 :])
