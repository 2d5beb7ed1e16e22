"""What the site file wants against what the directory has: refusals, differences, states to write and to restore."""

from __future__ import annotations

import base64
import copy
from typing import Any

import pytest

from manageout.errors import ManageoutError
from manageout.windows import gpo
from manageout.windows.registry_pol import RegistryRecord, build

BASE = "DC=corp,DC=example"
UNIT = f"OU=Workstations,{BASE}"
SID = "S-1-5-21-1-2-3-1103"
GUID = "{0B0C6B0A-6D6F-5E1A-8B1E-6D616E616765}"
DN = f"CN={GUID},CN=Policies,CN=System,{BASE}"
OTHER = f"[LDAP://CN={{31B2F340-016D-11D2-945F-00C04FB984F9}},CN=Policies,CN=System,{BASE};0]"
REGISTRY = build([RegistryRecord.of("Software\\A", "State", "Enabled")])
WANTED = gpo.WantedPolicy(GUID, "Manageout: managers", "[{A}{B}]", REGISTRY, "Managers", UNIT)


def empty() -> Any:
    return {
        "base": BASE,
        "groups": {"Managers": SID},
        "links": {UNIT: {"gPLink": None}},
        "names": {WANTED.name: []},
        "policies": {GUID: None},
    }


def published() -> Any:
    """As the directory is read after the first publishing."""
    found = empty()
    after: Any = gpo.desired([WANTED], found, {})
    found["links"] |= after["links"]
    policy = copy.deepcopy(after["policies"][GUID])
    found["policies"][GUID] = policy | {"consistent": True, "security": f"O:DAG:DA{policy['security']}"}
    found["names"] = {WANTED.name: [GUID]}
    return found


def test_what_is_missing_is_made_and_linked() -> None:
    after: Any = gpo.desired([WANTED], empty(), {})
    policy = after["policies"][GUID]
    assert policy["attributes"] == {
        "displayName": "Manageout: managers",
        "flags": "1",
        "gPCFileSysPath": f"\\\\corp.example\\sysvol\\corp.example\\Policies\\{GUID}",
        "gPCFunctionalityVersion": "2",
        "gPCMachineExtensionNames": "[{A}{B}]",
        "versionNumber": "1",
    }
    assert base64.b64decode(policy["files"]["GPT.INI"]) == b"[General]\r\nVersion=1\r\n"
    assert policy["security"].endswith(f"(OA;CI;CR;edacfd8f-ffb3-11d1-b41d-00a0c968f939;;{SID})")
    assert "edacfd8f-ffb3-11d1-b41d-00a0c968f939;;AU" not in policy["security"]
    assert after["links"] == {UNIT: {"gPLink": f"[LDAP://{DN};0]"}}


def test_what_is_published_differs_in_nothing() -> None:
    assert gpo.differences([WANTED], published()) == []
    assert gpo.desired([WANTED], published(), {}) == {"policies": {}, "links": {}}


def test_rights_may_stand_in_any_order() -> None:
    """Samba 4.17 writes them in its own, 4.22 in Windows'."""
    found = published()
    policy = found["policies"][GUID]
    everything, read = "(A;CI;CCDCLCSWRPWPDTLOSDRCWDWO;;;DA)", f"(A;CI;LCRPLORC;;;{SID})"
    assert everything in policy["security"] and read in policy["security"]
    older = policy["security"].replace("CCDCLCSWRPWPDTLOSDRCWDWO", "RPWPCCDCLCLORCWOWDSDDTSW")
    policy["security"] = older.replace("LCRPLORC", "RPLCLORC")
    assert "DCLCSW" not in policy["security"] and "LCRP" not in policy["security"]
    assert gpo.differences([WANTED], found) == []
    policy["security"] = policy["security"].replace("RPLCLORC", "RPLCLO")
    assert f"{WANTED.name}: access list: {read} is missing" in gpo.differences([WANTED], found)


