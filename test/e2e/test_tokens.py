"""Bearer tokens are long and stand on one line; they are handed through to sites that list the mechanism."""
import base64
import queue

import pytest

from harness import homeward, scripted

TOKEN = b"t" * 16384


def message(mechanism, user):
    if mechanism == "XOAUTH2":
        return b"user=" + user + b"\x01auth=Bearer " + TOKEN + b"\x01\x01"
    return b"n,a=" + user + b",\x01auth=Bearer " + TOKEN + b"\x01\x01"


@pytest.fixture
def bearer(front, authority, scripted_store, request):
    mechanism = request.param
    arrived = queue.Queue()

    def script(wire):
        first = wire.sock.selected_alpn_protocol()
        stub = scripted.Pop3Stub(wire, f"SASL {mechanism}") if first == "pop3" else scripted.ImapStub(
            wire, f"IMAP4rev1 SASL-IR AUTH={mechanism}")
        stub.greet()
        got = stub.credential()
        arrived.put(got)
        wire.send(got.tag + b" OK [CAPABILITY IMAP4rev1] in\r\n" if got.tag else b"+OK in\r\n")
        wire.line()

    stores = {protocol: scripted_store(script) for protocol in ("imap", "pop3")}
    for protocol, each in stores.items():
        each.context.set_alpn_protocols([protocol])
    doors = homeward.Doors(authority.ca)
    site = {"name": "modern", "backends": [{"host": "127.0.0.1"}], "bearer": [mechanism],
            **{protocol: {"port": each.port} for protocol, each in stores.items()}}
    front({**doors.groups(), "sites": [site]}, "* modern\n")
    return mechanism, doors, arrived


@pytest.mark.parametrize("bearer", ["XOAUTH2", "OAUTHBEARER"], indirect=True)
@pytest.mark.parametrize("protocol, line", [("imap", b"a AUTHENTICATE %s %s\r\n"), ("pop3", b"AUTH %s %s\r\n")])
@pytest.mark.parametrize("at_once", [True, False])
def test_a_token_of_16_kib_arrives_unchanged(bearer, trust, protocol, line, at_once):
    mechanism, doors, arrived = bearer
    text = base64.b64encode(message(mechanism, b"anna@demo.test"))
    wire = scripted.connect(doors.port[protocol + "s"], context=trust)
    greeting = wire.line()
    if protocol == "imap":
        assert b" AUTH=" + mechanism.encode() in greeting
    if at_once:
        wire.send(line % (mechanism.encode(), text))
    else:
        wire.send((line % (mechanism.encode(), b"")).replace(b" \r\n", b"\r\n"))
        assert wire.line().startswith(b"+ ")
        wire.send(text + b"\r\n")
    assert wire.line().startswith((b"a OK", b"+OK"))
    got = arrived.get(timeout=5)
    assert got.mechanism == mechanism and TOKEN in got.password and b"anna@demo.test" in got.password
    wire.close()
