"""What is known of one Windows machine, wherever it comes from: the collector's JSON or the text of its commands.

Everything is optional: evidence is never whole. A :class:`Seen` value remembers the words it was read from, which
a finding quotes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Generic, Literal, NamedTuple, TypeVar

from manageout.doctor.reach.reach import ReachFacts
from manageout.service.probe.results import Live

T = TypeVar("T")
CLOCK_EVENTS = ("0xc0000133", "0xC0000133", "KRB_AP_ERR_SKEW", "0x80090324", "SEC_E_TIME_SKEW")
"""The clocks differ: STATUS_TIME_DIFFERENCE_AT_DC, Kerberos' 37 (RFC 4120 7.5.9), Schannel's."""
EVENTS = (
    "0x490",
    "Windows System Error 87",
    "ParameterArgumentValidationErrorNullNotAllowed,Set-NetIPInterface",
    "ParameterArgumentValidationError,Set-NetIPInterface",
    "ParameterArgumentValidationErrorNullNotAllowed,Get-NetIPInterface",
    "ParameterArgumentValidationError,Get-NetIPInterface",
    "ObjectNotFound: (isatap.{",
    *CLOCK_EVENTS,
)
"""What pasted errors and event logs are known by, in any language."""
Kind = Literal["isatap", "teredo", "6to4", "iphttps", "other"]
_TUNNELS: tuple[Kind, ...] = ("isatap", "teredo", "6to4", "iphttps")
MAX_INTERFACES = 500
Role = Literal["manager", "client", "server", "dns", "unknown"]


def kind_of(text: str) -> Kind:
    """Of an interface, by a word in its name, title or description."""
    lower = text.lower().replace("ip-https", "iphttps")
    return next((kind for kind in _TUNNELS if kind in lower), "other")


class Seen(NamedTuple, Generic[T]):
    """A value and the words that say so."""

    value: T
    quote: str


@dataclass
class Interface:
    """One IPv6 interface. ``guid``: for ISATAP that of the network card below it."""

    name: str
    kind: Kind = "other"
    index: int | None = None
    guid: str | None = None
    description: str = ""
    suffix: str = ""
    link_local: list[IPv6Address] = field(default_factory=list)
    ipv6: list[IPv6Address] = field(default_factory=list)
    ipv4: list[IPv4Address] = field(default_factory=list)
    gateways: list[IPv4Address | IPv6Address] = field(default_factory=list)
    forwarding: Seen[bool] | None = None
    advertising: Seen[bool] | None = None
    advertise_default: Seen[bool] | None = None
    ignore_default: Seen[bool] | None = None
    router_discovery: Seen[bool] | None = None
    mtu: int | None = None
    connected: bool | None = None
    quote: str = ""
    listed: bool = False
    """Whether ipconfig shows it."""
    shown: dict[IPv4Address | IPv6Address, str] = field(default_factory=dict)
    """Addresses as the machine printed them."""

    def printed(self, addresses: Iterable[IPv4Address | IPv6Address]) -> str:
        """Some of its addresses, for a quote."""
        return ", ".join(self.shown.get(address, str(address)) for address in addresses)


class WindowsRoute(NamedTuple):
    """An IPv6 route. ``interface``: 0 where it is not told. ``published``: it is advertised to hosts of the interface;
    None: not told."""

    prefix: IPv6Network
    interface: int
    next_hop: IPv6Address | None
    published: bool | None
    quote: str
    alias: str = ""
    """Of the interface, where it is told."""


class PrefixPolicy(NamedTuple):
    """A row of the address selection table (RFC 6724 2.1)."""

    precedence: int
    label: int
    prefix: IPv6Network
    quote: str


class Lookup(NamedTuple):
    """A DNS answer. ``error``: what the machine said instead of addresses."""

    name: str
    server: str
    addresses: tuple[IPv4Address | IPv6Address, ...]
    error: str
    quote: str


class NrptRule(NamedTuple):
    """One effective rule of the name-resolution policy table. ``direct``: one of DirectAccess, for outside."""

    namespace: str
    servers: tuple[str, ...]
    quote: str
    direct: bool = True


class HeldRecord(NamedTuple):
    """A record in a zone of the machine's own DNS server. ``name``: as the server lists it, mostly without the zone."""

    name: str
    address: IPv4Address | IPv6Address
    quote: str
    zone: str = ""


