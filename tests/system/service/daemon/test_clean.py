"""``manageout stop --clean``: nothing that a killed process has left stays."""

import signal

from tests.tools.places.daemon import ROUTE, ROUTER, Place
from tests.tools.places.stopping import held, stop


def test_what_a_killed_one_has_left_goes_and_a_second_time_there_is_nothing(place: Place) -> None:
    place.write(ROUTER, ROUTE, place.gateway)
    before = place.state()
    daemon = place.start()
    place.stop(daemon, signal.SIGKILL)
    assert place.state() != before
    done = stop(place, "--clean")
    assert done.returncode == 0 and "as before" in done.stdout, done.stderr
    assert place.state() == before
    assert not place.runtime.exists()
    assert stop(place, "--clean").stdout == "There is nothing of ours.\n"
    assert not place.runtime.exists()


def test_so_it_does_when_the_note_is_lost_and_the_site_file_is_broken(place: Place) -> None:
    before = place.state()
    place.stop(place.start(), signal.SIGKILL)
    (place.runtime / "undo.json").unlink()
    place.file.write_text("[site")
    done = stop(place, "--clean")
    assert done.returncode == 0 and "taken as if there were none" in done.stderr
    assert place.state() == before


def test_a_table_that_nobody_owns_goes_but_not_beside_another_that_runs(place: Place) -> None:
    place.run(["nft", "add table inet manageout_timeouts"])
    place.run(["nft", "add table inet theirs"])
    with held(place.runtime.with_name("manageout-connect")):
        assert "nothing of ours" in stop(place, "--clean").stdout
        assert "manageout_timeouts" in place.run(["nft", "list", "tables"]).stdout
    assert "remove the packet filter table" in stop(place, "--clean").stdout
    assert place.run(["nft", "list", "tables"]).stdout == "table inet theirs\n"
