"""The table ``[rollout]``: which Windows machines are told what, and by which policies."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from manageout.site.tables.complaints import Unfit
from manageout.site.tables.types import Domain, TomlTable


def _unit(value: str) -> str:
    parts = [part.partition("=")[0].strip().upper() for part in value.replace("\\,", "").split(",")]
    if not parts or not set(parts) <= {"OU", "DC", "CN"} or parts[-1] != "DC":
        raise Unfit("no_unit", value)
    return value


def _location(value: str) -> str:
    if not value.startswith("https://"):
        raise Unfit("no_location", value)
    return value


Unit = Annotated[str, AfterValidator(_unit)]


class RolloutTable(TomlTable):
    """``[rollout]``: Windows machines in Active Directory that get group policies from this site file."""

    prefix: str = "Manageout"
    """The policies' names begin with it."""
    managers_group: str = ""
    """Security group of the computers that become ISATAP hosts."""
    managers_unit: Unit = ""
    """Organisational unit where their policy is linked; the domain itself when left out."""
    clients_group: str = ""
    """Security group of the remote clients' computers."""
    clients_unit: Unit = ""
    """Organisational unit where their policies are linked; the domain itself when left out."""
    gateway_name: Domain = ""
    """The gateway's public DNS name, as in its certificate."""
    location_url: Annotated[str, AfterValidator(_location)] = ""
    """HTTPS URL that answers only inside the intranet; Windows clients ask it where they are."""
    exempt: tuple[Domain, ...] = ()
    """Names in site.domain that clients look up locally; the gateway's and the location's always are."""
    resources: tuple[str, ...] = ()
    """What the connectivity assistant probes: ``PING:dc.corp.example``, ``HTTP:http://app.corp.example/``."""
