"""The packet filter tables of the daemon: loaded together, in one transaction, and owned where that can be had.

``inet manageout`` holds the rules. Where the kernel and ``libnftables`` can, it belongs to this process: nobody else
can flush or delete it, so there is no moment without rules; and it vanishes with the process, as its devices do.
``inet manageout_guard`` belongs to nobody: it must outlive a killed process for as long as its settings do.
"""

from __future__ import annotations

import logging

from manageout.errors import KernelError, ManageoutError
from manageout.linux import nft, rtnetlink
from manageout.linux.libnftables import Context

GUARD_TABLE = "inet manageout_guard"
_PROBE = "inet manageout_probe"
_LOAD, _DELETE = "load the packet filter rules", "remove the packet filter rules"

log = logging.getLogger(__name__)


class RuleTables:
    """Both tables. Every method raises :class:`KernelError`, :class:`NotPermitted`."""

    def __init__(self) -> None:
        self.shared = ""
        """Why the table of the rules can be removed by others; empty while it cannot."""
        self.loaded: frozenset[str] = frozenset()
        """Names of the tables that should be there, without the family."""
        self._context: Context | None = None
        self._tried = False
        self._held = False
        self._guard = ""

    @property
    def owned(self) -> bool:
        """Whether nobody else can remove the rules, now or once they are loaded."""
        return self._context is not None

    @property
    def writer(self) -> rtnetlink.Socket | None:
        """The only socket that may change members of the rules' sets; None: any may."""
        return self._context.socket if self._context is not None else None

    def load(self, rules: str, guard: str = "") -> None:
        """Make the tables hold exactly these bodies, all at once; without ``guard`` there is no such table."""
        self._open()
        text = _replaced(GUARD_TABLE, guard)
        if self._context is None:
            nft.apply(_replaced(nft.TABLE, rules) + text)
        else:
            self._context.run(_replaced(nft.TABLE, rules, "flags owner;", self._held) + text, _LOAD)
            self._held = True
        self._guard = guard
        names = (nft.TABLE, GUARD_TABLE) if guard else (nft.TABLE,)
        self.loaded = frozenset(name.partition(" ")[2] for name in names)

    def load_guard(self) -> None:
        """Only this one again, as it was loaded."""
        text = _replaced(GUARD_TABLE, self._guard)
        if self._context is None:
            nft.apply(text)
        else:
            self._context.run(text, _LOAD)

    def guard(self) -> str:
        """The guard as it is in the kernel; empty without one, or when it cannot be read."""
        try:
            return nft.table_text(GUARD_TABLE) or ""
        except KernelError:
            return ""

    def delete(self, guard: bool = True) -> None:
        """Remove both if they are there, and who could own one; without ``guard`` that one stays."""
        text = _replaced(GUARD_TABLE, "") if guard else ""
        context, held = self._context, self._held
        self._context, self._tried, self._held, self.loaded = None, False, False, frozenset()
        if context is None:
            nft.apply(_replaced(nft.TABLE, "") + text)
            return
        try:
            context.run(_replaced(nft.TABLE, "", "flags owner;", held) + text, _DELETE)
        finally:
            context.close()

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
