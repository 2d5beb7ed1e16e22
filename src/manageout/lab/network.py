"""The lab's bare networks: namespaces, bridges, addresses, NAT; and everything's removal.

Node N is the namespace ``mo-N``; segment S is the bridge ``br0`` in ``mo-seg-S``, so that anything else can
be plugged in. What exists is told by names alone, not by a record: a lab that was cut short at any point is
found and removed by :func:`down`. Files live in ``/run/manageout-lab`` and ``/etc/netns/mo-*``, nowhere else.
"""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Address
from pathlib import Path

from manageout.errors import LabError, NotPermitted
from manageout.lab.topology import NAMES, SEGMENTS, LabNode, Topology, filled, programs, text_of, topology
from manageout.linux.host import netns

STATE = Path("/run/manageout-lab")
ETC = Path("/etc/netns")
TERM_SECONDS = 4.0
"""How long processes may take to end before they are killed."""
LOCK_SECONDS = 60.0
PATIENCE = float(os.environ.get("MANAGEOUT_LAB_PATIENCE", "1"))
"""How many times longer to wait for anything: an emulated machine is slow."""
DNS_NODE = "dc"
"""Where the intranet's DNS server is."""

_BRIDGE = "forward_delay 0 stp_state 0 mcast_snooping 0"


def namespace(node: str) -> str:
    """The namespace of a node."""
    return f"mo-{node}"


def segment_namespace(segment: str) -> str:
    """The namespace that holds a segment's bridge."""
    return f"mo-seg-{segment}"


def directory(node: str) -> Path:
    """Where a node keeps its configuration, logs and control socket."""
    return STATE / node


def command(node: str, argv: Sequence[str]) -> list[str]:
    """The command line that runs ``argv`` on ``node``: its network, its resolver, its runtime directory."""
    environment = ["env", f"PATH={_path()}", f"MANAGEOUT_RUNTIME_DIR={directory(node)}"]
    network = ["nsenter", f"--net={netns.ROOT / namespace(node)}", "--"]
    mounts = [
        "unshare",
        "--mount",
        "--propagation",
        "unchanged",
        "--",
        "sh",
        "-c",
        text_of("scripts.node"),
        namespace(node),
    ]
    return [*network, *mounts, *environment, *argv]


def run(
    node: str, argv: Sequence[str], *, text: str = "", check: bool = True, timeout: float = 60.0
) -> subprocess.CompletedProcess[str]:
    """Run ``argv`` on ``node`` to its end with ``text`` as its input, output captured.

    :class:`LabError` when it fails or is not finished after ``timeout`` seconds.
    """
    what = f"{' '.join(argv)} on {node}"
    timeout *= PATIENCE
    try:
        result = subprocess.run(
            command(node, argv), capture_output=True, text=True, input=text, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        raise LabError(f"{what}: not finished after {timeout:g} s") from None
    if check and result.returncode:
        lines = (result.stderr or result.stdout).strip().splitlines()
        raise LabError(f"{what}: {lines[-1] if lines else f'exit status {result.returncode}'}")
    return result


def require_root() -> None:
    """Raise :class:`NotPermitted` unless we may make namespaces."""
    if os.geteuid() != 0:
        raise NotPermitted("the lab makes network namespaces, which needs root", "run it with sudo")


def require_programs(part: str) -> None:
    """Raise :class:`LabError` unless every program of a part of the lab is there; it names their Debian packages."""
    packages = programs(part)
    missing = [program for program in packages if shutil.which(program, path=_path()) is None]
    if missing:
        wanted = " ".join(dict.fromkeys(packages[program] for program in missing))
        raise LabError(f"the lab needs {', '.join(missing)}", f"apt-get install {wanted}")


def current() -> Topology | None:
    """The lab that is up, complete or not; None when there is none."""
    try:
        return topology((STATE / "topology").read_text().strip())
    except (FileNotFoundError, LabError):
        return None


def require_none() -> None:
    """Raise :class:`LabError` if a complete lab is there; files without its namespaces are none."""
    if (STATE / "ready").exists() and any(map(netns.exists, _every_namespace())):
        raise LabError("a lab is up already", "remove it with `manageout lab down`")


def up(wanted: Topology) -> None:
    """Build the networks of ``wanted``; all or nothing.

    Raises :class:`LabError` if a complete lab is there. The remains of an incomplete one are removed first.
    """
    require_root()
    require_programs("network")
    with _lock() as lock:
        require_none()
        _clear()
        try:
            _build(wanted, lock)
        except BaseException:  # also when interrupted
            _clear()
            raise
        (STATE / "ready").touch()


def down() -> bool:
    """Remove every trace of a lab, whatever state it is in; False when there was none."""
    require_root()
    if not (STATE.is_dir() and any(STATE.iterdir())) and not any(map(netns.exists, _every_namespace())):
        return False
    with _lock():
        _clear()
        with contextlib.suppress(OSError):  # a mount of its own
            STATE.rmdir()
    return True


def processes(names: Sequence[str]) -> set[int]:
    """Processes that live in the network namespaces ``names``."""
    inodes = set()
    for name in names:
        with contextlib.suppress(OSError):
            inodes.add(_identity(netns.ROOT / name))
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):  # it ended while we looked
                if _identity(entry / "ns/net") in inodes:
                    found.add(int(entry.name))
    return found


