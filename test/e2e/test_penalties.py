"""Guessing costs, using does not: what reaches whoever judges, when refusals are told, and who gets in meanwhile. Clients of
any number of addresses come by the PROXY protocol."""
import contextlib
import os
import re
import shutil
import signal
import socket
import threading
import time

import pytest

from harness import homeward, ports, processes, scripted, verifiers

STEP_MS = 100
HOME = "192.0.2.1"
NO = {"imap": b"a NO [AUTHENTICATIONFAILED] Authentication failed.", "pop3": b"-ERR [AUTH] Authentication failed."}
DOWN = b"a NO [UNAVAILABLE]"
LIMITS = {"failed_logins": 1000, "login_timeout_s": 600, "imap_sessions_per_user": 1000, "errors": 1000}


class JudgingStore:
    """A store that lets in whoever says the right password, and remembers what was asked. says: its words for the others."""

    def __init__(self, passwords, says=b"NO [AUTHENTICATIONFAILED] no"):
        self.passwords, self.says, self.asked, self.delay = passwords, says, [], 0
        self.double = scripted.ScriptedStore().serve(self.script)

    def script(self, wire):
        stub = scripted.ImapStub(wire)
        stub.greet()
        with contextlib.suppress(scripted.Ended):
            while True:
                got = stub.credential()
                name, password = got.user.decode(), got.password.decode()
                self.asked.append((name, password))
                time.sleep(self.delay)
                right = self.passwords.get(name) == password
                wire.send(got.tag + (b" OK [CAPABILITY IMAP4rev1] in" if right else b" " + self.says) + b"\r\n")

    def of(self, name):
        return [password for who, password in self.asked if who == name]

    def close(self):
        self.double.close()


