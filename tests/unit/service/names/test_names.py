"""Which names are the site's own."""

from __future__ import annotations

import socket
from pathlib import Path

from manageout.service.names.names import own_names
from manageout.service.tls.pki import Authority
from manageout.site.tables.site import parse

TEXT = """
[site]
prefix = "fd12:3456:789a::/48"
domain = "corp.example"
[gateway]
certificate = "{certificate}"
key = "/k"
client_ca = "/ca"
[dns64]
upstreams = ["10.0.0.10"]
[names]
reserved = ["intranet", "VPN.corp.example"]
[rollout]
gateway_name = "da.corp.example"
location_url = "https://where.corp.example/"
resources = ["PING:dc.corp.example", "HTTP:http://app.corp.example/"]
[[policy.managers]]
from = ["helpdesk.corp.example", "10.0.1.0/24"]
services = ["tcp/3389"]
"""


def test_what_the_file_names(tmp_path: Path) -> None:
    Authority.create(tmp_path, "Test CA").issue("gw.corp.example", server=True)
    site = parse(TEXT.format(certificate=tmp_path / "gw.corp.example.pem"))
    assert own_names(site) == {
        *("intranet", "vpn.corp.example", "isatap", "wpad", "da.corp.example", "where.corp.example"),
        *("dc.corp.example", "app.corp.example", "helpdesk.corp.example", "gw.corp.example"),
        socket.gethostname().partition(".")[0].lower(),
    }


def test_a_certificate_that_cannot_be_read_is_told_elsewhere() -> None:
    assert "intranet" in own_names(parse(TEXT.format(certificate="/nowhere")))
