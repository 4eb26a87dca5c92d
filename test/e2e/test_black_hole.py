"""A store that vanishes in mid-session: from one moment on no packet reaches it and nothing says so. It stands on a machine of
its own (a network namespace), behind a cable; what is cut is its address on that machine, so that nobody near it notices."""
import threading
import time

import pytest

from harness import homeward, processes, scripted

HERE, THERE = "10.99.8.1", "10.99.8.2"
STORE = "198.51.100.1"  # lives behind THERE
SILENT_S = 1
LOGIN_S = 3  # limits.site_login_timeout_s
GRACE_S = 4  # what a busy machine may need on top of a deadline
GOOD = {"imap": b"a OK ", "pop3": b"+OK"}
NOOP = {"imap": b"b NOOP\r\n", "pop3": b"NOOP\r\n"}
NOOP_DONE = {"imap": b"b OK ", "pop3": b"+OK"}
OUTAGE = {"imap": b"a NO [UNAVAILABLE] Your mailbox cannot be reached", "pop3": b"-ERR [SYS/TEMP] Your mailbox cannot be reached"}
GOODBYE = {"imap": b"* BYE Your mailbox does not answer", "pop3": b"-ERR [SYS/TEMP] Your mailbox does not answer"}
FAR = ("anna@far.test", "carl@far.test")
NEAR = "bert@near.test"


class House:
    """Homeward and the store of NEAR on one machine, the store of FAR on the other."""

    def __init__(self, joined, front, store, authority, trust):
        self.trust = trust
        self.machine, self.other = joined(f"{HERE}/24", f"{THERE}/24")
        self.machine.ip("route", "add", f"{STORE}/32", "via", THERE)
        self.come_back()
        far = store("far", "tls", dict.fromkeys(FAR, "secret"), within=self.other, address=STORE)
        near = store("near", "starttls", {NEAR: "secret"}, within=self.machine)
        self.doors = homeward.Doors(authority.ca, addresses=["127.0.0.1"])
        self.front = front({**self.doors.groups(),
                            "sites": [homeward.site(far, backends=[{"host": STORE}], verify_name="localhost"), homeward.site(near)],
                            "limits": {"site_silent_timeout_s": SILENT_S, "site_login_timeout_s": LOGIN_S,
                                       "connect_timeout_ms": 1000, "greeting_timeout_ms": 1000}},
                           "@far.test far\n@near.test near\n", within=self.machine)

    def vanish(self):
        self.other.ip("address", "del", f"{STORE}/32", "dev", "lo")

    def come_back(self):
        self.other.ip("address", "add", f"{STORE}/32", "dev", "lo")

    def connect(self, protocol):
        sock = self.machine.connect("127.0.0.1", self.doors.port[protocol + "s"])
        wire = scripted.Wire(self.trust.wrap_socket(sock, server_hostname="localhost"))
        wire.sock.settimeout(20)
        wire.line()
        return wire

    def login(self, protocol, user):
        wire = self.connect(protocol)
        return wire, login(wire, protocol, user)

    def signed_in(self, protocol, user):
        wire, answer = self.login(protocol, user)
        assert answer.startswith(GOOD[protocol])
        return wire


def login(wire, protocol, user):
    if protocol == "imap":
        wire.send(f"a LOGIN {user} secret\r\n".encode())
        return wire.line()
    wire.send(f"USER {user}\r\n".encode())
    assert wire.line().startswith(b"+OK")
    wire.send(b"PASS secret\r\n")
    return wire.line()


def noop(wire, protocol):
    wire.send(NOOP[protocol])
    return wire.line()


class Bystander:
    """Somebody at another site who never stops asking; close() says that nothing was lost, and how long the longest answer took."""

    def __init__(self, wire, protocol):
        self.wire, self.protocol = wire, protocol
        self.stop, self.answers, self.longest, self.error = threading.Event(), 0, 0.0, None
        self.thread = threading.Thread(target=self.ask, daemon=True)
        self.thread.start()

    def ask(self):
        try:
            while not self.stop.wait(0.02):
                start = time.monotonic()
                assert noop(self.wire, self.protocol).startswith(NOOP_DONE[self.protocol])
                self.longest = max(self.longest, time.monotonic() - start)
                self.answers += 1
        except Exception as error:  # it is raised where the test looks
            self.error = error

    def close(self):
        self.stop.set()
        self.thread.join(30)
        if self.error:
            raise self.error
        return self.answers, self.longest


@pytest.fixture
def house(joined, front, store, authority, trust):
    return House(joined, front, store, authority, trust)


@pytest.mark.parametrize("protocol", GOOD)
def test_a_store_that_vanishes_in_mid_session(house, protocol):
    anna, idle = (house.signed_in(protocol, user) for user in FAR)
    early = house.connect(protocol)
    near = {each: Bystander(house.signed_in(each, NEAR), each) for each in GOOD}
    assert noop(anna, protocol).startswith(NOOP_DONE[protocol])
    house.vanish()

    start = time.monotonic()
    assert noop(anna, protocol).startswith(GOODBYE[protocol])
    took = time.monotonic() - start
    assert SILENT_S - 0.1 <= took < SILENT_S + GRACE_S
    anna.expect_end()
    house.front.wait_for("session_end", f"user={FAR[0]}", "closed_by=site", "why=silent")

    for wire in (early, house.connect(protocol)):
        start = time.monotonic()
        assert login(wire, protocol, FAR[0]).startswith(OUTAGE[protocol])
        assert time.monotonic() - start < LOGIN_S + GRACE_S
        assert login(wire, protocol, NEAR).startswith(GOOD[protocol])  # only that site's mailboxes are out of reach
        wire.close()

    house.come_back()
    processes.wait_until("logins work by themselves", 15,
                         lambda: house.login(protocol, FAR[0])[1].startswith(GOOD[protocol]))
    # Who asked nothing meanwhile has noticed nothing.
    assert noop(idle, protocol).startswith(NOOP_DONE[protocol])
    for bystander in near.values():
        answers, longest = bystander.close()
        assert answers > 20 and longest < SILENT_S, (answers, longest)


@pytest.mark.parametrize("protocol", GOOD)
def test_the_last_command_of_all_is_answered_too(house, protocol):
    """Whoever says LOGOUT or QUIT to a store that has vanished must not take the end for a good one."""
    anna = house.signed_in(protocol, FAR[0])
    house.vanish()
    anna.send({"imap": b"b LOGOUT\r\n", "pop3": b"QUIT\r\n"}[protocol])
    assert anna.line().startswith(GOODBYE[protocol])
    anna.expect_end()
    house.come_back()
