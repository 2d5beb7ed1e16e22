"""What a firewall on the way refuses: logs of several makers, and what people say of it."""

from __future__ import annotations

import pytest

from tests.unit.doctor.judging import pasted

HOST = """
C:\\>ipconfig

Windows IP Configuration

Tunnel adapter isatap.ad.example:

   Connection-specific DNS Suffix  . : ad.example
   Link-local IPv6 Address . . . . . : fe80::5efe:10.20.1.5%15
   Default Gateway . . . . . . . . . :

{line}
"""
LINES = [
    "Mar 2 08:00:01 asa1 : %ASA-3-106010: Deny inbound protocol 41 src users:10.20.1.5 dst servers:10.30.0.4",
    "Mar 2 08:00:01 sw: %SEC-6-IPACCESSLOGNP: list 110 denied 41 10.20.1.5 -> 10.30.0.4, 12 packets",
    "filterlog: 5,,,1000000103,em0,match,block,in,4,0x0,,64,0,0,DF,41,ipv6,80,10.20.1.5,10.30.0.4,",
    'date=2026-03-02 type="traffic" srcip=10.20.1.5 dstip=10.30.0.4 proto=41 action="deny" policyid=0',
    "1,2026/03/02 08:00:01,0011,TRAFFIC,drop,2049,2026/03/02 08:00:01,10.20.1.5,10.30.0.4,0,0,x,,,,0x0,41,deny,80",
    "Mar  2 08:00:01 gw kernel: [UFW BLOCK] IN=eth0 OUT=eth1 SRC=10.20.1.5 DST=10.30.0.4 LEN=100 TTL=63 PROTO=41",
    "RT_FLOW_SESSION_DENY: session denied 10.20.1.5/0->10.30.0.4/0 None 41(0) default-deny users servers",
    "access-list USERS_IN line 4 extended deny 41 any any (hitcnt=5321) 0x1234",
    "The network team says that IP protocol 41 is blocked between both VLANs.",
    "Laut Firewall-Team wird Protokoll 41 zwischen den Netzen verworfen.",
    "Le protocole 41 est bloqué par le pare-feu.",
]


@pytest.mark.parametrize("line", LINES)
def test_protocol_41_is_refused_on_the_way(line: str) -> None:
    told = pasted(HOST.format(line=line))
    assert next(iter(told)) == "PATH-FILTERED" and told["PATH-FILTERED"].severity == "error"
    assert line.split()[-1] in told["PATH-FILTERED"].seen[0] and "EVIDENCE" not in told


@pytest.mark.parametrize(
    "line",
    [
        "The network team says that IP protocol 41 is not blocked between both VLANs.",
        "Could it be that protocol 41 is blocked?",
        "Is protocol 41 dropped somewhere?",
        "If protocol 41 is blocked, what would one see?",
        "access-list USERS_IN line 4 extended deny 41 any any (hitcnt=0) 0x1234",
        "Mar 2 08:00:01 fw : %ASA-6-302303: Built protocol 41 connection from users:10.20.1.5 to dmz:10.30.0.4",
        "Mar 2 08:00:01 fw : %ASA-4-106023: Deny tcp src users:10.20.1.5/50123 dst dmz:10.30.0.4/41 by access-group",
        "Mar 2 08:00:01 fw : %ASA-4-106023: Deny icmp src users:10.20.1.5 dst dmz:10.30.0.4 (type 8, code 0)",
    ],
)
def test_what_refuses_nothing_of_ours(line: str) -> None:
    assert "PATH-FILTERED" not in pasted(HOST.format(line=line))


@pytest.mark.parametrize(
    ("line", "severity"),
    [
        (
            "Deny tcp src in:2001:db8:1:1:0:5efe:a14:105/5012 dst dmz:2001:db8:1:1000:a:b:c:d/3389 by x",
            "error",
        ),
        ("fw: deny tcp 198.51.100.7:50123 -> 203.0.113.9:443 rule 12", "warning"),
        (
            "kernel: DROP IN=eth0 SRC=198.51.100.7 DST=203.0.113.9 PROTO=UDP SPT=50123 DPT=3544 LEN=89",
            "warning",
        ),
        ("fw: deny tcp 198.51.100.7:50123 -> 203.0.113.9:23 rule 12", None),
        ("fw: deny tcp 10.20.1.5:50123 -> 10.30.0.4:3389 rule 12", None),
    ],
)
def test_ports_that_matter_here(line: str, severity: str | None) -> None:
    told = pasted(HOST.format(line=line)).get("PATH-FILTERED")
    assert (told.severity if told is not None else None) == severity


def test_the_machines_own_log_without_its_heading() -> None:
    line = "2026-03-02 08:00:01 DROP 41 10.20.1.5 10.30.0.4 - - 80 - - - - - - - SEND"
    told = pasted(HOST.format(line=line))
    assert "FIREWALL-DROPS" in told and "PATH-FILTERED" not in told


def test_other_packets_than_those_refused_are_none_of_a_log_that_has_a_heading() -> None:
    line = "#Version: 1.5\n2026-03-02 08:00:01 DROP 41 10.20.1.5 10.30.0.4 - - 80 - - - - - - - SEND"
    assert "(1 times)" in pasted(HOST.format(line=line))["FIREWALL-DROPS"].seen[0]