def end_processes(names: Sequence[str]) -> None:
    """Ask every process in ``names`` to end, then insist."""
    for sign, seconds in ((signal.SIGTERM, TERM_SECONDS), (signal.SIGKILL, TERM_SECONDS)):
        deadline = time.monotonic() + seconds
        asked: set[int] = set()
        while alive := processes(names):
            for pid in alive - asked:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, sign)
            asked |= alive
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        else:
            return
    raise LabError(f"processes do not end: {', '.join(map(str, processes(names)))}")


def _build(wanted: Topology, lock: int) -> None:
    (STATE / "topology").write_text(wanted.name + "\n")
    for node in wanted.nodes:
        directory(node.name).mkdir()
        if node.resolver is not None:
            write_resolver(node.name, node.resolver)
    _finish([_start(["ip", "-batch", "-"], _links(wanted), lock)])
    scripts = {segment_namespace(name): _segment_script(name, wanted) for name in SEGMENTS}
    scripts |= {namespace(node.name): _node_script(node) for node in wanted.nodes}
    _finish([_start(netns.command(name, ["sh", "-e"]), script, lock) for name, script in scripts.items()])


def _path() -> str:
    """Where programs are: beside our Python, where the caller has them, and where administrators' are."""
    return f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


def _clear() -> None:
    (STATE / "ready").unlink(missing_ok=True)
    names = [name for name in _every_namespace() if netns.exists(name)]
    # A gateway takes its clients out of the DNS, which therefore ends last.
    end_processes([name for name in names if name != namespace(DNS_NODE)])
    end_processes(names)
    for name in names:
        netns.delete(name)
    for name in _every_namespace():
        shutil.rmtree(ETC / name, ignore_errors=True)
    with contextlib.suppress(OSError):  # not empty: other people's
        ETC.rmdir()
    for entry in STATE.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def _identity(file: Path | int) -> tuple[int, int]:
    status = os.stat(file)
    return status.st_dev, status.st_ino


def _every_namespace() -> list[str]:
    nodes = dict.fromkeys(node.name for name in NAMES for node in topology(name).nodes)
    return [*map(namespace, nodes), *map(segment_namespace, SEGMENTS)]


