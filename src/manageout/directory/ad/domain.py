"""A domain's group policies, through Samba's bindings in a process of their own."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any, NamedTuple, cast

from manageout.directory.ad.state import Directory, DomainCensus, DomainState, Questions
from manageout.errors import ManageoutError

PYTHON = "/usr/bin/python3"
"""The system's: Samba's bindings come with Samba only."""
_PROGRAM = Path(__file__).with_name("gpo_samba.py")
_HINTS = {
    "credentials": "try --user NAME with its password, or get a ticket: kinit NAME",
    "rights": "the account must be a Domain Admin",
    "collision": "something of that name is in the way in SYSVOL: see the policy's folder, then try again",
    "size": "look at that folder in SYSVOL",
    "directory": "is the domain controller reachable (ports 53, 88, 389, 445)? name it with --server",
    "fault": "please report this",
}


class Halfway(ManageoutError):
    """Something was written and could not be taken back."""


class Domain(NamedTuple):
    """Where, and as whom."""

    name: str
    server: str = ""
    """Empty: found through the DNS."""
    user: str = ""
    """Empty: the Kerberos ticket that is there."""
    password: str = ""

    def read(self, questions: Questions) -> Directory:
        """What is there. Raises :class:`ManageoutError`."""
        return cast(Directory, self._ask({"do": "read", **questions}, lambda step: None))

    def put(self, before: DomainState, after: DomainState, say: Callable[[str], None]) -> None:
        """Make what ``before`` describes as ``after`` says; when that fails, as it was.

        Raises :class:`ManageoutError`; :class:`Halfway` when it could not be taken back.
        """
        self._ask({"do": "put", "before": before, "after": after}, say)

    def census(self) -> DomainCensus:
        """Policies that name ISATAP, and every address in the zones. Raises :class:`ManageoutError`."""
        return cast(DomainCensus, self._ask({"do": "census"}, lambda step: None))

    def _ask(self, request: Mapping[str, object], say: Callable[[str], None]) -> object:
        who = {"domain": self.name, "server": self.server, "user": self.user, "password": self.password}
        try:
            process = Popen([PYTHON, "-I", str(_PROGRAM)], stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True)
        except OSError as error:
            raise ManageoutError(f"{PYTHON}: {error.strerror}", "apt-get install python3-samba") from None
        with process:
            assert process.stdin and process.stdout and process.stderr
            with process.stdin as stdin:
                stdin.write(json.dumps({**who, **request}))
            answer: dict[str, Any] = {}
            for line in process.stdout:
                answer = json.loads(line)
                if "step" in answer:
                    say(answer["step"])
            complaint = process.stderr.read().strip()
        return _answer(answer, complaint)


def _answer(answer: dict[str, Any], complaint: str) -> object:
    if "result" in answer:
        return answer["result"]
    if "error" not in answer:
        last = complaint.splitlines()[-1] if complaint else "it ended without an answer"
        hint = "apt-get install python3-samba" if "ModuleNotFoundError" in complaint else _HINTS["fault"]
        raise Halfway(f"Samba's bindings: {last}", hint)
    if answer["left"]:
        raise Halfway(f"{answer['error']}; {answer['left']}", _HINTS[answer["kind"]])
    raise ManageoutError(answer["error"], _HINTS[answer["kind"]])
