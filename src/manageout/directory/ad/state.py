"""What goes through the pipe to Samba's bindings: JSON objects as types. Programs of the system's Python know them only
while they are checked."""

from typing import NotRequired, TypedDict


class Questions(TypedDict):
    """What is to be read: policies by GUID, policies by name, groups, places."""

    guids: list[str]
    names: list[str]
    groups: list[str]
    units: list[str]


class PolicyState(TypedDict):
    """One group policy: its object, and its folder in SYSVOL."""

    attributes: dict[str, str] | None
    """None: there is a folder, and no object."""
    security: str | None
    """SDDL of the object."""
    consistent: NotRequired[bool]
    """Whether the folder's access list follows from the object's; of what was read."""
    files: dict[str, str]
    """Path -> content in base64."""
    folders: list[str]
    access: dict[str, str]
    """Path -> SDDL, of what was read."""


class PlaceState(TypedDict):
    """What is linked at a place; None: nothing ever was."""

    gPLink: str | None


class DomainState(TypedDict):
    """What can be written again: policies by GUID (None: there is none), links by place (None: no such place)."""

    policies: dict[str, PolicyState | None]
    links: dict[str, PlaceState | None]


class Directory(DomainState):
    """What was read."""

    server: str
    base: str
    groups: dict[str, str | None]
    """Name -> SID."""
    names: dict[str, list[str]]
    """Name of a policy -> GUIDs."""


class CensusPolicy(TypedDict):
    """A policy that names ISATAP, with the files that do."""

    guid: str
    name: str
    links: list[str]
    files: dict[str, str]
    """Path -> content in base64."""


class DomainCensus(TypedDict):
    """What names ISATAP, and every address in the zones: (name, kind, value)."""

    server: str
    policies: list[CensusPolicy]
    records: list[list[str]]
    zones: list[str]
