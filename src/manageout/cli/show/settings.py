"""A command's options from a file, so that it can run as a service: TOML, each option by its long name."""

from pathlib import Path

import click

from manageout.errors import ConfigError, Fault


def _take(ctx: click.Context, option: click.Parameter, path: Path | None) -> None:
    """Let ``path`` say what the command line does not. Raises :class:`ConfigError`."""
    if path is None:
        return
    import tomllib

    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(str(path), [Fault("(file)", f"cannot be read: {error.strerror}")]) from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(str(path), [Fault("(file)", f"not valid TOML: {error}")]) from None
    known = {each.opts[0].lstrip("-"): each for each in ctx.command.params if each is not option}
    faults, values = [], {}
    for name, value in found.items():
        if (parameter := known.get(name)) is None:
            faults.append(Fault(name, "there is no such option", "there are " + ", ".join(sorted(known))))
        elif wanted := _misfit(parameter, value):
            faults.append(Fault(name, f"must be {wanted}"))
        else:
            values[parameter.name] = value
    if faults:
        raise ConfigError(str(path), faults)
    ctx.default_map = values


def _misfit(parameter: click.Parameter, value: object) -> str:
    """What the parameter wants, where ``value`` is of another kind; or nothing."""
    match parameter:
        case click.Option(is_flag=True):
            return "" if isinstance(value, bool) else "true or false"
        case click.Option(multiple=True):
            fits = isinstance(value, list) and all(isinstance(each, str) for each in value)
            return "" if fits else "a list of texts"
    return "" if isinstance(value, str | int) and not isinstance(value, bool) else "a text or a number"


settings_option = click.option(
    "--config",
    type=click.Path(path_type=Path),
    is_eager=True,
    expose_value=False,
    callback=_take,
    help="A TOML file with any of these options by their names; the command line goes first.",
)
"""Of a command that also runs as a service."""
