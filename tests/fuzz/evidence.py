"""Drivers for what strangers give to the doctor and to ``import``, and for the policy files of a domain."""

from __future__ import annotations

import io
import json
import random
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from contextlib import redirect_stdout
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from manageout.cli.show import findings as shown
from manageout.doctor.diagnosis import MAX_QUOTE, MAX_QUOTES, diagnose
from manageout.doctor.facts import Facts
from manageout.doctor.pasted.segments import Part, parts
from manageout.doctor.powershell import records as powershell
from manageout.doctor.read import bundle
from manageout.doctor.read import json as read_json
from manageout.doctor.read import pasted as read_text
from manageout.doctor.read.text import decode, lines
from manageout.doctor.report import live_json
from manageout.doctor.rules.catalogue import RULES
from manageout.errors import ManageoutError, WireError
from manageout.imports.farm import Farm, add
from manageout.imports.site import Wishes, site_of
from manageout.site.tables import site as config
from manageout.windows import registry_pol
from tests.fuzz.engine import Target
from tests.tools.registry_pol import deletion
from tests.unit.doctor import live_cases, powershell_texts
from tests.unit.doctor.bundles import HEALTHY
from tests.unit.doctor.console import test_names as test_text_names
from tests.unit.doctor.console import test_netsh as test_text_netsh
from tests.unit.doctor.console import test_system as test_text_system
from tests.unit.doctor.console.test_settings import INTERFACE, INTERFACES, POLICIES, ROUTES
from tests.unit.doctor.languages import ipconfig
from tests.unit.doctor.powershell import test_read as test_read_cmdlets
from tests.unit.doctor.read.test_pasted import SESSION
from tests.unit.imports import farm_evidence, test_farm_text

WEIRD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1 << 31, 1 << 64, 1e308, float("inf"), float("nan"), "", "x", "::", "0.0.0.0",
    "fe80::1%9", "fd12::/200", "2002:836b:1:1000::/59", "\ud800", "\x1b[2J", "Enabled", "9" * 30, [], [[]], {},
    [None], ["x"] * 3, {"Name": "x", "Value": []}, "ff00::/8", "isatap", "Yes", -2147483649, "0x490",
)  # fmt: skip


def _judge(machines: Iterable[Facts]) -> None:
    """Whatever was read can be judged, and shown on a terminal."""
    found = diagnose(list(machines))
    for finding in found:
        assert finding.code in RULES and finding.seen and all(finding.seen)
        assert len(finding.seen) <= MAX_QUOTES and max(map(len, finding.seen)) <= MAX_QUOTE
    shown.show(found)
    json.dumps([finding._asdict() for finding in found])


def text(data: bytes) -> None:
    """Saved output of a console, in any code page."""
    _judge(bundle.read_pasted(decode(data)))


def cmdlets_text(data: bytes) -> None:
    """The output of cmdlets, which is judged whatever it is."""
    text(b"PS C:\\> Get-Service iphlpsvc | fl\n\nName : iphlpsvc\nStatus : Running\n\n" + data)


def output(data: bytes) -> None:
    """The first byte chooses the reader of a command's output, also of one that is not whose output it is."""
    rows = lines(decode(data[1:]))
    kind = _KINDS[data[0] % len(_KINDS)] if data else _KINDS[0]
    command = f"{kind} {rows[0][:200]}" if data[:1] > b"\x7f" else ""
    facts = Facts("x")
    read_text.READERS[kind](facts, Part(command, rows, kind=kind))
    _judge([facts])


def cut(data: bytes) -> None:
    """Whatever was pasted: no line is made up, each output has a known kind."""
    rows = lines(decode(data))
    kept = 0
    for part in parts(rows):
        assert part.kind in {*_KINDS, "powershell", ""}
        assert not part.lines or (part.lines[0] and part.lines[-1])
        kept += sum(map(bool, part.lines))
    assert kept <= sum(map(bool, rows))


def archive(data: bytes) -> None:
    """An archive, through a file as the command reads it."""
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as file:
        file.write(data)
        file.flush()
        _judge(bundle.read([Path(file.name)]))


def _altered(value: Any, dice: random.Random) -> Any:
    """``value`` with one place in it made weird: a leaf, a row, a section, a key."""
    if not isinstance(value, dict | list) or not value or dice.random() < 0.04:
        return WEIRD[int(dice.random() * len(WEIRD))]
    made: Any = value.copy()
    key = (
        list(value)[int(dice.random() * len(value))]
        if isinstance(value, dict)
        else int(dice.random() * len(value))
    )
    if dice.random() < 0.05:
        made.pop(key)
    else:
        made[key] = _altered(value[key], dice)
    return made


def _structured(values: list[Any], judge: Callable[[str], None]) -> Callable[[bytes], None]:
    """The input chooses one of ``values`` and what is altered in it, so that nearly every input is whole JSON."""

    def run(data: bytes) -> None:
        dice = random.Random(data)
        value = values[int(dice.random() * len(values))]
        for _ in range(int(dice.random() * 4) if len(data) > 1 else 0):
            value = _altered(value, dice)
        judge(json.dumps(value))

    return run


def _collected(source: str) -> None:
    facts = Facts("x.json", read_at=1_800_000_000.0)
    read_json.read(facts, source)
    _judge([facts])


