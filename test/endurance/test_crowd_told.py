"""auth and backends die while one front holds more sessions than a channel takes messages: their successors are told all of them,
and answer."""
import os
import signal
import ssl

import pytest

from harness import homeward, processes, scripted

SESSIONS = 5000  # more than IPC_QUEUED_MAX and what the kernel takes


def test_successors_are_told_of_every_session(stage, open_files):
    if open_files < 2 * SESSIONS + 1000:
        pytest.skip(f"a front with {SESSIONS} sessions needs {2 * SESSIONS + 1000} open files; this system allows {open_files}")
    front = stage.homeward({"sites": [homeward.site(stage.store("north"))]}, "* north\n")
    crowd = stage.load("idle", sessions=SESSIONS, users=SESSIONS)
    crowd.wait_for("ready", 120)
    for helper, gauge in (("auth", "sessions"), ("backends", "visits")):
        os.kill(front.roles()[helper][0], signal.SIGKILL)
        front.wait_for("role_died", f"process={helper}")
        processes.wait_until(f"{helper} is back", 10, lambda: front.roles().get(helper))
        wire = scripted.connect(stage.doors.port["imaps"], context=ssl.create_default_context(cafile=stage.authority.ca))
        wire.line()
        wire.send(b"a LOGIN somebody@demo.test secret\r\n")
        assert wire.line().startswith(b"a OK")
        since = front.mark()
        front.process.signal(signal.SIGUSR1)
        assert f"{gauge}={SESSIONS + 1} " in front.wait_for("status", f"role={helper}", since=since) + " "
        wire.close()
    assert crowd.stop(120)["left"] == SESSIONS
