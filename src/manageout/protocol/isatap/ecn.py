"""Explicit Congestion Notification through a tunnel (RFC 6040)."""

NOT_ECT, ECT_1, ECT_0, CE = range(4)

# RFC 6040 4.2, figure 4: row = inner, column = outer, in the order of the code points; None is "drop".
_DECAPSULATED: tuple[tuple[int | None, ...], ...] = (
    (NOT_ECT, NOT_ECT, NOT_ECT, None),
    (ECT_1, ECT_1, ECT_1, CE),
    (ECT_0, ECT_1, ECT_0, CE),
    (CE, CE, CE, CE),
)


def ecn_encapsulate(inner: int) -> int:
    """The outer code point in normal mode: the inner one (RFC 6040 4.1). Takes the low 2 bits."""
    return inner & 3


def ecn_decapsulate(inner: int, outer: int) -> int | None:
    """The code point to forward, or None when the packet is to be dropped.

    Takes the low 2 bits of each, so that a whole traffic class or TOS may be given.
    """
    return _DECAPSULATED[inner & 3][outer & 3]
