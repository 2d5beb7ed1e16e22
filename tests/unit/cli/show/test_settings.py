"""Options from a file: by their names, of their kinds, below the command line."""

from __future__ import annotations

import tomllib
from pathlib import Path

import click
import pytest

from manageout.cli.connect import connect
from manageout.cli.join import join
from manageout.cli.show.settings import settings_option
from manageout.errors import ConfigError
from tests.tools.commands import run

EXAMPLES = Path(__file__).parents[4] / "packaging" / "etc"


@click.command()
@click.argument("url")
@click.option("--namespace", "domains", multiple=True)
@click.option("--location-url")
@click.option("--metric", type=int, default=1)
@click.option("--stock", is_flag=True)
@settings_option
def shown(url: str, domains: tuple[str, ...], location_url: str | None, metric: int, stock: bool) -> None:
    click.echo(f"{url} {domains} {location_url} {metric} {stock}")


def written(folder: Path, text: str) -> str:
    path = folder / "connect.toml"
    path.write_text(text)
    return str(path)


def test_each_option_is_taken_by_its_name(tmp_path: Path) -> None:
    text = 'url = "a"\nnamespace = ["b", "c"]\nlocation-url = "d"\nmetric = 5\nstock = true'
    assert run(shown, "--config", written(tmp_path, text)).output == "a ('b', 'c') d 5 True\n"


def test_the_command_line_goes_first_and_what_is_not_told_keeps_its_default(tmp_path: Path) -> None:
    file = written(tmp_path, 'url = "a"\nnamespace = ["b"]')
    assert run(shown, "z", "--namespace", "y", "--config", file).output == "z ('y',) None 1 False\n"


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        ("domains = []", "domains", "there is no such option"),
        ('config = "x"', "config", "there is no such option"),
        ("[url]\nx = 1", "url", "must be a text or a number"),
        ("url = true", "url", "must be a text or a number"),
        ('namespace = "b"', "namespace", "must be a list of texts"),
        ("namespace = [1]", "namespace", "must be a list of texts"),
        ('stock = "no"', "stock", "must be true or false"),
        ("stock = 1", "stock", "must be true or false"),
        ("url =", "(file)", "not valid TOML"),
        ("x = " + "[" * 5000, "(file)", "not valid TOML"),
        ('url = "\x00"', "(file)", "not valid TOML"),
    ],
)
def test_what_does_not_fit_is_named(text: str, path: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        run(shown, "--config", written(tmp_path, text))
    (fault,) = refused.value.faults
    assert fault.path == path
    assert message in fault.message


def test_every_fault_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        run(shown, "--config", written(tmp_path, "domains = []\nstock = 1"))
    assert [fault.path for fault in refused.value.faults] == ["domains", "stock"]


def test_no_file_and_no_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="1 fault"):
        run(shown, "--config", str(tmp_path / "none"))
    (tmp_path / "connect.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="1 fault"):
        run(shown, "--config", str(tmp_path / "connect.toml"))


def test_what_it_still_lacks_is_told_as_ever(tmp_path: Path) -> None:
    assert "Missing argument 'URL'" in run(shown, "--config", written(tmp_path, ""), code=2).stderr


@pytest.mark.parametrize("command", [connect, join])
def test_the_packaged_file_names_only_options(command: click.Command) -> None:
    """Those that are commented out too."""
    text = (EXAMPLES / f"{command.name}.toml").read_text()
    lines = [
        line.removeprefix("#") for line in text.splitlines() if " = " in line and not line.startswith("# ")
    ]
    named = tomllib.loads("\n".join(lines))
    assert len(named) > 1
    assert named.keys() <= {parameter.opts[0].lstrip("-") for parameter in command.params}
