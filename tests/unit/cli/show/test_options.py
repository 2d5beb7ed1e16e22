"""Options that several commands have."""

from __future__ import annotations

import click

from manageout.cli.show.options import json_option, together, wide_option
from tests.tools.commands import run


@click.command()
@together(wide_option, json_option)
def command(wide: bool, as_json: bool) -> None:
    click.echo(f"{wide} {as_json}")


def test_options_together_are_in_their_order_and_each_is_given() -> None:
    usage = run(command, "--help").output
    assert usage.index("--wide") < usage.index("--json")
    assert run(command, "--json").output == "False True\n"
