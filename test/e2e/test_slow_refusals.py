"""A store that delays its own failures, by two seconds and some more: the time of a refusal still tells nobody who exists."""
import concurrent.futures
import random
import time

import pytest

from harness import homeward, scripted
from test_spellings import Door
from test_verifiers import NO_PENALTIES, REFUSED

STEP_MS = 3000
STUBS = {"imap": scripted.ImapStub, "pop3": scripted.Pop3Stub}
MAP = "anna@demo.test slow\neve@demo.test slow protocols={other}\nguest@demo.test slow\n"
NAMES = ["anna@demo.test", "anna@demo.test", "eve@demo.test", "nobody@demo.test", "guest@demo.test", "Administrator@demo.test"]


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_before_a_store_that_delays_failures_all_refusals_come_at_one_time(front, scripted_store, authority, trust, protocol):
    judged = []

    def refuse(wire):
        stub = STUBS[protocol](wire)
        stub.greet()
        given = stub.credential()
        judged.append(given.user)
        time.sleep(2 + random.uniform(0, 0.7))
        wire.send(given.tag + b" NO [AUTHENTICATIONFAILED] go away\r\n" if protocol == "imap" else b"-ERR [AUTH] go away\r\n")

    store, doors = scripted_store(refuse), homeward.Doors(authority.ca)
    site = {"name": "slow", "backends": [{"host": "127.0.0.1"}], "security": "tls", "verify_name": "localhost",
            protocol: {"port": store.port}}
    other = "pop3" if protocol == "imap" else "imap"
    front({**doors.groups(), "sites": [site], "auth": {"failure_step_ms": STEP_MS, **NO_PENALTIES}}, MAP.format(other=other))

    def attempt(name):
        door = Door(doors, trust, protocol)
        try:
            return door.login(name, "secret")
        finally:
            door.close()

    with concurrent.futures.ThreadPoolExecutor(len(NAMES)) as people:
        answers, times = zip(*people.map(attempt, NAMES))
    assert judged == [b"anna@demo.test"] * 2
    assert set(answers) == {REFUSED[protocol]}
    assert all(STEP_MS - 5 <= ms < STEP_MS * 1.5 for ms in times), dict(zip(NAMES, times))
