"""Every byte string that the client's protocol allows as a password arrives at the store unchanged, by every mechanism,
towards stores with and without LITERAL+ and SASL-IR."""
import base64
import queue

import pytest

from harness import homeward, scripted

PRINTABLE = bytes(range(0x21, 0x7f))
PASSWORDS = {
    "every printable byte": PRINTABLE,
    "spaces at both ends": b"  a  b  ",
    "UTF-8": "Grüße, 鍵, ключ, 🔑".encode(),
    "quotes and backslashes": b'"\\"\\\\""\\',
    "looks like a literal": b"{3}",
    "looks like a command": b'x" a LOGOUT',
    "wildcards": b"*%*",
    "one byte": b"x",
    "1,000 bytes": b"k" * 1000,
}
for each in range(0, len(PRINTABLE), 16):
    PASSWORDS[f"printable bytes {each} to {each + 15}"] = PRINTABLE[each:each + 16]

IMAP_STORES = {
    "IMAP4rev1": "IMAP4rev1",
    "LITERAL+": "IMAP4rev1 LITERAL+",
    "LITERAL-": "IMAP4rev1 LITERAL-",
    "SASL-IR AUTH=PLAIN": "IMAP4rev1 SASL-IR AUTH=PLAIN",
    "SASL-IR LITERAL+ AUTH=PLAIN ID": "IMAP4rev1 SASL-IR LITERAL+ AUTH=PLAIN ID",
    "AUTH=PLAIN LOGINDISABLED": "IMAP4rev1 AUTH=PLAIN LOGINDISABLED",
}
POP3_STORES = {"USER": "USER", "SASL PLAIN": "SASL PLAIN", "USER SASL PLAIN": "USER|SASL PLAIN|PIPELINING"}


@pytest.fixture(scope="module")
def gallery(shared_folder, authority, store_context):
    """One Homeward, a site for each kind of store; the credentials that arrive are put into a queue."""
    arrived = queue.Queue()
    made, sites, lines = [], [], []

    def imap_script(capabilities):
        def script(wire):
            stub = scripted.ImapStub(wire, before=capabilities)
            stub.greet()
            got = stub.credential()
            arrived.put(got)
            wire.send(got.tag + b" OK [CAPABILITY IMAP4rev1] in\r\n")
            if b"LOGOUT" in wire.line():
                wire.send(b"* BYE\r\nx OK\r\n")
        return script

    def pop3_script(capabilities):
        def script(wire):
            stub = scripted.Pop3Stub(wire, before=capabilities)
            stub.greet()
            arrived.put(stub.credential())
            wire.send(b"+OK in\r\n")
            wire.line()
        return script

    names = {}
    for protocol, kinds, script in (("imap", IMAP_STORES, imap_script), ("pop3", POP3_STORES, pop3_script)):
        for kind, capabilities in kinds.items():
            store = scripted.ScriptedStore(store_context).serve(script(capabilities))
            made.append(store)
            name = f"{protocol}{len(made)}"
            names[protocol, kind] = name
            port = {"port": store.port}
            sites.append({"name": name, "backends": [{"host": "127.0.0.1"}], "imap": port, "pop3": port})
            lines.append(f"@{name}.test {name}\n")
    doors = homeward.Doors(authority.ca)
    front = homeward.Homeward(shared_folder + "/gallery", {
        **doors.groups(), "sites": sites,
        "tls": {"certificates": [dict(zip(("chain", "key"), authority.leaf("mail")))], "ca_file": authority.ca},
        "limits": {"imap_sessions_per_user": 500, "pop3_sessions_per_user": 500, "sessions_per_address": 1000},
    }, "".join(lines)).start()
    yield front, doors, names, arrived
    for store in made:
        store.close()
    front.stop()


def quoted(value):
    return b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def plain(user, password):
    return base64.b64encode(b"\0" + user + b"\0" + password)


def imap_forms(user, password):
    """Every way in which an IMAP client may say it: segments that are sent, each after an answer to the one before."""
    if all(0x20 <= byte < 0x7f for byte in password):
        yield "LOGIN quoted", [b"a LOGIN " + quoted(user) + b" " + quoted(password) + b"\r\n"]
    yield "LOGIN literal", [b"a LOGIN {%d}\r\n" % len(user), user + b" {%d}\r\n" % len(password), password + b"\r\n"]
    yield "LOGIN literal-", [b"a LOGIN {%d+}\r\n%s {%d+}\r\n%s\r\n" % (len(user), user, len(password), password)]
    yield "PLAIN", [b"a AUTHENTICATE PLAIN\r\n", plain(user, password) + b"\r\n"]
    yield "PLAIN with an initial response", [b"a AUTHENTICATE PLAIN " + plain(user, password) + b"\r\n"]
    yield "LOGIN mechanism", [b"a AUTHENTICATE LOGIN\r\n", base64.b64encode(user) + b"\r\n",
                              base64.b64encode(password) + b"\r\n"]


