"""``manageout retire``: the way out of ISATAP, a step at a time."""

import click

from manageout.cli.commands import Commands

STEPS = {
    "census": ("retire.census:census", "Who has to do with ISATAP: hosts, records, names, policies."),
    "judge": ("retire.judge:judge", "Who really calls clients by it, and what will serve them instead."),
    "pilot": ("retire.pilot:pilot", "Chosen hosts let go by themselves."),
    "watch": ("retire.watch:watch", "Who let go, who still sends, what fails."),
    "forward": ("retire.pilot:forward", "The next hosts, or all of them."),
    "remove": ("retire.remove:remove", "Records and policies go, too."),
    "undo": ("retire.pilot:undo", "Everything is as it was before the pilot."),
    "report": ("retire.report:report", "For the change board: a page, and Markdown."),
    "status": ("retire.status:status", "How far it is, who did what, and what comes next."),
}
"""As :data:`manageout.cli.commands.COMMANDS`, in the order of the way."""


@click.group(cls=Commands, table=STEPS)
def retire() -> None:
    """The way out of ISATAP, a step at a time, each with its undo.

    Run it as root on the ISATAP router: what it knows and does is kept in daemon.state_dir (retire.db). Each step
    rests upon the one before and is refused while that has been observed for too short a time
    (isatap.retire_evidence, 7 days); --force insists, and is noted.
    """
