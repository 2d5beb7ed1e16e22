"""Driver for the site file."""

from __future__ import annotations

from manageout.errors import ConfigError
from manageout.site.plan import plan
from manageout.site.tables import site as config
from tests.fuzz.engine import Target

GATEWAY = b"""
[site]
name = "corp"
prefix = "fd12:3456:789a::/48"
domain = "corp.example"

[gateway]
node = 3
listen = ["0.0.0.0:443", "[::]:443"]
certificate = "/etc/manageout/gateway.crt"
key = "/etc/manageout/gateway.key"
client_ca = "/etc/manageout/ca.crt"
allow = ["*.corp.example"]
fixed = { "laptop.corp.example" = "fd12:3456:789a:1003::7" }
routes = ["fd12:3456:789a::/48"]

[gateway.iphttps]
max_connections = 100
handshake_timeout = 5.5
"""
ISATAP = b"""
[site]
prefix = "2002:102:304::/48"

[isatap]
name = "manageout-isatap.corp.example"
locators = ["10.0.0.1", "10.0.0.2"]
hosts = ["10.0.1.0/24"]
routers = ["10.0.0.3"]
prefix = "fd12:3456:789a:1::/64"
routes = [{ prefix = "fd12:3456:789a:1000::/59", via = "fd12::1" }]
preference = "high"
mtu = 1400

[policy]
hairpin = true

[daemon]
metrics = "off"
fast_path = false
"""


def site_file(data: bytes) -> None:
    """Any text: faults with path and words, or a site that has a plan."""
    try:
        site = config.parse(data.decode("utf-8", "replace"))
    except ConfigError as error:
        assert error.faults and all(fault.path and fault.message for fault in error.faults)
        raise
    plan(site)


TARGETS = [Target("config", site_file, [GATEWAY, ISATAP], refuses=(ConfigError,))]
