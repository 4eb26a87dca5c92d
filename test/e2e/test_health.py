"""Members that die and come back: users do not wait, checks find out, and nobody storms."""
import collections
import contextlib
import datetime
import imaplib
import re
import socket
import threading
import time

import pytest

from harness import clients, homeward, ports, processes, scripted


def good(wire):
    """Lets everybody in and stays."""
    stub = scripted.ImapStub(wire)
    stub.greet()
    line = wire.line()
    if b" LOGIN " not in line and b" AUTHENTICATE" not in line and b" ID " not in line:
        wire.send(line.split()[0] + b" OK bye\r\n")
        return
    wire.send(line.split()[0] + b" OK [CAPABILITY IMAP4rev1] in\r\n")
    wire.sock.settimeout(None)  # sessions rest for as long as they like
    while True:
        wire.send(wire.line().split()[0] + b" OK done\r\n")


def members(*numbers):
    return {"name": "pair", "backends": [{"host": "127.0.0.1", "imap_port": n, "weight": 1} for n in numbers],
            "security": "loopback", "pop3": "off", "client_info": "off", "mechanism": "login"}


def imap(doors, trust, user):
    client = imaplib.IMAP4_SSL(clients.HOST, doors.port["imaps"], ssl_context=trust, timeout=20)
    client.login(user, "secret")
    return client


class Hole:
    """A member that takes connections and says nothing: the worst way to be dead."""

    def __init__(self, port):
        self.listener = socket.create_server(("127.0.0.1", port), backlog=100)

    def close(self):
        self.listener.close()


@pytest.fixture
def pair(front, authority, scripted_store):
    one, two = scripted_store(good, tls=False), scripted_store(good, tls=False)
    doors = homeward.Doors(authority.ca)
    instance = front({"imap": doors.groups()["imap"], "sites": [members(one.port, two.port)],
                      "limits": {"check_interval_s": 1, "greeting_timeout_ms": 1500, "connect_timeout_ms": 500}}, "* pair\n")
    return instance, doors, one, two


def states(instance):
    return {row["port"]: row["state"] for row in instance.ask("sites")["rows"]}


def test_a_hung_member_is_found_by_checks_before_a_user_meets_it_and_found_well_again(pair, trust):
    instance, doors, one, two = pair
    one.close()
    hole = Hole(one.port)
    instance.wait_for("backend_state", f"backend=127.0.0.1:{one.port}", "state=avoided", seconds=8)
    assert states(instance) == {one.port: "avoided", two.port: "up"}
    for number in range(12):
        began = time.monotonic()
        imap(doors, trust, f"u{number}@demo.test").logout()
        assert time.monotonic() - began < 1, "a login waited for a dead member"
    hole.close()
    again, began = scripted.ScriptedStore(None, port=one.port).serve(good), time.monotonic()
    instance.wait_for("backend_state", f"backend=127.0.0.1:{one.port}", "state=up", seconds=8)
    print(f"well again, it is used after {time.monotonic() - began:.1f} s (checks every second)")
    assert states(instance)[one.port] == "up"
    again.close()


def test_logins_go_on_without_waiting_for_as_long_as_it_is_dead(pair, trust):
    """No login is used as a trial: the breaker opens and closes by checks alone."""
    instance, doors, one, _ = pair
    one.close()
    hole = Hole(one.port)
    instance.wait_for("backend_state", "state=avoided", seconds=8)
    slowest, end, number = 0, time.monotonic() + 6, 0
    while time.monotonic() < end:
        began = time.monotonic()
        number += 1
        imap(doors, trust, f"v{number}@demo.test").logout()
        slowest = max(slowest, time.monotonic() - began)
    assert number > 20 and slowest < 1
    print(f"{number} logins in 6 s beside a dead member, the slowest {slowest * 1000:.0f} ms")
    hole.close()


def test_a_member_that_died_under_a_login_is_used_again_though_no_check_can_tell(front, authority, scripted_store, trust):
    """Its fault was seen behind the greeting, where checks do not come: one login has to find out, and then all go there again."""
    ill = threading.Event()
    ill.set()

    def dying(wire):
        if not ill.is_set():
            good(wire)
            return
        wire.send(b"* OK [CAPABILITY IMAP4rev1] here\r\n")
        wire.line()

    one, two = scripted_store(dying, tls=False), scripted_store(good, tls=False)
    doors = homeward.Doors(authority.ca)
    instance = front({"imap": doors.groups()["imap"], "sites": [members(one.port, two.port)], "limits": {"check_interval_s": 1}},
                     "* pair\n")

    def states_of(state):
        return instance.events("backend_state", f"backend=127.0.0.1:{one.port}", f"state={state}")

    def logins_until(state, seconds):
        ends = time.monotonic() + seconds
        while not states_of(state):
            assert time.monotonic() < ends, f"it was never {state}"
            with contextlib.suppress(imaplib.IMAP4.error):  # whose password the dying one has seen is given to no other
                imap(doors, trust, f"u{time.monotonic_ns()}@demo.test").logout()
    logins_until("avoided", 5)
    ill.clear()
    logins_until("up", 10)
    assert len(states_of("avoided")) == 1


def test_without_checks_only_the_first_login_waits(front, authority, scripted_store, trust):
    """A member that is killed and hangs: the first who meets it waits for its greeting, then the other takes everybody."""
    one, two = scripted_store(good, tls=False), scripted_store(good, tls=False)
    doors = homeward.Doors(authority.ca)
    front({"imap": doors.groups()["imap"], "sites": [members(one.port, two.port)],
           "limits": {"check_interval_s": 0, "greeting_timeout_ms": 1500, "connect_timeout_ms": 500}}, "* pair\n")
    one.close()
    hole = Hole(one.port)
    waits = []
    for number in range(16):
        began = time.monotonic()
        imap(doors, trust, f"x{number}@demo.test").logout()
        waits.append(round((time.monotonic() - began) * 1000))
    print("ms of logins, one after the other:", waits)
    first = next(at for at, wait in enumerate(waits) if wait >= 1400)
    assert sum(wait >= 1000 for wait in waits) == 1 and waits[first] < 4000
    hole.close()


