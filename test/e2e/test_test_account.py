"""check_user: checks of back ends, and probe, go all the way to a mailbox of no importance."""
import os
import re

import pytest

from harness import homeward, processes, scripted

PASSWORD = "checks and balances 77"


def account(folder, password=PASSWORD, name="check.password"):
    path = os.path.join(folder, name)
    with open(path + ".new", "w") as file:
        file.write(password + "\r\nsecond line\n")
    os.chmod(path + ".new", 0o600)
    processes.give(path + ".new")
    os.rename(path + ".new", path)
    return {"check_user": "checker", "check_password_file": path}


def member(name, port, **more):
    return {"name": name, "backends": [{"host": "127.0.0.1"}], "security": "tls", "verify_name": "localhost",
            "imap": {"port": port}, "pop3": "off", **more}


def start(front, authority, *sites, **limits):
    doors = homeward.Doors(authority.ca)
    served = {protocol: group for protocol, group in doors.groups().items() if any(site.get(protocol) != "off" for site in sites)}
    return front({**served, "sites": list(sites), "limits": {"check_interval_s": 1, **limits}}, f"* {sites[0]['name']}\n")


def test_it_signs_in_by_both_protocols_over_every_kind_of_link(front, authority, store, folder):
    """And no log has its password; probe says what the store can do after the login."""
    links = {"tls": "tls", "starttls": "starttls", "none": "loopback"}
    stores = {kind: store(kind, kind, {"checker": PASSWORD}) for kind in links}
    instance = start(front, authority, *(homeward.site(each, **account(folder)) for each in stores.values()))
    for each in stores.values():
        for protocol in ("imap", "pop3"):
            processes.wait_until(f"a login by {protocol} at {each.name}", 8, lambda: re.search(
                rf"{protocol}-login: (Info: )?Login: user=<checker>", processes.read(each.log)))
    assert {row["state"] for row in instance.ask("sites")["rows"]} == {"up"}
    status, said = processes.run([instance.binary, "probe", "-c", instance.file])
    print(said)
    assert status == 0 and said.count("  login ") == 6 and said.count("  capability after") == 3
    assert PASSWORD not in instance.said() + said


class Stub:
    """A store that greets everybody and answers the login of the test account as it is told."""

    def __init__(self, answer):
        self.answer, self.logins = answer, []

    def __call__(self, wire):
        stub = scripted.ImapStub(wire)
        stub.greet()
        got = stub.credential()
        self.logins.append((got.user, got.password))
        if self.answer is None:
            wire.rest()
            return
        wire.send((b"" if self.answer.startswith(b"*") else got.tag + b" ") + self.answer + b"\r\n")
        wire.rest()


@pytest.mark.parametrize("answer", [b"NO [UNAVAILABLE] disk full", b"* BYE out of memory", None])
def test_a_store_that_greets_and_lets_nobody_in_is_found_before_a_user_is(front, authority, scripted_store, folder, answer):
    stub = Stub(answer)
    site = member("one", scripted_store(stub).port, **account(folder))
    instance = start(front, authority, site, greeting_timeout_ms=500, connect_timeout_ms=500)
    line = instance.wait_for("backend_state", "state=avoided", "stage=login", seconds=8)
    print(line)
    assert stub.logins[0] == (b"checker", PASSWORD.encode())
    stub.answer = b"OK [CAPABILITY IMAP4rev1] in"
    instance.wait_for("backend_state", "state=up", seconds=15)


def test_a_refused_account_is_said_once_and_held_against_nobody(front, authority, scripted_store, folder):
    """With its password changed in the file it goes on without a reload."""
    stub = Stub(b"NO [AUTHENTICATIONFAILED] no")
    instance = start(front, authority, member("one", scripted_store(stub).port, **account(folder)))
    instance.wait_for("check_login", "result=refused", "site=one")
    processes.wait_until("more checks", 8, lambda: len(stub.logins) > 3)
    assert len(instance.events("check_login", "result=refused")) == 1
    assert not instance.events("backend_state", "state=avoided")
    assert [(row["state"], row["why"]) for row in instance.ask("sites")["rows"]] == [("up", "check_user is refused")]
    account(folder, "another one")
    stub.answer = b"OK [CAPABILITY IMAP4rev1] in"
    processes.wait_until("the new password is used", 10, lambda: (b"checker", b"another one") in stub.logins)
    assert len(instance.wait_for("check_login", "result=ok").split()) > 3
    assert PASSWORD not in instance.said() and "another one" not in instance.said()


def test_it_shows_its_password_to_nobody_whose_certificate_does_not_verify(front, authority, scripted_store, folder):
    """And so finds by itself what else only a login would find."""
    stub = Stub(b"OK in")
    instance = start(front, authority, member("one", scripted_store(stub).port, **{**account(folder), "verify_name": "other.test"}))
    instance.wait_for("backend_state", "state=avoided", "stage=tls", "verif", seconds=8)
    assert not stub.logins


@pytest.mark.parametrize("more, words", [
    ({"check_user": "x"}, "check_user without check_password_file"),
    ({"check_password_file": "x"}, "check_password_file without check_user"),
    ({"check_user": "x", "check_password_file": "nowhere"}, "named by check_password_file of site"),
])
def test_half_an_account_is_an_error(front, more, words):
    instance = front({"sites": [member("one", 993, **more)]}, "* one\n", start=False)
    status, said = instance.check()
    assert status != 0 and words in said
