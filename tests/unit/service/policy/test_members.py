"""Who is in the sets of the packet filter."""

from __future__ import annotations

import random
from ipaddress import IPv4Address, IPv6Address

from manageout.linux.nft.sets import Change
from manageout.service.policy.members import Members
from manageout.service.process.presence import Client, Presence
from manageout.service.state.holders import Holders
from manageout.site.plan import plan
from manageout.site.tables.site import Site, parse
from tests.tools import site_file

SITE = site_file.SITE + site_file.GATEWAY
TRANSLATION = '[translation]\npool = "10.0.8.0/24"\n'
STABLE, TEMPORARY, ANOTHER = (bytes(15) + bytes([last]) for last in (1, 2, 3))


def manager(to: str, source: str = "10.0.1.0/24") -> str:
    return f'[[policy.managers]]\nfrom = ["{source}"]\nto = ["{to}"]\nservices = ["any"]\n'


def site(*tables: str) -> Site:
    return parse(SITE + "".join(tables))


def members(*tables: str) -> Members:
    return members_of(site(*tables))


def members_of(wanted: Site, holders: Holders | None = None) -> Members:
    connected = Presence()
    who = Members(wanted, plan(wanted), connected, holders)
    connected.watch(who)
    return who


def client(identity: str, address: bytes = STABLE, *others: bytes) -> Client:
    return Client(identity, address, others, None, "192.0.2.1", "ip-https", 0.0)


def added(*elements: tuple[str, bytes]) -> list[Change]:
    return [Change(name, True, key) for name, key in elements]


def test_a_client_is_in_the_sets_whose_pattern_fits_whatever_the_case() -> None:
    who = members(manager("lap*"), manager("*.corp.example"), manager("tablet*"), manager("*"))
    who.connected.present(client("LAPTOP.corp.example"))
    assert who.changes() == added(("m0_to", STABLE), ("m1_to", STABLE))
    who.connected.absent("LAPTOP.corp.example")
    assert who.changes() == [Change("m0_to", False, STABLE), Change("m1_to", False, STABLE)]
    assert who.changes() == []


def test_all_its_addresses_count_and_the_others_are_rewritten() -> None:
    who = members(TRANSLATION, manager("lap*"))
    who.connected.present(client("laptop", STABLE, TEMPORARY))
    assert who.changes() == [
        *added(("clients", STABLE), ("clients", TEMPORARY), ("m0_to", STABLE), ("m0_to", TEMPORARY)),
        Change("others", True, TEMPORARY, STABLE),
    ]
    assert who.connected.owner(TEMPORARY) == "laptop"
    who.connected.present(client("laptop", STABLE, ANOTHER))
    assert Change("others", False, TEMPORARY) in who.changes()
    assert who.connected.owner(TEMPORARY) is None


def test_a_lease_is_its_holders() -> None:
    who, lease = members(TRANSLATION), bytes((10, 0, 8, 5))
    laptop, tablet = (client(name)._replace(lease=lease) for name in ("laptop", "tablet"))
    who.connected.present(laptop)
    assert who.connected.owner(lease) == "laptop"
    who.connected.present(tablet)
    who.connected.absent(laptop.identity)
    assert who.connected.owner(lease) == "tablet"
    who.connected.absent(tablet.identity)
    assert who.connected.owner(lease) is None


def test_an_element_of_a_map_goes_before_it_comes_again() -> None:
    who = members(TRANSLATION)
    who.connected.present(client("laptop", STABLE, TEMPORARY))
    who.changes()
    who.connected.present(client("laptop", ANOTHER, TEMPORARY))
    changes = who.changes()
    gone, come = Change("others", False, TEMPORARY), Change("others", True, TEMPORARY, ANOTHER)
    assert changes.index(gone) < changes.index(come)


def test_what_comes_and_goes_in_one_turn_is_no_change() -> None:
    who = members(TRANSLATION, manager("lap*"))
    who.connected.present(client("laptop", STABLE, TEMPORARY))
    who.connected.absent("laptop")
    assert who.changes() == []


def test_an_address_that_moves_to_another_client_stays() -> None:
    who = members(TRANSLATION, manager("lap*"))
    who.connected.present(client("laptop1", ANOTHER, STABLE))
    who.changes()
    who.connected.present(client("laptop2", TEMPORARY, STABLE))
    who.connected.absent("laptop1")
    assert Change("m0_to", False, STABLE) not in who.changes()
    assert who.connected.owner(STABLE) == "laptop2"
    assert who.contents().others == {STABLE: TEMPORARY}


def test_names_are_seen_as_isatap_hosts_and_behind_the_translator() -> None:
    who = members(TRANSLATION, manager("*", "helpdesk.corp.example"), manager("*", "other.corp.example"))
    assert who.names() == ["helpdesk.corp.example", "other.corp.example"]
    who.resolved("helpdesk.corp.example", [IPv4Address("10.0.1.30"), IPv6Address("2001:db8::1")])
    assert {(change.set, str(IPv6Address(change.key))) for change in who.changes()} == {
        ("m0_names", "fd12:3456:789a:1:0:5efe:a00:11e"),
        ("m0_names", "fd12:3456:789a:1:200:5efe:a00:11e"),
        ("m0_names", "fd12:3456:789a:7777::a00:11e"),
        ("m0_names", "2001:db8::1"),
    }
    who.resolved("helpdesk.corp.example", [IPv6Address("2001:db8::1")])
    assert len(who.changes()) == 3


