"""auth.cache_s: a yes of a verifier is good for a while, for the same question alone, and never longer than said."""
import os
import time

import pytest

from harness import verifiers
from test_penalties import DOWN, HOME, NO, house, store  # noqa: F401 (fixtures)

BOTH = {"anna@demo.test": "secret", "bert@demo.test": "secret"}


@pytest.fixture
def script():
    made = []

    def make(passwords):
        made.append(verifiers.auth_http(passwords))
        return made[-1]

    yield make
    for each in made:
        each.close()


def start(house, home, script, cache_s, **more):  # noqa: F811
    chain = [{"driver": "http", "urls": [script.url], "timeout_ms": 1000}]
    return house.start(home, {"verifiers": chain, "cache_s": cache_s, **more})


def test_the_same_question_is_asked_once_and_no_other_is_taken_for_it(house, store, script):  # noqa: F811
    asked = script(dict(BOTH))
    start(house, store(dict(BOTH)), asked, 60)
    for _ in range(5):
        assert house.gets_in(HOME)
    assert len(asked.asked) == 1
    assert house.gets_in(HOME, "bert@demo.test") and len(asked.asked) == 2, "two users with one password"
    assert house.gets_in("192.0.2.2") and len(asked.asked) == 3, "the script is told of the client's address"
    for _ in range(2):
        assert house.tries(HOME, "anna@demo.test", "Secret")[0] == NO["imap"]
    assert len(asked.asked) == 5, "a no is not remembered"
    assert house.gets_in(HOME) and len(asked.asked) == 5


def test_a_changed_password_is_refused_within_that_time(house, store, script):  # noqa: F811
    passwords = dict(BOTH)
    home = store(passwords)
    asked = script(passwords)
    start(house, home, asked, 2)
    start_s = time.monotonic()
    assert house.gets_in(HOME)
    home.passwords = {"anna@demo.test": "new"}
    passwords["anna@demo.test"] = "new"
    assert house.gets_in(HOME, password="new")
    home.passwords = dict(BOTH)  # the store would still take the old one
    while time.monotonic() - start_s < 2.5:
        house.gets_in(HOME)  # use does not extend it
        time.sleep(0.1)
    assert house.tries(HOME, "anna@demo.test", "secret")[0] == NO["imap"]


def test_a_refusal_by_the_back_end_ends_it(house, store, script):  # noqa: F811
    home, asked = store(dict(BOTH)), script(dict(BOTH))
    start(house, home, asked, 60)
    assert house.gets_in(HOME) and house.gets_in(HOME, "bert@demo.test")
    home.passwords = {**BOTH, "anna@demo.test": "new"}
    assert house.tries(HOME, "anna@demo.test", "secret")[0] == NO["imap"]
    assert len(asked.asked) == 2, "the script had said yes"
    assert house.tries(HOME, "anna@demo.test", "secret")[0] == NO["imap"]
    assert len(asked.asked) == 3
    assert house.gets_in(HOME, "bert@demo.test") and len(asked.asked) == 3


def test_a_verifier_that_is_down_gives_nobody_a_yes_and_takes_none_away(house, store, script):  # noqa: F811
    home, asked = store(dict(BOTH)), script(dict(BOTH))
    start(house, home, asked, 3)
    start_s = time.monotonic()
    assert house.gets_in(HOME)
    asked.close()
    assert house.tries(HOME, "bert@demo.test", "secret")[0].startswith(DOWN)
    assert house.tries(HOME, "anna@demo.test", "wrong")[0].startswith(DOWN)
    if time.monotonic() - start_s < 2.5:
        assert house.gets_in(HOME)
    time.sleep(max(0, 3.2 - (time.monotonic() - start_s)))
    assert house.tries(HOME, "anna@demo.test", "secret")[0].startswith(DOWN)


def test_who_is_switched_off_is_so_at_once(house, store, script):  # noqa: F811
    asked = script(dict(BOTH))
    instance = start(house, store(dict(BOTH)), asked, 60)
    assert house.gets_in(HOME)
    instance.directory = "anna@demo.test store networks=203.0.113.0/24\n* store\n"
    since = instance.mark()
    instance.write_map()
    instance.wait_for("map", since=since, seconds=10)
    assert house.tries(HOME, "anna@demo.test", "secret")[0] == NO["imap"]
    assert len(asked.asked) == 1


def test_an_account_that_is_guessed_at_is_refused_from_elsewhere_whatever_is_remembered(house, store, script):  # noqa: F811
    asked = script(dict(BOTH))
    start(house, store(dict(BOTH)), asked, 60, guesses_per_account=10, known_address_days=0)
    assert house.gets_in(HOME)
    client = house.client("198.51.100.1")
    for i in range(6):
        client.tries("anna@demo.test", f"p{i}")
    client.close()
    assert house.tries(HOME, "anna@demo.test", "secret")[0] == NO["imap"], "else its own yes would tell which guess is right"


def test_whom_no_verifier_knew_is_judged_by_his_site_at_once(house, store, authority, folder):  # noqa: F811
    slapd = verifiers.Slapd(os.path.join(folder, "slapd"), authority.leaf("store"), verifiers.person("carl", "secret")).start()
    try:
        home = store(dict(BOTH))
        ldap = {"driver": "ldap", "urls": [slapd.urls[1]], "ca_file": authority.ca, "base": "dc=demo,dc=test", "preset": "openldap",
                "bind_dn": "cn=homeward,dc=demo,dc=test", "secret_file": verifiers.secret_file(os.path.join(folder, "secret"), "service")}
        house.start(home, {"verifiers": [ldap, {"driver": "site"}], "cache_s": 60})
        assert house.gets_in(HOME)
        searched = slapd.said().count(" SRCH base=")
        assert searched
        for _ in range(3):
            assert house.gets_in(HOME)
        assert slapd.said().count(" SRCH base=") == searched and len(home.asked) == 4
        assert house.tries(HOME, "anna@demo.test", "wrong")[0] == NO["imap"]
        assert slapd.said().count(" SRCH base=") > searched
    finally:
        slapd.stop()
