"""The demo's steps for a lab with Active Directory: a real domain, with everybody and our group policies in place."""

from manageout.errors import LabError
from manageout.lab import network, samba
from manageout.lab.run import Run, expect
from manageout.lab.site import MANAGEOUT
from manageout.lab.topology import BASE, CLIENTS, DNS_INTRANET, DOMAIN, ISATAP_NAME, MANAGERS
from manageout.words import counted

PLACES = {"helpdesk": ("Workstations", MANAGERS), "laptop": ("Laptops", CLIENTS)}
"""Computer -> its organisational unit and group."""
SERVER = f"dc.{DOMAIN}"
POLICY = "Manageout: ISATAP managers"


def domain(run: Run) -> str:
    for computer, (unit, group) in PLACES.items():
        found = _search(f"(sAMAccountName={computer}$)", "memberOf")
        wanted = (f"dn: CN={computer},OU={unit},{BASE}", f"memberOf: CN={group},CN=Users,{BASE}")
        if missing := [line for line in wanted if line not in found]:
            raise LabError(f"the directory does not say {missing[0]}", "\n".join(found))
    places = ", ".join(f"{computer} in {unit} and {group}" for computer, (unit, group) in PLACES.items())
    return f"{DOMAIN}: {places}"


def published(run: Run) -> str:
    """Group policies, looked at by Samba's programs, which had no part in writing them."""
    before = _policies()
    _rollout(run, "gpo", "--publish")
    guid = _guid()
    _says(_tool("gpo", "getlink", f"OU=Workstations,{BASE}"), guid)
    _tool("gpo", "aclcheck")
    path = f"{DOMAIN}\\Policies\\{guid}\\Machine\\Registry.pol"
    argv = ["smbclient", f"//{SERVER}/sysvol", "-U", samba.LOGIN, "-c", f'get "{path}" /dev/stdout']
    text = network.run("helpdesk", [*_environment(), "sh", "-c", '"$@" | tr -d "\\0"', "sh", *argv]).stdout
    _says(text, ISATAP_NAME)
    linked = counted(_policies() - before, "policy", "policies")
    return f"{linked} linked, access lists consistent; Registry.pol names {ISATAP_NAME}"


def undone(run: Run) -> str:
    """What somebody changes by hand is shown; undo leaves the directory as it was before us."""
    dn = f"CN={_guid()},CN=Policies,CN=System,{BASE}"
    change = f"dn: {dn}\nchangetype: modify\nreplace: displayName\ndisplayName: Mine now\n"
    argv = ["ldbmodify", "-H", f"ldap://{DNS_INTRANET}", "-U", samba.LOGIN]
    network.run("helpdesk", argv, text=change)
    _says(_rollout(run, "status", fails=True), "displayName is Mine now")
    _rollout(run, "undo")
    expect(_policies() == 2, "policies are left after the undo")  # the domain's own two
    _says(_rollout(run, "status", fails=True), f"{POLICY}: not in the directory")
    return "the drift is shown line by line; undone: only the domain's own policies are left"


def _rollout(run: Run, command: str, *options: str, fails: bool = False) -> str:
    """``manageout rollout`` on helpdesk, as the Administrator, for the ISATAP router's site file."""
    environment = [*_environment(), f"MANAGEOUT_PASSWORD={samba.PASSWORD}"]
    directory = network.directory(run.topology.router)
    argv = [*environment, *MANAGEOUT, "rollout", command, *options, "--config", str(directory / "site.toml")]
    argv += ["--server", SERVER, "--user", "Administrator"]
    if command != "status":
        argv += ["--backups", str(directory / "gpo-backups")]
    result = network.run("helpdesk", argv, check=False)
    said = result.stdout + result.stderr
    expect(bool(result.returncode) is fails, f"rollout {command} ended with {result.returncode}", said)
    return result.stdout


def _guid() -> str:
    """The GUID of the managers' policy."""
    found = _search(f"(displayName={POLICY})", "cn")
    return next((line.partition(": ")[2] for line in found if line.startswith("cn: ")), "none")


def _policies() -> int:
    return sum(line.startswith("dn: ") for line in _search("(objectClass=groupPolicyContainer)", "cn"))


def _tool(*argv: str) -> str:
    tool = ["samba-tool", *argv, "-H", f"ldap://{SERVER}", "-U", samba.LOGIN]
    return network.run("helpdesk", [*_environment(), *tool]).stdout


def _environment() -> list[str]:
    return ["env", f"KRB5_CONFIG={samba.krb5_conf('dc')}"]


def _says(text: str, wanted: str) -> None:
    expect(wanted in text, f"{wanted!r} is not there", text)


def _search(what: str, *attributes: str) -> list[str]:
    """The lines that an LDAP search of the Administrator finds, asked from helpdesk."""
    argv = ["ldbsearch", "-H", f"ldap://{DNS_INTRANET}", "-U", samba.LOGIN, what, *attributes]
    return network.run("helpdesk", argv).stdout.splitlines()
