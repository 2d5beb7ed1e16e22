"""``manageout run``: site file -> kernel state -> roles, until told to stop.

The order: lock the runtime directory, have the kernel try the rules where nobody meets them, make the kernel as
desired, open the sockets that may be taken, give up privileges, run the roles, say READY. At the end the same
backwards.
"""

import logging
import os
import signal
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from manageout.errors import ConfigError, ManageoutError
from manageout.linux.bpf import pins
from manageout.linux.host import privileges, systemd
from manageout.linux.netlink.links import Netlink
from manageout.linux.nft import program as nft
from manageout.service.daemon.desired import Desired, desired
from manageout.service.daemon.kernel_watch import KernelWatch
from manageout.service.daemon.reconcile import Reconciler, Step
from manageout.service.daemon.roles import roles_of
from manageout.service.policy import guard
from manageout.service.policy.filter_managers import EMPTY, Contents
from manageout.service.policy.policy import Mending, PolicyService
from manageout.service.policy.surroundings import NOWHERE, Surroundings, surroundings
from manageout.service.process.frame import serve
from manageout.service.process.logs import set_up_logging
from manageout.service.process.loops import run_loop
from manageout.service.process.role import Role
from manageout.service.process.rows import About, ConfigFile, FileFault, RejectedFile
from manageout.service.process.runtime import RuntimeDir, Succession
from manageout.site.contradictions import read_site
from manageout.site.plan import Plan
from manageout.site.tables.site import Site
from manageout.words import said

ROLE_TABLES = ("gateway", "isatap", "translation", "dns64", "names")
"""Tables that there is a role for."""
FIXED = ("state_dir", "runtime_dir", "metrics", "fast_path", "orphan")
"""Of ``[daemon]``: read at the start only."""

log = logging.getLogger(__name__)


def preview(file: Path, runtime_dir: Path | None = None) -> list[Step]:
    """The steps that a start, or a reload of the running daemon, would take. Changes nothing."""
    site, plan = read_site(file)
    runtime = RuntimeDir(runtime_dir or site.daemon.runtime_dir)
    with Netlink() as netlink:
        beside = runtime.busy()
        reconciler = Reconciler(netlink, runtime, beside)
        left = [] if beside else reconciler.undo_steps()
        return left + reconciler.steps(desired_here(netlink, reconciler, site, plan))


def desired_here(
    netlink: Netlink, reconciler: Reconciler, site: Site, plan: Plan, contents: Contents = EMPTY
) -> Desired:
    """What ``site`` wants on this machine, as it is; ``contents`` are known members of the filter's sets."""
    around = surroundings(netlink, site, plan)
    return desired(site, plan, around._replace(before=reconciler.router_before(), contents=contents))


def run(file: Path, runtime_dir: Path | None = None) -> None:
    """Run the daemon until SIGINT or SIGTERM. Raises :class:`ManageoutError` when it cannot go on."""
    file = file.absolute()
    site, plan = read_site(file)
    set_up_logging(site.daemon.log_level)
    privileges.require(privileges.Capability.NET_ADMIN, "the daemon")
    os.umask(0o027)  # what is known of clients is nobody else's to read, also without the systemd unit
    with RuntimeDir(runtime_dir or site.daemon.runtime_dir) as runtime, Netlink() as netlink:
        reconciler = Reconciler(netlink, runtime)
        wanted = desired_here(netlink, reconciler, site, plan)
        nft.trial(nft.TABLE, wanted.filter)
        succession = Succession()
        try:
            _stop_at_once()
            reconciler.take_over(wanted)
            succession = _succession(site, runtime)
            reconciler.gate.close(())
            torn = Contents(torn=runtime.torn)
            reconciler.apply(desired_here(netlink, reconciler, site, plan, torn))
            _make_state_dir(site.daemon.state_dir)
            run_loop(_serve(file, site, plan, runtime, netlink, reconciler, succession))
        finally:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
                signal.signal(number, signal.SIG_IGN)  # a second one must not leave half of it
            if not succession.follows:
                reconciler.undo()
    log.info("stopped; the next process finds everything in its place" if succession.follows else "stopped")


def _succession(site: Site, runtime: RuntimeDir) -> Succession:
    """What may outlive us; without a BPF file system it is nothing."""
    found = pins.opened(runtime.path) if guard.keeps(site) else None
    if found is None and guard.keeps(site):
        log.warning("flows pause at a restart: no BPF file system (mount -t bpf bpf /sys/fs/bpf)")
    return Succession(found, site.daemon.orphan)


def _stop_at_once() -> None:
    """Until the loop handles signals, a stop is an exception, so that what was begun is undone."""

    def stop(number: int, frame: object) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


async def _serve(
    file: Path,
    site: Site,
    plan: Plan,
    runtime: RuntimeDir,
    netlink: Netlink,
    reconciler: Reconciler,
    succession: Succession,
) -> None:
    roles = roles_of(site, plan, reconciler, netlink, succession)
    policy = policy_of(roles)
    policy.torn = runtime.torn
    policy.start()
    reconciler.gate.open()
    reconciler.apply(desired_here(netlink, reconciler, site, plan), rules=False)
    await _Daemon(file, site, plan, runtime, netlink, reconciler, roles, succession).run()


def policy_of(roles: Mapping[str, Role]) -> PolicyService:
    """The role that every machine has."""
    policy = roles["policy"]
    assert isinstance(policy, PolicyService), "roles_of makes it so"
    return policy


