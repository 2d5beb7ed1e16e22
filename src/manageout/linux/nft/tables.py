"""The packet filter tables of the daemon: loaded together, in one transaction, and owned where that can be had.

``inet manageout`` holds the rules. Where the kernel and ``libnftables`` can, it belongs to this process: nobody else
can flush or delete it, so there is no moment without rules; and it vanishes with the process, as its devices do.
``inet manageout_timeouts`` belongs to it likewise, and is touched only when it is to hold something else: connections
lose a time-out whose object is replaced. ``inet manageout_guard`` belongs to nobody: it must outlive a killed process
for as long as its settings do.
"""

import logging
from collections.abc import Iterable

from manageout.errors import KernelError, ManageoutError
from manageout.linux.netlink import messages as rtnetlink
from manageout.linux.nft import program as nft
from manageout.linux.nft.libnftables import Context
from manageout.linux.nft.rules import NftRules

GUARD_TABLE = "inet manageout_guard"
TIMEOUTS_TABLE = "inet manageout_timeouts"
_PROBE = "inet manageout_probe"
OURS = (nft.TABLE, GUARD_TABLE, TIMEOUTS_TABLE, _PROBE)
_LOAD, _DELETE = "load the packet filter rules", "remove the packet filter rules"

log = logging.getLogger(__name__)


class RuleTables:
    """All of them. Every method raises :class:`KernelError`, :class:`NotPermitted`."""

    def __init__(self) -> None:
        self.shared = ""
        """Why the table of the rules can be removed by others; empty while it cannot."""
        self._context: Context | None = None
        self._reader: NftRules | None = None
        self._tried = False
        self._held: set[str] = set()
        """Tables that are there, owned by the context."""
        self._bodies: dict[str, str] = {}
        """What each table that should be there holds."""
        self._loaded: dict[str, int | None] = {}
        """How the kernel told of it when it was loaded."""

    @property
    def owned(self) -> bool:
        """Whether nobody else can remove the rules, now or once they are loaded."""
        return self._context is not None

    @property
    def writer(self) -> rtnetlink.Socket | None:
        """The only socket that may change members of the rules' sets; None: any may."""
        return self._context.socket if self._context is not None else None

    def load(self, rules: str, guard: str = "", timeouts: str = "") -> None:
        """Make the tables hold exactly these bodies, all at once; without a body there is no such table."""
        self._open()
        bodies = {nft.TABLE: rules, GUARD_TABLE: guard, TIMEOUTS_TABLE: timeouts}
        stays = timeouts == self._bodies.get(TIMEOUTS_TABLE, "") and TIMEOUTS_TABLE not in self.touched()
        self._replace({table: body for table, body in bodies.items() if table != TIMEOUTS_TABLE or not stays})

    def load_again(self, tables: Iterable[str]) -> None:
        """Only ``tables``, as they were loaded."""
        self._replace({table: self._bodies[table] for table in tables})

    def touched(self) -> list[str]:
        """Tables that somebody has removed, or whose chains or rules are not those that were loaded."""
        return [table for table, as_loaded in self._loaded.items() if self._look(table) != as_loaded]

    def guard(self) -> str:
        """The guard as it is in the kernel; empty without one, or when it cannot be read."""
        try:
            return nft.table_text(GUARD_TABLE) or ""
        except KernelError:
            return ""

    def delete(self, guard: bool = True) -> None:
        """Remove all that are there, and who could own some; without ``guard`` that one stays."""
        tables = [GUARD_TABLE] if guard else []
        if self._context is None:
            tables += [nft.TABLE, TIMEOUTS_TABLE]
        try:
            # Those that are owned vanish with their owner: which there are is not known when a load was broken off.
            if tables:
                self._run(dict.fromkeys(tables, ""), _DELETE)
        finally:
            if self._context is not None:
                self._context.close()
            if self._reader is not None:
                self._reader.close()
            self._context, self._reader, self._tried = None, None, False
            self._held, self._bodies, self._loaded = set(), {}, {}

    def _replace(self, bodies: dict[str, str]) -> None:
        self._run(bodies, _LOAD)
        self._bodies |= bodies
        for table, body in bodies.items():
            self._loaded.pop(table, None)
            if body:
                self._loaded[table] = self._look(table)

    def _run(self, bodies: dict[str, str], what: str) -> None:
        if self._context is None:
            nft.apply("".join(_replaced(table, body) for table, body in bodies.items()))
            return
        texts = (
            _replaced(table, body, *(() if table == GUARD_TABLE else ("flags owner;", table in self._held)))
            for table, body in bodies.items()
        )
        self._context.run("".join(texts), what)
        for table, body in bodies.items():
            (self._held.add if body and table != GUARD_TABLE else self._held.discard)(table)

    def _look(self, table: str) -> int | None:
        if self._reader is None:
            self._reader = NftRules()
        return self._reader.of_table(table.partition(" ")[2])

    def _open(self) -> None:
        if self._tried:
            return
        self._tried = True
        try:
            self._context = _owner()
            self.shared = ""
        except ManageoutError as error:
            self.shared = error.message
            log.warning("other programs can remove the packet filter's rules: %s", error.message)


def _owner() -> Context:
    """A context that has shown that it can own a table."""
    context = Context()
    try:
        context.run(f"table {_PROBE} {{ flags owner; }}\n", "own a table")
        context.run(f"delete table {_PROBE}\n", "own a table")
    except ManageoutError:
        context.close()
        raise KernelError(
            "the kernel or nftables knows no owner of a table (Linux 5.12, nftables 0.9.9)"
        ) from None
    return context


def _replaced(table: str, body: str, flags: str = "", held: bool = False) -> str:
    """What makes ``table`` hold ``body``, or be absent. ``held``: it is there, with ``flags``."""
    # The first line creates the table when it is missing, because deleting a missing one is an error.
    gone = f"table {table} {{ {flags if held else ''} }}\ndelete table {table}\n"
    return gone + (f"table {table} {{\n{flags}\n{body}\n}}\n" if body else "")