def pop3_forms(user, password):
    if len(password) < 400:
        yield "USER and PASS", [b"USER " + user + b"\r\n", b"PASS " + password + b"\r\n"]
    yield "PLAIN", [b"AUTH PLAIN\r\n", plain(user, password) + b"\r\n"]
    yield "PLAIN with an initial response", [b"AUTH PLAIN " + plain(user, password) + b"\r\n"]
    yield "LOGIN mechanism", [b"AUTH LOGIN\r\n", base64.b64encode(user) + b"\r\n", base64.b64encode(password) + b"\r\n"]


def arrives(gallery, trust, protocol, kind, password, forms):
    front, doors, names, arrived = gallery
    user = f"anna@{names[protocol, kind]}.test".encode()
    wrong = []
    for form, segments in forms(user, password):
        wire = scripted.connect(doors.port[protocol + "s"], context=trust)
        wire.line()
        for number, segment in enumerate(segments):
            if number:
                assert wire.line().startswith(b"+"), form
            wire.send(segment)
        answer = wire.line()
        wire.close()
        if not answer.startswith((b"a OK", b"+OK")):
            wrong.append(f"{form}: {answer!r}")
            continue
        got = arrived.get(timeout=5)
        if (got.user, got.password) != (user, password):
            wrong.append(f"{form}: the store got {got!r}")
    assert not wrong


@pytest.mark.parametrize("kind", IMAP_STORES)
@pytest.mark.parametrize("password", PASSWORDS)
def test_a_password_arrives_unchanged_by_imap(gallery, trust, kind, password):
    arrives(gallery, trust, "imap", kind, PASSWORDS[password], imap_forms)


@pytest.mark.parametrize("kind", POP3_STORES)
@pytest.mark.parametrize("password", PASSWORDS)
def test_a_password_arrives_unchanged_by_pop3(gallery, trust, kind, password):
    if kind == "USER" and len(PASSWORDS[password]) > 400:
        pytest.skip("no line of POP3 can carry it")
    arrives(gallery, trust, "pop3", kind, PASSWORDS[password], pop3_forms)


def test_cr_and_lf_travel_only_where_the_store_can_take_them(gallery, trust):
    """By literal or SASL; a POP3 store with only USER and PASS is never shown them."""
    password = b"line one\r\nline two"
    for kind in IMAP_STORES:
        arrives(gallery, trust, "imap", kind, password, lambda user, word: [
            form for form in imap_forms(user, word) if "quoted" not in form[0]])
    arrives(gallery, trust, "pop3", "SASL PLAIN", password, lambda user, word: list(pop3_forms(user, word))[1:])
    front, doors, names, arrived = gallery
    wire = scripted.connect(doors.port["pop3s"], context=trust)
    wire.line()
    wire.send(b"AUTH PLAIN " + plain(f"anna@{names['pop3', 'USER']}.test".encode(), password) + b"\r\n")
    assert wire.line().startswith(b"-ERR")
    wire.close()
    assert arrived.empty()


def test_no_password_reached_the_log(gallery):
    said = gallery[0].said()
    for password in PASSWORDS.values():
        if len(password) > 8:
            assert password.decode() not in said and base64.b64encode(password).decode() not in said


DOVECOT = {"anna@demo.test": PRINTABLE, "bert@demo.test": PASSWORDS["UTF-8"], "dora@demo.test": b" leading and trailing "}


@pytest.mark.parametrize("security, extra", [
    ("tls", ""), ("starttls", ""), ("none", ""),
    ("tls", "imap_capability = IMAP4rev1 AUTH=PLAIN"), ("tls", "imap_capability = IMAP4rev1 SASL-IR AUTH=PLAIN"),
])
def test_a_real_store_accepts_it(front, store, authority, trust, folder, security, extra):
    doors = homeward.Doors(authority.ca)
    real = store("real", security, DOVECOT, extra=extra)
    front({**doors.groups(), "sites": [homeward.site(real)]}, "* real\n")
    for user, password in DOVECOT.items():
        for protocol, forms in (("imap", imap_forms), ("pop3", pop3_forms)):
            for form, segments in forms(user.encode(), password):
                wire = scripted.connect(doors.port[protocol + "s"], context=trust)
                wire.line()
                for number, segment in enumerate(segments):
                    if number:
                        assert wire.line().startswith(b"+"), (user, protocol, form)
                    wire.send(segment)
                answer = wire.line()
                assert answer.startswith((b"a OK", b"+OK")), (user, protocol, form, answer)
                wire.close()
