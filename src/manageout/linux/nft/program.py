"""nftables, by the ``nft`` program: one table of our own, replaced as a whole, deleted at the end."""

import json
import platform
import subprocess
from collections.abc import Container, Sequence
from typing import Any

from manageout.errors import KernelError, NotPermitted

TABLE = "inet manageout"

NEEDED = "boot Linux 6.1 or later (Debian 12 has it), with nftables 1.0 or later"


def apply(ruleset: str) -> None:
    """Load ``ruleset`` in one transaction. Raises :class:`KernelError` with nft's first complaint."""
    _nft("load the packet filter rules", "-f", "-", text=ruleset)


def trial(table: str, body: str) -> None:
    """Have the kernel take ``table`` with this ``body`` where nobody meets it: in a network namespace made for it.

    Without the right to make one, by ``nft --check``, which older kernels answer before they have looked at all of
    it. Raises :class:`KernelError` with the rule that the kernel refuses, :class:`NotPermitted`.
    """
    text = f"table {table} {{\n{body}\n}}\n"
    try:
        tried = subprocess.run(
            ["unshare", "--net", "nft", "-f", "-"], input=text, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        tried = None
    if tried is None or tried.stderr.startswith("unshare:"):
        tried = _run(["--check", "-f", "-"], text)
    if tried.returncode == 0:
        return
    if "Operation not permitted" in tried.stderr:
        raise NotPermitted("try the packet filter rules: not permitted", "run as root, or with CAP_NET_ADMIN")
    first, *rest = [*tried.stderr.strip().splitlines(), "nft failed"]
    reason = first.rpartition("Error: ")[2].removeprefix("Could not process rule: ")
    rule = f' "{rest[0].strip()}"' if len(rest) > 1 else ""
    raise KernelError(f"Linux {platform.release()} refuses the packet filter's rule{rule}: {reason}", NEEDED)


def table_text(table: str) -> str | None:
    """What the kernel holds for ``table``, or None when it is not there."""
    result = _run(["list", "table", *table.split()], None)
    return result.stdout if result.returncode == 0 else None


def tables() -> list[str]:
    """ "FAMILY NAME" of each that there is. Raises :class:`NotPermitted`, :class:`KernelError`."""
    return [
        " ".join(line.split()[1:3]) for line in _nft("read the packet filter", "list", "tables").splitlines()
    ]


def ruleset(but: Container[str] = ()) -> tuple[list[Any], dict[tuple[str, str, str, int], str]]:
    """What the kernel holds: nft's objects with plain numbers, and the words of each rule by
    (family, table, chain, handle). ``but``: tables that are not asked for.

    Raises :class:`NotPermitted` without CAP_NET_ADMIN, :class:`KernelError` when nft fails.
    """
    wanted = [table for table in tables() if table not in but]
    objects = [each for table in wanted for each in table_objects(table, terse=False)]
    return objects, _texts(_nft("read the packet filter", "-a", "list", "ruleset"))


def table_objects(table: str, terse: bool = True) -> list[Any]:
    """nft's objects of one table with plain numbers; ``terse``: without members of its sets.

    Raises :class:`KernelError`, :class:`NotPermitted`.
    """
    options = ("-n", *(["-t"] if terse else []), "-j", "list")
    found = _objects(f"the packet filter table {table}", *options, "table", *table.split())
    return by_parts(table, options) if found is None else found


def by_parts(table: str, options: Sequence[str]) -> list[Any]:
    """The same, asked for chain by chain. Raises :class:`KernelError` where that is no JSON either.

    nft 1.0.6 of Debian 12 writes the flags of a table (ours have one: owner) from memory that it has given back, and
    then ends in the middle of its JSON, whatever else it was to list.
    """
    family, name = table.split()

    def listed(*words: str) -> list[Any]:
        found = _objects(f"the packet filter table {table}", *options, *words)
        if found is None:
            raise KernelError("nft prints no JSON", "update nftables: 1.0 or later")
        return found

    def here(kind: str) -> list[Any]:
        bodies = [(each, next(iter(each.values()))) for each in listed(kind)]
        return [each for each, body in bodies if (body.get("family"), body.get("table")) == (family, name)]

    chains = here("chains")
    inside = [each for chain in chains for each in listed("chain", family, name, chain["chain"]["name"])]
    rules = [each for each in inside if "rule" in each]
    return [{"table": {"family": family, "name": name}}, *here("sets"), *here("maps"), *chains, *rules]


def _objects(what: str, *words: str) -> list[Any] | None:
    """The objects that ``nft WORDS`` lists; None when that is no JSON."""
    try:
        return json.loads(_nft(f"read {what}", *words) or "{}").get("nftables", [])  # type: ignore[no-any-return]
    except ValueError:
        return None


def _texts(listing: str) -> dict[tuple[str, str, str, int], str]:
    """The words of rules, from what ``nft -a list ruleset`` prints."""
    texts: dict[tuple[str, str, str, int], str] = {}
    family = table = chain = ""
    for line in listing.splitlines():
        words, _, handle = line.strip().rpartition(" # handle ")
        first = words.split(" ")
        if first[0] == "table" and len(first) > 2 and not line.startswith("\t"):
            family, table = first[1], first[2]
        elif line.startswith("\t") and line[1:2] not in ("\t", "}"):
            chain = first[1] if first[0] == "chain" and len(first) > 1 else ""
        elif chain and handle.isdigit():
            texts[family, table, chain, int(handle)] = words
    return texts


def _nft(what: str, *arguments: str, text: str | None = None) -> str:
    """What ``nft ARGUMENTS`` prints. Raises :class:`NotPermitted`, :class:`KernelError` with nft's first complaint."""
    result = _run(list(arguments), text)
    if result.returncode == 0:
        return result.stdout
    if "not permitted" in result.stderr:
        raise NotPermitted(f"{what}: not permitted", "run as root, or with CAP_NET_ADMIN")
    complaint = next(iter(result.stderr.strip().splitlines()), "nft failed")
    raise KernelError(f"{what}: {complaint}", "see `nft list ruleset`; the kernel needs nf_tables")


def _run(arguments: list[str], text: str | None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["nft", *arguments], input=text, capture_output=True, text=True, errors="replace", check=False
        )
    except FileNotFoundError:
        raise KernelError("nft is not installed", "apt-get install nftables") from None
