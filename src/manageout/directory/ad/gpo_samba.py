"""Group policies of a domain, read and written with Samba's own bindings.

A program of its own, for the system's Python, which has them; it runs without this package. One JSON object
comes in on standard input; on standard output goes a JSON object a line: steps ``{"step": TEXT}``, at last
``{"result": ...}`` or ``{"error": TEXT, "kind": KIND, "left": TEXT | null}``.
"""

from __future__ import annotations

import base64
import json
import os
import runpy
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import ldb
from samba import NTSTATUSError, credentials, param
from samba.auth import system_session
from samba.dcerpc import nbt, security
from samba.ndr import ndr_pack, ndr_unpack
from samba.net import Net
from samba.netcmd.gpo import create_directory_hier
from samba.ntacls import dsacl2fsacl
from samba.samba3 import libsmb_samba_internal as libsmb
from samba.samba3 import param as s3param
from samba.samdb import SamDB

if TYPE_CHECKING:
    from manageout.directory.ad.state import Directory, DomainState, PlaceState, PolicyState, Questions

ATTRIBUTES = (
    "displayName", "flags", "gPCFileSysPath", "gPCFunctionalityVersion", "gPCMachineExtensionNames",
    "gPCUserExtensionNames", "gPCWQLFilter", "versionNumber",
)  # fmt: skip
WHOLE = security.SECINFO_OWNER | security.SECINFO_GROUP | security.SECINFO_DACL
DACL_START = "D:"
FOLDER = 0x10
MAX_FILES, MAX_BYTES = 1000, 16 << 20


# NT_STATUS_OBJECT_NAME_COLLISION, NT_STATUS_NOT_A_DIRECTORY
COLLISIONS = (0xC0000035, 0xC0000103)


