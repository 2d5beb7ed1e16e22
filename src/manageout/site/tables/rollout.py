"""The table ``[rollout]``: which Windows machines are told what, and by which policies."""

from typing import Annotated

from manageout.site.tables.complaints import fits
from manageout.site.tables.types import Domain, TomlTable


def _is_unit(value: str) -> bool:
    parts = [part.partition("=")[0].strip().upper() for part in value.replace("\\,", "").split(",")]
    return set(parts) <= {"OU", "DC", "CN"} and parts[-1] == "DC"


Unit = Annotated[str, fits("no_unit", _is_unit)]


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
    location_url: Annotated[str, fits("no_location", lambda url: url.startswith("https://"))] = ""
    """HTTPS URL that answers only inside the intranet; Windows clients ask it where they are."""
    exempt: tuple[Domain, ...] = ()
    """Names in site.domain that clients look up locally; the gateway's and the location's always are."""
    resources: tuple[str, ...] = ()
    """What the connectivity assistant probes: ``PING:dc.corp.example``, ``HTTP:http://app.corp.example/``."""
