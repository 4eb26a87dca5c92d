"""Connections to stores that stand ready (`spare`): used once, for one user, and never after a doubt."""
import imaplib
import os
import poplib
import signal
import threading
import time

import pytest

from harness import certificates, clients, homeward, processes, scripted

USERS = [f"user{number}@demo.test" for number in range(8)]


class Stood:
    """One connection as its store saw it."""

    def __init__(self):
        self.born = time.monotonic()
        self.ready = self.ended = None  # when it had been greeted; when the other side went
        self.commands = []
        self.order = []  # what the test wants done to it while it stands ready
        self.wake = threading.Event()

    def stands(self):
        return self.ready is not None and self.ended is None and not self.commands


class Store:
    """A scripted store whose connections can be told to misbehave while they stand ready."""

    def __init__(self, scripted_store, protocol="imap", tls=True, starttls=None, patience=None):
        self.protocol, self.starttls, self.patience = protocol, starttls, patience
        self.all = []
        self.port = scripted_store(self.script, tls=tls).port

    def script(self, wire):
        one = Stood()
        self.all.append(one)
        try:
            self.talk(wire, one)
        except (scripted.Surprise, OSError):
            pass
        finally:
            one.ended = time.monotonic()

    def talk(self, wire, one):
        imap = self.protocol == "imap"
        kind = scripted.ImapStub if imap else scripted.Pop3Stub
        stub = kind(wire, **({"before": "IMAP4rev1 STARTTLS LOGINDISABLED", "after": "IMAP4rev1 ID SASL-IR AUTH=PLAIN",
                              "context": self.starttls} if self.starttls and imap else
                             {"context": self.starttls} if self.starttls else {}))
        stub.greet()
        one.ready = time.monotonic()
        wire.sock.settimeout(self.patience or 60)
        if self.order_comes(wire, one):
            return
        got = stub.credential()
        one.commands.append(got.user)
        wire.send(got.tag + b" OK [CAPABILITY IMAP4rev1] in\r\n" if imap else b"+OK in\r\n")
        while True:
            words = wire.line().split()
            one.commands.append(words[-1])
            wire.send(words[0] + b" OK done\r\n" if imap else b"+OK\r\n")

    def order_comes(self, wire, one):
        """True: the test had something done to it."""
        end = time.monotonic() + (self.patience or 60)
        while time.monotonic() < end:
            wire.sock.settimeout(0.02)
            try:
                if not wire._more():
                    raise scripted.Ended("it is gone")
                wire.sock.settimeout(scripted.PATIENCE)
                return False
            except scripted.Surprise as surprise:
                if not str(surprise).startswith("nothing came"):
                    raise
            if one.order:
                wire.sock.settimeout(scripted.PATIENCE)
                one.order.pop()(wire)
                one.commands += wire.rest().split()
                return True
        return True

    def standing(self):
        return [one for one in self.all if one.stands()]

    def wait_for(self, number, seconds=8):
        processes.wait_until(f"{number} connections stand ready at the store", seconds, lambda: len(self.standing()) == number)
        return self.standing()


def settle(instance, number, seconds=8):
    """The service itself counts so many."""
    def there():
        return sum(row.get("spare", 0) for row in instance.ask("sites")["rows"]) == number
    processes.wait_until(f"{number} spares are ready", seconds, there)


def used_spares(instance, number):
    processes.wait_until(f"{number} logins by a spare are logged", 3,
                         lambda: len(instance.events("login", "spare=yes")) == number)


def site_of(*stores, protocol="imap", **more):
    other = "pop3" if protocol == "imap" else "imap"
    return {"name": "site", "backends": [{"host": "127.0.0.1", f"{protocol}_port": store.port} for store in stores],
            protocol: {}, other: "off", "spare": 2, **more}


@pytest.fixture
def place(front, authority):
    """place(site, ...): Homeward before that site; (instance, doors)."""
    def make(site, **more):
        doors = homeward.Doors(authority.ca)
        groups = {protocol: group for protocol, group in doors.groups().items() if site[protocol] != "off"}
        instance = front({**groups, "sites": [site], **more}, "* site\n")
        return instance, doors
    return make


