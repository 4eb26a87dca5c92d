"""Names in every spelling: one account for all of them, and no spelling that gets a denied account in."""
import base64
import re
import time

import pytest

from harness import homeward, processes, scripted

STEP_MS = 100
ACCOUNTS = {"default_domain": "demo.test", "domains": [{"name": "CORP", "is": "demo.test"}, {"name": "alias.test", "is": "demo.test"}]}


def sasl(authzid, name, password):
    return base64.b64encode(b"\0".join(each.encode() for each in (authzid, name, password)))


def quoted(text):
    return b'"' + text.encode().replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def literal(text):
    return b"{%d+}\r\n%s" % (len(text.encode()), text.encode())


class Door:
    """One connection that can try many logins; answers come without their tag, with the milliseconds that they took."""

    def __init__(self, doors, trust, protocol):
        self.protocol = protocol
        self.wire = scripted.connect(doors.port[protocol + "s"], context=trust)
        self.wire.line()

    def ask(self, *segments):
        start = None
        for segment in segments:
            if start is not None:
                self.wire.line()
            start = time.monotonic()
            self.wire.send(segment)
        answer = self.wire.line()
        return answer, (time.monotonic() - start) * 1000

    def login(self, name, password):
        if self.protocol == "imap":
            return self.ask(b"a LOGIN " + (quoted(name) if name.isascii() else literal(name)) + b" " + quoted(password) + b"\r\n")
        return self.ask(b"USER " + name.encode() + b"\r\n", b"PASS " + password.encode() + b"\r\n")

    def plain(self, authzid, name, password):
        verb = b"a AUTHENTICATE PLAIN " if self.protocol == "imap" else b"AUTH PLAIN "
        return self.ask(verb + sasl(authzid, name, password) + b"\r\n")

    def mechanism_login(self, name, password):
        verb = b"a AUTHENTICATE LOGIN\r\n" if self.protocol == "imap" else b"AUTH LOGIN\r\n"
        return self.ask(verb, base64.b64encode(name.encode()) + b"\r\n", base64.b64encode(password.encode()) + b"\r\n")

    def close(self):
        self.wire.close()


def asked(store):
    """What the store's log says of logins, good and bad."""
    return re.findall(r"user=<[^>]+>", store.said())


def spellings(name):
    """Everything that means NAME@demo.test, and some that mean it in other domains."""
    wide = "".join(chr(ord(c) + 0xfee0) for c in name)
    return [name, name.upper(), name.capitalize(), f"{name}@demo.test", f"{name}@DEMO.Test.", f"CORP\\{name}", f"corp/{name}",
            f"{name}@corp", f"{name}@alias.test", f"{name}@elsewhere.test", f"elsewhere\\{name}", wide, f"CORP\\{wide.upper()}",
            f"{name}\uff20demo.test", f"corp\uff0f{name}", f"{name}@\uff44\uff45\uff4d\uff4f.test", f"{name}+box@demo.test"]


@pytest.fixture
def odd_house(front, store, authority, request):
    """A store that knows the odd accounts by their bare names, whatever the domain."""
    users = {name: "secret" for name in ("anna", "bert", "administrator", "guest", "anonymous", "svc-backup")}
    doors = homeward.Doors(authority.ca)
    real = store("real", "tls", users, extra="auth_username_format = %Ln")
    instance = front({**doors.groups(), "sites": [homeward.site(real, user_format="%n")],
                      "auth": {"failure_step_ms": STEP_MS, "delay_points_max": 0}, "accounts": {**ACCOUNTS, **getattr(request, "param", {})},
                      "limits": {"failed_logins": 1000, "login_timeout_s": 600}}, "* real\n")
    return instance, doors, real


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_every_spelling_is_one_account(odd_house, trust, protocol):
    instance, doors, real = odd_house
    names = [each for each in spellings("anna") if "elsewhere" not in each and "+" not in each]
    since = instance.mark()
    for name in names:
        door = Door(doors, trust, protocol)
        answer, _ = door.login(name, "secret")
        assert answer.startswith((b"a OK", b"+OK")), (name, answer)
        door.close()
    found = processes.wait_until("every login is logged", 5, lambda: len(instance.events("login", since=since)) == len(
        names) and instance.events("login", since=since))
    assert all("user=anna@demo.test" in line for line in found)
    assert all("user=<anna>" in line for line in real.logins())


