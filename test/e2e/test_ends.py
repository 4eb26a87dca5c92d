"""How sessions end when one side goes in the middle of things: what was said before the end still arrives, whole or as a cut."""
import re
import socket
import time

from harness import homeward, scripted


def clear_house(front, authority, store, **more):
    """Homeward with one clear-text store, and a door in clear text that takes passwords."""
    port = {"port": store.port}
    site = {"name": "s", "backends": [{"host": "127.0.0.1"}], "security": "loopback", "imap": port, "pop3": port}
    doors = homeward.Doors(authority.ca)
    settings = {**doors.groups(clear_login=True), "sites": [site], **more}
    return front(settings, "* s\n"), doors


def slow_client(port):
    """A client with the smallest receive buffer there is."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(5)
    sock.connect(("127.0.0.1", port))
    return scripted.Wire(sock)


def sign_in(wire, store):
    """Signed in; returns the store's end."""
    wire.line()
    wire.send(b"a LOGIN anna@demo.test secret\r\n")
    site = store.accept()
    stub = scripted.ImapStub(site)
    stub.greet()
    site.send(stub.credential().tag + b" OK [CAPABILITY IMAP4rev1] in\r\n")
    assert wire.line().startswith(b"a OK ")
    return site


LINES = (b"* 1 FETCH (FLAGS ()" + b" " * 42 + b")\r\n") * 1024  # 64 octets each: whatever is read ends where a line ends


def flood(site):
    """Until nobody takes any more; how many octets that were."""
    sent = 0
    site.sock.settimeout(0.5)
    try:
        while True:
            sent += site.sock.send(LINES)
    except socket.timeout:
        site.sock.settimeout(scripted.PATIENCE)
        return sent


def test_what_a_store_said_before_it_died_arrives_before_our_goodbye(front, authority):
    """Held for a slow client, and then the store takes no more: nothing held may be lost, no line put into the middle."""
    store = scripted.ScriptedStore()
    house, doors = clear_house(front, authority, store)
    wire = slow_client(doors.port["imap"])
    site = sign_in(wire, store)
    flood(site)
    site.reset()
    time.sleep(0.1)
    wire.send(b"b NOOP\r\n")
    said = wire.unread + wire.rest()
    read = int(re.search(r"down_bytes=(\d+)", house.wait_for("session_end", "closed_by=site")).group(1))
    goodbye = said.find(b"* BYE")
    assert read == (len(said) if goodbye < 0 else goodbye)
    store.close()


def test_a_client_that_does_not_read_does_not_make_its_store_silent(front, authority):
    store = scripted.ScriptedStore()
    _, doors = clear_house(front, authority, store, limits={"site_silent_timeout_s": 1})
    wire = slow_client(doors.port["imap"])
    site = sign_in(wire, store)
    sent = flood(site)
    wire.send(b"b NOOP\r\n")
    time.sleep(2.5)
    assert site.line() == b"b NOOP"
    said = wire.exactly(sent)
    site.send(b"b OK done\r\n")
    assert said == (LINES * (sent // len(LINES) + 1))[:sent]
    assert wire.line() == b"b OK done"
    wire.close()
    store.close()


def test_a_store_that_falls_silent_in_the_middle_of_an_answer_is_a_cut(front, authority):
    store = scripted.ScriptedStore()
    house, doors = clear_house(front, authority, store, limits={"site_silent_timeout_s": 1})
    wire = scripted.Wire(socket.create_connection(("127.0.0.1", doors.port["imap"]), 10))
    site = sign_in(wire, store)
    wire.send(b"b FETCH 1 BODY[]\r\n")
    assert site.line() == b"b FETCH 1 BODY[]"
    half = b"* 1 FETCH (BODY[] {100}\r\nhalf"
    site.send(half)
    assert wire.unread + wire.rest() == half
    house.wait_for("session_end", "closed_by=site", "why=silent")
    store.close()
