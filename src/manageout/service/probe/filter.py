"""The packet filter of this machine, and what it does with a packet that is described."""

from __future__ import annotations

from manageout.linux.nft import program as nft
from manageout.linux.nft.evaluate import Ruleset


def ruleset() -> Ruleset:
    """What the kernel holds now. Raises :class:`~manageout.errors.NotPermitted` without CAP_NET_ADMIN."""
    objects, texts = nft.ruleset()
    return Ruleset(objects, texts)