class SambaError(Exception):
    """With what is said to the user, and its kind."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class DomainController:
    """One domain controller, by LDAP and SMB."""

    def __init__(self, wanted: dict[str, Any]) -> None:
        self.name: str = wanted["domain"]
        lp = param.LoadParm()
        lp.set("realm", self.name.upper())
        creds = _credentials(wanted, lp)
        server = wanted.get("server") or _find(lp, creds, self.name)
        self.server = server
        try:
            self.db = SamDB(url=f"ldap://{server}", session_info=system_session(), credentials=creds, lp=lp)
        except ldb.LdbError as error:
            if not wanted.get("user") and "LDAP client internal error" in str(error):
                text = f"no Kerberos ticket that fits, or {server} does not answer"
                raise SambaError("credentials", text) from error
            raise
        self.base = str(self.db.domain_dn())
        self.sid = security.dom_sid(self.db.get_domain_sid())
        s3 = s3param.get_context()
        s3.load(os.devnull)
        creds.set_smb_signing(credentials.SMB_SIGNING_REQUIRED)
        self.share = libsmb.Conn(server, "sysvol", lp=s3, creds=creds)

    def dn(self, guid: str) -> str:
        """The policy's object."""
        return f"CN={guid},CN=Policies,CN=System,{self.base}"

    def folder(self, guid: str) -> str:
        """The policy's folder in SYSVOL."""
        return f"{self.name}\\Policies\\{guid}"

    def one(self, dn: str, attributes: list[str]) -> Any:
        """An object, or None."""
        try:
            found = self.db.search(dn, ldb.SCOPE_BASE, attrs=attributes, controls=[f"sd_flags:1:{WHOLE}"])
        except ldb.LdbError as error:
            if error.args[0] == ldb.ERR_NO_SUCH_OBJECT:
                return None
            raise
        return found[0] if len(found) else None

    # Reading

    def read(self, wanted: Questions) -> Directory:
        """What the directory and SYSVOL hold of the policies, groups and places asked for."""
        guids = wanted["guids"]
        units = dict.fromkeys([*wanted["units"], *(place for guid in guids for place in self.places(guid))])
        return {
            "server": self.server,
            "base": self.base,
            "groups": {name: self.group(name) for name in wanted["groups"]},
            "links": {unit: self.links(unit) for unit in units},
            "names": {name: self.named(name) for name in wanted["names"]},
            "policies": {guid: self.policy(guid) for guid in guids},
        }

    def group(self, name: str) -> str | None:
        """The SID of a security group."""
        text = ldb.binary_encode(name)
        words = f"(&(objectClass=group)(|(sAMAccountName={text})(cn={text})))"
        found = self.db.search(self.base, ldb.SCOPE_SUBTREE, words, attrs=["objectSid"])
        if len(found) != 1:
            return None
        return str(ndr_unpack(security.dom_sid, found[0]["objectSid"][0]))

    def links(self, unit: str) -> PlaceState | None:
        """``gPLink`` of a place; None when there is no such place."""
        found = self.one(unit, ["gPLink"])
        return None if found is None else {"gPLink": str(found["gPLink"][0]) if "gPLink" in found else None}

    def places(self, guid: str) -> list[str]:
        """Where the policy is linked."""
        words = f"(gPLink=*{ldb.binary_encode(guid)}*)"
        found = self.db.search(self.base, ldb.SCOPE_SUBTREE, words, attrs=["cn"])
        return sorted(str(each.dn) for each in found)

    def named(self, name: str) -> list[str]:
        """GUIDs of the policies of that name."""
        place = f"CN=Policies,CN=System,{self.base}"
        words = f"(&(objectClass=groupPolicyContainer)(displayName={ldb.binary_encode(name)}))"
        found = self.db.search(place, ldb.SCOPE_ONELEVEL, words, attrs=["cn"])
        return sorted(str(each["cn"][0]) for each in found)

    def policy(self, guid: str) -> PolicyState | None:
        """A policy as it is; None when there is neither object nor folder."""
        found = self.one(self.dn(guid), [*ATTRIBUTES, "nTSecurityDescriptor"])
        folder = self.folder(guid)
        there = self.share.chkpath(folder)
        if found is None and not there:
            return None
        files, folders = self.tree(folder) if there else ({}, [])
        paths = ["", *folders, *files] if there else []
        sddl = None
        if found is not None:
            if "nTSecurityDescriptor" not in found:
                raise SambaError("rights", f"{guid}: its access list cannot be read with these rights")
            sddl = ndr_unpack(security.descriptor, found["nTSecurityDescriptor"][0]).as_sddl(self.sid)
        access = {path: self.access(f"{folder}\\{path}" if path else folder) for path in paths}
        return {
            "attributes": None
            if found is None
            else {name: str(found[name][0]) for name in ATTRIBUTES if name in found},
            "security": sddl,
            "consistent": sddl is not None and there and access[""] == dsacl2fsacl(sddl, self.sid),
            "files": {path: base64.b64encode(content).decode() for path, content in files.items()},
            "folders": folders,
            "access": access,
        }

    def access(self, path: str) -> str:
        """The access list of a file or folder."""
        return str(self.share.get_acl(path, WHOLE, security.SEC_FLAG_MAXIMUM_ALLOWED).as_sddl(self.sid))

    def tree(self, folder: str) -> tuple[dict[str, bytes], list[str]]:
        """Files and folders below ``folder``; a folder before what is in it."""
        files: dict[str, bytes] = {}
        folders: list[str] = []
        waiting, size = [""], 0
        while waiting:
            below = waiting.pop(0)
            for entry in sorted(
                self.share.list(f"{folder}\\{below}" if below else folder), key=lambda each: str(each["name"])
            ):
                path = f"{below}\\{entry['name']}" if below else entry["name"]
                if entry["attrib"] & FOLDER:
                    folders.append(path)
                    waiting.append(path)
                else:
                    files[path] = self.share.loadfile(f"{folder}\\{path}")
                    size += len(files[path])
                if len(files) + len(folders) > MAX_FILES or size > MAX_BYTES:
                    raise SambaError("size", f"{folder} holds more than a policy can")
        return files, folders

    # Writing

    def put(self, before: DomainState, after: DomainState, say: Callable[[str], None]) -> dict[str, str]:
        """Make policies and links as they are told; when that fails, as they were."""
        touched: list[tuple[str, str]] = []
        try:
            self._all(after, say, touched)
        except Exception as error:
            refusal = refused(error)
            say("taking back what was done")
            part: DomainState = {
                "policies": {key: before["policies"][key] for kind, key in touched if kind == "policies"},
                "links": {key: before["links"][key] for kind, key in touched if kind == "links"},
            }
            try:
                self._all(part, say, [])
            except Exception as second:
                text = f"what was there before could not be restored: {refused(second)}"
                raise Half(refusal, text) from second
            raise refusal from error
        return {}

    def _all(self, state: DomainState, say: Callable[[str], None], touched: list[tuple[str, str]]) -> None:
        """Policies that go lose their links first; policies that come are linked last."""
        gone = [guid for guid, policy in state["policies"].items() if policy is None]
        if gone:
            self._links(state["links"], say, touched)
        for guid, policy in state["policies"].items():
            touched.append(("policies", guid))
            if policy is None:
                say(f"removing {guid}")
                self._remove(guid)
            else:
                say(f"writing {(policy['attributes'] or {})['displayName']}")
                self._write(guid, policy)
        if not gone:
            self._links(state["links"], say, touched)

    def _links(
        self,
        links: Mapping[str, PlaceState | None],
        say: Callable[[str], None],
        touched: list[tuple[str, str]],
    ) -> None:
        for unit, link in links.items():
            if link is not None and self.links(unit) != link:
                touched.append(("links", unit))
                say(f"linking at {unit}")
                self._replace(unit, {"gPLink": link["gPLink"]})

    def _replace(self, dn: str, values: dict[str, str | None]) -> None:
        message = ldb.Message(ldb.Dn(self.db, dn))
        for name, value in values.items():
            message[name] = ldb.MessageElement([] if value is None else [value], ldb.FLAG_MOD_REPLACE, name)
        self.db.modify(message)

    def _write(self, guid: str, policy: PolicyState) -> None:
        dn, folder, values = self.dn(guid), self.folder(guid), policy["attributes"] or {}
        if self.one(dn, ["cn"]) is None:
            self.db.add({"dn": dn, "objectClass": "groupPolicyContainer"})
        for child in ("User", "Machine"):
            if self.one(f"CN={child},{dn}", ["cn"]) is None:
                self.db.add({"dn": f"CN={child},{dn}", "objectClass": "container"})
        sddl = self._secure(dn, policy["security"] or "")
        if policy["files"] or policy["access"]:
            self._write_folder(folder, policy, dsacl2fsacl(sddl, self.sid))
        elif self.share.chkpath(folder):  # there was none, because replication lagged behind
            self.share.deltree(folder)
        # The version last: machines must not take it up before the rest is there.
        self._replace(dn, {name: values.get(name) for name in ATTRIBUTES})

    def _write_folder(self, folder: str, policy: PolicyState, access: str) -> None:
        """``access``: for what has no access list of its own to be restored."""
        create_directory_hier(self.share, folder)
        self._allow(folder, policy["access"].get("") or access)
        self._fill(folder, policy)
        for path in [*policy["folders"], *policy["files"]]:
            self._allow(f"{folder}\\{path}", policy["access"].get(path) or access)

    def _secure(self, dn: str, sddl: str) -> str:
        """Set the object's access list (with owner and group, if told), unless it is so; what it is then."""
        there, wanted = self._access_of(dn), security.descriptor.from_sddl(sddl, self.sid)
        if not there.endswith(
            wanted.as_sddl(self.sid)
        ):  # another Samba may have written ``sddl``, in another order
            flags = security.SECINFO_DACL if sddl.startswith(DACL_START) else WHOLE
            message = ldb.Message(ldb.Dn(self.db, dn))
            message["sd"] = ldb.MessageElement(ndr_pack(wanted), ldb.FLAG_MOD_REPLACE, "nTSecurityDescriptor")
            self.db.modify(message, controls=[f"sd_flags:1:{flags}"])
            there = self._access_of(dn)
        return there

    def _access_of(self, dn: str) -> str:
        found = self.one(dn, ["nTSecurityDescriptor"])
        return str(ndr_unpack(security.descriptor, found["nTSecurityDescriptor"][0]).as_sddl(self.sid))

    def _allow(self, path: str, sddl: str) -> None:
        descriptor = security.descriptor.from_sddl(sddl, self.sid)
        protected = security.SECINFO_PROTECTED_DACL if "D:P" in sddl else security.SECINFO_UNPROTECTED_DACL
        self.share.set_acl(path, descriptor, WHOLE | protected)

    def _fill(self, folder: str, policy: PolicyState) -> None:
        files, folders = self.tree(folder)
        for path in sorted(set(files) - set(policy["files"]), reverse=True):
            self.share.unlink(f"{folder}\\{path}")
        for path in sorted(set(folders) - set(policy["folders"]), reverse=True):
            self.share.rmdir(f"{folder}\\{path}")
        for path in policy["folders"]:
            if path not in folders:
                self.share.mkdir(f"{folder}\\{path}")
        for path, text in policy["files"].items():
            content = base64.b64decode(text)
            if files.get(path) != content:
                self.share.savefile(f"{folder}\\{path}", content)

    def _remove(self, guid: str) -> None:
        folder, dn = self.folder(guid), self.dn(guid)
        if self.one(dn, ["cn"]) is not None:
            self.db.delete(ldb.Dn(self.db, dn), ["tree_delete:0"])
        if self.share.chkpath(folder):
            self.share.deltree(folder)


