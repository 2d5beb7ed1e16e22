"""Every exception that this project raises on purpose, on one screen.

A message is one line that says what is wrong; ``hint`` is one line that says how to mend it. The command
line prints both and exits with ``exit_code``; a traceback is a bug.
"""

from collections.abc import Sequence
from typing import NamedTuple


class ManageoutError(Exception):
    """The root. ``hint`` says how to mend it; ``exit_code`` is what a command returns."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class WireError(ManageoutError, ValueError):
    """Bytes that are not what they claim to be. The message names the field."""


class HeadError(WireError):
    """What is no HTTP head, or none that is taken. ``status`` is the answer that it deserves."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class OversizeError(WireError):
    """A packet that announces more than the link carries."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"oversize packet: {size} bytes, at most {limit}")


class Fault(NamedTuple):
    """One mistake in a configuration file: dotted path, what is wrong, how to mend it."""

    path: str
    message: str
    hint: str = ""


class ConfigError(ManageoutError):
    """A configuration that cannot be used; carries every fault that was found."""

    def __init__(self, source: str, faults: Sequence[Fault]) -> None:
        count = len(faults)
        super().__init__(f"{source}: {count} fault{'s' if count != 1 else ''}")
        self.source = source
        self.faults = tuple(faults)


class AddressError(ManageoutError, ValueError):
    """An address or prefix that cannot be derived or explained."""


class KernelError(ManageoutError):
    """The kernel refused something: a device, a route, a program, a rule."""


class FastPathUnavailable(KernelError):
    """eBPF cannot be used here; the slow path goes on alone. ``log``: what libbpf and the verifier said."""

    def __init__(self, message: str, hint: str = "", log: str = "") -> None:
        super().__init__(message, hint)
        self.log = log


class PkiError(ManageoutError):
    """A certificate or key that cannot be made, read or used."""


class LinkError(ManageoutError):
    """A tunnel that cannot be brought up or was ended by the other side."""


class BadArgument(LinkError, ValueError):
    """A URL, name or number for a tunnel that cannot be what it was given for."""

    exit_code = 2


class ConnectError(LinkError):
    """One attempt to reach a gateway failed; ``windows_code`` is what Windows shows for the same fault, or 0.

    ``refused``: somebody said no, and will do so again until something is mended.
    """

    def __init__(self, message: str, hint: str = "", windows_code: int = 0, *, refused: bool = False) -> None:
        super().__init__(message, hint)
        self.windows_code = windows_code
        self.refused = refused


class LabError(ManageoutError):
    """The lab cannot do what was asked."""


class DaemonUnreachable(ManageoutError):
    """No daemon answers on the control socket."""

    exit_code = 3


class NotPermitted(ManageoutError):
    """The caller lacks a privilege."""

    exit_code = 4
