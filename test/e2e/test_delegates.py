"""Somebody who opens the mailbox of another: granted in the map, judged by the delegate's own password, at the site of
the mailbox. Dovecot lets delegates in that a master passdb holds."""

import pytest

from harness import dovecot, homeward
from test_spellings import Door

MAP = """\
anna@demo.test   real
bert@demo.test   real   protocols=imap
carl@demo.test   real   networks=192.0.2.0/24
info@demo.test   real   delegates=anna@demo.test,CORP\\bert,carl@demo.test sessions=1
box@demo.test    real   user=info@demo.test delegates=anna@demo.test
"""


@pytest.fixture
def house_of_two(front, store, authority, folder):
    doors = homeward.Doors(authority.ca)
    users = {f"{name}@demo.test": f"of-{name}" for name in ("anna", "bert", "carl", "info")}
    real = store("real", "tls", users, extra=dovecot.masters(folder, {f"{name}@demo.test": f"of-{name}" for name in ("anna", "bert", "carl")}))
    instance = front({**doors.groups(), "sites": [homeward.site(real)],
                      "accounts": {"default_domain": "demo.test", "domains": [{"name": "CORP", "is": "demo.test"}]}}, MAP)
    return instance, doors, real


REFUSED = {"imap": b"a NO [AUTHENTICATIONFAILED] Authentication failed.", "pop3": b"-ERR [AUTH] Authentication failed."}


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_a_delegate_opens_what_is_granted(house_of_two, trust, protocol):
    instance, doors, real = house_of_two
    ways = [lambda door: door.login("anna@demo.test/info@demo.test", "of-anna"), lambda door: door.login("CORP/anna/info", "of-anna"),
            lambda door: door.plain("info", "anna", "of-anna"), lambda door: door.plain("INFO@demo.test", "CORP\\anna", "of-anna")]
    for way in ways:
        since = instance.mark()
        door = Door(doors, trust, protocol)
        answer, _ = way(door)
        assert answer.startswith((b"a OK", b"+OK")), answer
        line = instance.wait_for("login", since=since)
        assert "user=info@demo.test" in line and "delegate=anna@demo.test" in line
        door.close()
        assert "delegate=anna@demo.test" in instance.wait_for("session_end", since=since)
    assert len([line for line in real.logins() if "user=<info@demo.test>" in line]) == len(ways)


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_what_is_not_granted_is_refused_like_a_wrong_password(house_of_two, trust, protocol):
    instance, doors, real = house_of_two
    before = len(real.logins())
    cases = [("anna", "bert", "of-bert"), ("info", "anna", "of-info"), ("anna/nobody", "", "of-anna"), ("nobody", "info", "of-info"),
             ("carl", "info", "of-carl"), ("anna", "info", "of-info"), ("anna", "info", "wrong")]
    if protocol == "pop3":
        cases.append(("bert", "info", "of-bert"))
    for name, mailbox, password in cases:
        door = Door(doors, trust, protocol)
        answer, _ = door.plain(mailbox, name, password)
        assert answer == REFUSED[protocol], (name, mailbox)
        door.close()
    assert len(real.logins()) == before


def test_the_mailbox_keeps_its_own_limit_and_its_name_at_the_store(house_of_two, trust):
    instance, doors, _ = house_of_two
    first = Door(doors, trust, "imap")
    assert b" OK" in first.plain("info", "anna", "of-anna")[0]
    second = Door(doors, trust, "imap")
    assert b"[UNAVAILABLE] Too many mail programs are connected (1)" in second.plain("info", "bert", "of-bert")[0]
    assert b" OK" in second.plain("box", "anna", "of-anna")[0]
    first.close()
    second.close()
