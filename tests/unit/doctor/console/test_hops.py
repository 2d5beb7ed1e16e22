"""Pings and traces: who could not hand the packet on, in every language's form."""

from __future__ import annotations

import pytest

from tests.unit.doctor.judging import pasted

HEAD = "C:\\>tracert -d 2001:db8:77:d000::9\n\nTracing route to 2001:db8:77:d000::9 over a maximum of 30 hops\n\n"
HOPS = (
    "  1    <1 ms    <1 ms    <1 ms  2001:db8:77:20::1\n  2     1 ms    <1 ms     1 ms  2001:db8:77:ff::2\n"
)
SILENT = "".join(f"  {n}     *        *        *     Request timed out.\n" for n in range(3, 8))


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("  3  2001:db8:77:ff::2  reports: Destination net unreachable.", "PATH-NO-ROUTE"),
        ("  3  2001:db8:77:ff::2  meldet: Zielnetz nicht erreichbar.", "PATH-NO-ROUTE"),
        ("  3  2001:db8:77:ff::2  rapports : Impossible de joindre le réseau de destination.", "PATH-NO-ROUTE"),
        ("  3  2001:db8:77:ff::2  informa: Red de destino inaccesible.", "PATH-NO-ROUTE"),
        ("  3     *        *     rt2.corp.example [2001:db8:77:ff::2]  reports: Destination host unreachable.",
         "PATH-NO-NEIGHBOUR"),
        ("  3  2001:db8:77:ff::2  meldet: Zielhost nicht erreichbar.", "PATH-NO-NEIGHBOUR"),
        ("  3  2001:db8:77:ff::2  reports: TTL expired in transit.", "PATH-LOOP"),
    ],
)  # fmt: skip
def test_a_router_reports(line: str, code: str) -> None:
    case = pasted(HEAD + HOPS + line + "\n\nTrace complete.\n")
    assert set(case) == {code}
    assert "2001:db8:77:ff::2" in case[code].remedy[0] and "2001:db8:77:d000::9" in " ".join(
        case[code].remedy
    )


def test_a_trace_goes_round() -> None:
    rows = "".join(f"  {n}     1 ms     1 ms     1 ms  2001:db8:77:ff::{2 + n % 2}\n" for n in range(2, 9))
    case = pasted(HEAD + HOPS[:50] + "\n" + rows)
    assert set(case) == {"PATH-LOOP"}


def test_silence_names_the_last_that_answered() -> None:
    case = pasted(HEAD + HOPS + SILENT)
    assert set(case) == {"PATH-SILENT"} and "on 2001:db8:77:ff::2" in case["PATH-SILENT"].remedy[0]


def test_a_trace_that_arrives_is_judged_and_well() -> None:
    rows = "  3     *        *        *     Request timed out.\n  4     9 ms     8 ms     9 ms  2001:db8:77:d000::9\n"
    assert pasted(HEAD + HOPS + rows + "\nTrace complete.\n") == {}


def test_the_clients_prefix_of_the_server_beside_is_named() -> None:
    from manageout.doctor.diagnosis import diagnose
    from manageout.doctor.read import bundle

    text = (
        f"{HEAD}{HOPS}  3  2001:db8:77:ff::2  reports: Destination net unreachable.\n\non edge1:\n"
        "PS C:\\> Get-RemoteAccess | select ClientIPv6Prefix,InternalIPv6Prefix\n\n"
        "ClientIPv6Prefix        InternalIPv6Prefix\n----------------        ------------------\n"
        "2001:db8:77:d000::/64   {2001:db8:77::/48}\n"
    )
    found = {one.code: one for one in diagnose(bundle.read_pasted(text))}
    assert "a route for 2001:db8:77:d000::/64" in found["PATH-NO-ROUTE"].remedy[0]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("Reply from 2001:db8:77:ff::2: Destination net unreachable.", "PATH-NO-ROUTE"),
        ("Antwort von 2001:db8:77:ff::2: Zielnetz nicht erreichbar.", "PATH-NO-ROUTE"),
        ("Respuesta desde 2001:db8:77:ff::2: Host de destino inaccesible.", "PATH-NO-NEIGHBOUR"),
        ("Réponse de 2001:db8:77:ff::2 : Durée de vie TTL expirée lors du transit.", "PATH-LOOP"),
        ("Destination net unreachable.", "PATH-NO-ROUTE"),
        ("Zielhost nicht erreichbar.", "PATH-UNANSWERED"),
    ],
)
def test_a_ping_that_is_answered_by_another(line: str, code: str) -> None:
    head = "C:\\>ping -6 2001:db8:77:d000::9\n\nPinging 2001:db8:77:d000::9 with 32 bytes of data:\n"
    assert code in pasted(f"{head}{line}\n{line}\n")


def test_a_ping_that_is_answered_is_none() -> None:
    head = "C:\\>ping 10.2.0.9\n\nPinging 10.2.0.9 with 32 bytes of data:\n"
    assert pasted(f"{head}Reply from 10.2.0.9: bytes=32 time<1ms TTL=127\n") == {}
    assert pasted(f"{head.replace('10.2.0.9', 'fd00::9')}Reply from fd00::9: time=4ms\n") == {}
