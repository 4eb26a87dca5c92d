"""Reloads under load: each changes something that can be seen, and nobody who is connected or about to connect notices
anything else."""
import imaplib
import os
import re
import signal
import socket
import ssl
import statistics
import time

import pytest

from harness import homeward, processes

WORKERS, GENERATIONS = 2, 3
WAVES, RELOADS = 4, 25  # a wave's sessions live through all reloads of it
SEEN_WITHIN_S = 2
HELD, SLOW = 50, 10
SLOW_KIB, SLOW_RATE_KIB = 8192, 1024  # eight seconds, and more than the kernel keeps for a slow reader


@pytest.fixture
def trust(authority):
    return ssl.create_default_context(cafile=authority.ca)


class Certificates:
    """As certbot has them: names in one folder, symlinks to files in another. There are two such folders, so that the
    configuration can name the other one."""

    def __init__(self, folder, authority):
        self.folders = [processes.new_folder(os.path.join(folder, name)) for name in ("live", "other")]
        self.pairs = {name: authority.leaf(name) for name in ("odd", "even")}
        self.shown = {name: ssl.PEM_cert_to_DER_cert(processes.read(chain)) for name, (chain, _) in self.pairs.items()}
        self.now = "odd"
        self.swap("odd")

    def path(self, kind):
        return os.path.join(self.folders[0], f"mail.{kind}")

    def point(self, kind, target):
        beside = self.path(kind) + ".new"
        os.symlink(target, beside)
        os.rename(beside, self.path(kind))

    def swap(self, name=None):
        """The other pair under the same name; returns the certificate that it has."""
        self.now = name or ("even" if self.now == "odd" else "odd")
        for kind, target in zip(("crt", "key"), self.pairs[self.now]):
            self.point(kind, target)
        return self.shown[self.now]

    def move(self):
        """The other pair in the other folder."""
        self.folders.reverse()
        return self.swap()

    def setting(self):
        return {"certificates": [{"chain": self.path("crt"), "key": self.path("key")}]}


class House:
    """The settings as they are now, the changes that can be made to them, and how each is seen from outside."""

    def __init__(self, stage, trust):
        self.stage, self.trust, self.doors = stage, trust, stage.doors
        self.certificates = Certificates(stage.folder, stage.authority)
        self.stores = [stage.store("first"), stage.store("second")]
        # Who is counted stays where no member changes: a mailbox whose member is gone is moved, and its old sessions end.
        self.still = homeward.site(self.stores[0], name="still")
        self.front = stage.homeward({"sites": [self.site(0), self.still], "tls": self.certificates.setting()},
                                    "* site\nlimited@bench.test still\n", workers=WORKERS,
                                    limits={"imap_sessions_per_user": 3})
        self.settings = self.front.settings
        self.most_fronts = 0

    def site(self, which):
        return {**homeward.site(self.stores[which], name="site"),
                "backends": [{"host": "127.0.0.1", **{f"{name}_port": port for name, port in self.stores[which].port_of.items()}}]}

    # Each change returns how it is seen: a function that gives true once the new value is in force.

    def change_certificate(self):
        """The same paths hold another pair: no front needs to be replaced."""
        shown = self.certificates.swap()
        return lambda: self.certificate() == shown

    def change_certificate_path(self):
        shown = self.certificates.move()
        self.settings["tls"] = self.certificates.setting()
        return lambda: self.certificate() == shown

    def change_limit(self):
        limits = self.settings["limits"]
        limits["imap_sessions_per_user"] = limit = 2 if limits["imap_sessions_per_user"] == 3 else 3
        return lambda: self.limit_of_third_login() == limit

    def change_member(self):
        at_first = self.settings["sites"][0] == self.site(0)
        store = self.stores[1 if at_first else 0]
        self.settings["sites"] = [self.site(1 if at_first else 0), self.still]
        user = f"mover{time.monotonic_ns()}@bench.test"

        def seen():
            self.sign_in(user).logout()
            time.sleep(0.06)  # the store writes its log
            return ("imap", user) in store.logins()
        return seen

    def change_protocol(self):
        on = "pop3" not in self.settings
        if on:
            self.settings["pop3"] = self.doors.groups()["pop3"]
        else:
            del self.settings["pop3"]
        return lambda: self.pop3_answers() == on

    # From outside.

    def certificate(self):
        with socket.create_connection(("127.0.0.1", self.doors.port["imaps"]), 10) as sock:
            with self.trust.wrap_socket(sock, server_hostname="localhost") as tls:
                tls.recv(200)
                return tls.getpeercert(binary_form=True)

    def sign_in(self, user):
        session = imaplib.IMAP4_SSL("127.0.0.1", self.doors.port["imaps"], ssl_context=self.trust, timeout=10)
        session.login(user, "secret")
        return session

    def limit_of_third_login(self):
        """What the limit is, by what a third login is told. One that has just left may still be counted by then."""
        try:
            self.sign_in("limited@bench.test").logout()
            return 3
        except imaplib.IMAP4.error as refusal:
            return int(re.search(r"\[UNAVAILABLE\] Too many mail programs are connected \((\d)\)", str(refusal)).group(1))

    def pop3_answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.doors.port["pop3"]), 10) as sock:
                return sock.recv(100).startswith(b"+OK")
        except (ConnectionRefusedError, ConnectionResetError):  # reset: it was on its way as the listener closed
            return False

    def fronts(self):
        """How many front processes main has now; the most ever seen is kept."""
        now = len(self.front.roles().get("front", []))
        self.most_fronts = max(self.most_fronts, now)
        return now

    def reload(self, change):
        """Change, reload, and how many seconds after SIGHUP the change was seen."""
        since = self.front.mark()
        seen = change()
        self.front.write()
        start = time.monotonic()
        self.front.process.signal(signal.SIGHUP)
        while not seen():
            assert time.monotonic() - start < 10, f"never seen: {change.__name__}"
            self.fronts()
        took = time.monotonic() - start
        self.front.wait_for("reload", "result=ok", since=since)
        self.fronts()
        return took


