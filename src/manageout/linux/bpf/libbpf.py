"""A small binding of the system's ``libbpf.so.1``: objects, maps, programs, attachments.

Blueprint and live thing are one type here, in this order: ``Object(data)`` -> ``resize`` and ``constants`` ->
``load()`` -> maps, programs. Every descriptor belongs to this process: when it ends, however it ends, tcx links and
maps end with it, but for what is pinned (:mod:`manageout.linux.bpf.pins`).

Anything that fails raises :class:`FastPathUnavailable` with one line and a hint; the full log is in ``log``.
"""

import contextlib
import ctypes as c
import errno
import os
import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from manageout.errors import FastPathUnavailable
from manageout.linux.host import privileges
from manageout.linux.host.library import library
from manageout.linux.host.privileges import Capability

BPF_TCX_INGRESS = 46
BPF_TCX_EGRESS = 47
BPF_ANY, BPF_NOEXIST = 0, 1
_CLSACT_INGRESS, _CLSACT_EGRESS = 1, 2
_TC_REPLACE = 1
# "mo": by this handle and priority we know filters of ours that outlived their process.
_TC_HANDLE = _TC_PRIORITY = 0x6D6F
TUNNEL, TRANSLATOR = 0, 1
"""Slots: both fast paths may have a program on one device, with handles and priorities one behind the other."""
_PER_CPU = (5, 6, 10)  # BPF_MAP_TYPE_PERCPU_HASH, PERCPU_ARRAY, LRU_PERCPU_HASH
_BATCH = 4096
_NEEDED = {int(each) for each in (Capability.NET_ADMIN, Capability.BPF, Capability.PERFMON)}
"""CAP_PERFMON for arithmetic with pointers, which the verifier else refuses."""
_LINK_INFO, _LINK_TCX = 64, 11

_PRINT = c.CFUNCTYPE(c.c_int, c.c_int, c.c_char_p, c.c_void_p)
_int, _size, _u32 = c.c_int, c.c_size_t, c.c_uint32


class _TcHook(c.Structure):
    _fields_ = (("size", _size), ("ifindex", _int), ("point", _int), ("parent", _u32))


class _TcOpts(c.Structure):
    _fields_ = (
        ("size", _size),
        ("prog_fd", _int),
        ("flags", _u32),
        ("prog_id", _u32),
        ("handle", _u32),
        ("priority", _u32),
    )


@cache
def _libbpf() -> c.CDLL:
    try:
        found = library("libbpf.so.1")
    except OSError:
        raise FastPathUnavailable("libbpf.so.1 is not there", "apt install libbpf1") from None
    found.libbpf_set_print(_collect)
    return found


_log: list[str] = []


def _keep(level: int, template: bytes, arguments: int) -> int:
    """libbpf's own messages (level 0 warning, 1 info) and the verifier's log; 2, debug, is left out."""
    if level < 2:
        buffer = c.create_string_buffer(1 << 16)
        c.CDLL(None).vsnprintf(buffer, _size(len(buffer)), template, c.c_void_p(arguments))
        _log.append(buffer.value.decode(errors="replace"))
    return 0


_collect = _PRINT(_keep)  # module level: libbpf keeps the pointer


def _failure(what: str, code: int) -> FastPathUnavailable:
    """The one line that matters, out of the error number and the log."""
    log = "".join(_log)
    _log.clear()
    missing = ", ".join(privileges.names(_NEEDED - privileges.effective()))
    if code in (errno.EPERM, errno.EACCES) and missing:
        told = f"{what}: eBPF is not permitted without {missing}"
        return FastPathUnavailable(told, "run as root, or with these capabilities", log)
    why = _verifier_line(log) or os.strerror(code)
    return FastPathUnavailable(f"{what}: {why}", "Linux 6.1 or later", log)


def _verifier_line(log: str) -> str:
    """The verifier's reason is the last line before its statistics."""
    if "BEGIN PROG LOAD LOG" not in log:
        return ""
    said = log.split("BEGIN PROG LOAD LOG", 1)[1].split("END PROG LOAD LOG")[0].splitlines()
    lines = [line.strip() for line in said if line.strip() and not line.startswith(("processed", "-"))]
    return f"refused by the verifier: {lines[-1]}" if lines else ""