class Reached(NamedTuple):
    """Whether a TCP connection came about (Test-NetConnection), and with which address, where that is told."""

    value: bool
    quote: str
    address: IPv4Address | IPv6Address | None = None
    pinged: bool = False
    """It answered an echo."""


class Ping(NamedTuple):
    """``literal``: the address was typed, not a name. ``quote``: the heading, and what came."""

    address: IPv4Address | IPv6Address
    literal: bool
    answered: bool
    quote: str
    name: str = ""
    """As the heading has it, lower case; with ``forced`` IPv4 or IPv6 was asked for."""
    forced: bool = False
    unsent: bool = False
    """It could not even be sent: the machine has no way there at all."""


class Unreached(NamedTuple):
    """A ping or a trace that ended before its target. ``router``: who said so, or was the last to answer. ``reason``:
    net (it has no route), host (nobody answers on the target's link), loop, or silent. ``prefix``: the clients' one
    that holds the target, where it is known."""

    target: IPv4Address | IPv6Address | None
    router: IPv4Address | IPv6Address | None
    reason: str
    quote: str
    prefix: Seen[IPv6Network] | None = None


class Filtered(NamedTuple):
    """A group policy that the computer does not apply (gpresult). ``reason``: security, wmi, disabled, empty, other."""

    name: str
    reason: str
    quote: str
    groups: str = ""
    """Those that the computer is in, as it lists them."""


class PolicyVersion(NamedTuple):
    """A group policy's version, its high half for users, its low half for computers. ``identifier``: lower case, or
    empty. ``sysvol``: of gpt.ini, not of the directory."""

    identifier: str
    name: str
    number: int
    sysvol: bool
    quote: str


class Linked(NamedTuple):
    """A group policy at a domain or organisational unit (gPLink). ``identifier``: of the policy, lower case."""

    identifier: str
    enabled: bool
    quote: str


class Dropped(NamedTuple):
    """Packets that the machine's firewall dropped, by its log or by an event. ``port``: of the destination; None
    without ports. ``inbound``: None where it is not told."""

    protocol: str
    port: int | None
    source: str
    target: str
    inbound: bool | None
    quote: str


class FirewallRule(NamedTuple):
    """An inbound rule that allows. ``profiles``: any, domain, private, public. ``edge``: edge traversal, None: not
    told. ``name``: by which netsh and Set-NetFirewallRule -DisplayName find it. ``whole``: ports and addresses are
    known. ``secured``: it lets in only what IPsec has authenticated."""

    protocol: str
    ports: tuple[str, ...]
    profiles: frozenset[str]
    remote: tuple[str, ...]
    edge: bool | None
    quote: str
    name: str = ""
    whole: bool = True
    secured: bool = False


@dataclass
class Told:
    """What people say in their own words of the machines whose outputs they paste. Names: lower case, first label.
    Addresses: with the line that names them."""

    servers: set[str] = field(default_factory=set)
    """DirectAccess servers and ISATAP routers."""
    addresses: dict[IPv4Address | IPv6Address, str] = field(default_factory=dict)
    """Of these servers, not told whose."""
    nodes: dict[IPv4Address | IPv6Address, str] = field(default_factory=dict)
    """A farm's nodes' own."""
    virtual: dict[IPv4Address | IPv6Address, str] = field(default_factory=dict)
    """Shared by a farm's nodes."""
    balancing: Seen[str] | None = None
    """nlb or external."""
    outside: str = ""
    """The line that says that the machine is outside, in a foreign network."""
    inside: str = ""
    """The line that says that it is in the office."""
    internet: str = ""
    """A line that complains of the Internet."""
    isatap: str = ""
    """A line that speaks of ISATAP."""
    complaint: str = ""
    """A line that says that ISATAP or managing out fails."""
    six_only: str = ""
    """The line that says that the network has IPv6 alone."""
    hosts: dict[IPv6Address, str] = field(default_factory=dict)
    """ISATAP addresses anywhere in the text, with the line: managers', as clients have none."""
    direct: str = ""
    """A line that speaks of DirectAccess."""
    no_probe: str = ""
    """A line that says that the record of the connection's probe is not there."""
    logon: str = ""
    """A line that says that clients are reached only after their users have logged on."""
    build: Seen[int] | None = None
    """Of Windows, by the one release that is spoken of."""
    error: Seen[int] | None = None
    url: Seen[str] | None = None
    """Of IP-HTTPS."""


