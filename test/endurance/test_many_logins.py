"""50,000 logins: between the 10,000th and the last no process has grown, and none holds one more descriptor."""
import time

import pytest

from bench import measure
from harness import homeward

FIRST, LAST = 10000, 50000
SESSIONS = 8
QUIET_S = 12  # what a session leaves behind for a moment (deadlines, sockets that linger) is gone then, and fronts are aired


class March:
    def __init__(self, stage):
        store = stage.store("north")
        self.front = stage.homeward({"sites": [homeward.site(store)]}, "* north\n")
        # Every kind of login has been there before the first look, and more of them at once than later: how many meet in one
        # moment is chance, and a heap keeps the size of its worst one. A leak of one small block a login is far above that.
        self.results = [stage.load("login", door=door, count=1000, sessions=2 * SESSIONS, users=1000).result(120)
                        for door in ("imaps", "pop3s")]
        self.results.append(self.logins(stage, FIRST - 2000))
        self.early = self.look()
        self.results.append(self.logins(stage, LAST - FIRST - 1000))
        self.results.append(stage.load("login", count=1000, sessions=SESSIONS, users=1000).result(120))
        self.late = self.look()

    @staticmethod
    def logins(stage, count):
        return stage.load("login", count=count, sessions=SESSIONS, users=1000, resume=True).result(300)

    def look(self):
        time.sleep(QUIET_S)
        return {(role, pid): {"descriptors": measure.descriptors(pid), "own": measure.own_kib(pid), "rss": measure.rss_kib(pid)}
                for role, pids in self.front.roles().items() for pid in pids}

    def of(self, name):
        """{role: (early, late)}; skips the test where this user may not see it."""
        assert self.early.keys() == self.late.keys()
        found = {role: (self.early[role, pid][name], self.late[role, pid][name]) for role, pid in self.early}
        if any(None in pair for pair in found.values()):
            pytest.skip(f"{name} of processes that are not dumpable: shown to root only")
        return found


@pytest.fixture(scope="module")
def march(stage_of_module):
    return March(stage_of_module)


def test_every_login_succeeds(march, figure):
    assert [result["reasons"] for result in march.results] == [{}] * len(march.results)
    assert sum(result["ok"] for result in march.results) == LAST
    result = march.results[3]
    figure(f"{result['ok']} logins with resumed handshakes, {SESSIONS} at once, load and store on the same CPUs: "
           f"{result['rate']:.0f}/s, median {result['login_us']['p50'] / 1000:.1f} ms, "
           f"99 % within {result['login_us']['p99'] / 1000:.1f} ms")
    assert result["resumed"] > 0.99 * result["ok"]


def test_descriptors_are_as_many_as_before(march):
    for role, (early, late) in march.of("descriptors").items():
        assert late == early, role


def told(figure, title, pairs):
    figure(f"{title}, KiB, after {FIRST} and after {LAST} logins: "
           + ", ".join(f"{role} {early} {late}" for role, (early, late) in pairs.items()))


def test_resident_memory_is_what_it_was(march, figure):
    pairs = march.of("rss")
    told(figure, "RSS", pairs)
    for role, (early, late) in pairs.items():
        assert late <= early * 1.02, role


def test_memory_of_its_own_is_what_it_was(march, figure):
    """All processes together, without what they share with other programs: PSS would change with every other process that
    comes and goes."""
    pairs = march.of("own")
    told(figure, "memory of their own", pairs)
    early, late = (sum(values) for values in zip(*pairs.values()))
    assert late <= early * 1.02
