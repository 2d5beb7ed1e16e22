"""What mails, forums and web pages do to a console's lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manageout.doctor.read.text import decode, lines

PLAIN = """Windows IP Configuration

Tunnel adapter isatap.corp.example:

   Link-local IPv6 Address . . . . . : fe80::5efe:10.0.1.30%9
   Default Gateway . . . . . . . . . :
"""
ROWS = [line.rstrip() for line in PLAIN.split("\n")]


def marked(mark: str) -> str:
    return "\n".join((mark + line).rstrip() for line in ROWS)


@pytest.mark.parametrize("mark", ["> ", ">", "> > ", ">> ", "> > > ", "| ", "    ", "  ", "\t"])
def test_marks_and_indentation_of_all_lines(mark: str) -> None:
    assert [line for line in lines(marked(mark)) if line] == [line for line in ROWS if line]


@pytest.mark.parametrize("fence", ["```", "```text", "~~~", "``` console"])
def test_fences(fence: str) -> None:
    assert lines(f"{fence}\n{PLAIN}{fence}")[1:-1] == ROWS[:-1]


def test_prose_between_quoted_lines_stays() -> None:
    assert lines("> > C:\\>ver\n> >\n> > x\n> I say\nyou say") == ["C:\\>ver", "", "x", "I say", "you say"]


def test_the_prompt_of_nslookup_is_no_quoting() -> None:
    session = ["> set type=aaaa", "> laptop.corp.example", "Server:  dc.corp.example", "Address:  10.0.0.10"]
    assert lines("\n".join(session)) == session
    assert lines("\n".join("> " + line for line in session)) == session


def test_what_goes_on_below_a_command_is_no_quoting() -> None:
    typed = ["PS C:\\> Get-NetRoute |", ">> Format-List", "x"]
    assert lines("\n".join(typed)) == typed


def test_ticks_and_stars_around_a_line() -> None:
    assert lines("`ISATAP State : enabled`\n**C:\\>ver**") == ["ISATAP State : enabled", "C:\\>ver"]


def test_markup() -> None:
    assert lines("C:\\&gt;ipconfig<br>\n<pre>IPv4&nbsp;Address . . : 10.0.0.1</pre>") == [
        "C:\\>ipconfig",
        "IPv4 Address . . : 10.0.0.1",
    ]


def test_typeset_characters() -> None:
    text = "PS C:\\> Get\u2013NetRoute \u2018x\u2019\u00a0\u200b\ufeff\r\r\ny"
    assert lines(decode(text.encode())) == ["PS C:\\> Get-NetRoute 'x'", "y"]


def test_a_blank_line_behind_every_line() -> None:
    row = [f"Label {number} : value" for number in range(9)]
    assert [line for line in lines("\n\n".join(row)) if line] == row
    assert "" not in lines("\n\n".join(row))[:-1]


def test_a_value_that_goes_on_stays_indented() -> None:
    listed = [
        "SslCertificate : [Subject]",
        "                   CN=da.corp.example",
        "",
        "                 [Issuer]",
    ]
    assert lines("\n".join(listed)) == listed


def test_lines_that_a_mail_program_has_broken() -> None:
    text = "Interface Status           : failed to connect to the IPHTTPS server.\nWaiting to reconnect\n"
    assert lines(text)[0].endswith("server. Waiting to reconnect")


def test_a_url_below_its_label() -> None:
    (line,) = lines("URL                        :\nhttps://da.corp.example:443/IPHTTPS")
    assert line.endswith(" : https://da.corp.example:443/IPHTTPS")


@pytest.mark.parametrize(
    "after",
    ["Interface Status : x", "C:\\>ver", "Reply from fd12::1: time=1ms", "a    b    c", "", "---", "  x"],
)
def test_lines_that_stand_for_themselves_are_not_joined(after: str) -> None:
    text = "Interface Status           : failed to connect to the IPHTTPS server now."
    assert lines(f"{text}\n{after}") == [text, after]


@given(st.text(alphabet="> |`\n\tC:\\PS.ab-=", max_size=200))
def test_no_text_breaks_it(text: str) -> None:
    assert len(lines(text)) <= text.count("\n") + 1
