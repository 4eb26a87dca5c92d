"""Orders that meet logins under way: who is just coming in is meant too, and who has become somebody else is not."""
import pytest

from harness import homeward, scripted


@pytest.fixture
def house(front, authority):
    """A Homeward before one scripted store: (instance, doors, store)."""
    store = scripted.ScriptedStore()
    doors = homeward.Doors(authority.ca)
    sites = [{"name": "home", "backends": [{"host": "127.0.0.1"}], "security": "loopback", "imap": {"port": store.port},
              "pop3": "off"}]
    yield front({"imap": doors.groups(clear_login=True)["imap"], "sites": sites,
                 "auth": {"failure_step_ms": 100}}, "anna@demo.test home\nbert@demo.test home\n"), doors, store
    store.close()


def begin_login(doors, store, user):
    """A client whose password the store has got, and not answered yet: (client, store's end, tag)."""
    client = scripted.connect(doors.port["imap"])
    client.line()
    return client, *ask(client, store, "a", user)


def ask(client, store, tag, user):
    client.send(f"{tag} LOGIN {user} secret\r\n".encode())
    site = store.accept()
    stub = scripted.ImapStub(site)
    stub.greet()
    return site, stub.credential().tag


def test_a_login_under_way_is_not_let_in_when_maintenance_begins(house):
    instance, doors, store = house
    client, _, _ = begin_login(doors, store, "anna@demo.test")
    instance.ctl("site", "home", "maint", "--reason", "Back in a minute.")
    assert client.line() == b"* BYE Back in a minute."
    client.expect_end()
    assert instance.ask("who", "--site", "home", status=1)["number"] == 0


def test_who_signs_in_as_somebody_else_before_his_turn_is_not_kicked(house):
    instance, doors, store = house
    first, site, tag = begin_login(doors, store, "anna@demo.test")
    site.send(tag + b" OK [CAPABILITY IMAP4rev1] in\r\n")
    assert b"a OK" in first.line()
    second, site, tag = begin_login(doors, store, "anna@demo.test")
    assert instance.ask("kick", "anna@demo.test", "--spread", "2s")["number"] == 2
    assert first.line().startswith(b"* BYE")
    site.send(tag + b" NO [AUTHENTICATIONFAILED] no\r\n")
    assert second.line().startswith(b"a NO [AUTHENTICATIONFAILED]")
    site, tag = ask(second, store, "b", "bert@demo.test")
    site.send(tag + b" OK [CAPABILITY IMAP4rev1] in\r\n")
    assert b"b OK" in second.line()
    second.expect_quiet(2.5)
