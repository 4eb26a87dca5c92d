"""5,000 idle TLS sessions in one front: all of them answer afterwards, and what they cost is printed."""
import time

import pytest

from bench import measure
from harness import homeward

SESSIONS = 5000


class Crowd:
    """What was seen of it, before, meanwhile and after."""

    def __init__(self, stage):
        store = stage.store("north")
        self.front = stage.homeward({"sites": [homeward.site(store)]}, "* north\n")
        stage.load("login", count=200, sessions=4).result()
        before = self.memory()
        idle = stage.load("idle", sessions=SESSIONS, users=SESSIONS)
        idle.wait_for("ready", 120)
        self.arrived = idle.events("ready")[0]
        time.sleep(5)  # three quiet seconds after a burst its memory goes back to the system
        during = self.memory()
        self.result = idle.stop(120)
        self.cost_kib = {role: [None if None in pair else (pair[1] - pair[0]) / SESSIONS for pair in zip(before[role], during[role])]
                         for role in before}

    def memory(self):
        return {role: (measure.total(measure.pss_kib, pids), measure.total(measure.rss_kib, pids))
                for role, pids in self.front.roles().items()}

    def cost(self, which, roles):
        costs = [self.cost_kib[role][which] for role in roles]
        return None if None in costs else sum(costs)


@pytest.fixture(scope="module")
def crowd(stage_of_module, open_files):
    if open_files < 2 * SESSIONS + 1000:
        pytest.skip(f"a front with {SESSIONS} sessions needs {2 * SESSIONS + 1000} open files; this system allows {open_files} "
                    "(as root: ulimit -n 20000)")
    return Crowd(stage_of_module)


def test_all_arrive_and_all_answer_afterwards(crowd):
    assert (crowd.arrived["opened"], crowd.arrived["failed"]) == (SESSIONS, 0)
    assert (crowd.result["ok"], crowd.result["left"], crowd.result["reasons"]) == (SESSIONS, SESSIONS, {})


def test_resident_memory_of_a_session(crowd, figure):
    front, total = crowd.cost(1, ["front"]), crowd.cost(1, crowd.cost_kib)
    figure(f"{SESSIONS} idle TLS sessions, KiB each: RSS of the front {front:.1f}, of all processes {total:.1f}")
    assert 0 < total < 30


def test_proportional_memory_of_a_session(crowd, figure):
    front, total = crowd.cost(0, ["front"]), crowd.cost(0, crowd.cost_kib)
    if total is None:
        pytest.skip("PSS of processes that are not dumpable is shown to root only")
    figure(f"{SESSIONS} idle TLS sessions, KiB each: PSS of the front {front:.1f}, of all processes {total:.1f}")
    assert 0 < total < 30