class Map(NamedTuple):
    """A map of a loaded object; keys and values are packed bytes. A per-CPU map's value holds all CPUs'."""

    fd: int
    name: str
    key_size: int
    value_size: int

    def update(self, key: bytes, value: bytes, flags: int = BPF_ANY) -> bool:
        """Set an entry; False when ``flags`` forbid it (it exists, or does not) or there is no room."""
        code = -_libbpf().bpf_map_update_elem(self.fd, key, value, flags)
        # ENOMEM: of a map that takes its memory entry by entry (BPF_F_NO_PREALLOC).
        if code in (errno.EEXIST, errno.ENOENT, errno.E2BIG, errno.ENOSPC, errno.ENOMEM):
            return False
        if code:
            raise _failure(f"map {self.name}", code)
        return True

    def lookup(self, key: bytes) -> bytes | None:
        """The value of an entry."""
        buffer = c.create_string_buffer(self.value_size)
        return buffer.raw if _libbpf().bpf_map_lookup_elem(self.fd, key, buffer) == 0 else None

    def delete(self, key: bytes) -> None:
        """Remove an entry, if it is there."""
        _libbpf().bpf_map_delete_elem(self.fd, key)

    def all_keys(self) -> list[bytes]:
        """Every key; for the small maps."""
        found: list[bytes] = []
        key: bytes | None = None
        buffer = c.create_string_buffer(self.key_size)
        while _libbpf().bpf_map_get_next_key(self.fd, key, buffer) == 0:
            key = buffer.raw
            found.append(key)
        return found

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Every entry, thousands a system call; a hash map that changes meanwhile may repeat one."""
        keys = c.create_string_buffer(self.key_size * _BATCH)
        values = c.create_string_buffer(self.value_size * _BATCH)
        cursor = c.create_string_buffer(max(self.key_size, 8))
        start: Any = None
        while True:
            count = _u32(_BATCH)
            code = -_libbpf().bpf_map_lookup_batch(self.fd, start, cursor, keys, values, c.byref(count), None)
            if code not in (0, errno.ENOENT):
                raise _failure(f"map {self.name}", code)
            # ``raw`` copies the whole buffer: once a batch, not once an entry.
            all_keys, all_values = keys.raw, values.raw
            for i in range(count.value):
                yield (
                    all_keys[i * self.key_size : (i + 1) * self.key_size],
                    all_values[i * self.value_size : (i + 1) * self.value_size],
                )
            if code == errno.ENOENT:
                return
            start = cursor


class Program(NamedTuple):
    """A program of a loaded object."""

    fd: int
    name: str


class Attachment:
    """A program on the ingress or egress of a device: tcx when the kernel has it (6.6), else clsact.

    A tcx link lives in a descriptor and dies with the process, unless it has a ``pin``, a path in a BPF file system:
    the next start finds it there and puts its own program into it, without a gap. A clsact filter stays by itself: it
    carries our handle, so that the next start finds and replaces it; the pin then holds the program, and tells whose
    filter it is. A queueing discipline that we made for it goes with the last filter that we have on the device.
    """

    _filters: ClassVar[Counter[int]] = Counter()
    _made: ClassVar[set[int]] = set()

    def __init__(
        self,
        program: Program,
        ifindex: int,
        egress: bool,
        tcx: bool = True,
        slot: int = TUNNEL,
        pin: Path | None = None,
    ) -> None:
        self._slot, self._pin = slot, pin
        self._hook = _TcHook(c.sizeof(_TcHook), ifindex, _CLSACT_EGRESS if egress else _CLSACT_INGRESS)
        self.link = -1
        self.kept = False
        """Whether the next start will find it."""
        self._program_id = 0
        where = BPF_TCX_EGRESS if egress else BPF_TCX_INGRESS
        if tcx:
            self.link = self._adopted(program, where)
            self.kept = self.link >= 0
            if self.link < 0:
                self.link = _libbpf().bpf_link_create(program.fd, ifindex, where, None)
                self.kept = pin is not None and put_pin(self.link, pin)
        if self.link >= 0:  # by now nothing is missed when the filter of before goes
            remove_leftover(ifindex, egress, slot)
        else:
            self._attach_clsact(program)
            self.kept = pin is not None and put_pin(program.fd, pin)
        _log.clear()

    def _adopted(self, program: Program, where: int) -> int:
        """The link of an earlier process, at this place, with ``program`` in it now; -1 without one."""
        if self._pin is None:
            return -1
        found = pinned(self._pin)
        if found < 0:
            return -1
        if link_place(found) != (self._hook.ifindex, where) or _libbpf().bpf_link_update(
            found, program.fd, None
        ):
            os.close(found)
            return -1
        return found

    @property
    def _qdisc(self) -> Path | None:
        """Pinned where the queueing discipline is ours to remove."""
        return self._pin.with_name(f"qdisc-{self._hook.ifindex}") if self._pin is not None else None

    def _attach_clsact(self, program: Program) -> None:
        both = _TcHook(c.sizeof(_TcHook), self._hook.ifindex, _CLSACT_INGRESS | _CLSACT_EGRESS)
        code = -_libbpf().bpf_tc_hook_create(c.byref(both))
        if code not in (0, errno.EEXIST):
            raise _failure(f"{program.name} on device {self._hook.ifindex}", code)
        if code == 0:
            self._made.add(self._hook.ifindex)
            if self._qdisc is not None:
                put_pin(program.fd, self._qdisc)
        elif self._qdisc is not None and self._qdisc.exists():  # made by the process before us
            self._made.add(self._hook.ifindex)
        known_by = _TC_HANDLE + self._slot, _TC_PRIORITY + self._slot
        options = _TcOpts(c.sizeof(_TcOpts), program.fd, _TC_REPLACE, 0, *known_by)
        code = -_libbpf().bpf_tc_attach(c.byref(self._hook), c.byref(options))
        if code:
            raise _failure(f"{program.name} on device {self._hook.ifindex}", code)
        self._program_id = options.prog_id
        self._filters[self._hook.ifindex] += 1

    @property
    def way(self) -> str:
        """``tcx`` or ``clsact``."""
        return "tcx" if self.link >= 0 else "clsact"

    @property
    def holds(self) -> bool:
        """Whether it is still there: others may detach it, and a device takes it along when it goes."""
        if self.link >= 0:
            place = link_place(self.link)
            return place is not None and place[0] == self._hook.ifindex
        egress = self._hook.point == _CLSACT_EGRESS
        return _filter_program(self._hook.ifindex, egress, self._slot) == self._program_id

    def leave(self) -> None:
        """Forget it, and let it go on by its pin."""
        if self.link >= 0:
            os.close(self.link)
            self.link = -1
        else:
            self._filters[self._hook.ifindex] -= 1

    def close(self) -> None:
        """Detach."""
        if self._pin is not None:
            unpin(self._pin)
        if self.link >= 0:
            os.close(self.link)
            self.link = -1
            return
        ifindex = self._hook.ifindex
        remove_leftover(ifindex, self._hook.point == _CLSACT_EGRESS, self._slot)
        self._filters[ifindex] -= 1
        if ifindex in self._made and self._filters[ifindex] <= 0:
            self._made.discard(ifindex)
            if self._qdisc is not None:
                unpin(self._qdisc)
            remove_qdisc(ifindex)
        _log.clear()


def put_pin(descriptor: int, pin: Path) -> bool:
    """Give it a name, in the place of what has it; False when there is nothing to name, or no BPF file system."""
    if descriptor < 0:
        return False
    unpin(pin)
    failed = _libbpf().bpf_obj_pin(descriptor, os.fsencode(pin))
    _log.clear()
    return not failed


def unpin(pin: Path) -> None:
    """Take a name out of a BPF file system; its object goes with it unless somebody else holds it."""
    with contextlib.suppress(OSError):
        if pin.is_dir() and not pin.is_symlink():
            pin.rmdir()
        else:
            pin.unlink()


def pinned(pin: Path) -> int:
    """A descriptor of what is pinned there; -1: nothing."""
    found: int = _libbpf().bpf_obj_get(os.fsencode(pin))
    _log.clear()
    return found


def link_place(descriptor: int) -> tuple[int, int] | None:
    """(interface number, attach type) of a tcx link; 0 when its device has gone. None: it is something else."""
    info, size = c.create_string_buffer(_LINK_INFO), _u32(_LINK_INFO)
    code = _libbpf().bpf_obj_get_info_by_fd(descriptor, info, c.byref(size))
    # struct bpf_link_info: type, id, prog_id; then struct tcx.
    kind, _, _, _, ifindex, where = struct.unpack_from("=6I", info.raw)
    return (ifindex, where) if code == 0 and kind == _LINK_TCX else None


def in_place(pin: Path, ifindex: int, egress: bool, slot: int) -> bool:
    """Whether what is pinned there, a tcx link or the program of a clsact filter of ours, is on that device."""
    found = pinned(pin)
    if found < 0:
        return False
    try:
        if (place := link_place(found)) is not None:
            return place == (ifindex, BPF_TCX_EGRESS if egress else BPF_TCX_INGRESS)
        info, size = c.create_string_buffer(_LINK_INFO), _u32(_LINK_INFO)
        # struct bpf_prog_info: type, id.
        read = _libbpf().bpf_obj_get_info_by_fd(found, info, c.byref(size)) == 0
        (number,) = struct.unpack_from("=I", info.raw, 4)
        return read and bool(number == _filter_program(ifindex, egress, slot))
    finally:
        os.close(found)


def _filter_program(ifindex: int, egress: bool, slot: int) -> int:
    """The number of the program in our clsact filter on a device; 0 without one."""
    hook = _TcHook(c.sizeof(_TcHook), ifindex, _CLSACT_EGRESS if egress else _CLSACT_INGRESS)
    options = _TcOpts(c.sizeof(_TcOpts), 0, 0, 0, _TC_HANDLE + slot, _TC_PRIORITY + slot)
    code = _libbpf().bpf_tc_query(c.byref(hook), c.byref(options))
    _log.clear()
    return int(options.prog_id) if code == 0 else 0


def remove_qdisc(ifindex: int) -> None:
    """Remove the clsact queueing discipline of a device, which was made for filters of ours."""
    both = _TcHook(c.sizeof(_TcHook), ifindex, _CLSACT_INGRESS | _CLSACT_EGRESS)
    _libbpf().bpf_tc_hook_destroy(c.byref(both))
    _log.clear()


def remove_leftover(ifindex: int, egress: bool, slot: int = TUNNEL) -> None:
    """Remove the clsact filter that an earlier process of ours may have left on a device."""
    hook = _TcHook(c.sizeof(_TcHook), ifindex, _CLSACT_EGRESS if egress else _CLSACT_INGRESS)
    options = _TcOpts(c.sizeof(_TcOpts), 0, 0, 0, _TC_HANDLE + slot, _TC_PRIORITY + slot)
    _libbpf().bpf_tc_detach(c.byref(hook), c.byref(options))
    _log.clear()


class Object:
    """A compiled object file."""

    def __init__(self, data: bytes, name: str) -> None:
        self._name = name
        self._pointer = _libbpf().bpf_object__open_mem(data, len(data), None)
        if not self._pointer:
            raise _failure(f"object {name}", c.get_errno())

    def _map(self, name: str) -> int:
        pointer: int | None = _libbpf().bpf_object__find_map_by_name(self._pointer, name.encode())
        if pointer is None:
            raise _failure(f"object {self._name} has no map {name}", errno.ENOENT)
        return pointer

    def resize(self, name: str, entries: int) -> None:
        """Before loading: how much a map may hold."""
        _libbpf().bpf_map__set_max_entries(self._map(name), entries)

    def constants(self, name: str, value: bytes) -> None:
        """Before loading: what is in a read-only data section."""
        if code := -_libbpf().bpf_map__set_initial_value(self._map(name), value, len(value)):
            raise _failure(f"object {self._name}: constants {name}", code)

    def load(self) -> None:
        """Create the maps and have the programs verified."""
        _log.clear()
        if code := -_libbpf().bpf_object__load(self._pointer):
            raise _failure(f"object {self._name}", code)

    def map(self, name: str) -> Map:
        """A map, after loading."""
        pointer, libbpf = self._map(name), _libbpf()
        value_size = libbpf.bpf_map__value_size(pointer)
        if libbpf.bpf_map__type(pointer) in _PER_CPU:
            value_size = (value_size + 7) // 8 * 8 * libbpf.libbpf_num_possible_cpus()
        return Map(libbpf.bpf_map__fd(pointer), name, libbpf.bpf_map__key_size(pointer), value_size)

    def program(self, name: str) -> Program:
        """A program, after loading."""
        pointer = _libbpf().bpf_object__find_program_by_name(self._pointer, name.encode())
        if not pointer:
            raise _failure(f"object {self._name} has no program {name}", errno.ENOENT)
        return Program(_libbpf().bpf_program__fd(pointer), name)

    def close(self) -> None:
        """Give everything back."""
        if self._pointer:
            _libbpf().bpf_object__close(self._pointer)
            self._pointer = None


def load(name: str, config: bytes, sizes: Mapping[str, int]) -> Object:
    """Our object ``name``, verified by the kernel but not attached; ``sizes``: what its maps may hold."""
    data = resources.files("manageout.bpf").joinpath(f"{name}.bpf.o")
    if not data.is_file():
        raise FastPathUnavailable(
            f"{name}.bpf.o was not built", "run `make bpf`, or install the package again"
        )
    made = Object(data.read_bytes(), name)
    try:
        made.constants(".rodata.config", config)
        for each, entries in sizes.items():
            made.resize(each, entries)
        made.load()
    except BaseException:
        made.close()
        raise
    return made
