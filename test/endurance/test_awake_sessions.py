"""Sessions that are never idle cost what idle ones cost, whatever passed through them: nobody keeps the buffers of his last message."""
import time

import pytest

from bench import measure
from harness import homeward

SESSIONS = 200
PAUSE_MS = 1000  # a session is idle after three quiet seconds
MESSAGE_KIB = 64


def test_a_mail_that_has_passed_costs_nothing(stage, figure):
    front = stage.homeward({"sites": [homeward.site(stage.store("north", certificate=stage.authority.leaf("store")))]}, "* north\n")
    stage.load("download", message_kib=MESSAGE_KIB, count=200, sessions=4, pause_ms=10).result()
    pid = front.roles()["front"][0]
    before = measure.own_kib(pid)
    if before is None:
        pytest.skip("memory of processes that are not dumpable is shown to root only")
    # A few at a time on their way in: what a burst of handshakes takes is given back later.
    readers = stage.load("download", message_kib=MESSAGE_KIB, sessions=SESSIONS, users=SESSIONS, opening=4, pause_ms=PAUSE_MS)
    readers.wait_for("ready", 60)
    time.sleep(5 * PAUSE_MS / 1000)
    each = (measure.own_kib(pid) - before) / SESSIONS
    result = readers.stop()
    figure(f"{SESSIONS} sessions that read a mail of {MESSAGE_KIB} KiB every second: {each:.1f} KiB each")
    assert (result["left"], result["reasons"]) == (SESSIONS, {}) and result["ok"] > 2 * SESSIONS
    assert 0 < each < 45  # 77 when each end kept a buffer for each direction
