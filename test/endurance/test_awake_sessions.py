"""What sessions needed for a moment nobody keeps: not those that are never idle, and not the process when they have left."""
import time

import pytest

from bench import measure
from harness import homeward

SESSIONS = 200
AIRED_S = 12     # every ten seconds a front gives back what is free
PAUSE_MS = 1000  # a session is idle after three quiet seconds
MESSAGE_KIB = 64


def own(front):
    kib = measure.total(measure.own_kib, front.roles()["front"])
    if kib is None:
        pytest.skip("memory of processes that are not dumpable is shown to root only")
    return kib


def test_a_mail_that_has_passed_costs_nothing(stage, figure):
    front = stage.homeward({"sites": [homeward.site(stage.store("north", certificate=stage.authority.leaf("store")))]}, "* north\n")
    stage.load("download", message_kib=MESSAGE_KIB, count=200, sessions=4, pause_ms=10).result()
    before = own(front)
    # A few at a time on their way in: what a burst of handshakes takes is given back later.
    readers = stage.load("download", message_kib=MESSAGE_KIB, sessions=SESSIONS, users=SESSIONS, opening=4, pause_ms=PAUSE_MS)
    readers.wait_for("ready", 60)
    time.sleep(5 * PAUSE_MS / 1000)
    each = (own(front) - before) / SESSIONS
    result = readers.stop()
    figure(f"{SESSIONS} sessions that read a mail of {MESSAGE_KIB} KiB every second: {each:.1f} KiB each")
    assert (result["left"], result["reasons"]) == (SESSIONS, {}) and result["ok"] > 2 * SESSIONS
    assert 0 < each < 45  # 77 when each end kept a buffer for each direction


def test_what_a_crowd_took_goes_back_when_it_leaves(stage, figure):
    """Though some stay, who came amid it: what they have lies everywhere in the heap. And though nobody comes any more."""
    front = stage.homeward({"sites": [homeward.site(stage.store("north", certificate=stage.authority.leaf("store")))]}, "* north\n")
    stage.load("login", count=200, sessions=4).result()
    time.sleep(AIRED_S)
    before = own(front)
    crowd = stage.load("noop", sessions=4 * SESSIONS, users=SESSIONS, pause_ms=PAUSE_MS)
    few = stage.load("noop", sessions=SESSIONS // 4, users=SESSIONS, opening=4, pause_ms=PAUSE_MS)
    for load in (crowd, few):
        load.wait_for("ready", 60)
    time.sleep(AIRED_S)
    amid = own(front) - before
    assert crowd.stop()["left"] == 4 * SESSIONS
    time.sleep(AIRED_S)
    after = own(front) - before
    figure(f"{4 * SESSIONS + SESSIONS // 4} sessions that are awake: {amid} KiB; when {4 * SESSIONS} of them have left: {after} KiB")
    assert few.stop()["reasons"] == {}
    assert after < amid / 2