class _Daemon:
    """Everything between the first and the last task."""

    def __init__(
        self,
        file: Path,
        site: Site,
        plan: Plan,
        runtime: RuntimeDir,
        netlink: Netlink,
        reconciler: Reconciler,
        roles: dict[str, Role],
        succession: Succession,
    ) -> None:
        self._file, self._site, self._plan = file, site, plan
        self._runtime, self._netlink, self._reconciler = runtime, netlink, reconciler
        self._loaded = time.time()
        self._rejected: RejectedFile | None = None
        self._roles = roles
        self._succession = succession
        self._before = NOWHERE
        others = list(roles.values())
        roles["kernel"] = KernelWatch(
            site, plan, netlink, reconciler, self._around_now, self._load_rules, others
        )
        self._policy = policy_of(roles)
        self._policy.mending = Mending(self._shut, self._load_rules, self._reopen)

    async def run(self) -> None:
        """Until told to stop."""
        what = (self._roles, self._runtime, self._netlink, self._about)
        metrics, after = self._site.daemon.metrics, self._succession
        await serve(*what, kept=privileges.DAEMON, metrics=metrics, reload=self.reload, succession=after)

    def reload(self) -> None:
        """Read the file again; one that cannot be used leaves everything as it is."""
        if not all(role.ready.is_set() for role in self._roles.values()):
            log.warning("reload ignored: still starting, with the file as it is")
            return
        systemd.reloading()
        try:
            site, plan = read_site(self._file)
            _refuse_restart_only(self._site, site)
            self._switch(site, plan)
        except Exception as error:  # a bug of ours must not leave systemd waiting
            self._reject(_named(error))
        else:
            logging.getLogger().setLevel(site.daemon.log_level.upper())
            log.info("reloaded %s", self._file)
            self._site, self._plan, self._loaded, self._rejected = site, plan, time.time(), None
        systemd.notify("READY=1")

    def _reject(self, error: ManageoutError) -> None:
        found = error.faults if isinstance(error, ConfigError) else ()
        faults: list[FileFault] = [
            {"what": f"{fault.path}: {fault.message}", "remedy": fault.hint} for fault in found
        ]
        text = "; ".join([error.message, *(fault["what"] for fault in faults)])
        remedy = "; ".join(filter(None, [error.hint, *(fault["remedy"] for fault in faults)]))
        log.error("reload rejected, the old configuration runs on: %s (%s)", text, remedy)
        self._rejected = {
            "at": time.time(),
            "message": error.message,
            "remedy": error.hint,
            "faults": faults,
        }

    def _switch(self, site: Site, plan: Plan) -> None:
        changed: list[Role] = []
        try:
            self._reconciler.apply(self._wanted(site, plan))
            for role in self._roles.values():
                changed.append(role)
                role.reload(site, plan)
        except Exception:
            self._switch_back(changed)
            raise

    def _wanted(self, site: Site, plan: Plan) -> Desired:
        before, contents = self._reconciler.router_before(), self._policy.contents(site, plan)
        return desired(site, plan, self._around(site, plan)._replace(before=before, contents=contents))

    def _around(self, site: Site, plan: Plan) -> Surroundings:
        """While a card is away the rules go on naming it: its packets must not come by another one meanwhile."""
        around = surroundings(self._netlink, site, plan, self._before)
        same = site.isatap and self._site.isatap and site.isatap.locators == self._site.isatap.locators
        if not around.underlays and same:
            around = around._replace(underlays=self._before.underlays)
        self._before = around
        return around

    def _around_now(self) -> Surroundings:
        return self._around(self._site, self._plan)

    def _shut(self) -> None:
        self._reconciler.gate.close(self._reconciler.tuns)
        self._runtime.tear()

    def _load_rules(self) -> None:
        self._reconciler.load_rules(self._wanted(self._site, self._plan))

    def _reopen(self) -> None:
        self._reconciler.gate.open()
        self._reconciler.apply(desired(self._site, self._plan, self._around_now()), rules=False)

    def _switch_back(self, changed: list[Role]) -> None:
        """All of it, even if a part fails: a file that the old configuration names may be broken by now."""

        def kernel() -> None:
            self._reconciler.apply(self._wanted(self._site, self._plan))

        undos: list[Callable[[], None]] = [partial(role.reload, self._site, self._plan) for role in changed]
        for undo in [*undos, kernel]:
            try:
                undo()
            except Exception as error:  # the rest must come back all the same
                named = _named(error)
                log.error("the old configuration is not wholly back: %s (%s)", named.message, named.hint)

    def _about(self) -> About:
        config: ConfigFile = {"file": str(self._file), "loaded": self._loaded, "rejected": self._rejected}
        return {"site": self._site.site.name, "config": config, "metrics": self._site.daemon.metrics}


def _refuse_restart_only(old: Site, new: Site) -> None:
    """Raise when something changed that only a restart can change."""
    tables = [
        table for table in ROLE_TABLES if (getattr(old, table) is None) != (getattr(new, table) is None)
    ]
    reasons = [f"the [{table}] table was added or removed" for table in tables]
    reasons += [
        f"daemon.{key} changed" for key in FIXED if getattr(old.daemon, key) != getattr(new.daemon, key)
    ]
    if reasons:
        raise ManageoutError(f"{'; '.join(reasons)}: needs a restart", "systemctl restart manageout")


def _named(error: Exception) -> ManageoutError:
    """What none of ours has made of ``error`` is a bug, and is said to be."""
    if isinstance(error, ManageoutError):
        return error
    log.debug("internal error in a reload", exc_info=error)
    what = f"internal error: {type(error).__name__}: {said(error)}"
    return ManageoutError(what, 'a bug in manageout: please report it; daemon.log_level = "debug" shows more')


def _make_state_dir(path: Path) -> None:
    """A disk that refuses is no reason not to start: each store says what it cannot keep, and tries again."""
    try:
        path.mkdir(mode=0o750, parents=True, exist_ok=True)
    except OSError as error:
        log.error("daemon.state_dir %s cannot be made, nothing is kept: %s", path, said(error))
