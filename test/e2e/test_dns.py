"""Names from a real DNS server (dnsmasq) with a TTL of 2 s: addresses that change, errors, a dead address beside a living."""
import imaplib
import os
import shutil
import time

import pytest

from harness import clients, homeward, ports, processes, scripted

TTL_S = 2
CLEAR = {"security": "clear", "networks": ["127.0.0.0/8", "::1/128"], "reason": "a test", "until": "2099-12-31"}


class NameServer:
    """dnsmasq with a few records of its own and nobody to ask."""

    def __init__(self, folder):
        self.folder, self.port, self.process = folder, ports.take(), None

    def serve(self, *records):
        """Records as "name,address"; none: every question is an error."""
        self.stop()
        program = shutil.which("dnsmasq", path=os.environ["PATH"] + ":/usr/sbin")
        options = [f"--host-record={record}" for record in records]
        self.process = processes.Process(
            [program, "--keep-in-foreground", "--conf-file=/dev/null", f"--port={self.port}", "--listen-address=127.0.0.1",
             "--bind-interfaces", "--no-resolv", "--no-hosts", f"--local-ttl={TTL_S}", "--pid-file", *options,
             f"--user={processes.ACCOUNT.pw_name}", f"--group={processes.GROUP}"], os.path.join(self.folder, "dnsmasq.log"))
        time.sleep(0.3)

    def stop(self):
        if self.process is not None:
            self.process.stop()
            self.process = None


@pytest.fixture
def names(folder):
    server = NameServer(folder)
    yield server
    server.stop()


def store_at(scripted_store, address, port, arrived):
    """A clear store that says by `arrived` that somebody came to it."""
    def script(wire):
        stub = scripted.ImapStub(wire)
        stub.greet()
        got = stub.credential()
        arrived.append(address)
        wire.send(got.tag + b" OK [CAPABILITY IMAP4rev1] in\r\n")
        wire.rest()
    return scripted_store(script, tls=False, address=address, port=port)


@pytest.fixture
def house_of_names(front, authority, names):
    doors, port = homeward.Doors(authority.ca), ports.take()
    instance = front({"imap": doors.groups()["imap"], "dns": {"servers": [f"127.0.0.1:{names.port}"]},
                      "sites": [{"name": "site", **CLEAR, "backends": [{"host": "imap.site.test"}],
                                 "imap": {"port": port}, "pop3": "off"}]}, "* site\n", start=False)
    return doors, port, instance


def login(doors, trust):
    session = imaplib.IMAP4_SSL(clients.HOST, doors.port["imaps"], ssl_context=trust, timeout=30)
    try:
        session.login("anna@demo.test", "secret")
    finally:
        session.shutdown()


def test_an_address_that_changes_is_followed_within_the_ttl(house_of_names, names, scripted_store, trust):
    doors, port, instance = house_of_names
    arrived = []
    for address in ("127.0.0.3", "127.0.0.4"):
        store_at(scripted_store, address, port, arrived)
    names.serve("imap.site.test,127.0.0.3")
    instance.start()
    login(doors, trust)
    assert arrived == ["127.0.0.3"]
    names.serve("imap.site.test,127.0.0.4")
    time.sleep(TTL_S + 1)

    def came_to_the_new_one():
        login(doors, trust)
        return arrived[-1] == "127.0.0.4"
    processes.wait_until("a login comes to the new address", 5, came_to_the_new_one)


@pytest.mark.parametrize("trouble", ["errors", "silence"])
def test_the_last_good_answer_goes_on_serving(house_of_names, names, scripted_store, trust, trouble):
    doors, port, instance = house_of_names
    arrived = []
    store_at(scripted_store, "127.0.0.3", port, arrived)
    names.serve("imap.site.test,127.0.0.3")
    instance.start()
    login(doors, trust)
    if trouble == "errors":
        names.serve()
    else:
        names.stop()
    time.sleep(TTL_S + 1)
    for _ in range(3):
        start = time.monotonic()
        login(doors, trust)
        assert time.monotonic() - start < 5
    assert len(arrived) == 4