@contextlib.contextmanager
def _lock() -> Iterator[int]:
    """One builder at a time. The lock is the state directory itself, held by the build's children too, so
    that a killed `up` cannot go on behind the back of `down`."""
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        STATE.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(STATE, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Whoever held it before may have removed the directory.
                if _identity(STATE) == _identity(descriptor):
                    yield descriptor
                    return
            except BlockingIOError:
                pass
            finally:
                os.close(descriptor)
        if time.monotonic() > deadline:
            raise LabError("another `manageout lab` command is still at work", "wait for it to end")
        time.sleep(0.05)


def write_resolver(node: str, address: IPv4Address) -> None:
    """Let the programs of ``node`` ask the DNS server at ``address``.

    Written in place, as by a DHCP client: the file is mounted into every program of the node.
    """
    etc = ETC / namespace(node)
    etc.mkdir(parents=True, exist_ok=True)
    (etc / "resolv.conf").write_text(f"nameserver {address}\nsearch corp.example\n")


def _links(wanted: Topology) -> str:
    lines = [f"netns add {segment_namespace(name)}" for name in SEGMENTS]
    lines += [f"netns add {namespace(node.name)}" for node in wanted.nodes]
    lines += [f"link add br0 netns {segment_namespace(name)} type bridge {_BRIDGE}" for name in SEGMENTS]
    lines += [
        f"link add {port.segment} netns {namespace(node.name)} type veth"
        f" peer name {node.name} netns {segment_namespace(port.segment)}"
        for node in wanted.nodes
        for port in node.ports
    ]
    return "\n".join(lines) + "\n"


def _segment_script(segment: str, wanted: Topology) -> str:
    plugs = [node.name for node in wanted.nodes for port in node.ports if port.segment == segment]
    links = [f"link set {plug} master br0 up" for plug in plugs]
    lines = _sysctls({"all.disable_ipv6": 1, "default.disable_ipv6": 1})
    lines += [f"ethtool -K {plug} gro on" for plug in plugs]
    return "\n".join([*lines, *_batch(["link set lo up", *links, "link set br0 up"])]) + "\n"


def _node_script(node: LabNode) -> str:
    # Duplicate address detection would keep addresses unusable for a second, and nobody here can clash.
    lines = _sysctls({"all.accept_dad": 0, "default.accept_dad": 0})
    commands = ["link set lo up"]
    for port in node.ports:
        device = port.segment
        lines.append(f"ethtool -K {device} gro on")
        if port.address6 is None:
            lines += _sysctls({f"{device}.disable_ipv6": 1})
        else:
            lines += _sysctls({f"{device}.accept_dad": 0, f"{device}.accept_ra": 0})
            commands.append(f"address add {port.address6} dev {device} nodad")
        commands += [f"address add {port.address} dev {device}", f"link set {device} up"]
    commands += [f"route add {network} via {via}" for network, via in node.routes]
    lines += _batch(commands)
    if node.forwarding:
        lines.append("echo 1 >/proc/sys/net/ipv4/ip_forward")
    if node.masquerade:
        lines += ["nft -f - <<END", filled("servers.nat", segment=node.masquerade), "END"]
    return "\n".join(lines) + "\n"


def _sysctls(values: Mapping[str, int]) -> list[str]:
    root = "/proc/sys/net/ipv6/conf"
    return [f"echo {value} >{root}/{name.replace('.', '/')}" for name, value in values.items()]


def _batch(commands: Sequence[str]) -> list[str]:
    return ["ip -batch - <<END", *commands, "END"]


def _start(argv: Sequence[str], text: str, lock: int) -> subprocess.Popen[str]:
    pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
    process = subprocess.Popen(argv, stdin=pipe, stdout=nothing, stderr=pipe, text=True, pass_fds=[lock])
    assert process.stdin
    process.stdin.write(text)
    process.stdin.close()
    process.stdin = None
    return process


def _finish(started: Sequence[subprocess.Popen[str]]) -> None:
    complaints = []
    for process in started:
        _, error = process.communicate(timeout=LOCK_SECONDS)
        if process.returncode:
            lines = error.strip().splitlines()
            complaints.append(lines[0] if lines else f"exit status {process.returncode}")
    if complaints:
        raise LabError(
            f"the networks cannot be built: {complaints[0]}",
            "the kernel must have network namespaces, veth, bridge and nftables with masquerade",
        )
