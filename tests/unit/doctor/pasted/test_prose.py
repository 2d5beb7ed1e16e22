"""What people say around their outputs."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from manageout.doctor.pasted import prose


@pytest.mark.parametrize(
    ("line", "server", "address"),
    [
        ("our DA server is edge1, 10.1.2.3", "edge1", "10.1.2.3"),
        ("Our DirectAccess server (EDGE1.corp.example, 10.1.2.3) was moved.", "edge1", "10.1.2.3"),
        ("unser DA-Server ist edge1 (10.1.2.3), Server 2019", "edge1", "10.1.2.3"),
        ("edge1 (10.1.2.3) is our DirectAccess server", "edge1", None),
    ],
)
def test_a_server_by_its_name(line: str, server: str, address: str | None) -> None:
    told = prose.told([line])
    assert told.servers == {server}
    assert address is None or list(told.addresses) == [ip_address(address)]


@pytest.mark.parametrize(
    ("line", "nodes", "virtual"),
    [
        (
            "DIPs are 10.5.0.11 and 10.5.0.12, cluster VIP 10.5.0.10.",
            ["10.5.0.11", "10.5.0.12"],
            ["10.5.0.10"],
        ),
        (
            "node 1 is 10.5.0.11, node 2 10.5.0.12; 10.5.0.10 is the VIP",
            ["10.5.0.11", "10.5.0.12"],
            ["10.5.0.10"],
        ),
        ("Knoten 10.5.0.11/10.5.0.12, virtuelle IP 10.5.0.10", ["10.5.0.11", "10.5.0.12"], ["10.5.0.10"]),
        ("the NLB VIP is fd12:3456:789a:3333::1", [], ["fd12:3456:789a:3333::1"]),
        ("the VIP answers, 1.2.3 does not", [], []),
    ],
)
def test_whose_an_address_is(line: str, nodes: list[str], virtual: list[str]) -> None:
    told = prose.told([line])
    assert list(told.nodes) == list(map(ip_address, nodes))
    assert list(told.virtual) == list(map(ip_address, virtual))


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("two nodes with NLB", "nlb"), ("an F5 in front of both", "external"), ("a Kemp load balancer", "external"),
        ("ThirdPartyLoadBalancer : Enabled", None), ("no load balancing here", None),
    ],
)  # fmt: skip
def test_how_a_farm_is_balanced(line: str, kind: str | None) -> None:
    told = prose.told([line])
    assert (told.balancing.value if told.balancing else None) == kind


@pytest.mark.parametrize(
    "line",
    [
        "Name : our DA server is edge1, 10.1.2.3",
        "C:\\>rem the DA server is edge1",
        "   Server . . . : DA1 VIP",
    ],
)
def test_an_output_says_nothing_in_prose(line: str) -> None:
    told = prose.told([line])
    assert not (told.servers or told.addresses or told.virtual)


def test_the_machine_that_was_spoken_of_last() -> None:
    assert prose.speaks_of_a_server(
        ["the helpdesk PCs get nothing.", "on our DA server after the reboot I see"]
    )
    assert not prose.speaks_of_a_server(["our DA server is fine.", "from a client I see"])
    assert not prose.speaks_of_a_server(["what is this?"])
    assert not prose.speaks_of_a_server(["we have two DA servers behind an F5"])


def test_a_long_text_is_bounded() -> None:
    line = "DA server EDGE1 10.1.2.3 " * 20
    assert prose.told([line] * (prose.MAX_SAID + 1000)).servers == {"edge1"}


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("auf dem DirectAccess-Server (2016) bekommen die Helpdesk-PCs nur noch fe80. Anbei:", True),
        ("Serveur DA edge à deux cartes. Depuis ce matin rien ne répond plus.", True),
        ("Sur notre serveur DirectAccess, depuis le redémarrage :", True),
        ("en el servidor DA veo esto", True),
        ("Our DA server lost its routes. The helpdesk PCs have only fe80.", True),
        ("ISATAP router (2012 R2), hosts get only link-local.", True),
        ("DA1 (2019) ist unser ISATAP-Router, Clients bekommen kein Präfix.", True),
        ("my laptop cannot reach the DA server, here is what I see on my laptop:", False),
        ("On the DA server all is fine. My PC has no address:", False),
        ("ipconfig von meinem Laptop, der den DA-Server nicht erreicht", False),
        ("The user's laptop is outside. Ping to the DA server works.", False),
        ("From a client that talks to our DA server:", False),
        ("DA01 edge server, two NICs. Clients connect but reach only 10.2.0.0/24.", True),
        ("DASRV (DirectAccess server, two NICs): clients connect, nothing works.", True),
        ("DA server, two NICs; manage-out never came up. Hosts get nothing from it.", True),
        ("Server: DA1 (2016, DirectAccess, two NICs)", True),
        ("da-srv01 - DirectAccess 2019, two adapters", True),
        ("DirectAccess 2012 R2 server with two NICs, one public", True),
        ("Windows Server 2019 DirectAccess, edge topology, two NICs", True),
        ("Remote Access server (DirectAccess), two NICs. clients see one subnet", True),
        ("DirectAccess-Server (2 NICs), Server 2019. Clients verbinden sich, aber", True),
        ("En el servidor de DirectAccess (dos NIC), los clientes", True),
        ("Servidor DirectAccess con dos tarjetas. Los clientes no llegan", True),
        ("Notre serveur DirectAccess SRV-DA1, 2 cartes.", True),
        ("Helpdesk PC, the DirectAccess server is fine", False),
        ("PC de helpdesk. El servidor DA funciona", False),
        ("From my workstation; DA server is DA01 and works", False),
        ("My laptop (DirectAccess client, two NICs): no connection to the edge server", False),
        ("Client DA, le serveur DA est ok", False),
    ],
)
def test_of_which_machine_an_output_is(text: str, server: bool) -> None:
    assert prose.speaks_of_a_server([text]) is server


@pytest.mark.parametrize(
    "line", ["Office PC, in the LAN! thinks it is outside", "der Rechner steht im Büro, im LAN"]
)
def test_that_it_stands_inside(line: str) -> None:
    assert prose.told([line]).inside == line
    assert not prose.told(["the laptop is in a hotel"]).inside