@pytest.mark.parametrize(
    ("where", "value", "line"),
    [
        (("attributes", "flags"), "3", "flags is 3, should be 1"),
        (("attributes", "gPCWQLFilter"), "[x]", "gPCWQLFilter is [x], should be absent"),
        (("attributes", "versionNumber"), "2", "version 2 in the directory, 1 in GPT.INI"),
        (("consistent",), False, "the access list of its folder in SYSVOL does not match the directory's"),
        (("files", "Machine\\Registry.pol"), "AAAA", "not a Registry.pol file"),
        (("files", "Machine\\comment.cmtx"), "AAAA", "machine\\comment.cmtx is there too"),
        (("security",), f"O:DAG:DA{gpo.access(SID)}(A;;RP;;;WD)", "access list: (A;;RP;;;WD) is there too"),
        (("security",), f"O:DAG:DA{gpo.access('S-1-5-21-1-2-3-9')}", f"{SID}) is missing"),
    ],
)
def test_what_was_changed_by_hand_is_named(where: tuple[str, ...], value: object, line: str) -> None:
    found = published()
    place = found["policies"][GUID]
    for key in where[:-1]:
        place = place[key]
    place[where[-1]] = value
    lines = gpo.differences([WANTED], found)
    assert any(line in each for each in lines), lines
    after: Any = gpo.desired([WANTED], found, {})
    assert after["policies"][GUID]["attributes"]["versionNumber"] in ("2", "3")


def test_long_values_are_shown_where_they_differ() -> None:
    def registry(end: str) -> bytes:
        return build([RegistryRecord.of("K\\{1}", "Rule", "x" * 400 + end)])

    (line,) = gpo._registry_lines(registry("new"), registry("old"))
    assert line.startswith("Rule is ...x") and "xold', should be ...x" in line and line.endswith("xnew'")
    assert len(line) < 200


def test_values_of_one_name_are_told_apart() -> None:
    both = build([RegistryRecord.of(f"K\\{{{n}}}", "Version", "1") for n in "AB"])
    assert gpo._registry_lines(build([]), both) == [
        "{a}\\Version is there too: '1'",
        "{b}\\Version is there too: '1'",
    ]


def test_a_number_that_machines_have_seen_is_never_used_again() -> None:
    after: Any = gpo.desired([WANTED], empty(), {GUID: 7})
    assert after["policies"][GUID]["attributes"]["versionNumber"] == "8"


def test_refusals() -> None:
    foreign = empty() | {"names": {WANTED.name: ["{F}"]}}
    with pytest.raises(ManageoutError, match="not ours"):
        gpo.refuse([WANTED], foreign)
    with pytest.raises(ManageoutError, match="no security group 'Managers'"):
        gpo.refuse([WANTED], empty() | {"groups": {"Managers": None}})
    with pytest.raises(ManageoutError, match="no place"):
        gpo.refuse([WANTED], empty() | {"links": {UNIT: None}})
    orphan = published()
    orphan["policies"][GUID]["attributes"] = None
    with pytest.raises(ManageoutError, match="the directory has no policy of it"):
        gpo.refuse([WANTED], orphan)
    gpo.refuse([WANTED], published())


def test_links_elsewhere_and_disabled_ones_are_mended() -> None:
    found = published()
    elsewhere = f"OU=Laptops,{BASE}"
    found["links"] = {
        UNIT: {"gPLink": f"{OTHER}[LDAP://{DN.lower()};3]"},
        elsewhere: {"gPLink": f"[LDAP://{DN};0]{OTHER}"},
    }
    assert gpo.differences([WANTED], found) == [
        f"{WANTED.name}: its link at {UNIT} is disabled",
        f"{WANTED.name}: linked at {elsewhere} too",
    ]
    assert gpo.desired([WANTED], found, {})["links"] == {
        UNIT: {"gPLink": f"{OTHER}[LDAP://{DN.lower()};2]"},
        elsewhere: {"gPLink": OTHER},
    }


def test_undo_restores_what_was_there_and_keeps_links_of_others() -> None:
    before, now = gpo.part(empty(), {"policies": {GUID: None}, "links": {UNIT: None}}), published()
    assert gpo.undone(before, now) == {"policies": {GUID: None}, "links": {UNIT: {"gPLink": None}}}
    now["links"][UNIT]["gPLink"] += OTHER
    assert gpo.undone(before, now)["links"] == {UNIT: {"gPLink": OTHER}}
    assert gpo.undone(before, empty()) == {"policies": {}, "links": {}}


def test_undo_leaves_out_a_place_that_is_gone() -> None:
    before: Any = {"policies": {}, "links": {UNIT: {"gPLink": OTHER}}}
    assert gpo.undone(before, {"policies": {}, "links": {UNIT: None}}) == {"policies": {}, "links": {}}
