"""auth or backends that wake up after a login's time is over: what they still answer must not be taken for the next login's."""
import os
import signal

import pytest

from harness import homeward, scripted


@pytest.mark.parametrize("helper", ["auth", "backends"])
def test_an_answer_to_the_login_before_reaches_nobody(front, authority, helper):
    stores = {name: scripted.ScriptedStore() for name in ("one", "two")}
    sites = [{"name": name, "backends": [{"host": "127.0.0.1"}], "security": "loopback",
              "imap": {"port": store.port}, "pop3": {"port": store.port}} for name, store in stores.items()]
    doors = homeward.Doors(authority.ca)
    house = front({**doors.groups(clear_login=True), "sites": sites,
                   "limits": {"site_login_timeout_s": 1, "connect_timeout_ms": 500}},
                  "anna@demo.test one\nbert@demo.test two\n")
    wire = scripted.connect(doors.port["imap"])
    wire.line()
    asleep = house.roles()[helper][0]
    os.kill(asleep, signal.SIGSTOP)
    wire.send(b"a LOGIN anna@demo.test annas\r\n")
    assert wire.line().startswith(b"a NO [UNAVAILABLE]")
    wire.send(b"b LOGIN bert@demo.test berts\r\n")
    wire.expect_quiet()
    os.kill(asleep, signal.SIGCONT)
    site = stores["two"].accept()
    stub = scripted.ImapStub(site)
    stub.greet()
    got = stub.credential()
    assert (got.user, got.password) == (b"bert@demo.test", b"berts")
    site.send(got.tag + b" OK [CAPABILITY IMAP4rev1] in\r\n")
    assert wire.line().startswith(b"b OK")
    for store in stores.values():
        store.close()
