"""Why a manager cannot reach a client: a rule for each way in which a hop fails (doctor/reach/hops.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from manageout.doctor.facts import Facts
from manageout.doctor.findings import rule
from manageout.doctor.reach.hops import hops

UNANSWERED = ("REACH-CLIENT-SILENT", "REACH-CLIENT-FIREWALL", "REACH-PROHIBITED")
AT_ROUTER = ("REACH-ROUTER-SILENT", "REACH-PROTOCOL-41", "REACH-ISATAP-NEVER", "REACH-NO-ROUTE")
NAMELESS = ("REACH-NAME-MISSING", "REACH-NAME-STALE", "REACH-ROUTER-NAME", "REACH-HOST-UNKNOWN")
GONE = ("REACH-NAME-MISSING", "REACH-NAME-STALE", "REACH-NO-LEASE", "REACH-LEASE-NO-WAY", *UNANSWERED)
NAMES_REMEDY = (
    "manageout status   (on the gateway: findings of [names] say why an update failed)",
    "manageout check   (there: tries the key and the zone of [names])",
)
ISATAP_LOGS = (
    "manageout hosts, manageout drops   (on the router: has it seen the manager, has it refused it?)"
)


def _looking_for(code: str) -> Callable[[Facts], Iterator[tuple[str, ...]]]:
    def look(facts: Facts) -> Iterator[tuple[str, ...]]:
        """All hops that fail so."""
        if facts.reach is not None:
            words = [f"{hop.what}: {hop.words}" for hop in hops(facts.reach) if hop.code == code]
            if words:
                yield tuple(dict.fromkeys(words))

    return look


def _rule(code: str, title: str, cause: str, remedy: Sequence[str], hides: Iterable[str] = ()) -> None:
    full = f"REACH-{code}"
    rule(full, "error", title, cause=cause, remedy=remedy, hides=hides)(_looking_for(full))


# --- Here, and names --------------------------------------------------------------------------------------

_rule(
    "DAEMON-DOWN",
    "the daemon of this machine does not run",
    "A site file is here, but no daemon answers: no manager passes this machine.",
    (
        "systemctl status manageout",
        "manageout check   (what keeps it from starting)",
        "systemctl start manageout",
    ),
    (*GONE, *AT_ROUTER, "REACH-HOST-UNKNOWN", "REACH-ROUTER-OFF"),
)
_rule(
    "HOST-UNKNOWN",
    "the manager's name leads nowhere",
    "No name server that was asked has an IPv4 address for it.",
    ("give its IPv4 address instead", "ping NAME   (is it the right name?)"),
)
_rule(
    "DNS-SILENT",
    "no name server answers",
    "None of the servers that were asked answers from here, so that no name can be found.",
    (
        "cat /etc/resolv.conf   (are these the intranet's servers?)",
        "ping ADDRESS   (is the server there? a firewall may still block UDP and TCP port 53)",
    ),
    NAMELESS,
)
_rule(
    "DNS-WRONG",
    "a name server does not know the intranet",
    "It answers, but has never heard of the intranet's domain: whoever asks it finds neither clients nor the "
    "ISATAP router.",
    (
        "put the intranet's name servers, and only them, into /etc/resolv.conf   (or dns64.upstreams)",
        "on Windows: Set-DnsClientServerAddress -InterfaceIndex N -ServerAddresses ADDRESS",
    ),
    NAMELESS,
)
_rule(
    "NAME-MISSING",
    "the client's name is not in the DNS",
    "Names come and go with clients: either it is not connected, or the gateway may not write into the zone.",
    ("manageout clients   (on the gateway: is it connected?)", *NAMES_REMEDY),
)
_rule(
    "NAME-STALE",
    "the client's name leads to another address than its own",
    "An old record was left behind, or somebody else registers the name: whoever calls it reaches nobody, or "
    "another machine.",
    (
        "remove the record that is not the client's: nsupdate, or Remove-DnsServerResourceRecord",
        "ipconfig /flushdns   (on the manager; a Linux manager: resolvectl flush-caches)",
        *NAMES_REMEDY,
    ),
)

# --- Permission and connection ----------------------------------------------------------------------------

_rule(
    "POLICY-HOST",
    "policy lets this machine call no client",
    "No [[policy.managers]] table of the site file names it in `from`.",
    (
        "add it to a [[policy.managers]] table, then systemctl reload manageout",
        "isatap.hosts must hold it too, if it is to use ISATAP",
    ),
    ("REACH-ISATAP-HOSTS", "REACH-PROHIBITED"),
)
_rule(
    "POLICY-CLIENT",
    "policy does not let this machine call this client",
    "Tables of [[policy.managers]] name the machine, but none of them this client in `to`.",
    (
        "add the client's certificate name to `to` of a [[policy.managers]] table, then systemctl reload manageout",
    ),
    ("REACH-PROHIBITED",),
)
_rule(
    "POLICY-SERVICE",
    "policy does not let this machine open that port",
    "Tables of [[policy.managers]] let it call the client, but none of them on this port.",
    ("add it to `services` of a [[policy.managers]] table, then systemctl reload manageout",),
    ("REACH-PROHIBITED",),
)
_rule(
    "GATEWAY-CERTIFICATE",
    "clients cannot trust the gateway's certificate",
    "It has expired, or is not yet valid, or cannot be read: every client refuses to connect.",
    (
        "manageout pki show   (or openssl x509 -in FILE -noout -dates)",
        "issue a new one (manageout pki issue), name it in gateway.certificate, systemctl reload manageout",
    ),
    ("REACH-CLIENT-OFFLINE", "REACH-CLIENT-CERTIFICATE", *GONE),
)
_rule(
    "CLIENT-CERTIFICATE",
    "the gateway refuses the client's certificate",
    "Since the client was last here, its certificate has expired, was revoked, or is none that the site file "
    "allows.",
    (
        "journalctl -u manageout   (says which certificate, and why)",
        "issue a new one: manageout pki issue NAME; or mend gateway.allow, client_ca, client_crl",
    ),
    ("REACH-CLIENT-OFFLINE", *GONE),
)
_rule(
    "CLIENT-OFFLINE",
    "the client is not connected",
    "It is switched off, asleep, inside the intranet, connected to another gateway of the site, or does not get "
    "through to this one.",
    (
        "on the client: is it on, and online? (Windows: Get-DAConnectionStatus; Linux: manageout status)",
        "manageout drops   (on the gateway: are connections of it refused?)",
    ),
    GONE,
)
_rule(
    "CLIENT-UNKNOWN",
    "the gateway has never seen such a client",
    "The name is not that of its certificate, or it has not yet connected to this gateway.",
    ("manageout clients, manageout leases --audit   (the names that the gateway knows)",),
    GONE,
)

# --- By the lease -----------------------------------------------------------------------------------------

_rule(
    "NO-LEASE",
    "the client is connected, but holds no lease",
    "The pool has no address left, or leases cannot be stored: IPv4 machines cannot call it, ISATAP hosts can.",
    ("manageout status   (findings of the leases)", "manageout leases   (who holds addresses)"),
    ("REACH-LEASE-NO-WAY",),
)
_rule(
    "LEASE-NO-WAY",
    "packets for the client's lease do not get to the gateway",
    "In the intranet nobody answers ARP for the address, or no route leads to the pool.",
    (
        "manageout leases   (on the gateway: is this address the client's?)",
        "ip neigh show proxy   (on the gateway: it should list the lease)",
        "systemctl restart manageout   (there, if the lease is missing: clients keep their leases)",
        "manageout plan   (prints the route that routers need, if the pool is in none of the gateway's subnets)",
    ),
    ("REACH-CLIENT-SILENT",),
)

# --- By ISATAP --------------------------------------------------------------------------------------------

_rule(
    "ROUTER-NAME",
    "the ISATAP router's name is not in the DNS",
    "ISATAP hosts that are set to this name find no router.",
    ("manageout rollout dns   (with [names] in the site file it registers the name)",),
    AT_ROUTER,
)
_rule(
    "ROUTER-BLOCKED",
    "the ISATAP router's name is one that DNS servers block",
    "Windows' DNS servers answer nothing for isatap and wpad, whatever records there are (the global query block "
    "list). From outside a blocked name looks like a missing one.",
    (
        "choose a unique name: isatap.name in the site file, then manageout rollout gpo",
        "on the DNS server: Get-DnsServerGlobalQueryBlockList   (shows whether it is blocked there)",
    ),
    ("REACH-ROUTER-NAME", *AT_ROUTER),
)
_rule(
    "ROUTER-ASTRAY",
    "the ISATAP router's name leads to a machine that is none of its routers",
    "An address of the name is neither in isatap.locators nor in isatap.routers.",
    ("remove the record, or list the address in isatap.routers of the site file",),
    ("REACH-ROUTER-OFF", *AT_ROUTER),
)
_rule(
    "ROUTER-OFF",
    "no ISATAP router runs on that machine",
    "The machine does not speak IP protocol 41, or has no route to the ISATAP link: its daemon is stopped, or the "
    "address is another machine's.",
    ("systemctl status manageout   (on that machine)", "manageout status   (on that machine)"),
    (*AT_ROUTER, *UNANSWERED),
)
_rule(
    "ROUTER-SILENT",
    "the ISATAP router does not answer this manager",
    "It is off, does not allow this machine (isatap.hosts), or IP protocol 41 is dropped on the way without a "
    "word.",
    (ISATAP_LOGS, "on firewalls in between: IP protocol 41 both ways"),
    ("REACH-NO-ROUTE", *UNANSWERED),
)
_rule(
    "ISATAP-HOSTS",
    "the ISATAP router does not allow this manager",
    "The manager tries to be an ISATAP host, but isatap.hosts does not hold it.",
    ("add it to isatap.hosts, then systemctl reload manageout",),
    (*AT_ROUTER, *UNANSWERED),
)
_rule(
    "ISATAP-NEVER",
    "the manager has never come to its ISATAP router",
    "It is allowed, and has no other way to clients, but no ISATAP packet of it was ever seen: it is not set to be "
    "an ISATAP host, or IP protocol 41 is filtered.",
    (
        "manageout rollout powershell   (prints what makes a Windows machine an ISATAP host)",
        "on firewalls in between: IP protocol 41 both ways",
    ),
)
_rule(
    "PROTOCOL-41",
    "IP protocol 41 does not pass between manager and ISATAP router",
    "Plain IPv4 passes between both, the tunnel does not: a firewall drops protocol 41, or the manager is no "
    "ISATAP host any more.",
    (
        "on firewalls in between: IP protocol 41 both ways",
        "nft list ruleset   (on Linux routers in between: rules of the forward hook)",
        "on Windows: Get-NetIsatapConfiguration   (State must be Enabled)",
    ),
    ("REACH-NO-ROUTE", *UNANSWERED),
)
_rule(
    "NO-ROUTE",
    "no route leads to the client through ISATAP",
    "The router gives this manager an address, but no route to the clients, or a router beyond has none.",
    (
        "on our router: [[isatap.routes]] for the gateways' client prefixes",
        "ip -6 route get ADDRESS   (on the manager and on the router)",
    ),
    UNANSWERED,
)

# --- Both -------------------------------------------------------------------------------------------------

_rule(
    "FILTER",
    "somebody else's packet filter on this machine drops the connection",
    "Manageout lets it through, another table does not: a packet must pass all of them.",
    (
        "nft list ruleset   (the table and rule are named above)",
        'let what enters or leaves interfaces "mo-*" through there: Manageout judges it',
    ),
    UNANSWERED,
)
_rule(
    "MTU",
    "large packets vanish between manager and gateway",
    "Small packets are answered and large ones are not, and no router says that they are too big: a firewall "
    "drops those messages. Connections open, and then hang.",
    (
        "on firewalls in between: let ICMP destination-unreachable (type 3 code 4) through",
        "on the routers in between: give the narrow link its full MTU",
    ),
)
_rule(
    "PROHIBITED",
    "a packet filter on the way refuses the connection",
    "An ICMP error came back that only packet filters send: the gateway's policy, or a firewall.",
    (
        "manageout doctor reach HOST CLIENT --port PORT   (on the gateway: it knows its policy)",
        "manageout drops   (there: what it has refused)",
    ),
)
_rule(
    "FORWARDING",
    "this gateway passes no packets of managers on",
    "What the gateway itself asks the client does not go through its forwarding: managers' packets do.",
    (
        "manageout status   (says what was changed, and whether the daemon has put it back)",
        "sysctl net.ipv6.conf.all.forwarding net.ipv4.ip_forward   (who sets them? grep -r forward /etc/sysctl.d)",
        "systemctl restart manageout",
    ),
    UNANSWERED,
)
_rule(
    "CLIENT-FIREWALL",
    "the client's own firewall refuses the connection",
    "The client refuses it itself, or answers pings while nothing comes back from this port.",
    (
        "manageout rollout gpo   (renders the inbound rules that clients need, for both kinds of manager)",
        "on Windows: Get-NetFirewallRule -Enabled True -Direction Inbound   (is the port allowed, from the managers?)",
        "on Linux: nft list ruleset",
    ),
)
_rule(
    "CLIENT-CLOSED",
    "nobody listens on that port of the client",
    "The client itself refuses: the way is good, but the service does not run, or only on IPv4 there.",
    (
        "on Windows: Get-NetTCPConnection -State Listen   (and for remote desktop: is it enabled?)",
        "on Linux: ss -6ltn",
    ),
)
_rule(
    "CLIENT-SILENT",
    "the client does not answer at all",
    "Neither to a ping nor on the port. It may be asleep, its line dead (a gateway finds that out within 90 seconds), "
    "or its firewall drops everything: from here these look the same.",
    (
        "manageout clients   (on the gateway: is it connected, and when was it last heard of?)",
        "wait for two minutes and ask again: a client that is gone is not connected any more then",
        "let the client's firewall answer pings of managers: manageout rollout gpo renders that rule too",
    ),
)
