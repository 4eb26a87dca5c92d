"""A site with several members, some of which are in trouble; stores that die, stop and come back."""
import imaplib
import socket
import time

import pytest

from harness import clients, homeward, ports, processes, scripted

USERS = [f"user{number}@demo.test" for number in range(8)]
BUDGET = 10  # seconds


def good(said):
    """A store's script: lets everybody in, remembers who came, answers NOOP and LOGOUT."""
    def script(wire):
        stub = scripted.ImapStub(wire)
        stub.greet()
        got = stub.credential()
        said.append(got.user.decode())
        wire.send(got.tag + b" OK [CAPABILITY IMAP4rev1] in\r\n")
        while True:
            tag = wire.line().split()[0]
            wire.send(tag + b" OK done\r\n")
    return script


class FullBacklog:
    """A port that drops SYNs: its queue is full and nobody takes from it."""

    def __init__(self):
        self.port = ports.take()
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=0)
        self.fillers = []
        for _ in range(3):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", self.port))
            self.fillers.append(filler)
        time.sleep(0.1)

    def close(self):
        for each in self.fillers + [self.listener]:
            each.close()


def mute(wire):
    wire.rest()


def bad_port(kind, scripted_store, opened):
    """The port of a member in trouble."""
    if kind == "refuses":
        return ports.take()
    if kind == "drops SYNs":
        opened.append(FullBacklog())
        return opened[-1].port
    if kind == "mute":
        return scripted_store(mute, tls=False).port
    if kind == "mute after TLS":
        return scripted_store(mute).port
    return scripted_store(lambda wire: wire.send(b"* BYE go away\r\n")).port


def site_of(*member_ports, **more):
    return {"name": "site", "backends": [{"host": "127.0.0.1", "imap_port": port} for port in member_ports],
            "imap": {}, "pop3": "off", **more}


def login(doors, trust, user):
    session = imaplib.IMAP4_SSL(clients.HOST, doors.port["imaps"], ssl_context=trust, timeout=40)
    session.login(user, "secret")
    return session


@pytest.mark.parametrize("kind", ["refuses", "drops SYNs", "mute", "mute after TLS", "says BYE"])
def test_everybody_is_in_within_the_budget_though_one_of_two_members_is_in_trouble(front, authority, trust, scripted_store, kind):
    doors, opened, arrived = homeward.Doors(authority.ca), [], []
    healthy = scripted_store(good(arrived))
    front({"imap": doors.groups()["imap"], "sites": [site_of(bad_port(kind, scripted_store, opened), healthy.port)],
           "limits": {"connect_timeout_ms": 1000, "greeting_timeout_ms": 1500}}, "* site\n")
    try:
        for user in USERS:
            start = time.monotonic()
            login(doors, trust, user).shutdown()
            assert time.monotonic() - start < BUDGET
        assert sorted(set(arrived)) == USERS
    finally:
        for each in opened:
            each.close()


def test_a_credential_that_was_sent_is_never_sent_to_another_member(front, authority, trust, scripted_store):
    doors, credentials = homeward.Doors(authority.ca), []

    def stops(wire):
        stub = scripted.ImapStub(wire)
        stub.greet()
        credentials.append(stub.credential())
        wire.reset()

    members = [scripted_store(stops).port for _ in range(2)]
    front({"imap": doors.groups()["imap"], "sites": [site_of(*members)]}, "* site\n")
    for number, user in enumerate(USERS[:2], 1):
        with pytest.raises(imaplib.IMAP4.error, match=r"\[UNAVAILABLE\] Your mailbox cannot be reached"):
            login(doors, trust, user)
        assert len(credentials) == number


def test_a_mailbox_stays_on_one_member(front, authority, trust, scripted_store):
    """Three members, eight users with four connections each, in any order: nobody is on two members."""
    doors = homeward.Doors(authority.ca)
    arrived = [[], [], []]
    members = [scripted_store(good(each)).port for each in arrived]
    front({"imap": doors.groups()["imap"], "sites": [site_of(*members)], "run": {"workers": 2, "runtime_dir": "run"}}, "* site\n")
    held = [login(doors, trust, user) for _ in range(4) for user in USERS]
    for user in USERS:
        assert sorted(each.count(user) for each in arrived) == [0, 0, 4], user
    assert sum(map(bool, arrived)) >= 2  # and not all on one
    for session in held:
        session.shutdown()


@pytest.fixture
def two_sites(front, store, authority):
    doors = homeward.Doors(authority.ca)
    stores = [store("one", "tls", {"anna@one.test": "secret"}), store("two", "starttls", {"bert@two.test": "secret"})]
    instance = front({**doors.groups(), "sites": [homeward.site(each) for each in stores],
                      "limits": {"connect_timeout_ms": 500, "greeting_timeout_ms": 1000, "site_login_timeout_s": 3}},
                     "@one.test one\n@two.test two\n")
    return doors, stores, instance


def comes_back(doors, trust, user, seconds=15):
    def tries():
        try:
            login(doors, trust, user).logout()
            return True
        except imaplib.IMAP4.error as error:
            assert "[UNAVAILABLE]" in str(error)
            return False
    processes.wait_until(f"{user} is let in again", seconds, tries)


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_a_store_killed_in_mid_session_ends_only_its_own_sessions(two_sites, trust, protocol):
    doors, (one, two), _ = two_sites
    anna, bert = login(doors, trust, "anna@one.test"), login(doors, trust, "bert@two.test")
    one.kill()
    with pytest.raises((imaplib.IMAP4.abort, OSError)):
        anna.noop()
    assert bert.noop()[0] == "OK"
    if protocol == "imap":
        with pytest.raises(imaplib.IMAP4.error, match=r"\[UNAVAILABLE\] Your mailbox cannot be reached"):
            login(doors, trust, "anna@one.test")
    else:
        with pytest.raises(clients.Refused, match=r"-ERR \[SYS/TEMP\] Your mailbox cannot be reached"):
            clients.python_poplib_tls(doors, ("anna@one.test", "secret"), None)
    one.start()
    comes_back(doors, trust, "anna@one.test")
    assert bert.noop()[0] == "OK"
    bert.logout()


def test_a_store_that_is_stopped_is_an_outage_until_it_goes_on(two_sites, trust):
    doors, (one, _), _ = two_sites
    bert = login(doors, trust, "bert@two.test")
    one.freeze()
    try:
        start = time.monotonic()
        with pytest.raises(imaplib.IMAP4.error, match=r"\[UNAVAILABLE\]"):
            login(doors, trust, "anna@one.test")
        assert time.monotonic() - start < BUDGET
        assert bert.noop()[0] == "OK"
    finally:
        one.thaw()
    comes_back(doors, trust, "anna@one.test")
    bert.logout()