@pytest.mark.parametrize("words", [b"* BYE Go away\r\n", b"HTTP/1.1 200 OK\r\n", b"x" * 2000])
def test_a_wrong_greeting_is_a_fault(front, authority, scripted_store, words):
    def script(wire):
        wire.send(words)
        wire.rest()
    bad = scripted_store(script, tls=False)
    doors = homeward.Doors(authority.ca)
    instance = front({"imap": doors.groups()["imap"], "sites": [members(bad.port)], "limits": {"check_interval_s": 1}}, "* pair\n")
    line = instance.wait_for("backend_state", "state=avoided", "stage=greeting", seconds=5)
    assert "why=greeting" in line


def test_tls_members_are_checked_through_their_handshake(front, authority, store):
    well = store("well", "tls", {"anna": "secret"})
    doors = homeward.Doors(authority.ca)
    dead_imap, dead, unused = ports.take(3)
    clear = Hole(ports.take())
    site = homeward.site(well)
    site["backends"] = [{"host": "127.0.0.1"}, {"host": "127.0.0.1", "imap_port": dead_imap, "pop3_port": dead},
                        {"host": "127.0.0.1", "imap_port": unused, "pop3_port": clear.listener.getsockname()[1]}]
    instance = front({**doors.groups(), "sites": [site], "limits": {"check_interval_s": 1, "greeting_timeout_ms": 500,
                                                                    "connect_timeout_ms": 500}}, "* well\n")
    instance.wait_for("backend_state", f":{dead}", "proto=pop3", "state=avoided", "stage=dial", seconds=8)
    instance.wait_for("backend_state", "proto=pop3", "state=avoided", "stage=tls", "why=timeout", seconds=8)
    assert {row["state"] for row in instance.ask("sites")["rows"] if row["port"] in well.port_of.values()} == {"up"}
    clear.close()


def test_a_certificate_that_does_not_verify_is_not_forgiven_by_a_check(front, authority, store, trust):
    well = store("well", "tls", {"anna": "secret"})
    doors = homeward.Doors(authority.ca)
    instance = front({**doors.groups(), "sites": [homeward.site(well, verify_name="other.test")],
                      "limits": {"check_interval_s": 1}}, "* well\n")
    with pytest.raises(imaplib.IMAP4.error, match="UNAVAILABLE"):
        imap(doors, trust, "anna")
    instance.wait_for("backend_state", "state=avoided", "stage=tls")
    time.sleep(2.5)
    assert not instance.events("backend_state", "state=up")


def test_five_hundred_sessions_cut_by_a_dying_store_come_back_without_a_storm(front, authority, scripted_store, trust):
    one, two = scripted_store(good, tls=False), scripted_store(good, tls=False)
    doors = homeward.Doors(authority.ca)
    instance = front({"imap": {"listen": doors.listen("imap", clear_login=True)}, "sites": [members(one.port, two.port)],
                      "limits": {"check_interval_s": 1, "recovery_logins": 40, "connections_per_address": 2000,
                                 "sessions_per_address": 2000, "login_timeout_s": 60}}, "* pair\n")
    # In clear on loopback, so that the clients cost little and the storm is one.
    def sign_in(user):
        sock = socket.create_connection((clients.HOST, doors.port["imap"]), 30)
        stream = sock.makefile("rwb")
        stream.readline()
        stream.write(f"a LOGIN {user} secret\r\n".encode())
        stream.flush()
        return sock, stream, stream.readline()

    total = 500
    instance.ctl("member", "pair", f"127.0.0.1:{two.port}", "drain")
    sessions = [sign_in(f"w{number}@demo.test") for number in range(total)]
    assert all(b"a OK" in answer for _, _, answer in sessions)
    instance.ctl("member", "pair", f"127.0.0.1:{two.port}", "ready")
    came = []

    def come_back(number):
        sock, stream, _ = sessions[number]
        stream.readline()
        sock.close()
        again = sign_in(f"w{number}@demo.test")
        came.append(again[2])
        again[0].close()

    threads = [threading.Thread(target=come_back, args=(number,)) for number in range(total)]
    for thread in threads:
        thread.start()
    since = instance.mark()
    one.listener.shutdown(socket.SHUT_RDWR)
    one.listener.close()
    for wire in one.wires:
        try:
            wire.sock.shutdown(socket.SHUT_RDWR)  # a close alone would wait for the thread that reads from it
        except OSError:
            pass
    for thread in threads:
        thread.join(60)
    assert len(came) == total and all(b"a OK" in answer for answer in came), collections.Counter(came)
    there = lambda: instance.events("login", f"backend=127.0.0.1:{two.port}", since=since)
    processes.wait_until("all logins are in the log", 10, lambda: len(there()) == total)
    # By the times of the log: five hundred threads of this test are slow to hear of it.
    times = sorted(datetime.datetime.fromisoformat(re.match(r"time=(\S+)Z ", line).group(1)) for line in there())
    seconds = collections.Counter(int((at - times[0]).total_seconds()) for at in times)
    print("logins per second at the member that is left:", [seconds[second] for second in range(max(seconds) + 1)])
    assert max(seconds.values()) <= 60 and len(seconds) >= 10
