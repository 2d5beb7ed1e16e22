"""Any value that the wire can carry, for hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

from manageout.wire import nd

u8, u16, u32 = (st.integers(0, 2**bits - 1) for bits in (8, 16, 32))
v4 = st.binary(min_size=4, max_size=4)
v6 = st.binary(min_size=16, max_size=16)
unicast6 = v6.filter(lambda address: address[0] != 0xFF and any(address))
link_local = st.binary(min_size=8, max_size=8).map(lambda identifier: b"\xfe\x80" + bytes(6) + identifier)
data = st.binary(max_size=300)
word_data = st.binary(max_size=150).map(lambda half: half + half)
options4 = st.integers(0, 10).flatmap(lambda words: st.binary(min_size=4 * words, max_size=4 * words))
preferences = st.sampled_from(nd.Preference)


def masked(prefix: bytes, length: int) -> bytes:
    """``prefix`` without the bits behind ``length``."""
    bits = int.from_bytes(prefix, "big") >> 128 - length << 128 - length
    return bits.to_bytes(16, "big")


_label = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=63)
names = st.lists(_label, min_size=1, max_size=5).map(".".join).filter(lambda name: len(name) <= 253)

prefix_information = st.builds(
    lambda prefix, length, *rest: nd.PrefixInformation(masked(prefix, length), length, *rest),
    v6,
    st.integers(0, 128),
    st.booleans(),
    st.booleans(),
    u32,
    u32,
)
route_information = st.builds(
    lambda prefix, length, *rest: nd.RouteInformation(masked(prefix, length), length, *rest),
    v6,
    st.integers(0, 128),
    preferences,
    u32,
)
pref64 = st.builds(
    lambda prefix, length, scaled: nd.Pref64(masked(prefix, length), length, scaled * 8),
    v6,
    st.sampled_from((96, 64, 56, 48, 40, 32)),
    st.integers(0, 0x1FFF),
)
link_layer = st.builds(nd.LinkLayer, st.just(2), st.binary(min_size=6, max_size=6))
option = st.one_of(
    prefix_information,
    route_information,
    pref64,
    link_layer,
    st.builds(nd.Mtu, u32),
    st.builds(nd.Rdnss, u32, st.lists(v6, min_size=1, max_size=4).map(tuple)),
    st.builds(nd.Dnssl, u32, st.lists(names, min_size=1, max_size=3).map(tuple)),
    st.builds(nd.UnknownOption, st.sampled_from((200, 253, 254)), st.binary(min_size=6, max_size=6)),
)
options = st.lists(option, max_size=5).map(tuple)

router_advertisement = st.builds(
    lambda lifetime, preference, **rest: nd.RouterAdvertisement(
        router_lifetime=lifetime,
        preference=preference if lifetime else nd.Preference.MEDIUM,
        **rest,
    ),
    u16,
    preferences,
    hop_limit=u8,
    managed=st.booleans(),
    other=st.booleans(),
    reachable_ms=u32,
    retrans_ms=u32,
    options=options,
)
message = st.one_of(
    st.builds(nd.RouterSolicitation, options),
    router_advertisement,
    st.builds(nd.NeighbourSolicitation, unicast6, options),
    st.builds(nd.NeighbourAdvertisement, unicast6, st.booleans(), st.booleans(), st.booleans(), options),
)