def imap(doors, trust, user=USERS[0]):
    session = imaplib.IMAP4_SSL(clients.HOST, doors.port["imaps"], ssl_context=trust, timeout=10)
    session.login(user, "secret")
    return session


def pop3(doors, trust, user=USERS[0]):
    session = poplib.POP3_SSL(clients.HOST, doors.port["pop3s"], context=trust, timeout=10)
    session.user(user)
    session.pass_("secret")
    return session


LOGIN = {"imap": imap, "pop3": pop3}


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
@pytest.mark.parametrize("security", ["tls", "starttls", "loopback"])
def test_a_login_goes_out_on_a_connection_that_stood_ready(place, trust, scripted_store, store_context, protocol, security):
    store = Store(scripted_store, protocol, tls=security == "tls", starttls=store_context if security == "starttls" else None)
    instance, doors = place(site_of(store, protocol=protocol, security=security))
    settle(instance, 2)
    before = list(store.all)
    session = LOGIN[protocol](doors, trust)
    used = [one for one in store.all if one.commands]
    assert len(used) == 1 and used[0] in before
    assert session.noop()
    instance.wait_for("login", "spare=yes")
    settle(instance, 2)  # another one stands in its place
    assert len(store.all) == 3
    session.shutdown() if protocol == "imap" else session.quit()


def test_each_is_used_once_and_for_one_user(place, trust, scripted_store):
    store = Store(scripted_store)
    instance, doors = place(site_of(store))
    for user in USERS:
        settle(instance, 2)
        imap(doors, trust, user).logout()
    used_spares(instance, len(USERS))
    users = [one.commands[0].decode() for one in store.all if one.commands]
    assert sorted(users) == USERS
    assert all(sum(b"@" in command for command in one.commands) <= 1 for one in store.all)


def test_a_login_that_finds_none_gets_a_connection_of_its_own(place, trust, scripted_store):
    store = Store(scripted_store)
    instance, doors = place(site_of(store, spare=1))
    settle(instance, 1)
    held = [imap(doors, trust, user) for user in USERS]
    assert {one.commands[0].decode() for one in store.all if one.commands} == set(USERS)
    for session in held:
        session.shutdown()


DOUBTS = {
    "a line": lambda wire: wire.send(b"* OK still here\r\n"),
    "half a line": lambda wire: wire.send(b"*"),
    "an answer to a login": lambda wire: wire.send(b"h1 OK [CAPABILITY IMAP4rev1] in\r\n"),
    "BYE": lambda wire: wire.send(b"* BYE idle\r\n"),
    "an end": lambda wire: wire.close(),
    "a reset": lambda wire: wire.reset(),
}


def test_one_that_is_in_doubt_is_never_used(place, trust, scripted_store):
    store = Store(scripted_store)
    instance, doors = place(site_of(store, spare=len(DOUBTS)))
    settle(instance, len(DOUBTS))
    doubtful = store.wait_for(len(DOUBTS))
    for one, order in zip(doubtful, DOUBTS.values()):
        one.order.append(order)
    processes.wait_until("they are gone", 5, lambda: all(one.ended for one in doubtful))
    imap(doors, trust).logout()
    assert not any(one.commands for one in doubtful)
    assert not instance.events("member_failed") and not instance.events("backend_state")
    settle(instance, len(DOUBTS))


def test_a_byte_that_came_just_before_the_login_is_seen_before_it(place, trust, scripted_store):
    """The front is asleep while both come: the login must not go out behind the store's word."""
    store = Store(scripted_store)
    instance, doors = place(site_of(store))
    settle(instance, 2)
    doubtful = store.wait_for(2)
    pid = instance.roles()["front"][0]
    wire = scripted.connect(doors.port["imaps"], context=trust)
    wire.line()
    os.kill(pid, signal.SIGSTOP)
    for one in doubtful:
        one.order.append(DOUBTS["an answer to a login"])
    wire.send(b"a LOGIN user0@demo.test secret\r\n")
    time.sleep(0.3)
    os.kill(pid, signal.SIGCONT)
    assert wire.line().startswith(b"a OK")
    assert not any(one.commands for one in doubtful)
    wire.close()