class Half(SambaError):
    """It failed, and what was there before could not be restored."""

    def __init__(self, cause: SambaError, left: str) -> None:
        super().__init__(cause.kind, str(cause))
        self.left = left


def _credentials(wanted: dict[str, Any], lp: Any) -> Any:
    creds = credentials.Credentials()
    creds.guess(lp)
    if wanted.get("user"):
        creds.parse_string(wanted["user"])
        creds.set_password(wanted["password"])
        creds.set_domain(creds.get_domain() if "\\" in wanted["user"] else "")
        creds.set_realm(wanted["domain"].upper())
        creds.set_kerberos_state(credentials.AUTO_USE_KERBEROS)
    else:
        creds.set_kerberos_state(credentials.MUST_USE_KERBEROS)
        cache = os.environ.get("KRB5CCNAME") or f"FILE:/tmp/krb5cc_{os.getuid()}"
        creds.set_named_ccache(cache, credentials.SPECIFIED, lp)
    return creds


def _find(lp: Any, creds: Any, domain: str) -> str:
    flags = nbt.NBT_SERVER_LDAP | nbt.NBT_SERVER_DS | nbt.NBT_SERVER_WRITABLE
    return str(Net(creds=creds, lp=lp).finddc(domain=domain, flags=flags).pdc_dns_name)


