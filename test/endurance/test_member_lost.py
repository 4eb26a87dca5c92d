"""A member of a site is killed under load and comes back: wherever a user's sessions live, they live together. Two fronts; 1,000
users with four connections each, two of IMAP and two of POP3; a fifth of them leaves and comes back all the time. The proof
is in the stores' own logs: who was signed in where, from when to when, all by one clock."""
import time

import pytest

from harness import processes

STEADY, RESTLESS = 800, 200
EACH = 2  # connections of a user and a protocol
DOORS = ("imaps", "pop3s")
RECOVERY_LOGINS = 1000  # a second: more than there are, and the restless alone are more than the usual 50
OPENING = 50  # logins under way, of each load generator
SESSIONS = (STEADY + RESTLESS) * EACH * len(DOORS)


def now_us():
    return time.monotonic_ns() // 1000


class Register:
    """What the members' logs have said so far: a list of [login, end, member] for each user, in us; who is signed in has
    no end yet."""

    def __init__(self, members):
        self.members = members
        self.read = [0] * len(members)
        self.open = {}
        self.stays = {}

    def look(self):
        for number, member in enumerate(self.members):
            with open(member.log, "rb") as file:
                file.seek(self.read[number])
                text = file.read()
            whole = text[:text.rfind(b"\n") + 1]
            self.read[number] += len(whole)
            for line in whole.decode("ascii").splitlines():
                self.note(number, *line.split())
        return self

    def note(self, member, at_us, event, protocol, user, _, peer_port):
        key = member, protocol, peer_port
        if event == "login":
            self.open[key] = [int(at_us), None, member]
            self.stays.setdefault(user, []).append(self.open[key])
        else:
            self.open.pop(key)[1] = int(at_us)

    def killed(self, member, at_us):
        """Its log is silent about these ends. Called when it is dead, and before it lives again."""
        self.look()
        for key in [key for key in self.open if key[0] == member]:
            stay = self.open.pop(key)
            stay[1] = max(at_us, stay[0])

    def here(self, member=None):
        """How many are signed in, there or anywhere."""
        return sum(member in (None, key[0]) for key in self.open)

    def count(self, user):
        return sum(stay[1] is None for stay in self.stays.get(user, []))

    def on_two_at_once(self):
        """(user, member, other member, us) for each time that somebody signed in there while still being elsewhere."""
        found = []
        for user, stays in self.stays.items():
            last = {}
            for start, end, member in sorted(stays, key=lambda stay: stay[0]):
                found += [(user, member, other, until - start) for other, until in last.items() if other != member and until > start]
                last[member] = max(last.get(member, 0), end or now_us())
        return found

    def moved(self):
        """Users that have been on more than one member."""
        return sum(len({stay[2] for stay in stays}) > 1 for stays in self.stays.values())


def names(kind, number):
    return [f"{kind}{n}@bench.test" for n in range(number)]


class Crowd:
    def __init__(self, stage):
        self.members = [stage.store(f"member{n}") for n in range(3)]
        site = {"name": "site", "security": "loopback", "imap": {}, "pop3": {},
                "backends": [{"host": "127.0.0.1", "imap_port": each.port_of["imap"], "pop3_port": each.port_of["pop3"]}
                             for each in self.members]}
        self.front = stage.homeward({"sites": [site]}, "* site\n", workers=2,
                                    limits={"check_interval_s": 1, "recovery_logins": RECOVERY_LOGINS})
        self.register = Register(self.members)
        usual = {"opening": OPENING, "resume": True, "settle_ms": 0}
        self.steady = [stage.load("noop", door, user="steady%d@bench.test", users=STEADY, sessions=STEADY * EACH, pause_ms=2000,
                                  return_ms=300, **usual) for door in DOORS]
        self.restless = [stage.load("noop", door, user="restless%d@bench.test", users=RESTLESS, sessions=RESTLESS * EACH, pause_ms=700,
                                    rounds=2, return_ms=1500, **usual) for door in DOORS]
        for load in self.steady + self.restless:
            load.wait_for("begin")

    def steady_are_in(self):
        self.register.look()
        return all(self.register.count(user) == EACH * len(DOORS) for user in names("steady", STEADY))

    def restless_since(self, since_us, member=None):
        """Those who have come in since, there or anywhere."""
        self.register.look()
        return [user for user in names("restless", RESTLESS)
                if any(stay[0] > since_us and member in (None, stay[2]) for stay in self.register.stays.get(user, []))]


def stays_of(register, user):
    return [tuple(stay) for stay in register.stays[user]]


def test_nobody_is_on_two_members_though_one_is_lost_and_comes_back(stage, open_files, figure):
    if open_files < 2 * SESSIONS + 2000:
        pytest.skip(f"{SESSIONS} sessions need {2 * SESSIONS + 2000} open files; this system allows {open_files} (as root: ulimit -n 20000)")
    crowd = Crowd(stage)
    register, lost = crowd.register, crowd.members[0]
    processes.wait_until("everybody is in", 20, crowd.steady_are_in)

    had, killed_us = register.here(0), now_us()
    assert had > SESSIONS / 10
    lost.kill()
    register.killed(0, killed_us)
    processes.wait_until("everybody is in again", 20, lambda: crowd.steady_are_in() and len(crowd.restless_since(killed_us)) == RESTLESS)
    again_s = (now_us() - killed_us) / 1e6
    assert register.here(0) == 0
    settled = {user: stays_of(register, user) for user in names("steady", STEADY)}

    back_us = now_us()
    lost.start()
    processes.wait_until("the member is used again", 30, lambda: len(crowd.restless_since(back_us, 0)) > RESTLESS / 10)
    used_s = (now_us() - back_us) / 1e6
    time.sleep(3)
    register.look()
    moved, violations = register.moved(), register.on_two_at_once()
    assert violations == [], violations[:10]
    assert moved > RESTLESS / 2
    assert all(crowd.front.events("login", f'role="front {n}"') for n in (1, 2))
    # Nobody lost a session on another member, and nobody's was ended when the lost one returned.
    assert {user: stays_of(register, user) for user in names("steady", STEADY)} == settled
    assert {stay[2] for stays in settled.values() for stay in stays if stay[1] is not None} == {0}

    reasons = {}
    for result in [load.stop(20) for load in crowd.steady + crowd.restless]:
        for why, n in result["reasons"].items():
            reasons[why] = reasons.get(why, 0) + n
    # A login that was under way may have lost its member too.
    assert sum(reasons.values()) <= had + OPENING * 4, reasons
    assert not any("AUTH" in why or "Too many" in why for why in reasons), reasons
    figure(f"kill -9 of one of three members under {SESSIONS} sessions of {STEADY + RESTLESS} users: {had} were its own; all in again after "
           f"{again_s:.1f} s; back, it was used again after {used_s:.1f} s; {moved} users have moved, nobody was on two members at once")
