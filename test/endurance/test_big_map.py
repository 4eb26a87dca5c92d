"""A map of a million lines: how long it takes to load, what a look-up in it costs, and that none of the ways in which it can go
wrong on disk reaches a user."""
import time

import pytest

from bench import measure
from harness import homeward, processes

LINES = 1000000
LOGINS = 2000


def lines(count, first=0):
    return "".join(f"user{number}@bench.test north\n" for number in range(first, first + count))


@pytest.fixture(scope="module")
def text():
    return lines(LINES)


@pytest.fixture(scope="module")
def house(stage_of_module, text):
    store = stage_of_module.store("north")
    front = stage_of_module.homeward({"sites": [homeward.site(store)]}, "user0@bench.test north\n")
    front.directory = text
    return front


def login(stage, user, **more):
    return stage.load("login", count=1, user=user, settle_ms=0, **more).result()["reasons"] == {}


def auth_us_per_login(stage, front, users):
    """CPU of the auth process: what a look-up costs is in there, beside the messages."""
    pid = front.roles()["auth"][0]
    before = measure.cpu_s(pid)
    result = stage.load("login", count=LOGINS, sessions=4, users=users, resume=True).result(120)
    assert result["reasons"] == {}
    return 1e6 * (measure.cpu_s(pid) - before) / LOGINS


def test_a_million_lines(stage_of_module, house, figure):
    small = auth_us_per_login(stage_of_module, house, 1)
    assert not login(stage_of_module, "user999999@bench.test")
    since, start = house.mark(), time.monotonic()
    house.reload(seconds=60)
    took = time.monotonic() - start
    assert house.wait_for("map", f"entries={LINES}", since=since)
    for user in ("user0", "user999999", "user500000"):
        assert login(stage_of_module, f"{user}@bench.test")
    assert not login(stage_of_module, "user1000000@bench.test")
    big = auth_us_per_login(stage_of_module, house, LINES)
    figure(f"a map of {LINES} lines: in force {took:.1f} s after SIGHUP; CPU of auth for a login {big:.0f} us, with a map of one "
           f"line {small:.0f} us")
    assert took < 15


def looked_at(front, since, *words):
    """What the log says of the map once it has been still for two seconds."""
    return processes.wait_until(f"the log says why ({words})", 30, lambda: front.lines("event=map", *words, since=since))[0]


@pytest.mark.parametrize("name, change, words", [
    ("half of it", lambda text: text[:len(text) // 2], ["refused"]),
    ("half of it, cut at a line's end", lambda text: text[:text.index("\n", len(text) // 2) + 1], ["refused", "max_loss_percent"]),
    ("nothing", lambda text: "", ["refused"]),
    ("a mailbox twice", lambda text: text + "user7@bench.test north\n", ["refused", f":{LINES + 1}", "user7@bench.test"]),
    ("an unknown site", lambda text: text + "new@bench.test nowhere\n", ["refused", f":{LINES + 1}", "nowhere"]),
])
def test_what_is_wrong_is_told_and_not_taken(stage_of_module, house, text, name, change, words):
    since = house.mark()
    house.put(house.map, change(text))
    line = looked_at(house, since, *words)
    assert house.map in line or "directory.map" in line
    assert login(stage_of_module, f"user{LINES - 1}@bench.test") and login(stage_of_module, "user7@bench.test")


def test_a_file_being_written_is_waited_for(stage_of_module, house, text):
    """For as long as it changes it is not looked at; what is there in the end is taken."""
    since = house.mark()
    with open(house.map, "w", encoding="utf-8") as file:
        for part in range(8):
            file.write(lines(LINES // 8, part * (LINES // 8)))
            file.flush()
            time.sleep(0.5)
            assert house.lines("event=map", since=since) == []
            assert login(stage_of_module, f"user{LINES - 1}@bench.test")
        file.write("late@bench.test north\n")
    processes.wait_until("the new entry is there", 30, lambda: login(stage_of_module, "late@bench.test"))
