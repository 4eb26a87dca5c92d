"""After login: bytes pass as they are, at once and in order, whatever their amount (frontend rules "After login")."""
import base64
import hashlib
import imaplib
import random
import socket
import ssl
import time
import zlib

import pytest

from harness import clients, homeward, processes, scripted


def imap(house, trust, user, password="secret"):
    session = imaplib.IMAP4_SSL(clients.HOST, house.doors.port["imaps"], ssl_context=trust, timeout=30)
    session.login(user, password)
    return session


def wire_in(house, trust, user, password="secret"):
    """A raw connection, signed in."""
    wire = scripted.connect(house.doors.port["imaps"], context=trust)
    assert wire.line().startswith(b"* OK [CAPABILITY ")
    wire.send(f"in LOGIN {user} {password}\r\n".encode())
    assert until(wire, b"in ")[-1].startswith(b"in OK [CAPABILITY ")
    return wire


def until(wire, start):
    """Lines up to the one that begins so."""
    lines = [wire.line()]
    while not lines[-1].startswith(start):
        lines.append(wire.line())
    return lines


def test_idle_delivers_a_new_mail_within_a_second(house, trust):
    wire = wire_in(house, trust, "idle@demo.test")
    wire.send(b"a SELECT INBOX\r\n")
    count = int(next(line for line in until(wire, b"a OK") if line.endswith(b"EXISTS")).split()[1])
    wire.send(b"b IDLE\r\n")
    assert wire.line().startswith(b"+ ")
    time.sleep(0.5)
    start = time.monotonic()
    store = house.stores["north"]
    store.deliver("idle@demo.test", store.mails("idle@demo.test")[0])
    assert b"* %d EXISTS" % (count + 1) in until(wire, b"* %d EXISTS" % (count + 1))
    assert time.monotonic() - start < 1
    wire.send(b"DONE\r\n")
    until(wire, b"b OK")
    wire.close()


def test_append_and_fetch_of_50_mb_have_equal_hashes(house, trust):
    lines = base64.encodebytes(random.Random(1).randbytes(37_000_000)).replace(b"\n", b"\r\n")
    message = b"Subject: large\r\n\r\n" + lines
    assert len(message) > 50_000_000
    session = imap(house, trust, "big@demo.test")
    status, said = session.append("INBOX", None, None, message)
    assert status == "OK", said
    session.select()
    _, parts = session.fetch(session.search(None, "SUBJECT large")[1][0].split()[-1].decode(), "(BODY.PEEK[])")
    assert hashlib.sha256(parts[0][1]).digest() == hashlib.sha256(message).digest()
    session.logout()


def test_compress_deflate_passes_through(house, trust):
    wire = wire_in(house, trust, "deflate@demo.test")
    wire.send(b"a COMPRESS DEFLATE\r\n")
    assert until(wire, b"a ")[-1].startswith(b"a OK")
    deflate, inflate = zlib.compressobj(9, zlib.DEFLATED, -15), zlib.decompressobj(-15)
    wire.send(deflate.compress(b"b SELECT INBOX\r\nc FETCH 1:* BODY.PEEK[]\r\n") + deflate.flush(zlib.Z_SYNC_FLUSH))
    said = inflate.decompress(wire.unread)
    wire.unread = b""
    while b"c OK" not in said:
        said += inflate.decompress(wire.sock.recv(65536))
    assert len(clients.mails_in(said.decode())) == 3
    wire.close()


@pytest.mark.parametrize("one_by_one", [False, True])
def test_thirty_commands_pipelined_behind_login_are_answered_in_order(house, trust, one_by_one):
    wire = scripted.connect(house.doors.port["imaps"], context=trust)
    wire.send(b"in LOGIN anna@demo.test secret\r\n" + b"".join(b"t%d NOOP\r\n" % n for n in range(30)), one_by_one)
    answers = [line.split()[0] for line in until(wire, b"t29 ") if not line.startswith(b"*")]
    assert answers == [b"in"] + [b"t%d" % n for n in range(30)]
    wire.close()


def test_a_legal_id_of_31000_octets_is_answered(house, trust):
    pairs = b" ".join(b'"%s" "%s"' % (b"key-%026d" % n, b"v" * 1020) for n in range(30))
    assert len(pairs) > 31_000
    wire = scripted.connect(house.doors.port["imaps"], context=trust)
    wire.line()
    wire.send(b"a ID (" + pairs + b")\r\n")
    assert until(wire, b"a ")[-1].startswith(b"a OK")
    wire.send(b"in LOGIN anna@demo.test secret\r\n")
    assert until(wire, b"in ")[-1].startswith(b"in OK")
    wire.close()


def test_the_store_logs_the_clients_own_address(house, trust):
    """127.0.0.2 reaches the same listener on loopback; only client_info can tell the store of it."""
    sock = socket.create_connection(("127.0.0.1", house.doors.port["imaps"]), 5, source_address=("127.0.0.2", 0))
    wire = scripted.Wire(sock)
    wire.tls_client(trust)
    wire.send(b"in LOGIN anna@demo.test secret\r\n")
    assert until(wire, b"in ")[-1].startswith(b"in OK")
    wire.close()
    processes.wait_until("the store logs 127.0.0.2", 5,
                         lambda: any("rip=127.0.0.2" in line for line in house.stores["north"].logins()))


def test_a_cut_in_mid_download_is_passed_on_as_a_cut(front, authority, scripted_store):
    """The store cuts TLS without close_notify inside a literal: the client must not see a clean end."""
    def script(wire):
        stub = scripted.ImapStub(wire)
        stub.greet()
        got = stub.credential()
        wire.send(got.tag + b" OK [CAPABILITY IMAP4rev1] in\r\n* 1 FETCH (BODY[] {1000}\r\nhalf")
        wire.reset()

    store = scripted_store(script)
    doors = homeward.Doors(authority.ca)
    port = {"port": store.port}
    front({**doors.groups(), "sites": [{"name": "s", "backends": [{"host": "127.0.0.1"}], "imap": port, "pop3": port}]}, "* s\n")
    strict = ssl.create_default_context(cafile=authority.ca)
    strict.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    raw = socket.create_connection(("127.0.0.1", doors.port["imaps"]), 5)
    sock = strict.wrap_socket(raw, server_hostname="localhost", suppress_ragged_eofs=False)
    sock.sendall(b"in LOGIN anna@demo.test secret\r\n")
    said = b""
    with pytest.raises((ssl.SSLError, ConnectionResetError), match="EOF|reset"):
        while True:
            data = sock.recv(65536)
            assert data, "a clean end"
            said += data
    assert said.endswith(b"{1000}\r\nhalf")
