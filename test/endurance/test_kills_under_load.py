"""kill -9 of each process while work is going on: it costs what that process owned, and nothing else. What the quiet house
does is shown in test/e2e/test_crash.py."""
import os
import signal
import time

import pytest

from harness import homeward, processes

LIMIT = 16
BACK_WITHIN_S = 0.5
DOWNLOADS = 12
# Four seconds, and more than the kernel keeps for a slow reader: what is killed has not yet handed over everything.
SLOW = {"message_kib": 16384, "rate_kib": 4096}


@pytest.fixture
def house(stage):
    store = stage.store("north")
    return stage.homeward({"sites": [homeward.site(store)]}, "* north\n", workers=2, limits={"imap_sessions_per_user": LIMIT})


def kill(front, role, which=0):
    """kill -9; how long until another one says that it is there, by main's own list of children."""
    before = front.roles()[role]
    os.kill(before[which], signal.SIGKILL)
    start = time.monotonic()
    processes.wait_until(f"another {role} is there", 3, lambda: set(front.roles().get(role, [])) - set(before))
    took = time.monotonic() - start
    assert took < BACK_WITHIN_S
    return took


def test_a_front_costs_its_own_downloads_and_no_others(stage, house, figure):
    slow = stage.load("download", sessions=DOWNLOADS, count=DOWNLOADS, users=DOWNLOADS, user="slow%d@bench.test", **SLOW)
    logins = stage.load("login", sessions=4, users=4, user="loop%d@bench.test")
    slow.wait_for("begin")
    time.sleep(1)
    took = kill(house, "front")
    result = slow.result(30)
    lost = logins.failures()
    assert result["ok"] + result["failed"] == DOWNLOADS and 0 < result["failed"] < DOWNLOADS
    assert all(why.startswith("round: ") for why in result["reasons"])
    figure(f"kill -9 of a front: another after {1000 * took:.0f} ms; of {DOWNLOADS} downloads {result['ok']} ended whole, "
           f"{result['failed']} were its own; logins that it took along: {len(lost)}")
    # Only what it had at that moment: nobody was refused, and all went well from then on.
    assert len(lost) <= 4
    assert not any("refused" in why or "UNAVAILABLE" in why for _, why in lost)
    before = logins.stop()
    assert before["failed"] == len(lost) and before["ok"] > 100
    assert stage.load("login", count=200, sessions=8).result()["reasons"] == {}


def full(stage):
    """The seventeenth is told, and only that: sixteen are signed in."""
    result = stage.load("login", count=1, user="sixteen@bench.test").result()
    reason = f"login: t NO [UNAVAILABLE] Too many mail programs are connected ({LIMIT})."
    assert [text.startswith(reason) for text in result["reasons"]] == [True], result["reasons"]


@pytest.mark.parametrize("role", ["auth", "backends"])
def test_a_helper_costs_nothing(stage, house, role, figure):
    """Not the sessions, not a count, not a login that is under way."""
    held = stage.load("noop", sessions=LIMIT, user="sixteen@bench.test", pause_ms=100)
    slow = stage.load("download", sessions=4, count=4, users=4, user="slow%d@bench.test", **SLOW)
    logins = stage.load("login", sessions=4, users=4, user="loop%d@bench.test")
    held.wait_for("begin")
    slow.wait_for("begin")
    full(stage)
    took = kill(house, role)
    full(stage)
    for _ in range(5):
        house.settings["limits"]["sasl_bytes"] = house.settings["limits"].get("sasl_bytes", 65536) - 1024
        house.settings["auth"]["failure_step_ms"] += 10
        house.reload()
        full(stage)
    assert slow.result(30)["reasons"] == {}
    result = logins.stop()
    assert result["reasons"] == {}
    figure(f"kill -9 of {role}: another after {1000 * took:.0f} ms; logins meanwhile: {result['ok']}, "
           f"none failed, slowest {result['login_us']['max'] / 1000:.0f} ms")
    assert held.stop()["reasons"] == {}


@pytest.mark.parametrize("role", ["auth", "backends"])
def test_the_map_in_force_survives_a_broken_one_on_disk(stage, house, role):
    logins = stage.load("login", sessions=2, users=2, user="loop%d@bench.test")
    since = house.mark()
    house.directory = "* north\nnobody@bench.test nowhere\n"
    house.write_map()
    line = processes.wait_until("the broken map is refused", 10, lambda: house.lines("event=map", "refused", since=since))[0]
    assert "nowhere" in line
    kill(house, role)
    processes.wait_until("logins go on", 5, lambda: stage.load("login", count=10).result()["reasons"] == {})
    house.process.signal(signal.SIGHUP)
    house.wait_for("reload", "result=refused", since=since)
    assert stage.load("login", count=10).result()["reasons"] == {}
    assert logins.stop()["reasons"] == {}
    house.directory = "* north\n"
    house.write_map()


def test_when_main_dies_the_roles_drain_beside_a_new_one(stage, house, figure):
    """What a service manager does with KillMode=process: main is started again while the old roles serve their sessions."""
    held = stage.load("noop", sessions=20, users=20, user="held%d@bench.test", pause_ms=100)
    slow = stage.load("download", sessions=4, count=4, users=4, user="slow%d@bench.test", **SLOW)
    held.wait_for("begin")
    slow.wait_for("begin")
    old, house.process = house.process, None
    try:
        old.popen.kill()
        old.popen.wait()
        start, since = time.monotonic(), house.mark()
        house.launch()
        house.wait_for("ready", since=since)
        answered = stage.load("login", count=100, sessions=4, users=4, user="loop%d@bench.test").result()
        took = time.monotonic() - start
        assert answered["reasons"] == {}
        assert held.failures() == []
        assert slow.result(30)["reasons"] == {}
        assert held.stop()["reasons"] == {}
        left = time.monotonic()
        processes.wait_until("the old roles have left", 10, lambda: not old.members())
        figure(f"kill -9 of main: another served 100 logins within {took:.1f} s, beside 24 sessions of the old one, whose "
               f"processes left {time.monotonic() - left:.1f} s after the last of them")
    finally:
        old.kill()
