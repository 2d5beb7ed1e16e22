"""How long ``manageout doctor`` takes for all outputs of ten machines in one pasted text of 2 MB, and its memory."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.report import Result, alternate

NAMES = ("doctor_paste_s", "doctor_paste_mib")
RUNS = 5
SIZE = 2_000_000
MACHINES = 10
MANAGEOUT = Path(sys.executable).with_name("manageout")
GUID = "{CA09D971-1111-2222-3333-0349%08X}"
SHORT = r"""
C:\Windows\system32>ipconfig /all

Windows IP Configuration

   Host Name . . . . . . . . . . . . : HELP@
   Primary Dns Suffix  . . . . . . . : corp.example

Ethernet adapter Ethernet:

   Connection-specific DNS Suffix  . : corp.example
   Physical Address. . . . . . . . . : 00-0C-29-AA-BB-CC
   IPv4 Address. . . . . . . . . . . : 10.0.1.3@(Preferred)
   Subnet Mask . . . . . . . . . . . : 255.255.255.0
   Default Gateway . . . . . . . . . : 10.0.1.1

Tunnel adapter isatap.corp.example:

   Connection-specific DNS Suffix  . : corp.example
   Description . . . . . . . . . . . : Microsoft ISATAP Adapter
   Physical Address. . . . . . . . . : 00-00-00-00-00-00-00-E0
   Link-local IPv6 Address . . . . . : fe80::5efe:10.0.1.3@%15(Preferred)
   Default Gateway . . . . . . . . . :

C:\Windows\system32>netsh interface isatap show state
ISATAP State                       : enabled

C:\Windows\system32>sc query iphlpsvc

SERVICE_NAME: iphlpsvc
        TYPE               : 30  WIN32
        STATE              : 4  RUNNING

C:\Windows\system32>nslookup isatap-mgmt.corp.example
Server:  dc.corp.example
Address:  10.0.0.10

Name:    isatap-mgmt.corp.example
Address:  10.0.0.1

"""
TABLES = (
    ("C:\\>netsh interface ipv6 show route\n\nPublish  Type      Met  Prefix                    Idx  Gateway\n"
     "-------  --------  ---  ------------------------  ---  ------------------------\n",
     "No       Manual    256  fd12:3456:789a:{0:x}::/64   15  fe80::5efe:10.0.0.1\n"),
    ("C:\\>route print -6\n===========================================================================\n",
     " 15    281 fd12:3456:789a:1:{0:x}:5efe:10.0.1.30/128\n                                    On-link\n"),
    ("C:\\>reg query HKLM\\SYSTEM\\CurrentControlSet\\Services\\Tcpip6 /s\n",
     "\nHKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\Tcpip6\\{0}\n    Value    REG_SZ    x\n"),
    ("C:\\>ipconfig /displaydns\n\nWindows IP Configuration\n",
     "\n    pc{0}.corp.example\n    ----------------------------------------\n"
     "    Record Name . . . . . : pc{0}.corp.example\n    A (Host) Record . . . : 10.0.5.7\n"),
    ("PS C:\\> Get-NetFirewallRule -Direction Inbound\n",
     "\nName                  : rule-{0}\nDisplayName           : Rule {0}\nEnabled               : True\n"
     "Direction             : Inbound\nProfile               : Domain\nAction                : Allow\n"),
    ("PS C:\\> tasklist\n", "svchost.exe                   {0:>5} Services                   0     12,345 K\n"),
    ("And this is what the log said, in no order:\n", "Something happened at {0} o'clock, nobody knows why.\n"),
)  # fmt: skip


def text() -> str:
    """Every machine has the short outputs, and each table fills its share of the rest."""
    share = SIZE // MACHINES // len(TABLES)
    whole = []
    for machine in range(MACHINES):
        whole.append(SHORT.replace("@", str(machine)))
        for head, row in TABLES:
            rows = [row.format(number) for number in range(share // len(row.format(0)))]
            whole.append(head + "".join(rows) + "\n")
    return "".join(whole)


def measure(wanted: frozenset[str]) -> Iterator[Result]:
    """The median of both, of the installed command: seconds from its start to its end, and its peak in MiB."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "paste.txt"
        file.write_text(text())
        peaks: list[float] = []
        taken = alternate(RUNS, doctor=lambda: _run(file, peaks))
    if "doctor_paste_s" in wanted:
        yield Result("doctor_paste_s", taken["doctor"], "s")
    if "doctor_paste_mib" in wanted:
        yield Result("doctor_paste_mib", max(peaks), "MiB")


def _run(file: Path, peaks: list[float]) -> float:
    before = os.times()
    process = subprocess.Popen([str(MANAGEOUT), "doctor", str(file)], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 1:
        raise RuntimeError(f"manageout doctor ended with {process.returncode}: it must find ten faults")
    peaks.append(usage.ru_maxrss / 1024)
    return os.times().elapsed - before.elapsed
