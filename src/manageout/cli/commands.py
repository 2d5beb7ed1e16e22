"""The table of commands, the ``manageout`` command itself, and what becomes of errors."""

import contextlib
import importlib
import os
import sys
from collections.abc import Mapping
from typing import Any

import click

from manageout import __version__
from manageout.errors import ConfigError, ManageoutError

COMMANDS = {
    "run": ("run:run", "The daemon: every role that the site file names."),
    "plan": ("plan:plan", "Addresses, routes and names that follow from the site file."),
    "check": ("check:check", "Validate the site file and this machine."),
    "stop": ("stop:stop", "End the daemon; --clean leaves nothing of it."),
    "status": ("reading.status:status", "What the daemon does and how it fares."),
    "hosts": ("reading.tables:hosts", "ISATAP hosts that were seen."),
    "clients": ("reading.tables:clients", "Remote clients that are connected."),
    "leases": ("reading.leases:leases", "Intranet IPv4 addresses of remote clients."),
    "names": ("reading.names:names", "Clients' names in the DNS: remove them, after the last stop."),
    "sessions": ("reading.tables:sessions", "Who is connected to whom, on what port, since when."),
    "drops": ("reading.tables:drops", "Packets that were refused, why and from whom."),
    "connect": ("connect:connect", "Be a remote client: connect to a gateway."),
    "join": ("join:join", "Be an ISATAP host on this Linux machine."),
    "address": ("address:address", "Derive or explain ISATAP, 6to4, Teredo, NAT64 addresses."),
    "doctor": ("doctor.doctor:doctor", "Why managing out fails: cause and remedy."),
    "rollout": ("rollout.rollout:rollout", "Tell chosen Windows machines; each way with its undo."),
    "retire": ("retire.retire:retire", "The way out of ISATAP: census, pilot, watch, undo."),
    "import": ("import_:import_", "A site file from an existing DirectAccess farm."),
    "pki": ("pki:pki", "Certificates for gateways and clients."),
    "backup": ("backup:backup", "Site file, keys and state into one file."),
    "restore": ("backup:restore", "Bring back what `backup` has written."),
    "lab": ("lab:lab", "A whole site on this machine, in network namespaces."),
}
"""Name -> module below this package and click command in it, one line for ``--help``."""

INTERRUPTED = 130


class Commands(click.Group):
    """A group whose commands stand in a table such as :data:`COMMANDS`, in its order, and are imported on demand."""

    def __init__(self, *arguments: Any, table: Mapping[str, tuple[str, str]], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the table."""
        return list(self.table)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import the module of ``name``."""
        if name not in self.table:
            return None
        module, _, attribute = self.table[name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(f"manageout.cli.{module}"), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """From the table, so that ``--help`` imports nothing."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.table.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggest the nearest name for one that does not exist."""
        if args and args[0] not in self.table and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], self.table, n=1, cutoff=0.5)
            hint = f"did you mean `{ctx.command_path} {near[0]}`?" if near else "the help lists them"
            raise click.UsageError(f"there is no command {args[0]!r}; {hint}", ctx)
        return super().resolve_command(ctx, args)


@click.group(
    cls=Commands,
    table=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Exit codes: 0 well, 1 a finding or a failure, 2 usage, 3 daemon unreachable, 4 not permitted.",
)
@click.version_option(__version__, prog_name="manageout", message="%(prog)s %(version)s")
def cli() -> None:
    """Manage-out for IPv6-only remote access: let intranet machines reach remote clients."""


def main() -> None:
    """Run a command; every failure becomes one line and an exit code."""
    try:
        code = cli.main(prog_name="manageout", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        code = error.exit_code
    except click.ClickException as error:
        where = getattr(error, "ctx", None)
        path = where.command_path if where else "manageout"
        report(ManageoutError(error.format_message(), f"see `{path} --help`"))
        code = error.exit_code
    except ManageoutError as error:
        report(error)
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        code = INTERRUPTED
    except BrokenPipeError:  # `manageout hosts | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = 0
    except SystemExit as stop:  # of a signal; with 1, click's word for a closed pipe
        code = 0 if stop.code == 1 else stop.code
    except Exception as error:
        if os.environ.get("MANAGEOUT_DEBUG"):
            raise
        report(_bug(error))
        code = 1
    sys.exit(code if isinstance(code, int) else 0)


def _bug(error: Exception) -> ManageoutError:
    """What nobody foresaw, with the place where it happened."""
    from traceback import extract_tb

    frame = extract_tb(error.__traceback__)[-1]
    detail = f"{type(error).__name__}: {error}".splitlines()[0]
    place = f"{os.path.basename(frame.filename)}:{frame.lineno}"
    return ManageoutError(
        f"internal error: {detail} ({place})", "please report it; MANAGEOUT_DEBUG=1 shows more"
    )


def report(error: ManageoutError) -> None:
    """One line what, one line how to mend it, on standard error; a configuration's faults one by one."""
    lines = [f"manageout: {error.message}"]
    if error.hint:
        lines.append(f"  {error.hint}")
    if isinstance(error, ConfigError):
        from manageout.site.lines import line_of

        for fault in error.faults:
            line = line_of(error.source, fault.path)
            lines.append(f"  {fault.path}: {fault.message}{f' (line {line})' if line else ''}")
            if fault.hint:
                lines.append(f"      {fault.hint}")
    with contextlib.suppress(BrokenPipeError):
        click.echo("\n".join(lines), err=True)
