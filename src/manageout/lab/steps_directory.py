"""The demo's step for a lab with Active Directory: the domain is a real one, with everybody in place."""

from __future__ import annotations

from manageout.errors import LabError
from manageout.lab import network, samba
from manageout.lab.run import Run, Step
from manageout.lab.topology import DNS_INTRANET, DOMAIN

PLACES = {"helpdesk": ("Workstations", samba.MANAGERS), "laptop": ("Laptops", samba.CLIENTS)}
"""Computer -> its organisational unit and group."""


def _domain(run: Run) -> str:
    base = ",".join(f"DC={label}" for label in DOMAIN.split("."))
    for computer, (unit, group) in PLACES.items():
        found = _search(f"(sAMAccountName={computer}$)")
        wanted = (f"dn: CN={computer},OU={unit},{base}", f"memberOf: CN={group},CN=Users,{base}")
        if missing := [line for line in wanted if line not in found]:
            raise LabError(f"the directory does not say {missing[0]}", "\n".join(found))
    places = ", ".join(f"{computer} in {unit} and {group}" for computer, (unit, group) in PLACES.items())
    return f"{DOMAIN}: {places}"


def _search(what: str) -> list[str]:
    """The lines that an LDAP search of the Administrator finds, asked from helpdesk."""
    argv = [
        "ldbsearch",
        "-H",
        f"ldap://{DNS_INTRANET}",
        "-U",
        samba.LOGIN,
        what,
        "memberOf",
    ]
    return network.run("helpdesk", argv).stdout.splitlines()


STEPS: tuple[Step, ...] = (Step("the domain is in place", _domain, needs_ad=True),)
