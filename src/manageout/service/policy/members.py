"""Who is in the sets of the packet filter: connected clients, and the addresses of managers' names. Pure.

A change is an element that comes or goes; whoever asks for :meth:`Members.changes` has to make it in the kernel.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from manageout.linux.nft.sets import Change
from manageout.service.policy.filter_managers import (
    CLIENTS,
    OTHERS,
    Contents,
    calls_everybody,
    names_of,
    names_set,
    seen_as,
    to_set,
)
from manageout.service.process.presence import Client, Presence, Watcher
from manageout.service.state.holders import Holders
from manageout.site.plan import Plan
from manageout.site.tables.site import Site
from manageout.wire.address import bounds

SEEN_OPEN = 131_072
"""Addresses with open connections at the start that are remembered; with more, every one is taken for one."""

Address = IPv4Address | IPv6Address
Element = tuple[str, bytes]
"""Set and key."""


class Members(Watcher):
    """The members of every set, by what has been said of clients and names."""

    def __init__(self, site: Site, plan: Plan, clients: Presence, holders: Holders | None = None) -> None:
        """``holders``: who had an address last."""
        self._site, self._plan = site, plan
        self._holders = Holders() if holders is None else holders
        self.connected = clients
        self._inherited: set[bytes] = set()
        self._seen_open: set[bytes] = set()
        """Addresses of clients of an unknown holder that have connections from before the start."""
        self._addresses: dict[str, Collection[Address]] = {}
        self._uses: Counter[Element] = Counter()
        """Two clients, or two names, may put the same element into a set."""
        self._others: dict[bytes, bytes] = {}
        self._kernel: dict[Element, bytes | None] = {}
        """What the sets hold by now, and with which value in a map."""
        self._touched: set[Element] = set()
        self.unresolved: Collection[str] = ()
        """Names that nobody has been asked about yet."""
        self._client_bounds = bounds(plan.client_prefix)

    def configure(self, site: Site, plan: Plan) -> Contents:
        """Go on by another site file; what the sets hold then. No change of before remains to be made."""
        self._site, self._plan = site, plan
        self._client_bounds = bounds(plan.client_prefix)
        names = {name for manager in site.policy.managers for name in names_of(manager)}
        self._addresses = {name: known for name, known in self._addresses.items() if name in names}
        self._uses.clear()
        self._others = {}
        for client in self.connected:
            self._uses.update(self._of_client(client))
            self._map(client)
        for name, addresses in self._addresses.items():
            self._uses.update(self._of_name(name, addresses))
        self._touched.clear()
        self._kernel = dict.fromkeys(self._uses) | {(OTHERS, key): to for key, to in self._others.items()}
        return self.contents()

    def contents(self) -> Contents:
        """Everything that the sets and the map hold."""
        members: dict[str, list[bytes]] = {}
        for name, key in self._uses:
            members.setdefault(name, []).append(key)
        return Contents(members, dict(self._others))

    def changes(self) -> list[Change]:
        """What has changed since the last call: first what goes, then what comes."""
        gone, come = [], []
        for element in sorted(self._touched):
            name, key = element
            value = self._others.get(key) if name == OTHERS else None
            wanted = value is not None if name == OTHERS else element in self._uses
            there = element in self._kernel
            if there and not (wanted and self._kernel[element] == value):  # a map's element cannot change
                del self._kernel[element]
                gone.append(Change(name, False, key))
            if wanted and element not in self._kernel:
                self._kernel[element] = value
                come.append(Change(name, True, key, value))
        self._touched.clear()
        return gone + come

    # --- Clients ----------------------------------------------------------------------------------------

    def present(self, client: Client, before: Client | None) -> None:
        """It has arrived or has other addresses."""
        for address in client.addresses:
            if self._inherits(address, client.identity):
                self._inherited.add(address)
            self._holders.note(address, client.identity)
        self._move(self._of_client(before) if before else (), self._of_client(client))
        if before is not None:
            self._unmap(before)
        self._map(client)
        self._touched |= {(OTHERS, key) for key in client.others}

    def absent(self, client: Client) -> None:
        """It has gone."""
        self._move(self._of_client(client), ())
        self._unmap(client)

    def inherited(self) -> set[bytes]:
        """Addresses that have come to another client than their last one, since the last call."""
        taken, self._inherited = self._inherited, set()
        return taken

    def pushed_out(self) -> set[bytes]:
        """Addresses whose holder is no longer remembered, and that nobody has, since the last call."""
        return {address for address in self._holders.pushed_out() if self.connected.owner(address) is None}

    def seen_open(self, address: bytes) -> None:
        """It has a connection from before the start; whoever gets it must not inherit that."""
        low, high = self._client_bounds
        if low <= address <= high and self._holders.of(address) is None and len(self._seen_open) < SEEN_OPEN:
            self._seen_open.add(address)

    def _inherits(self, address: bytes, identity: str) -> bool:
        former = self._holders.of(address)
        if former is not None:
            return former != identity
        return address in self._seen_open or len(self._seen_open) >= SEEN_OPEN

    def holds(self, name: str, address: bytes) -> bool:
        """Whether a set is to be taken to hold an address that had a connection before: clients may be on their way
        back, and names not yet resolved.
        """
        if name == CLIENTS:
            return True
        for number, manager in enumerate(self._site.policy.managers):
            if name == to_set(number):
                identity = self.connected.owner(address) or self._holders.of(address)
                return identity is not None and any(_fits(identity, each) for each in manager.to)
            if name == names_set(number):
                waiting = any(each in self.unresolved for each in names_of(manager))
                return waiting or (name, address) in self._uses
        return (name, address) in self._uses

    def _of_client(self, client: Client) -> list[Element]:
        sets = [CLIENTS] if self._site.translation is not None else []
        for number, manager in enumerate(self._site.policy.managers):
            if not calls_everybody(manager) and any(_fits(client.identity, each) for each in manager.to):
                sets.append(to_set(number))
        addresses = dict.fromkeys(client.addresses)
        return [(name, address) for name in sets for address in addresses]

    def _map(self, client: Client) -> None:
        """Its further addresses, to the one that has the lease; without translation there is no such map."""
        if self._site.translation is not None:
            self._others |= dict.fromkeys(client.others, client.address)

    def _unmap(self, before: Client) -> None:
        """Forget its further addresses, but for those that another client has by now."""
        for key in before.others:
            if self.connected.owner(key) in (None, before.identity):
                self._others.pop(key, None)
                self._touched.add((OTHERS, key))

    # --- Names ------------------------------------------------------------------------------------------

    def names(self) -> list[str]:
        """Every name of the site file, once."""
        return list(dict.fromkeys(n for manager in self._site.policy.managers for n in names_of(manager)))

    def resolved(self, name: str, addresses: Collection[Address]) -> None:
        """All addresses that ``name`` has now."""
        before = self._addresses.get(name, ())
        self._addresses[name] = addresses
        self._move(self._of_name(name, before), self._of_name(name, addresses))

    def addresses(self) -> Mapping[str, Collection[Address]]:
        """What is known of the names."""
        return self._addresses

    def _of_name(self, name: str, addresses: Iterable[Address]) -> list[Element]:
        keys = dict.fromkeys(key for address in addresses for key in self._keys(address))
        tables = enumerate(self._site.policy.managers)
        return [(names_set(n), key) for n, manager in tables if name in names_of(manager) for key in keys]

    def _keys(self, address: Address) -> Iterator[bytes]:
        network = IPv4Network(address) if isinstance(address, IPv4Address) else IPv6Network(address)
        return (each.network_address.packed for each in seen_as(network, self._site, self._plan))

    # --- Elements ---------------------------------------------------------------------------------------

    def _move(self, before: Iterable[Element], after: Iterable[Element]) -> None:
        old, new = set(before), set(after)
        for element in old - new:
            self._uses[element] -= 1
            if not self._uses[element]:
                del self._uses[element]
        for element in new - old:
            self._uses[element] += 1
        self._touched |= old ^ new


def _fits(identity: str, pattern: str) -> bool:
    return fnmatchcase(identity.lower(), pattern.lower())