def test_they_are_replaced_before_they_are_old(place, trust, scripted_store):
    store = Store(scripted_store)
    instance, doors = place(site_of(store, spare=1, spare_age_s=2))
    settle(instance, 1)
    end = time.monotonic() + 5
    while time.monotonic() < end:
        assert store.standing()  # the old one goes when the new one is there
        time.sleep(0.02)
    gone = [one for one in store.all if one.ended]
    assert gone
    assert all(one.ended - one.ready < 2 + 5 + 2 for one in gone)
    imap(doors, trust).logout()
    instance.wait_for("login", "spare=yes")


def test_the_patience_of_a_store_is_learned(place, trust, scripted_store):
    store = Store(scripted_store, patience=4)
    instance, _ = place(site_of(store, spare=1))
    settle(instance, 1)
    first = store.standing()[0]
    processes.wait_until("the store ends one", 8, lambda: first.ended)
    assert first.ended - first.ready > 3.5
    processes.wait_until("the next ones have gone before", 15, lambda: len([one for one in store.all if one.ended]) >= 3)
    assert all(one.ended - one.ready < 3.9 + 0.5 for one in store.all[1:3])
    assert not instance.events("spares", "state=failing")


def test_a_changed_configuration_throws_them_away(place, trust, scripted_store):
    store = Store(scripted_store)
    instance, doors = place(site_of(store))
    settle(instance, 2)
    before = store.wait_for(2)
    instance.settings["sites"][0]["verify_name"] = "localhost"
    instance.reload()
    processes.wait_until("the old ones are gone", 5, lambda: all(one.ended for one in before))
    settle(instance, 2)
    instance.settings["sites"][0]["spare"] = 0
    instance.reload()
    store.wait_for(0)
    imap(doors, trust).logout()
    assert not instance.events("login", "spare=yes")


def test_changed_files_throw_them_away(front, folder, authority, trust, scripted_store):
    store = Store(scripted_store)
    paths = [os.path.join(folder, name) for name in ("mail.crt", "mail.key")]

    def put(pair):
        for path, source in zip(paths, pair):
            with open(source, encoding="ascii") as file, open(path + ".new", "w", encoding="ascii") as beside:
                beside.write(file.read())
            processes.give(path + ".new")
            os.rename(path + ".new", path)

    put(authority.leaf("mail"))
    doors = homeward.Doors(authority.ca)
    instance = front({"imap": doors.groups()["imap"], "sites": [site_of(store)],
                      "tls": {"certificates": [dict(zip(("chain", "key"), paths))], "ca_file": authority.ca}}, "* site\n")
    settle(instance, 2)
    before = store.wait_for(2)
    put(certificates.Authority(os.path.join(folder, "other")).leaf("mail"))
    processes.wait_until("the old ones are gone", 20, lambda: all(one.ended for one in before))
    settle(instance, 2)


def test_a_certificate_that_does_not_verify_makes_none(place, trust, scripted_store):
    store = Store(scripted_store)
    instance, doors = place(site_of(store, verify_name="other.example"))
    instance.wait_for("spares", "state=failing", "certificate verify failed")
    with pytest.raises(imaplib.IMAP4.error, match=r"\[UNAVAILABLE\]"):
        imap(doors, trust)
    assert not any(one.commands for one in store.all)
    assert len(store.all) < 20


