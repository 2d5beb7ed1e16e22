"""``manageout stop``: who holds the runtime directory ends, and nobody else."""

import signal
import subprocess

from manageout.linux.host import netns
from tests.tools.commands import MANAGEOUT
from tests.tools.places.daemon import NAME, Place
from tests.tools.places.stopping import held, stop


def test_a_stop_waits_for_the_end(place: Place) -> None:
    before = place.state()
    daemon = place.start()
    done = stop(place)
    assert (done.returncode, done.stdout) == (0, f"end process {daemon.pid}\n"), done.stderr
    assert daemon.wait(10) == 0
    assert place.state() == before


def test_who_does_not_hold_the_lock_is_not_ended(place: Place) -> None:
    place.runtime.mkdir()
    with subprocess.Popen(["sleep", "60"]) as stranger:
        (place.runtime / "lock").write_text(f"{stranger.pid}\n")
        assert stop(place).stdout == "There is nothing of ours.\n"
        with held(place.runtime):
            done = stop(place)
        assert done.returncode == 1 and "is held by a process that is not seen from here" in done.stderr
        assert stranger.poll() is None
        stranger.kill()


def test_one_that_does_not_end_is_killed_only_by_clean(place: Place) -> None:
    daemon = place.start()
    daemon.send_signal(signal.SIGSTOP)
    script = (
        "from manageout.service.process import ending; ending.PATIENCE = 0.5; "
        "from manageout.cli.commands import main; main()"
    )
    argv = [MANAGEOUT[0], "-c", script, "stop", *place.options()]
    refused = netns.run(NAME, argv, check=False)
    assert refused.returncode == 1 and "has not ended within" in refused.stderr
    assert netns.run(NAME, [*argv, "--clean"], check=False).returncode == 0
    assert daemon.wait(10) == -signal.SIGKILL