@pytest.fixture
def house(stage, trust):
    return House(stage, trust)


def changes(house):
    """25 of them. Two need new fronts; with those that the sessions came in by, that makes three generations."""
    small = [house.change_certificate, house.change_limit, house.change_member]
    found = (small * RELOADS)[:RELOADS]
    found[RELOADS // 3], found[2 * RELOADS // 3] = house.change_protocol, house.change_certificate_path
    return found


def test_a_hundred_reloads_under_load(house, stage, figure):
    limited = [house.sign_in("limited@bench.test") for _ in range(2)]
    logins = stage.load("login", sessions=2, users=2, user="loop%d@bench.test", pause_ms=5, resume=True)
    took = {}
    for _ in range(WAVES):
        held = stage.load("noop", sessions=HELD, users=HELD, user="held%d@bench.test", pause_ms=1000)
        slow = stage.load("download", sessions=SLOW, count=SLOW, users=SLOW, user="slow%d@bench.test", message_kib=SLOW_KIB,
                          rate_kib=SLOW_RATE_KIB)
        held.wait_for("begin")
        slow.wait_for("begin")
        for change in changes(house):
            took.setdefault(change.__name__, []).append(house.reload(change))
        assert held.failures() == slow.failures() == logins.failures() == []
        for result, rounds in ((slow.result(60), SLOW), (held.stop(60), None)):
            assert (result["failed"], result["opened"]) == (0, result["left"])
            assert rounds in (None, result["ok"])
        for session in limited:  # from the first generation, unless main was asked to make room for a fourth
            session.noop()
        # Its sessions gone, a wave leaves nothing behind: what remains is the newest generation and that of limited.
        processes.wait_until("old fronts leave", 5, lambda: house.fronts() <= 2 * WORKERS)
        limited = renew(house, limited)
    result = logins.stop(60)
    assert result["reasons"] == {}
    assert house.most_fronts <= GENERATIONS * WORKERS
    every = [seconds for found in took.values() for seconds in found]
    assert len(every) == WAVES * RELOADS
    figure(f"{len(every)} reloads under load, {result['ok']} logins meanwhile; seen after SIGHUP within (s, median and most): "
           + ", ".join(f"{name.removeprefix('change_')} {statistics.median(found):.2f} {max(found):.2f}"
                       for name, found in took.items()))
    assert max(every) < SEEN_WITHIN_S


def renew(house, sessions):
    """Sign in again, by the newest fronts."""
    for session in sessions:
        session.logout()
    house.settings["limits"]["imap_sessions_per_user"] = 3
    return [house.sign_in("limited@bench.test") for _ in range(2)]


def test_one_generation_too_many_and_the_oldest_says_goodbye(stage, house):
    """Between answers, never inside one: a download that is under way ends whole."""
    house.settings["run"]["drain_spread_s"] = 1
    house.front.reload()
    held = stage.load("noop", sessions=20, users=20, user="held%d@bench.test", pause_ms=100)
    slow = stage.load("download", sessions=4, count=4, users=4, user="slow%d@bench.test", message_kib=16384, rate_kib=3072)
    held.wait_for("begin")
    slow.wait_for("begin")
    later = []  # a session in each generation: one without any leaves by itself
    for _ in range(GENERATIONS):
        assert held.failures() == []
        house.reload(house.change_protocol)
        later.append(house.sign_in("later@bench.test"))
    assert house.most_fronts == GENERATIONS * WORKERS
    goodbye = "* BYE The server is being restarted; please connect again."
    processes.wait_until("the oldest sessions have ended", 5, lambda: len(held.failures()) == 20)
    assert {why.split(": ", 1)[1] for _, why in held.failures()} == {goodbye}
    result = slow.result(20)
    assert result["ok"] == 4
    assert set(result["reasons"]) <= {f"parked: {goodbye}", f"logout: {goodbye}"}
    for session in later:
        assert session.noop()[0] == "OK"
        session.logout()


def test_certificates_swapped_as_certbot_does(house, stage):
    """Without a signal, and with nobody dropped; a pair that does not match leaves the old one in force."""
    held = stage.load("noop", sessions=HELD, users=HELD, user="held%d@bench.test", pause_ms=500)
    logins = stage.load("login", sessions=2, users=2, user="loop%d@bench.test", pause_ms=5)
    held.wait_for("begin")
    fronts = house.front.roles()["front"]
    for name in ("even", "odd"):
        house.certificates.swap(name)
        processes.wait_until("the new certificate is shown", 10, lambda: house.certificate() == house.certificates.shown[name])
    since = house.front.mark()
    house.certificates.point("crt", house.certificates.pairs["even"][0])
    line = processes.wait_until("the pair that does not match is refused", 10,
                                lambda: house.front.lines("certificates", "refused", since=since))[0]
    assert "mail.crt" in line or "mail.key" in line
    assert house.certificate() == house.certificates.shown["odd"]
    house.certificates.swap("even")
    processes.wait_until("the whole pair is taken", 10, lambda: house.certificate() == house.certificates.shown["even"])
    assert house.front.roles()["front"] == fronts
    for load in (held, logins):
        assert load.stop()["reasons"] == {}
