"""Whether rules of the packet filter changed, by netlink: without a process, and without reading what they say."""

from collections.abc import Callable, Container, Iterable, Iterator

from manageout.linux.netlink.messages import Message, text
from manageout.linux.netlink.netfilter import NetfilterSocket, body, values

_SUBSYSTEM = 10 << 8
_GET_CHAIN, _GET_RULE, _GET_GENERATION = _SUBSYSTEM | 4, _SUBSYSTEM | 7, _SUBSYSTEM | 16
_CHAIN_TABLE, _CHAIN_NAME, _CHAIN_HOOK, _CHAIN_POLICY = 1, 3, 4, 5
_RULE_TABLE, _RULE_CHAIN, _RULE_HANDLE = 1, 2, 3
_GENERATION = 1
_INET = 1


class NftRules(NetfilterSocket):
    """Every method raises :class:`KernelError`, :class:`NotPermitted`."""

    def generation(self) -> int:
        """Another number after each change of anything in the packet filter, also of members of sets."""
        message = self.get(_GET_GENERATION, body(), "read the packet filter's generation")
        return int.from_bytes(values(message.body).get(_GENERATION, b""), "big")

    def fingerprint(self, but: Container[str]) -> int:
        """Another number when chains, their policies or rules changed, but for tables named in ``but``.

        Rules never change: another one comes in place, with another handle.
        """
        return hash(frozenset(each for table, each in self._parts(self.each) if table not in but))

    def of_table(self, table: str) -> int | None:
        """The same of one ``table`` of family inet, by its name; None when it has no chains, or is not there."""
        found = frozenset(each for name, each in self._parts(self.dump, _INET, table) if name == table)
        return hash(found) if found else None

    def _parts(
        self, read: Callable[[int, bytes, str], Iterable[Message]], family: int = 0, table: str = ""
    ) -> Iterator[tuple[str, tuple[bytes, ...]]]:
        """What tells each chain and rule from others, with the name of its table. ``table``: rules of others are many,
        so let the kernel leave them out.
        """
        only = text(_RULE_TABLE, table) if table else b""
        for kind, request, wanted in (
            (_GET_CHAIN, body(family), (_CHAIN_TABLE, _CHAIN_NAME, _CHAIN_HOOK, _CHAIN_POLICY)),
            (_GET_RULE, body(family, only), (_RULE_TABLE, _RULE_CHAIN, _RULE_HANDLE)),
        ):
            for message in read(kind, request, "read the packet filter"):
                told = values(message.body)
                name = told.get(_CHAIN_TABLE, b"").rstrip(b"\0").decode(errors="replace")
                yield name, (message.body[:1], *(told.get(each, b"") for each in wanted))
