"""What the steps of ``manageout retire`` have in common."""

from manageout.cli.options import taking
from manageout.retire.retirement import Retirement
from manageout.service.state.retire import Member
from manageout.words import texts

with_retirement = taking("retirement", Retirement.read)
"""Of ``--config``, ``--state-dir``, ``--runtime-dir``, ``--usage`` and ``--force`` those that the command has."""


def member_row(member: Member) -> dict[str, object]:
    """For ``--json``."""
    return member._asdict() | {"network": str(member.network)}


def said(name: str, **words: object) -> str:
    """The text of that name with its words."""
    return texts("manageout.cli.retire", name, **words)[0]