def refused(error: Exception) -> SambaError:
    """What an exception of Samba means."""
    if isinstance(error, SambaError):
        return error
    text = str(error.args[1] if len(error.args) > 1 else error)
    text = " ".join(text.split())
    code = error.args[0] if error.args else 0
    rights = (ldb.ERR_INSUFFICIENT_ACCESS_RIGHTS,) if isinstance(error, ldb.LdbError) else (0xC0000022,)
    if code in rights:
        return SambaError("rights", text)
    if code in COLLISIONS:
        return SambaError("collision", text)
    if "LOGON_FAILURE" in text or "INVALID_CREDENTIALS" in text or "Invalid credentials" in text:
        return SambaError("credentials", text)
    if isinstance(error, ldb.LdbError | NTSTATUSError | OSError | RuntimeError):
        return SambaError("directory", text)
    return SambaError("fault", f"{type(error).__name__}: {text}")


def main() -> None:
    """One request."""
    wanted = json.load(sys.stdin)

    def write(**line: Any) -> None:
        print(json.dumps(line), flush=True)

    try:
        domain = DomainController(wanted)
        if wanted["do"] == "read":
            write(result=domain.read(wanted))
        elif wanted["do"] == "census":
            beside = os.path.join(os.path.dirname(os.path.abspath(__file__)), "census_samba.py")
            write(result=runpy.run_path(beside)["census"](domain))
        else:
            write(result=domain.put(wanted["before"], wanted["after"], lambda text: write(step=text)))
    except Exception as error:
        refusal = refused(error)
        write(error=str(refusal), kind=refusal.kind, left=getattr(refusal, "left", None))


if __name__ == "__main__":
    main()
