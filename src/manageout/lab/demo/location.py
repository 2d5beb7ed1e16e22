"""The demo's step of places: the laptop is carried into the office, and home again."""

import contextlib
import functools
from collections.abc import Iterator
from ipaddress import IPv4Interface

from manageout.lab import network, process, site
from manageout.lab.demo.names import look_up
from manageout.lab.run import Run, expect
from manageout.lab.topology import APP, APP_NAME, DNS_HOME, DNS_INTRANET, SEGMENTS
from manageout.linux.host import netns

DESK = IPv4Interface((SEGMENTS["intranet"][77], SEGMENTS["intranet"].prefixlen))
DEVICE = "office"
NOTICE_SECONDS = 20.0


def carry(run: Run) -> str:
    outside = _reason("on")
    with _in_the_office():
        inside = process.wait_until(
            "the laptop knows that it is inside", functools.partial(_reason, "off"), NOTICE_SECONDS
        )
        found = look_up(APP_NAME, "A", node="laptop") + look_up(APP_NAME, "AAAA", node="laptop")
        said = f"inside, {APP_NAME} is {' '.join(found) or 'unknown'} instead of {APP}"
        expect(found == [str(APP)], said)
    back = functools.partial(_reason, "on")
    process.wait_until("the laptop knows that it is outside again", back, NOTICE_SECONDS)
    expect(outside, "the policy of names was off outside")
    return f"{outside}; in the office {inside}, and dc answers; outside again"


def _reason(policy: str) -> str | None:
    """Why the laptop's policy of names is ``policy``; None while it is not."""
    role = site.ask("laptop", "status")["roles"]["name-policy"]
    return str(role["reason"]) if role["policy"] == policy else None


@contextlib.contextmanager
def _in_the_office() -> Iterator[None]:
    """A cable to the intranet, and the resolver that DHCP would bring, as long as the block runs."""
    segment = network.segment_namespace("intranet")
    add = ["link", "add", DEVICE, "netns", network.namespace("laptop")]
    netns.ip(*add, "type", "veth", "peer", "name", "laptop", "netns", segment)
    try:
        netns.ip("-n", segment, "link", "set", "laptop", "master", "br0", "up")
        netns.ip("-n", network.namespace("laptop"), "address", "add", str(DESK), "dev", DEVICE)
        netns.ip("-n", network.namespace("laptop"), "link", "set", DEVICE, "up")
        network.write_resolver("laptop", DNS_INTRANET)
        yield
    finally:
        netns.ip("-n", network.namespace("laptop"), "link", "delete", DEVICE)
        network.write_resolver("laptop", DNS_HOME)