def test_orders_and_ends_let_them_go(place, trust, scripted_store):
    store = Store(scripted_store)
    instance, doors = place(site_of(store))
    settle(instance, 2)
    instance.ctl("member", "site", "127.0.0.1", "drain")
    store.wait_for(0)
    instance.ctl("member", "site", "127.0.0.1", "ready")
    settle(instance, 2)
    instance.ctl("site", "site", "maint")
    store.wait_for(0)
    with pytest.raises(imaplib.IMAP4.error, match=r"\[UNAVAILABLE\]"):
        imap(doors, trust)
    instance.ctl("site", "site", "ready")
    settle(instance, 2)
    store.wait_for(2)
    instance.stop()
    store.wait_for(0)


def test_a_member_that_is_avoided_has_none(place, trust, scripted_store):
    """The one member stops answering new connections with a greeting: checks avoid it, and what stood there goes."""
    store = Store(scripted_store)
    instance, doors = place(site_of(store), limits={"check_interval_s": 1, "greeting_timeout_ms": 500})
    settle(instance, 2)
    store.wait_for(2)
    talk, store.talk = store.talk, lambda wire, one: wire.rest()
    instance.wait_for("backend_state", "state=avoided", seconds=10)
    store.wait_for(0)
    store.talk = talk
    instance.wait_for("backend_state", "state=up", seconds=20)
    settle(instance, 2, seconds=15)
    imap(doors, trust).logout()


def test_a_mailbox_stays_where_it_lives_and_limits_hold(place, trust, scripted_store):
    stores = [Store(scripted_store) for _ in range(2)]
    instance, doors = place(site_of(*stores), limits={"imap_sessions_per_user": 3},
                            run={"workers": 2, "runtime_dir": "run"})
    settle(instance, 8)
    held = [imap(doors, trust, user) for _ in range(3) for user in USERS]
    for user in USERS:
        at = [sum(user.encode() in one.commands for one in store.all) for store in stores]
        assert sorted(at) == [0, 3], user
    instance.wait_for("login", "spare=yes")
    with pytest.raises(imaplib.IMAP4.error, match=r"Too many mail programs are connected \(3\)"):
        imap(doors, trust)
    for session in held:
        session.shutdown()


@pytest.mark.parametrize("role", ["backends", "front"])
def test_they_do_not_outlive_who_knew_them(place, trust, scripted_store, role):
    store = Store(scripted_store)
    instance, doors = place(site_of(store))
    settle(instance, 2)
    before = store.wait_for(2)
    os.kill(instance.roles()[role][0], signal.SIGKILL)
    processes.wait_until("the old ones are gone", 5, lambda: all(one.ended for one in before))
    settle(instance, 2)
    imap(doors, trust).logout()
    assert not any(one.commands for one in before)
    instance.wait_for("login", "spare=yes")


def test_real_stores(front, authority, trust, stores):
    """Dovecot, with TLS, with STARTTLS and in clear, both protocols."""
    doors = homeward.Doors(authority.ca)
    sites = [homeward.site(each, spare=1, **({"user_format": "%n"} if each.name == "old" else {})) for each in stores.values()]
    instance = front({**doors.groups(), "sites": sites},
                     "anna@demo.test north\nbert@demo.test south\ncarl@demo.test old\n")
    for protocol in LOGIN:
        for user in ("anna@demo.test", "bert@demo.test", "carl@demo.test"):
            settle(instance, 6)
            session = LOGIN[protocol](doors, trust, user)
            if protocol == "imap":
                assert session.select("INBOX")[0] == "OK"
                session.logout()
            else:
                assert session.stat()[0] >= 3
                session.quit()
    used_spares(instance, 6)


@pytest.mark.parametrize("more, words", [
    ({"security": "ipsec", "ipsec": {"reqid": 7}}, 'spare with security = "ipsec"'),
    ({"client_info": "proxy2"}, 'spare with client_info = "proxy2"'),
])
def test_where_a_link_has_an_owner_from_its_first_packet_there_are_none(front, authority, more, words):
    site = {"name": "site", "backends": [{"host": "192.0.2.1"}], "spare": 1, **more}
    instance = front({**homeward.Doors(authority.ca).groups(), "sites": [site]}, "* site\n", start=False)
    status, said = instance.check()
    assert status == 1 and words in said
