"""Any Windows machine: each rule alone on its case, and evidence at its edges."""

from __future__ import annotations

import pytest

from manageout.doctor.rules.machine import PARAMETERS
from tests.unit.doctor.bundles import CLIENT, MANAGER
from tests.unit.doctor.judging import found, pasted
from tests.unit.doctor.rules.cases import alone, registry, theme


@pytest.mark.parametrize("name", theme("machine"))
def test_a_case_is_named_and_its_consequences_are_not(name: str) -> None:
    assert alone(name)


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (0x00, set()),
        (0x01, {"TUNNELS-OFF"}),
        (0x02, set()),
        (0x04, {"ISATAP-OFF-BIT"}),
        (0x08, {"TEREDO-OFF-BIT"}),
        (0x10, {"IPV6-CARDS-OFF"}),
        (0x11, {"TUNNELS-OFF"}),
        (0x20, {"PREFER-IPV4"}),
        (0x24, {"ISATAP-OFF-BIT"}),
        (0x40, set()),
        (0xFF, {"TUNNELS-OFF"}),
        (0xFFFFFFFF, {"TUNNELS-OFF", "IPV6-WRONG-VALUE"}),
        (-1, {"TUNNELS-OFF", "IPV6-WRONG-VALUE"}),
    ],
)
def test_disabled_components_of_a_manager(value: int, names: set[str]) -> None:
    assert set(found(registry(MANAGER, PARAMETERS, "DisabledComponents", value))) == names


@pytest.mark.parametrize(("value", "kept"), [(0x01, "0x0"), (0x21, "0x20"), (0x31, "0x30"), (0xFF, "0x0")])
def test_the_remedy_keeps_the_other_bits(value: int, kept: str) -> None:
    told = found(registry(MANAGER, PARAMETERS, "DisabledComponents", value))["TUNNELS-OFF"]
    assert f"/t REG_DWORD /d {kept} /f" in told.remedy[0]
    assert "0x01 no tunnel interfaces" in told.seen[0]


def test_the_isatap_bit_does_not_trouble_a_client() -> None:
    assert not found(registry(CLIENT, PARAMETERS, "DisabledComponents", 0x04))


ASKS = "The notebook gets the policy of DirectAccess, and never connects.\n\n"
EDITIONS = {
    "systeminfo in French": "C:\\>systeminfo\n\nNom de l'hôte:                              NB-41\n"
    "Nom du système d'exploitation:              Microsoft Windows 11 {fr}\n"
    "Version du système:                         10.0.22631 N/A build 22631\n",
    "systeminfo in Russian": "C:\\>systeminfo\n\nИмя узла:                         NB-41\n"
    "Название ОС:                      Майкрософт Windows 10 {ru}\n"
    "Версия ОС:                        10.0.19045 Н/Д построение 19045\n",
    "systeminfo in Chinese": "C:\\>systeminfo\n\n主机名:           NB-41\n"
    "OS 名称:          Microsoft Windows 11 {zh}\nOS 版本:          10.0.22631 暂缺 Build 22631\n",
    "Get-ComputerInfo": "PS C:\\> Get-ComputerInfo | fl WindowsEditionId,OsName\n\n"
    "WindowsEditionId : {id}\nOsName           : Microsoft Windows 11 {en}\n",
    "CIM": "PS C:\\> Get-CimInstance Win32_OperatingSystem | fl Caption,Version\n\n"
    "Caption : Microsoft Windows 11 {en}\nVersion : 10.0.22631\n",
    "reg": 'C:\\>reg query "HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion" /v EditionID\n\n'
    "HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\n    EditionID    REG_SZ    {id}\n",
    "winver": "Edition\tWindows 11 {en}\n",
    "dism": "C:\\>dism /online /get-currentedition\n\nCurrent Edition : {id}\n",
}
LESS = [
    {"fr": "Professionnel", "ru": "Pro", "zh": "专业版", "id": "Professional", "en": "Pro"},
    {"fr": "Famille", "ru": "Домашняя", "zh": "家庭版", "id": "Core", "en": "Home"},
    {"fr": "Pro Education", "ru": "Pro Education", "zh": "专业教育版", "id": "ProfessionalEducation",
     "en": "Pro Education"},
]  # fmt: skip
WITH = {"fr": "Entreprise", "ru": "Корпоративная", "zh": "企业版", "id": "Enterprise", "en": "Enterprise"}
SCHOOL = {
    "fr": "Éducation",
    "ru": "для образовательных учреждений",
    "zh": "教育版",
    "id": "Education",
    "en": "Education",
}


@pytest.mark.parametrize("form", EDITIONS)
def test_the_edition_of_a_client(form: str) -> None:
    for words in LESS:
        assert "EDITION" in pasted(ASKS + EDITIONS[form].format(**words)), words
        assert "EDITION" not in pasted(EDITIONS[form].format(**words)), "of a machine that may be a manager"
    for words in (WITH, SCHOOL):
        assert "EDITION" not in pasted(ASKS + EDITIONS[form].format(**words)), words


def test_a_manager_may_be_of_any_edition() -> None:
    words = EDITIONS["CIM"].format(en="Pro")
    for said in (
        "From my admin PC I reach no DirectAccess laptop.\n\n",
        "Manage-out to DirectAccess fails.\n\n",
    ):
        assert "EDITION" not in pasted(said + words)
