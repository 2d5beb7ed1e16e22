"""What goes over the wire, judged by a dissector that nobody here wrote: tshark."""

from __future__ import annotations

import pytest

from manageout.lab import network, process, site
from manageout.lab.topology import HELPDESK, ISATAP_PREFIX, KIOSK
from manageout.site.plan import isatap_address
from tests.tools.lab import Lab, capture, ping, tshark

ROUTE_INFORMATION = "24"
RS, RA, NS, NA = "133", "134", "135", "136"
COMPLAINTS = "_ws.malformed || _ws.expert.severity == error || ip.checksum.status == bad"


@pytest.mark.parametrize("lab", [("single", True), ("single", False)], ids=["ebpf", "python"], indirect=True)
def test_protocol_41(lab: Lab) -> None:
    laptop = site.laptop_address()
    joined = process.find("helpdesk", "join")
    assert joined
    process.stop(joined)
    with capture("core", "intranet", "ip proto 41") as file:
        site.join("helpdesk", fast_path=bool(lab.fast_path))
        for size in (0, 56, 1232):
            assert ping("helpdesk", laptop, "-s", str(size)).returncode == 0
        assert ping("laptop", isatap_address(ISATAP_PREFIX, HELPDESK)).returncode == 0
        # Neither is a host that may be answered, so errors are sent as well.
        ping("laptop", isatap_address(ISATAP_PREFIX, KIOSK), "-W", "1")
        network.run("helpdesk", ["ping", "-n", "-c", "1", "-W", "1", "-t", "1", str(laptop)], check=False)
    assert tshark(file, "-Y", COMPLAINTS) == []
    kinds = set(tshark(file, "-T", "fields", "-e", "icmpv6.type"))
    assert {RS, RA, NS, NA, "128", "129"} <= kinds
    unchecked = "icmpv6.checksum.status != good && !icmpv6.checksum.status == good"
    assert tshark(file, "-Y", f"icmpv6 && ({unchecked})") == []
    # RFC 4213 3.5: no DF, TTL of our choice, protocol 41.
    assert set(tshark(file, "-T", "fields", "-e", "ip.flags.df", "-E", "occurrence=f")) <= {"0", "False"}


@pytest.mark.parametrize("lab", [("single", True)], indirect=True)
def test_router_advertisement(lab: Lab) -> None:
    """Lifetime 0, MTU, our prefix, a route for the clients: as promised in the guide."""
    joined = process.find("helpdesk", "join")
    assert joined
    process.stop(joined)
    with capture("core", "intranet", "ip proto 41") as file:
        site.join("helpdesk", fast_path=True)
    fields = [
        "icmpv6.nd.ra.router_lifetime",
        "icmpv6.opt.mtu",
        "icmpv6.opt.prefix",
        "icmpv6.opt.type",
    ]
    columns = [argument for field in fields for argument in ("-e", field)]
    rows = tshark(file, "-Y", f"icmpv6.type == {RA}", "-T", "fields", *columns)
    assert rows
    lifetime, mtu, prefix, options = rows[0].split("\t")
    assert (lifetime, mtu) == ("0", "1280")
    assert str(ISATAP_PREFIX.network_address) in prefix
    assert ROUTE_INFORMATION in options.split(",")
