"""Two Homewards on two machines (network namespaces, joined by a cable), each with a store of its own, each a site in the other's
map: whoever enters at the wrong one reaches home, and is counted and logged as the client that it is."""
import imaplib
import poplib
import time

import pytest

from harness import clients, homeward, processes, scripted

ADDRESS = {"here": "10.99.7.1", "there": "10.99.7.2"}
# Clients live beside the house that is here; their network is routed there.
NETWORK, CLIENT, ANOTHER = "192.0.2.0/24", "192.0.2.7", "192.0.2.8"
USERS = {"here": "anna@here.test", "there": "bert@there.test"}
LOOP_ENDS_WITHIN_S = 5


class Houses:
    """limits: of both."""

    def __init__(self, joined, front, store, authority, trust):
        self.front, self.authority, self.trust = front, authority, trust
        self.machine = dict(zip(ADDRESS, joined(*(f"{address}/24" for address in ADDRESS.values()))))
        for address in (CLIENT, ANOTHER):
            self.machine["here"].ip("address", "add", f"{address}/32", "dev", "lo")
        self.machine["there"].ip("route", "add", NETWORK, "via", ADDRESS["here"])
        self.stores = {name: store(name, "tls", {user: "secret"}, within=self.machine[name]) for name, user in USERS.items()}
        self.doors = {name: homeward.Doors(authority.ca, addresses=["0.0.0.0"]) for name in ADDRESS}
        self.fronts = {}

    def open(self, **limits):
        for name, other in (("here", "there"), ("there", "here")):
            port = self.doors[other].port
            peer = {"name": other, "backends": [{"host": ADDRESS[other]}], "verify_name": "localhost",
                    "imap": {"port": port["imaps"]}, "pop3": {"port": port["pop3s"]}}
            self.fronts[name] = self.front(
                {**self.doors[name].groups(trusted_proxies=[f"{ADDRESS[other]}/32"]), "limits": limits,
                 "sites": [homeward.site(self.stores[name], name), peer]},
                f"{USERS[name]} {name}\n* {other}\n", name=f"house-{name}", within=self.machine[name])
        return self

    def enter(self, protocol, name, source=CLIENT):
        """A client's connection to one of them, in TLS."""
        port = self.doors[name].port[protocol + "s"]
        sock = self.machine["here"].connect(ADDRESS[name], port, source=source)
        return self.trust.wrap_socket(sock, server_hostname="localhost")

    def login(self, protocol, name, user, source=CLIENT):
        """The connection, signed in or not, and what the login was answered."""
        wire = scripted.Wire(self.enter(protocol, name, source))
        wire.sock.settimeout(20)
        wire.line()
        if protocol == "imap":
            wire.send(f"a LOGIN {user} secret\r\n".encode())
            return wire, wire.line().decode().removeprefix("a ")
        wire.send(f"USER {user}\r\n".encode())
        assert wire.line().startswith(b"+OK")
        wire.send(b"PASS secret\r\n")
        return wire, wire.line().decode()

    def is_in(self, protocol, name, user, source=CLIENT):
        wire, answer = self.login(protocol, name, user, source)
        wire.close()
        return answer.startswith(GOOD[protocol])


GOOD = {"imap": "OK ", "pop3": "+OK"}
OUTAGE = {"imap": "NO [UNAVAILABLE] Your mailbox cannot be reached", "pop3": "-ERR [SYS/TEMP] Your mailbox cannot be reached"}
FULL = {"imap": "* BYE Too many connections", "pop3": "-ERR [SYS/TEMP] Too many connections"}
ENTRIES = [(name, user) for name in ADDRESS for user in USERS.values()]


@pytest.fixture
def houses(joined, front, store, authority, trust):
    return Houses(joined, front, store, authority, trust)


class ImapOver(imaplib.IMAP4):
    """Over a connection that is there already."""

    def __init__(self, sock):
        self._given = sock
        super().__init__()

    def open(self, host="", port=0, timeout=None):
        self.sock, self.file = self._given, self._given.makefile("rb")


