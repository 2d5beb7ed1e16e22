"""The cmdlets whose objects are known by the names of their properties, which no culture translates; in
``cmdlets.toml``.
"""

from typing import NamedTuple

from manageout.words import toml_of


class Cmdlet(NamedTuple):
    """``section``: of the collector's file, or of our own; empty for what is known and holds nothing that a rule looks
    at. ``needs``: one of these sets of properties is there."""

    name: str
    section: str
    needs: tuple[frozenset[str], ...]


DATA = toml_of("manageout.doctor.powershell", "cmdlets.toml")
CMDLETS = tuple(
    Cmdlet(one["name"], one["section"], tuple(frozenset(needs.split()) for needs in one["needs"]))
    for one in DATA["cmdlets"]
)
"""The first that fits is taken."""
KNOWN = frozenset(
    name.lower() for each in (DATA["columns"], *(n for one in CMDLETS for n in one.needs)) for name in each
) - {"prefix"}
"""But one that netsh's tables have too: properties by which a cmdlet is known, lower case."""