def _live(source: str) -> None:
    facts = Facts("live.json")
    live_json.read(facts, source)
    _judge([facts])


def _farm(source: str) -> None:
    """What an import writes is a site file, or it says why there is none."""
    farm = Farm()
    add(farm, "x", source)
    made = site_of(farm, Wishes((IPv4Address("10.0.0.1"),), "manageout-isatap.corp.example"))
    config.parse(made.text)
    assert all(line.isprintable() for line in (*made.unread, *made.left, *made.taken))


def powershell_text(data: bytes) -> None:
    """Lists and tables: bounded, every value in one line, and no name of a list ends in dots that cut it."""
    found = powershell.records(decode(data).split("\n"))
    assert len(found) <= powershell.MAX_RECORDS
    for record in found:
        assert record.quote and all(record.values), record
        for value in record.values.values():
            assert "\n" not in value.text
            assert (
                value.items is None
                or not value.cut
                or not any(i.endswith("\u2026") for i in value.items[-1:])
            )


def farm_text(data: bytes) -> None:
    """Pasted output of Get-RemoteAccess."""
    _farm(decode(data))


def policy(data: bytes) -> None:
    """Registry.pol: what is read is what would be written, and its content is something of Python's."""
    records = registry_pol.parse(data)
    assert registry_pol.build(records) == data
    for record in records:
        record.content()


def _zip(members: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return made.getvalue()


def _records() -> bytes:
    key = r"Software\Policies\Microsoft\Windows\TCPIP\v6Transition"
    contents: list[Any] = ["Enabled", 3, ["a", "b"]]
    records = [registry_pol.RegistryRecord.of(key, f"v{n}", content) for n, content in enumerate(contents)]
    return registry_pol.build([*records, deletion(key, "ISATAP_State")])


_TEXTS = [part.encode() for part in (INTERFACE, INTERFACES, ROUTES, POLICIES)]
_TEXTS += [f"C:\\>{part}".encode() for part in SESSION.split("C:\\>")[1:]]
_TEXTS += [ipconfig("en").encode(), ipconfig("de").encode("cp850"), ipconfig("ja").encode("cp932")]
_TEXTS += [ipconfig("fr", stranded=True).encode("utf-16")]
_TEXTS += [
    text.encode()
    for text in (
        test_text_names.TWO, test_text_names.FAILED, test_text_system.REG, test_text_system.ROUTES,
        test_text_netsh.ADDRESSES, test_text_netsh.VERBOSE, "> On the server:\n>\n> [DA1]: PS C:\\> ipconfig",
    )
]  # fmt: skip
_TEXTS += [
    path.read_bytes() for path in sorted(Path(test_text_names.__file__).parents[1].glob("pastes/*.txt"))
]
_KINDS = sorted(read_text.READERS)
_OUTPUTS = [bytes([number % 256]) + seed for number, seed in enumerate(_TEXTS * 2)]
_SMALL = json.dumps({"collector": "manageout", "version": 1, "sections": {"isatap": [{"State": "Enabled"}]}})
_ARCHIVES = [
    _zip({"a/ipconfig.txt": ipconfig("de").encode("cp850"), "a/state.txt": b"ISATAP State : enabled\n"}),
    _zip({"x.json": _SMALL.encode(), "../y.txt": _TEXTS[0]}),
]
_FARMS = [json.loads(farm_evidence.bundle(number)) for number in (1, 2)]
_LIVE = [json.loads(live_json.to_json(live)) for live in live_cases.HEALTHY.values()]
_NUMBERS = [bytes([number]) for number in range(8)]


def _quietly(run: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """Without what is shown."""

    def quiet(data: bytes) -> None:
        with redirect_stdout(io.StringIO()):
            run(data)

    return quiet


TARGETS = [
    Target("evidence_text", _quietly(text), _TEXTS, refuses=(ManageoutError,)),
    Target("evidence_output", _quietly(output), _OUTPUTS),
    Target("evidence_cut", cut, _TEXTS),
    Target("evidence_archive", _quietly(archive), _ARCHIVES, refuses=(ManageoutError,)),
    Target(
        "evidence_collected",
        _quietly(_structured([*HEALTHY.values()], _collected)),
        _NUMBERS,
        refuses=(ManageoutError,),
    ),
    Target("evidence_live", _quietly(_structured(_LIVE, _live)), _NUMBERS, refuses=(ManageoutError,)),
    Target("farm_collected", _structured(_FARMS, _farm), _NUMBERS, refuses=(ManageoutError,)),
    Target(
        "evidence_cmdlets",
        _quietly(cmdlets_text),
        [*powershell_texts.ALL, powershell_texts.SETTINGS.encode(), test_read_cmdlets.JSON.encode()],
        refuses=(ManageoutError,),
    ),
    Target("powershell_text", powershell_text, powershell_texts.ALL),
    Target(
        "farm_text",
        farm_text,
        [text.encode() for text in (farm_evidence.PASTED, powershell_texts.SETTINGS, test_farm_text.SAME)],
        refuses=(ManageoutError,),
    ),
    Target("registry_pol", policy, [_records()], refuses=(WireError,)),
]
