"""What is known of the way from a manager to a client, as one machine sees it: plain values, and the hops as words.

Whatever cannot be seen from here is None or empty; nothing is guessed.
"""

from typing import Literal, NamedTuple

from manageout.service.probe.results import DnsAnswer, Echo, PathMtu, RouterAnswer, TcpAnswer

View = Literal["gateway", "router", "manager"]
Verdict = Literal["ok", "fails", "unseen", "unused"]
Way = Literal["both", "lease", "isatap"]
Fault = Literal["", "host", "client", "service"]


class ReachHop(NamedTuple):
    """One part of the way. ``code``: of the finding that explains a failure."""

    way: Way
    what: str
    verdict: Verdict
    words: str
    code: str = ""


class ReachedClient(NamedTuple):
    """The client as the gateway knows it."""

    name: str
    """In its certificate, or as it was given."""
    connected: bool | None = None
    """None: cannot be seen from here."""
    addresses: tuple[str, ...] = ()
    """IPv6, the stable one first."""
    lease: str = ""
    lease_state: str = ""
    """held, waiting, grace, quarantine; empty: it has none."""
    peer: str = ""
    """Where it connects from, or last did."""
    quiet: float | None = None
    """Seconds since it was heard of."""
    refused: tuple[str, ...] = ()
    """How its certificate was refused since it was last there."""
    known: bool = True
    """Whether it has ever been there."""


class PolicyVerdict(NamedTuple):
    """What the site file of this machine says of the pair. ``fault``: what no table names."""

    fault: Fault
    words: str


class Isatap(NamedTuple):
    """The manager as its ISATAP router knows it."""

    allowed: bool
    """By isatap.hosts."""
    heard: float | None = None
    """Seconds since its last packet or solicitation; None: never."""
    refused: int = 0
    """Packets of it that were refused for want of permission, lately."""
    answers: bool | None = None
    """Whether it has just answered a Neighbour Solicitation over protocol 41."""
    ready: bool = True
    retires: bool = False


class LeaseWay(NamedTuple):
    """How packets for the lease get to this machine. ``device``: whose subnet holds the pool; empty: a routed pool."""

    device: str = ""
    answers: bool = False
    """This machine answers ARP for it."""


class FilterRefusal(NamedTuple):
    """A packet filter here that drops what must pass."""

    way: Way
    packet: str
    rule: str


class ClientAnswer(NamedTuple):
    """What the client says to the manager: asked by the manager itself, or by the gateway in its name."""

    way: Way
    asked_as: str
    """Who asked, and how, if that was not as a manager's packet goes."""
    echo: Echo
    tcp: TcpAnswer | None = None
    """None: no port was named, or it is none of TCP."""


class ReachFacts(NamedTuple):
    """The pair and everything seen of its way. Addresses are text."""

    host: str
    client: str
    service: str
    """tcp/3389, udp/161, icmp; empty: none was named."""
    here: str
    views: tuple[View, ...]
    target: ReachedClient
    daemon_error: str = ""
    """A site file is here, but its daemon does not answer."""
    host_addresses: tuple[str, ...] = ()
    """IPv4."""
    host_error: str = ""
    by_name: bool = True
    """The client was named, not given by address."""
    domain: str = ""
    router_name: str = ""
    locators: tuple[str, ...] = ()
    """Where the router's name may lead to, as far as the site file says."""
    dns: tuple[DnsAnswer, ...] = ()
    certificate: str = ""
    """Why clients refuse the certificate of this gateway."""
    policy: PolicyVerdict | None = None
    lease_unused: str = ""
    """Why the pair cannot use a lease; empty: it can, or that is not known."""
    isatap_unused: str = ""
    isatap: Isatap | None = None
    """None: the ISATAP router is another machine."""
    router: RouterAnswer | None = None
    """What the ISATAP router answers to this machine."""
    beyond: Echo | None = None
    """A ping of the manager through an ISATAP router that is another machine, from the gateway."""
    router_route: bool | None = None
    """Whether this manager has a route to the client through ISATAP."""
    lease_way: LeaseWay | None = None
    lease_ping: Echo | None = None
    forwarding: tuple[str, ...] | None = None
    """Why this gateway passes no packets of the manager on; empty: it does. None: not looked at."""
    filters: tuple[FilterRefusal, ...] = ()
    host_echo: Echo | None = None
    paths: tuple[tuple[Way, PathMtu], ...] = ()
    answers: tuple[ClientAnswer, ...] = ()
    sessions: tuple[str, ...] = ()
    """Connections of the pair that are there now, in words."""
    unseen: tuple[str, ...] = ()
    """What could not be looked at, and why."""

    def about(self, name: str, kind: str) -> list[DnsAnswer]:
        """The answers of name servers to one question."""
        return [answer for answer in self.dns if (answer.name, answer.kind) == (name, kind)]