class House:
    """Homeward behind a balancer at 127.0.0.1, in clear; verifiers and stores are put in by the test."""

    def __init__(self, make):
        self.make = make
        self.port = dict(zip(("imap", "pop3"), ports.take(2)))

    def start(self, store, auth=None, directory="* store\n", **more):
        groups = {protocol: {"listen": [{"address": "127.0.0.1", "port": port, "tls": "starttls", "clear_login": True,
                                         "proxy_protocol_from": ["127.0.0.1/32"]}]} for protocol, port in self.port.items()}
        site = {"name": "store", "backends": [{"host": "127.0.0.1"}], "security": "loopback", "imap": {"port": store.double.port}}
        self.front = self.make({**groups, "sites": [site], "limits": {**LIMITS, **more.pop("limits", {})},
                                "auth": {"failure_step_ms": STEP_MS, **(auth or {})}, **more}, directory)
        return self.front

    def client(self, address, protocol="imap"):
        return Client(self.port[protocol], address, protocol)

    def tries(self, address, name, password, protocol="imap"):
        """The answer, and how many milliseconds it took."""
        client = self.client(address, protocol)
        with contextlib.closing(client):
            return client.tries(name, password)

    def refuses(self, address, name, *passwords, protocol="imap"):
        """By how many points of the grid later than at the first each was refused: the log knows, and none was too early."""
        since, took = self.front.mark(), []
        client = self.client(address, protocol)
        for password in passwords:
            answer, ms = client.tries(name, password)
            assert not answer.startswith((b"a OK", b"+OK", DOWN)), answer
            took.append(ms)
        client.close()
        late = self.points(address, since)
        assert len(late) == len(passwords)
        assert all(ms >= (points + 1) * STEP_MS - 2 for ms, points in zip(took, late)), (took, late)
        return late

    def points(self, address, since=0):
        lines = self.front.events("login_failed", f"peer={address}:", since=since)
        return [int(found.group(1)) // STEP_MS if (found := re.search(r" penalty_ms=(\d+) ", line)) else 0 for line in lines]

    def gets_in(self, address, name="anna@demo.test", password="secret"):
        return self.tries(address, name, password)[0].startswith(b"a OK")


class Client:
    def __init__(self, port, address, protocol="imap"):
        self.protocol = protocol
        self.wire = scripted.Wire(socket.create_connection(("127.0.0.1", port), 5))
        family = "TCP6" if ":" in address else "TCP4"
        there = "2001:db8::1" if family == "TCP6" else "192.0.2.255"
        self.wire.send(f"PROXY {family} {address} {there} 51234 143\r\n".encode())
        self.wire.line()

    def tries(self, name, password):
        if self.protocol == "pop3":
            self.wire.send(b"USER " + name.encode() + b"\r\n")
            self.wire.line()
        start = time.monotonic()
        self.wire.send(f'a LOGIN "{name}" "{password}"\r\n'.encode() if self.protocol == "imap" else f"PASS {password}\r\n".encode())
        answer = self.wire.line()
        return answer, (time.monotonic() - start) * 1000

    def close(self):
        self.wire.close()


@pytest.fixture
def house(front):
    return House(front)


@pytest.fixture
def store():
    made = []

    def make(passwords, **more):
        made.append(JudgingStore(passwords, **more))
        return made[-1]

    yield make
    for each in made:
        each.close()


# ---- few guesses reach whoever judges ----


def guess(port, address, name, passwords):
    """All in one segment; True when every answer was the same no."""
    wire = scripted.Wire(socket.create_connection(("127.0.0.1", port), 20))
    wire.sock.settimeout(30)
    lines = "".join(f'a LOGIN "{name}" "{password}"\r\n' for password in passwords)
    wire.send(f"PROXY TCP4 {address} 192.0.2.255 51234 143\r\n{lines}b LOGOUT\r\n".encode())
    answers = wire.rest().split(b"\r\n")[1:]
    wire.close()
    return answers[:len(passwords)] == [NO["imap"]] * len(passwords)


@pytest.mark.parametrize("judge", ["site", "http"])
def test_of_ten_thousand_passwords_from_a_thousand_addresses_few_are_judged(house, store, judge):
    passwords = {"anna@demo.test": "secret"}
    home = store(passwords)
    script = verifiers.auth_http(passwords)
    chain = [{"driver": "http", "urls": [script.url]}] if judge == "http" else [{"driver": "site"}]
    instance = house.start(home, {"verifiers": chain, "failure_step_ms": 1, "delay_points_max": 0}, run={"workers": 2})
    assert house.gets_in(HOME)
    stop, ins, bad = threading.Event(), [], []

    def attack(first):
        for i in range(first, 1000, 4):
            address = f"198.51.{100 + i // 250}.{i % 250 + 1}"
            if not guess(house.port["imap"], address, "anna@demo.test", [f"p{i}x{n}" for n in range(10)]):
                bad.append(address)

    def use():
        while not stop.is_set():
            ins.append(house.gets_in(HOME))
            time.sleep(0.1)

    threads = [threading.Thread(target=attack, args=(i,)) for i in range(4)]
    owner = threading.Thread(target=use)
    for each in [*threads, owner]:
        each.start()
    for each in threads:
        each.join()
    stop.set()
    owner.join()
    guessed = [each for each in home.of("anna@demo.test") if each != "secret"]
    if judge == "http":
        assert not guessed
        guessed = [each for each, _ in script.asked if each["Auth-Pass"] != "secret"]
    script.close()
    assert not bad, bad[:5]
    assert len(ins) > 3 and all(ins), "the owner gets in every time"
    assert 20 <= len(guessed) <= 60, len(guessed)
    assert len(instance.events("login_failed", "why=throttled")) >= 10000 - 60
    assert not house.gets_in("203.0.113.9"), "from an address that is not known he cannot be told from them"


def test_of_one_password_for_many_names_few_are_judged(house, store):
    home = store({})
    house.start(home, {"failure_step_ms": 1, "delay_points_max": 0, "guesses_per_address": 40})
    client = house.client("198.51.100.1")
    for i in range(200):
        assert client.tries(f"user{i}@demo.test", "summer")[0] == NO["imap"]
    client.close()
    assert 15 <= len(home.asked) <= 40
    before = len(home.asked)
    assert house.tries("198.51.100.2", "user0@demo.test", "summer")[0] == NO["imap"]
    assert len(home.asked) == before + 1, "another address may still ask"


def test_those_that_come_together_are_judged_one_after_the_other(house, store):
    """A slow store, fifty clients at once: no more of them reach it than would one after the other; the owner does."""
    home = store({"anna@demo.test": "secret"})
    home.delay = 0.5
    house.start(home, {"guesses_per_account": 20})
    assert house.gets_in(HOME)
    answers = []
    threads = [threading.Thread(target=lambda i=i: answers.append(house.tries(f"198.51.100.{i + 1}", "anna@demo.test", f"p{i}")[0]))
               for i in range(50)]
    for each in threads:
        each.start()
    assert house.gets_in(HOME)
    for each in threads:
        each.join()
    assert answers == [NO["imap"]] * 50
    assert len([each for each in home.of("anna@demo.test") if each != "secret"]) == 10


# ---- delays ----


def test_refusals_come_later_and_later_and_a_repeated_password_does_not(house, store):
    home = store({"anna@demo.test": "secret"})
    house.start(home)
    assert house.refuses("198.51.100.1", "anna@demo.test", *["old"] * 10) == [0] * 10
    assert len(home.asked) == 10, "somebody may have made it the right one"
    assert house.refuses("198.51.100.1", "anna@demo.test", *"abcdefg") == [0, 0, 1, 2, 4, 8, 8]
    assert house.refuses("198.51.100.2", "anna@demo.test", "h") == [8], "the account pays"
    assert [house.refuses("198.51.100.1", f"{name}@demo.test", "h")[0] for name in ("bert", "carl", "dora", "eve", "fred", "gus")
            ] == [0, 0, 0, 0, 1, 2], "the address pays, later"
    assert house.refuses("198.51.100.3", "gus@demo.test", "i") == [0]


def test_nobody_who_signs_in_waits(house, store):
    """Polling all day, by many programs, with one that has the old password among them."""
    home = store({"anna@demo.test": "secret"})
    house.start(home)
    for _ in range(40):
        assert house.gets_in(HOME)
    for _ in range(10):
        assert house.refuses(HOME, "anna@demo.test", "old") == [0]
        assert house.gets_in(HOME) and house.gets_in("198.51.100.7")
    assert house.refuses(HOME, "anna@demo.test", "new") == [0]


def test_an_outage_costs_nothing(house, store):
    home = store({"anna@demo.test": "secret"}, says=b"NO [UNAVAILABLE] not now")
    house.start(home)
    client = house.client("198.51.100.1")
    for i in range(50):
        assert client.tries("anna@demo.test", f"p{i}")[0].startswith(DOWN)
    client.close()
    home.says = b"NO [AUTHENTICATIONFAILED] no"
    assert house.refuses("198.51.100.1", "anna@demo.test", *"abcd") == [0, 0, 0, 1]
    assert house.gets_in("198.51.100.1")


@pytest.mark.parametrize("says, counts", [(b"NO [ALERT] Invalid credentials", True), (b"NO [CONTACTADMIN] locked", True), (b"NO no", True),
                                          (b"NO [EXPIRED] choose another", False), (b"NO [LIMIT] too many", False)])
def test_words_of_the_stores_own_count_unless_they_follow_the_right_password(house, store, says, counts):
    house.start(store({}, says=says))
    assert house.refuses("198.51.100.1", "anna@demo.test", *"abcde") == ([0, 0, 0, 1, 2] if counts else [0] * 5)


# ---- whether there is such an account shows in nothing ----


@pytest.mark.parametrize("judge, protocol", [("site", "imap"), ("file", "imap"), ("file", "pop3")])
def test_existing_unknown_denied_and_switched_off_accounts_cost_the_same(house, store, folder, judge, protocol):
    names = ["anna@demo.test", "nobody@demo.test", "administrator@demo.test", "off@demo.test", "un@readable@x"]
    home = store({"anna@demo.test": "secret"})
    path = verifiers.passwd_file(os.path.join(folder, "accounts"), {"anna@demo.test": "secret", "off@demo.test": "p0"})
    chain = [{"driver": "file", "path": path}] if judge == "file" else [{"driver": "site"}]
    house.start(home, {"verifiers": chain, "guesses_per_account": 12, "delay_points_max": 3},
                directory="anna@demo.test store\nadministrator@demo.test store\noff@demo.test store networks=203.0.113.0/24\n")
    answers = []

    def guess_at(number, name):
        client = house.client(f"198.51.100.{number + 1}", protocol)
        answers.extend(client.tries(name, f"p{i // 2}")[0] for i in range(16))
        client.close()

    threads = [threading.Thread(target=guess_at, args=each) for each in enumerate(names)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert answers == [NO[protocol]] * 16 * len(names)
    for number, name in enumerate(names):
        assert house.points(f"198.51.100.{number + 1}") == [0] * 6 + [1, 1, 2, 2] + [3] * 6, name
    assert len(home.of("anna@demo.test")) == (11 if judge == "site" else 0)
    for name in ("anna@demo.test", "nobody@demo.test"):
        assert len(house.front.events("login_failed", "why=throttled", f"user={name}")) == 5
    assert len(house.front.events("login_failed", "result=denied", "user=administrator@demo.test")) == 16


# ---- what is learned outlives the process ----


def attacked(house, home):
    """anna is known at HOME, and guessed at until nobody is asked any more."""
    assert house.gets_in(HOME)
    client = house.client("198.51.100.1")
    for i in range(12):
        client.tries("anna@demo.test", f"p{i}")
    client.close()
    assert_remembers(house, home, "at first")


def assert_remembers(house, home, when):
    before = len(home.asked)
    assert house.tries("198.51.100.2", "anna@demo.test", f"new {when}")[0] == NO["imap"], when
    assert len(home.asked) == before, f"{when}: it was judged"
    assert house.gets_in(HOME), when


def test_penalties_and_known_addresses_outlive_auth_a_reload_and_a_takeover(house, store):
    home = store({"anna@demo.test": "secret"})
    instance = house.start(home, {"guesses_per_account": 20, "delay_points_max": 0})
    attacked(house, home)
    for _ in range(2):
        before = instance.roles()["auth"]
        os.kill(before[0], signal.SIGKILL)
        processes.wait_until("auth is back", 5, lambda: instance.roles().get("auth") not in (None, before))
        assert_remembers(house, home, "after a crash")
    instance.settings["auth"]["known_address_days"] = 7
    before = instance.roles()["auth"]
    instance.reload()
    processes.wait_until("another auth serves", 5, lambda: instance.roles()["auth"] != before)
    assert_remembers(house, home, "after a reload")
    since = instance.mark()
    shutil.copy(instance.binary, instance.binary + ".new")
    os.rename(instance.binary + ".new", instance.binary)
    main = next(pid for pid in instance.process.members() if pid in instance.roles()["main"])
    os.kill(main, signal.SIGUSR2)
    instance.wait_for("ready", since=since, seconds=20)
    assert_remembers(house, home, "after a takeover")


def test_an_admin_sees_what_there_was_and_forgives_it(house, store):
    home = store({"anna@demo.test": "secret"})
    instance = house.start(home, {"guesses_per_account": 20, "delay_points_max": 0}, accounts={"default_domain": "demo.test"})
    attacked(house, home)

    def route(address):
        row = instance.ask("route", "anna", "--proto", "imap", "--from", address)["rows"][0]
        return row["failures"], row["address_failures"], row["known_address"], row["throttled"]

    assert route(HOME) == (10, 0, True, False)
    assert route("198.51.100.1") == (10, 10, False, True)
    assert "10 of the account, 0 of the address, from which it has signed in\n" in instance.ctl("route", "ANNA@demo.test", "--from", HOME)
    assert "THROTTLED" in instance.ctl("route", "anna", "--from", "203.0.113.1")
    assert re.search(r"throttled +3 logins", instance.ctl("status"))
    instance.ctl("forgive", "Anna")
    assert instance.events("admin", "forgive")
    assert route("198.51.100.1") == (0, 10, False, False)
    assert house.refuses("198.51.100.1", "anna@demo.test", "another") == [0] and home.of("anna@demo.test")[-1] == "another"
    instance.ctl("forgive", "198.51.100.0/24")
    assert route("198.51.100.1") == (1, 0, False, False)
    assert route(HOME)[2], "what is known stays"
    for wrong in ("un@readable@x", "10.0.0.0/8", "2001:db8::/32"):
        instance.ctl("forgive", wrong, status=2)