def test_two_names_with_one_address() -> None:
    who = members('[[policy.managers]]\nfrom = ["a.example", "b.example"]\nservices = ["any"]\n')
    address = IPv6Address("2001:db8::1")
    who.resolved("a.example", [address])
    who.resolved("b.example", [address])
    assert len(who.changes()) == 1
    who.resolved("a.example", [])
    assert who.changes() == []
    who.resolved("b.example", [])
    assert len(who.changes()) == 1


def test_another_site_file_goes_on_with_who_is_there() -> None:
    who = members(TRANSLATION, manager("lap*"), manager("*", "helpdesk.corp.example"))
    who.connected.present(client("laptop", STABLE, TEMPORARY))
    who.resolved("helpdesk.corp.example", [IPv6Address("2001:db8::1")])
    new = site(TRANSLATION, manager("nobody"), manager("LAPTOP", "helpdesk.corp.example"))
    contents = who.configure(new, plan(new))
    assert {name: set(keys) for name, keys in contents.members.items()} == {
        "clients": {STABLE, TEMPORARY},
        "m1_to": {STABLE, TEMPORARY},
        "m1_names": {IPv6Address("2001:db8::1").packed},
    }
    assert contents.others == {TEMPORARY: STABLE}
    assert who.changes() == []
    who.connected.absent("laptop")
    assert len(who.changes()) == 5


def test_without_translation_there_is_no_map_also_after_a_reload() -> None:
    """To change one that is not there would look like rules that somebody took away."""
    who, wanted = members(manager("lap*")), site(manager("lap*"))
    who.connected.present(client("laptop", STABLE, TEMPORARY))
    assert not who.configure(wanted, plan(wanted)).others
    who.connected.present(client("laptop", STABLE, ANOTHER))
    who.connected.absent("laptop")
    assert {change.set for change in who.changes()} == {"m0_to"}


def test_changes_lead_to_the_contents_whatever_happens() -> None:
    """The changes, made one after another in a slow obvious kernel, against what is to be there."""
    dice = random.Random(1)
    who = members(TRANSLATION, manager("a*"), manager("*b"))
    kernel: dict[tuple[str, bytes], bytes | None] = {}
    free = [bytes(15) + bytes([last]) for last in range(10)]
    for _ in range(2000):
        identity = dice.choice(["a", "b", "ab"])
        address, *others = dice.sample(free, dice.randint(1, 4))
        if dice.random() < 0.3:
            who.connected.absent(identity)
        else:
            who.connected.present(client(identity, address, *others))
        if dice.random() < 0.5:
            for change in who.changes():
                assert ((change.set, change.key) in kernel) != change.add
                if change.add:
                    kernel[change.set, change.key] = change.value
                else:
                    del kernel[change.set, change.key]
            contents = who.contents()
            sets = {(name, key): None for name, keys in contents.members.items() for key in keys}
            assert kernel == sets | {("others", key): value for key, value in contents.others.items()}


def test_an_address_that_comes_to_another_client_is_told_once() -> None:
    who = members(TRANSLATION)
    who.connected.present(client("laptop", STABLE, TEMPORARY))
    who.connected.absent("laptop")
    who.connected.present(client("laptop", STABLE, ANOTHER))
    assert who.inherited() == set(), "its own"
    who.connected.absent("laptop")
    who.connected.present(client("tablet", ANOTHER, TEMPORARY))
    assert who.inherited() == {TEMPORARY, ANOTHER}
    assert who.inherited() == set()


def test_what_was_open_before_the_start_is_inherited_by_nobody() -> None:
    prefix = plan(site()).client_prefix
    known, unknown, unheard = (prefix[last].packed for last in (7, 8, 9))
    holders = Holders()
    holders.note(known, "laptop")
    who = members_of(site(), holders)
    for address in (known, unknown):
        who.seen_open(address)
    who.connected.present(client("laptop", known))
    assert who.inherited() == set(), "its own"
    who.connected.present(client("tablet", unknown, unheard))
    assert who.inherited() == {unknown}


def test_a_client_on_its_way_back_is_judged_by_its_name() -> None:
    holders = Holders()
    holders.note(STABLE, "LAPTOP.corp.example")
    wanted = site(manager("lap*"), manager("tab*"))
    who = members_of(wanted, holders)
    assert [who.holds(name, STABLE) for name in ("m0_to", "m1_to")] == [True, False]
    assert not who.holds("m0_to", ANOTHER), "nobody knows whose it was"


def test_a_name_may_be_anybody_until_it_is_asked_for() -> None:
    who = members(manager("*", "app.corp.example"))
    who.unresolved = ["app.corp.example"]
    assert who.holds("m0_names", STABLE)
    who.unresolved = []
    assert not who.holds("m0_names", STABLE)
