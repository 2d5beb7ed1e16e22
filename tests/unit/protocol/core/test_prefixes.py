"""The longest prefix wins, against the obvious answer of ``ipaddress``."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Network

from hypothesis import given
from hypothesis import strategies as st

from manageout.protocol.core.prefixes import Prefix, PrefixTable

NETWORKS = st.lists(
    st.builds(
        lambda number, length: IPv4Network((number, length), strict=False),
        st.integers(0, 2**32 - 1),
        st.integers(0, 32),
    ),
    max_size=20,
)


@given(NETWORKS, st.integers(0, 2**32 - 1))
def test_agrees_with_ipaddress(networks: list[IPv4Network], number: int) -> None:
    table = PrefixTable((Prefix(net.network_address.packed, net.prefixlen), str(net)) for net in networks)
    covering = [net for net in networks if IPv4Address(number) in net]
    best = max(covering, key=lambda net: net.prefixlen, default=None)
    assert table.get(number.to_bytes(4, "big")) == (None if best is None else str(best))
    assert len(table) == len(set(networks))


def test_host_bits_are_cleared() -> None:
    site = IPv6Network("fd12:3456:789a::/48")
    table = PrefixTable([(Prefix(site[5].packed, 48), b"x")])
    assert list(table.items()) == [(Prefix(site.network_address.packed, 48), b"x")]
    assert table.get(site[1 << 70].packed) == b"x"


def test_an_empty_table_covers_nothing() -> None:
    assert PrefixTable[int]().get(bytes(16)) is None
