"""The packet filter tables of others on this machine, and what they do with a packet that is described."""

from __future__ import annotations

from manageout.linux.nft import program as nft
from manageout.linux.nft.evaluate import Ruleset
from manageout.linux.nft.tables import OURS


def of_others() -> Ruleset:
    """What the kernel holds but for our own tables, about which the site file says more.

    Raises :class:`NotPermitted` without CAP_NET_ADMIN, :class:`KernelError`.
    """
    return Ruleset(*nft.ruleset(OURS))