@pytest.mark.parametrize("name", ["anna*bert", "anna%demo.test", "anna@demo.test@x", " anna", "anna ", "anna.", "a\u202enna",
                                  "CORP\\\\anna", "CORP//anna", "anna@demo.test..", "CORP\\anna@demo.test", "x/y/z/anna"])
def test_what_is_no_name_reaches_no_store(odd_house, trust, name):
    instance, doors, real = odd_house
    door = Door(doors, trust, "imap")
    answer, _ = door.plain("", name, "secret")
    assert answer == b"a NO [AUTHENTICATIONFAILED] Authentication failed."
    door.close()
    assert not asked(real)


def attempts(door, name):
    """(what, answer) for a name in every spelling and position, always with the right password."""
    for spelling in spellings(name):
        yield f"LOGIN {spelling}", lambda s=spelling: door.login(s, "secret")
        yield f"PLAIN {spelling}", lambda s=spelling: door.plain("", s, "secret")
        yield f"authzid {spelling}", lambda s=spelling: door.plain(s, "anna", "secret")
        yield f"authcid {spelling} for anna", lambda s=spelling: door.plain("anna", s, "secret")
        yield f"itself twice {spelling}", lambda s=spelling: door.plain(s, s, "secret")
    yield "LOGIN mechanism", lambda: door.mechanism_login(name, "secret")
    yield "delegate target", lambda: door.login(f"CORP/anna/{name}", "secret")
    yield "delegate target with a domain", lambda: door.login(f"anna@demo.test/{name}@demo.test", "secret")
    yield "delegate", lambda: door.login(f"CORP/{name}/anna", "secret")
    yield "delegate with a domain", lambda: door.login(f"{name}@demo.test/anna@demo.test", "secret")


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
@pytest.mark.parametrize("name", ["administrator", "guest", "anonymous"])
def test_a_denied_account_gets_the_answer_of_a_wrong_password(odd_house, trust, protocol, name):
    instance, doors, real = odd_house
    door = Door(doors, trust, protocol)
    wrong, _ = door.login("anna", "wrong")
    since, before, tried = instance.mark(), len(asked(real)), 0
    late = []
    for what, attempt in attempts(door, name):
        answer, ms = attempt()
        assert answer == wrong, what
        tried += 1
        if ms < STEP_MS - 2 or abs(ms - round(ms / STEP_MS) * STEP_MS) > STEP_MS / 3:
            late.append((what, ms))
    door.close()
    assert len(late) <= tried // 10, late
    lines = instance.events("login_failed", since=since)
    assert len(lines) == tried and all("result=denied" in line for line in lines)
    assert len(asked(real)) == before, "the store was asked"


@pytest.mark.parametrize("odd_house", [{"deny": ["svc-*"]}], indirect=True)
def test_the_list_is_the_admins_to_change(odd_house, trust):
    instance, doors, real = odd_house
    door = Door(doors, trust, "imap")
    assert door.login("svc-backup", "secret")[0] == b"a NO [AUTHENTICATIONFAILED] Authentication failed."
    assert b" OK" in door.login("administrator", "secret")[0]
    door.close()
    assert instance.events("login_failed", "result=denied", "user=svc-backup@demo.test")
    instance.settings["accounts"] = {**ACCOUNTS, "deny": ["*@elsewhere.test"]}
    instance.reload()
    door = Door(doors, trust, "imap")
    assert b"a NO" in door.login("anna@elsewhere.test", "secret")[0]
    assert b" OK" in door.login("svc-backup", "secret")[0]
    door.close()


@pytest.mark.parametrize("accounts, said", [
    ({"default_domain": "-x"}, "default_domain"), ({"deny": ["a b"]}, "deny[0]"), ({"deny": ["a\u202eb"]}, "accounts.deny"),
    ({"domains": [{"name": "a", "is": "b"}, {"name": "b", "is": "c"}]}, "itself another name"),
    ({"domains": [{"name": "xn--a.test", "is": "x.test"}]}, "accounts.domains.name"), ({"default_domain": "a\u00ad\u0378.test"}, "default_domain"),
])
def test_what_cannot_be_used_is_told_with_its_line(front, accounts, said):
    status, output = front({"accounts": accounts}, start=False).check()
    assert status == 1
    assert any("homeward.cfg:" in line and said in line for line in output.splitlines()), output