@dataclass
class Facts:
    """One machine."""

    source: str
    """Of the evidence, such as a file's name."""
    computer: str = ""
    role: Role = "unknown"
    build: int | None = None
    """Of Windows, such as 19045."""
    clock: Seen[float] | None = None
    """Unix time that the machine believed in, when the evidence was taken."""
    clock_error: Seen[float] | None = None
    """Seconds by which it is ahead of its domain controller."""
    isatap_state: Seen[str] | None = None
    """default, automatic, enabled or disabled; what is in force."""
    isatap_policy_state: Seen[str] | None = None
    """The same by group policy."""
    isatap_router: Seen[str] | None = None
    isatap_policy_router: Seen[str] | None = None
    interfaces: list[Interface] = field(default_factory=list)
    routes: list[WindowsRoute] | None = None
    some_routes: list[WindowsRoute] = field(default_factory=list)
    """Of the same source those that somebody has picked: what is not there may be there all the same."""
    active_routes: list[WindowsRoute] = field(default_factory=list)
    """The same from a source that does not tell which are published (route print)."""
    policies: list[PrefixPolicy] | None = None
    lookups: list[Lookup] = field(default_factory=list)
    nrpt: list[NrptRule] | None = None
    nrpt_policy: Seen[int] | None = None
    """How many rules the group policy's key DnsPolicyConfig holds; 0 when the key is there and empty."""
    nrpt_local: list[NrptRule] | None = None
    """The rules of the machine itself, in effect or not (Get-DnsClientNrptRule without -GpoName)."""
    firewall: list[FirewallRule] | None = None
    """Inbound rules for what managers use."""
    firewall_off: Seen[bool] | None = None
    """Whether the firewall is off in the profiles of foreign networks."""
    services: dict[str, Seen[bool]] = field(default_factory=dict)
    """Lower-case name -> running."""
    registry: dict[tuple[str, str], Seen[object]] = field(default_factory=dict)
    """(key, value), lower case, without the hive."""
    absent: dict[tuple[str, str], str] = field(default_factory=dict)
    """The same of what was looked for and is not there -> the words that say so; the value "" for the key itself, and
    ``*`` for whatever a key does not list."""
    tcp: dict[tuple[str, int], Reached] = field(default_factory=dict)
    """By lower-case name or address, and port."""
    pings: list[Ping] = field(default_factory=list)
    unreached: list[Unreached] = field(default_factory=list)
    filtered: list[Filtered] = field(default_factory=list)
    links: list[Linked] = field(default_factory=list)
    management: dict[str, str] = field(default_factory=dict)
    """DirectAccess' management servers, by name or address in lower case -> quote."""
    policy_versions: list[PolicyVersion] = field(default_factory=list)
    policy_names: dict[str, str] = field(default_factory=dict)
    """Of group policies, by identifier."""
    blocked: list[Seen[tuple[str, ...]]] = field(default_factory=list)
    """Organisational units that inherit no policies: those that they have all the same, by name or identifier."""
    dropped: list[Dropped] = field(default_factory=list)
    denied: list[Dropped] = field(default_factory=list)
    """The same by a firewall on the way."""
    ike: list[Seen[str]] = field(default_factory=list)
    """IPsec negotiations that failed, by events: credentials, certificate, timeout, policy, other."""
    logged: dict[str, Seen[int]] = field(default_factory=dict)
    """Events of the logs that rules judge: kind (``console/events.toml``) -> the first one's number."""
    extensions: list[Seen[str]] = field(default_factory=list)
    """Group policies without the extension that tells IP Helper of its settings, by name, where it is known."""
    keyless: list[str] = field(default_factory=list)
    """The computer's certificates without a private key, each by its quote."""
    keyed: bool = False
    """Whether some certificate has one."""
    nothing: dict[str, str] = field(default_factory=dict)
    """What was asked and printed nothing: cmdlet, lower case (``cert:my`` for the store) -> quote."""
    bound: Seen[str] | None = None
    """Hash of the certificate at port 443, lower case (netsh http show sslcert)."""
    bound_to: Seen[str] | None = None
    """Hash of the certificate that DirectAccess is configured with, lower case."""
    held: dict[str, Seen[bool | None]] | None = None
    """The computer's own certificates when all were listed: hash, lower case -> whether the private key is there."""
    date: Seen[float] | None = None
    """When the evidence was taken, by its own words: local time as if it were UTC, in the earliest reading."""
    networks: Seen[frozenset[str]] | None = None
    """Categories of the networks that it is in, lower case: public, private, domainauthenticated."""
    categories: dict[str, Seen[str]] = field(default_factory=dict)
    """The same of each interface, by its alias in lower case."""
    in_domain: Seen[frozenset[bool]] | None = None
    """Of the firewall's profiles in force (netsh advfirewall show currentprofile): whether each is the domain's."""
    certificates: dict[str, Seen[float]] = field(default_factory=dict)
    """Of a DirectAccess server: property of Get-RemoteAccess -> Unix time at which it has ended in any reading."""
    store: list[Seen[float]] = field(default_factory=list)
    """Certificates in the computer's store: Unix time at which each has ended in any reading; the words have the names
    that each is for (:func:`~manageout.doctor.rules.evidence.names`)."""
    tls: dict[str, Seen[str]] = field(default_factory=dict)
    """By host, lower case: why the certificate that it showed was not taken: expired, untrusted, name, revocation,
    other."""
    clock_free: Seen[bool] | None = None
    """Whether the clock follows no other (w32tm /query /status)."""
    health: dict[str, Seen[str]] = field(default_factory=dict)
    """Get-RemoteAccessHealth: component, lower case -> ok, warning, error, disabled, unknown."""
    block_list: Seen[tuple[str, ...]] | None = None
    """The DNS server's global query block list; empty when it is off."""
    records: list[HeldRecord] = field(default_factory=list)
    """What a DNS server says that its zones hold (Get-DnsServerResourceRecord, dnscmd /enumrecords)."""
    iphttps_url: Seen[str] | None = None
    iphttps_error: Seen[int] | None = None
    iphttps_status: Seen[str] | None = None
    proxy: Seen[str] | None = None
    """The proxy of the system account (netsh winhttp show proxy); empty for direct access."""
    ipsec: Seen[int] | None = None
    """Main mode associations (Get-NetIPsecMainModeSA, netsh advfirewall monitor show mmsa); 0 when there is none."""
    whole: bool = False
    """Whether ipconfig's own heading was pasted with its adapters: then it is not an excerpt."""
    told: Told = field(default_factory=Told)
    defaults: dict[int, str] = field(default_factory=dict)
    """IP version -> a default route that was printed."""
    gateways: dict[tuple[str, IPv4Address], str] = field(default_factory=dict)
    """(interface as it was printed, next hop) of IPv4 default routes in tables of routes."""
    edition: Seen[str] | None = None
    """Of Windows, in the words of any language: Pro, Enterprise, Professionnel, or as EditionID has it."""
    no_feature: str = ""
    """Words by which Windows Server knows no feature DirectAccess-VPN."""
    dns64_rules: dict[str, Seen[tuple[IPv6Address, ...]]] = field(default_factory=dict)
    """DirectAccess' firewall rules for DNS64, by identifier or name: the addresses that they are for."""
    translated: list[Seen[IPv6Network]] = field(default_factory=list)
    """Prefixes that NAT64 and DNS64 translate to and from (PrefixMapping)."""
    entry_points: dict[str, dict[str, Seen[str]]] = field(default_factory=dict)
    """Of a multisite deployment: name -> properties of its Get-RemoteAccess or Get-DAServer, lower case; those of the
    first are the machine's own too."""
    remote_access: dict[str, Seen[str]] = field(default_factory=dict)
    """Of a DirectAccess server: properties of Get-RemoteAccess, lower case."""
    no_ipv4: list[str] = field(default_factory=list)
    """Outputs that show the network's IPv6 and would show IPv4, and do not."""
    clat: Seen[bool] | None = None
    """Whether the machine has an IPv4 address by its own CLAT alone (netsh interface clat show instance)."""
    teredo_type: Seen[str] | None = None
    teredo_state: Seen[str] | None = None
    teredo_error: Seen[str] | None = None
    inside: Seen[bool] | None = None
    """Whether the machine believes that it is in the intranet (network location server)."""
    connection: Seen[str] | None = None
    """What DirectAccess says of its connection when it is none."""
    nrpt_for: Seen[str] | None = None
    """In which networks the name-resolution policy is followed, lower case; disableda: in none."""
    nrpt_fallback: Seen[str] | None = None
    probe: Seen[tuple[str, str]] | None = None
    """Name and address that DNS must give for a client to call itself connected."""
    nat64: Seen[bool] | None = None
    dns64: Seen[bool] | None = None
    dns64_only_a: Seen[bool] | None = None
    """Whether DNS64 never asks for IPv6 addresses."""
    teredo_server: Seen[bool] | None = None
    load_balancing: Seen[str] | None = None
    """Of a DirectAccess server: none, nlb, external, or some (one of the two)."""
    farm_nodes: dict[str, Seen[str]] = field(default_factory=dict)
    """Of a farm, by name in lower case: the state in which the cluster has it, lower case."""
    nat64_pool: Seen[bool] | None = None
    """Whether NAT64 has IPv4 addresses to translate to."""
    site_ranges: list[Seen[tuple[str, ...]]] = field(default_factory=list)
    """Of entry points: the prefixes that clients prefer there (Get-DAEntryPointTableItem)."""
    internal_interface: Seen[str] | None = None
    """Of a DirectAccess server: the alias of the card of the intranet (Get-RemoteAccess InternalInterface)."""
    sites: int | None = None
    """Entry points of a DirectAccess deployment."""
    internal_prefix: Seen[IPv6Network] | None = None
    client_prefix: Seen[IPv6Network] | None = None
    beside: "Sequence[Facts]" = field(default=(), repr=False, compare=False)
    """Other machines of the same evidence."""
    live: Live | None = None
    """A running Linux machine instead, by the probes."""
    reach: ReachFacts | None = None
    """The way from one manager to one client, as a Linux machine sees it."""
    sections: frozenset[str] = frozenset()
    """Those that the collector could read; empty for text."""
    read_at: float | None = None
    """Unix time here, when the evidence was read."""
    understood: bool = False
    """Whether anything in the evidence was."""
    events: list[str] = field(default_factory=list)
    """Errors that it reported, those of :data:`EVENTS`."""
    replaced: list[str] = field(default_factory=list)
    """Outputs that were there before another of the same command, which said something else."""
    unread: list[str] = field(default_factory=list)
    """What the evidence holds that nobody understood."""

    @property
    def kind(self) -> str:
        """What kind of machine, for people."""
        return self.live.kind if self.live is not None else self.role

    @property
    def version(self) -> Seen[int] | None:
        """Windows' build: as the machine says, else as people do."""
        return Seen(self.build, f"Windows build {self.build}") if self.build else self.told.build

    def of_kind(self, kind: Kind) -> list[Interface]:
        """The interfaces of one kind."""
        return [interface for interface in self.interfaces if interface.kind == kind]

    def value(self, key: str, name: str) -> Seen[object] | None:
        """A registry value by key and name in any case."""
        return self.registry.get((key.lower(), name.lower()))

    def lack(self, key: str, name: str, quote: str) -> None:
        """Keep that a registry value is not there."""
        if len(self.absent) < MAX_INTERFACES:
            self.absent[key.strip("\\").lower(), name.lower()] = quote

    def lacks(self, key: str, name: str, listed: bool = False) -> tuple[str, ...]:
        """The words that say that a registry value is not there; () when it is, or when nobody has looked for it.
        ``listed``: also when its key was listed without it."""
        place, value = key.lower(), name.lower()
        if (place, value) in self.registry:
            return ()
        return tuple(
            quote
            for (where, asked), quote in self.absent.items()
            if (where == place and (listed if asked == "*" else asked in value))
            or (not asked and place.startswith(f"{where}\\"))
        )[:1]

    def named(self, name: str, index: int | None = None) -> Interface:
        """The interface of that index, or of that name; made when there is none. Headings end in the name."""
        lower = name.lower()
        for one in self.interfaces:
            own = one.name.lower()
            alike = bool(own and lower) and (own.endswith(lower) or lower.endswith(own))
            if (index is not None and one.index == index) or (alike and (index is None or one.index is None)):
                one.index = index if one.index is None else one.index
                return one
        made = Interface(name, kind_of(name), index)
        if len(self.interfaces) < MAX_INTERFACES:
            self.interfaces.append(made)
        return made

    def interface(self, index: int) -> Interface | None:
        """An interface by its index."""
        return next((interface for interface in self.interfaces if interface.index == index), None)