def test_a_name_that_nobody_knows_is_an_outage_until_it_is_known(house_of_names, names, scripted_store, trust):
    doors, port, instance = house_of_names
    arrived = []
    store_at(scripted_store, "127.0.0.3", port, arrived)
    names.serve()
    instance.start()
    with pytest.raises(imaplib.IMAP4.error, match=r"\[UNAVAILABLE\] Your mailbox cannot be reached"):
        login(doors, trust)
    names.serve("imap.site.test,127.0.0.3")

    def is_in():
        try:
            login(doors, trust)
            return True
        except imaplib.IMAP4.error:
            return False
    processes.wait_until("a login succeeds", 30, is_in)


@pytest.mark.skipif(not ports.has_ipv6(), reason="this machine has no IPv6")
def test_a_dead_a_beside_a_living_aaaa(house_of_names, names, scripted_store, trust):
    doors, port, instance = house_of_names
    arrived = []
    store_at(scripted_store, "::1", port, arrived)
    names.serve("imap.site.test,127.0.0.3,::1")
    instance.start()
    for _ in range(4):
        login(doors, trust)
    assert arrived == ["::1"] * 4


def test_an_address_outside_the_sites_networks_is_never_dialled(house_of_names, names, scripted_store, trust):
    doors, port, instance = house_of_names
    arrived = []
    store_at(scripted_store, "127.0.0.3", port, arrived)
    instance.settings["sites"][0]["networks"] = ["127.0.0.4/32"]
    names.serve("imap.site.test,127.0.0.3")
    instance.start()
    with pytest.raises(imaplib.IMAP4.error, match=r"\[UNAVAILABLE\]"):
        login(doors, trust)
    assert arrived == []


class OwnHosts:
    """A mount namespace in which /etc/hosts is a file of the test's; for processes.Process(within=...)."""

    def __init__(self, file):
        self.file = file
        if processes.AM_ROOT:
            uid, gid = str(processes.ACCOUNT.pw_uid), str(processes.ACCOUNT.pw_gid)
            self.user, self.then = [], ["setpriv", "--reuid", uid, "--regid", gid, "--clear-groups", "--"]
        else:
            self.user, self.then = ["--user", "--map-root-user"], []
        status, self.refused = processes.run(["true"]) if not self.user else processes.run(
            ["unshare", "--mount", *self.user, "--", "true"])
        self.possible = status == 0

    def as_account(self):
        return ["unshare", "--mount", *self.user, "--", "sh", "-c", 'mount --bind "$1" /etc/hosts && shift && exec "$@"', "sh",
                self.file, *self.then]


def test_an_edit_of_etc_hosts_counts_soon_though_no_process_of_ours_may_open_it(front, authority, folder, scripted_store, trust):
    doors, port, arrived = homeward.Doors(authority.ca), ports.take(), []
    hosts = os.path.join(folder, "hosts")
    for address in ("127.0.0.3", "127.0.0.4"):
        store_at(scripted_store, address, port, arrived)
    with open(hosts, "w", encoding="ascii") as file:
        file.write("127.0.0.3 store\n")
    within = OwnHosts(hosts)
    if not within.possible:
        pytest.skip(f"no mount namespace: {within.refused.strip()}")
    instance = front({"imap": doors.groups()["imap"],
                      "sites": [{"name": "site", **CLEAR, "backends": [{"host": "store"}], "imap": {"port": port}, "pop3": "off"}]},
                     "* site\n", start=False)
    instance.within = within
    instance.start()
    login(doors, trust)
    assert arrived == ["127.0.0.3"]
    with open(hosts, "w", encoding="ascii") as file:
        file.write("# moved\n127.0.0.4 store\n")

    def came_to_the_new_one():
        login(doors, trust)
        return arrived[-1] == "127.0.0.4"
    processes.wait_until("a login comes to the new address", 30, came_to_the_new_one)