class Pop3Over(poplib.POP3):
    def __init__(self, sock):
        self._given = sock
        super().__init__("")

    def _create_socket(self, timeout):
        return self._given


READ = {"imap": lambda sock, account: clients.imap_read(ImapOver(sock), account),
        "pop3": lambda sock, account: clients.pop3_read(Pop3Over(sock), account)}


@pytest.mark.parametrize("protocol", GOOD)
def test_whoever_enters_at_the_wrong_one_reaches_home(houses, protocol):
    """Real messages come back, and each store's own log knows the client, not the house between."""
    houses.open()
    for name, user in ENTRIES:
        text = READ[protocol](houses.enter(protocol, name), (user, "secret"))
        home = next(each for each in USERS if USERS[each] == user)
        assert clients.mails_in(text) == [(str(n), user, home) for n in (1, 2, 3)], (name, user)
    for name, user in USERS.items():
        lines = houses.stores[name].logins()
        assert len(lines) == len(ADDRESS)
        assert all(f"user=<{user}>" in line and f"rip={CLIENT}," in line for line in lines), lines


@pytest.mark.parametrize("protocol", GOOD)
def test_sessions_of_an_address_are_counted_whichever_way_they_come(houses, protocol):
    houses.open(sessions_per_address=3)
    user = USERS["there"]
    held = [houses.login(protocol, name, user) for name in ("here", "there", "here")]
    assert all(answer.startswith(GOOD[protocol]) for _, answer in held), held
    for name in ADDRESS:
        answer = houses.login(protocol, name, user)[1]
        assert answer.startswith((OUTAGE[protocol], FULL[protocol])), (name, answer)
    wire, answer = houses.login(protocol, "here", user, ANOTHER)
    assert answer.startswith(GOOD[protocol])
    wire.close()
    held.pop()[0].close()
    processes.wait_until("the place of one that left is free", 5, lambda: houses.is_in(protocol, "here", user))


# A store's own words behind [UNAVAILABLE] stay with whoever asked it; the code reaches the client.
TOO_MANY = {"imap": {"here": "NO [UNAVAILABLE] ", "there": "NO [UNAVAILABLE] Too many mail programs are connected (2)"},
            "pop3": dict.fromkeys(ADDRESS, "-ERR [IN-USE] Too many mail programs are connected (2)")}


@pytest.mark.parametrize("protocol", GOOD)
def test_sessions_of_a_user_are_counted_whichever_way_they_come(houses, protocol):
    houses.open(**{f"{protocol}_sessions_per_user": 2})
    user = USERS["there"]
    held = [houses.login(protocol, name, user, source) for name, source in (("here", CLIENT), ("there", ANOTHER))]
    assert all(answer.startswith(GOOD[protocol]) for _, answer in held), held
    for name in ADDRESS:
        assert houses.login(protocol, name, user)[1].startswith(TOO_MANY[protocol][name]), name


HOPS_MAX = 5


@pytest.mark.parametrize("protocol", GOOD)
def test_a_circle_of_maps_ends_in_an_outage_soon(houses, protocol):
    houses.open()
    for name in ADDRESS:
        start = time.monotonic()
        wire, answer = houses.login(protocol, name, "nobody@nowhere.test")
        assert time.monotonic() - start < LOOP_ENDS_WITHIN_S
        assert answer.startswith(OUTAGE[protocol])
        # It was no more than an outage of one mailbox: the same connection serves another one.
        if protocol == "imap":
            wire.send(f"b LOGIN {USERS[name]} secret\r\n".encode())
            assert wire.line().startswith(b"b OK ")
        wire.close()
    failed = {name: house.events("login_failed", "nobody@nowhere.test") for name, house in houses.fronts.items()}
    assert all(failed.values())
    assert sum(map(len, failed.values())) <= len(ADDRESS) * (HOPS_MAX + 1), failed
    for name, user in ENTRIES:
        assert houses.is_in(protocol, name, user)
