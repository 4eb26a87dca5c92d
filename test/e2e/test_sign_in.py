"""Signing in with every mechanism, by real mail programs, before a store that knows nobody but its master; and that a refusal says
nothing: the same bytes at the same times for whoever exists, or not, or is denied, or switched off, with each verifier."""
import base64
import os
import time

import pytest

from harness import clients, dovecot, homeward, processes, verifiers
from test_spellings import Door, sasl
from test_verifiers import NO_PENALTIES, directory, mastered, people_and, tries, OK, REFUSED, DOWN  # noqa: F401 (a fixture)

STEP_MS = 200
PEOPLE = {"anna@demo.test": "secret", "bert@demo.test": "p %\"ä\\+&="}


def token(name, **more):
    return {"username": name, "scope": "openid mail", "exp": int(time.time()) + 3600, **more}


@pytest.fixture(scope="module")
def accounts(shared_folder, authority):
    """Passwords out of a file, tokens of another server; mails in every mailbox."""
    folder = processes.new_folder(os.path.join(shared_folder, "accounts"))
    store = dovecot.Store("real", os.path.join(folder, "real"), "tls", {name: os.urandom(12).hex() for name in PEOPLE}, authority.leaf("store"),
                          extra=dovecot.masters(folder, {"homeward": "m4ster"}))
    tokens = verifiers.introspection({"tok-anna": token("anna@demo.test"), "tok-bert": token("bert@demo.test")}, certificate=authority.leaf("mail"))
    chain = [{"driver": "oauth", "urls": [tokens.url], "ca_file": authority.ca, "scope": "mail", "client_id": "homeward",
              "secret_file": verifiers.secret_file(os.path.join(folder, "client"), "s3cret")},
             {"driver": "file", "path": verifiers.passwd_file(os.path.join(folder, "passwd"), PEOPLE)}]
    site = homeward.site(store, credentials="master", master_user="homeward",
                         master_password_file=verifiers.secret_file(os.path.join(folder, "master"), "m4ster"))
    doors = homeward.Doors(authority.ca)
    front = homeward.Homeward(os.path.join(folder, "front"), {
        **doors.groups(), "tls": {"certificates": [dict(zip(("chain", "key"), authority.leaf("mail")))], "ca_file": authority.ca},
        "sites": [site], "auth": {"failure_step_ms": 100, **NO_PENALTIES, "verifiers": chain}}, "* real\n")
    store.start()
    try:
        front.start()
        yield front, doors
        front.stop()
    finally:
        store.kill()
        tokens.close()


def secret_of(mechanism, name):
    return "tok-" + name.partition("@")[0] if mechanism in clients.BEARER else PEOPLE[name]


@pytest.mark.parametrize("program, mechanism", clients.BY_MECHANISM)
def test_a_real_program_signs_in(accounts, folder, program, mechanism):
    front, doors = accounts
    since = front.mark()
    text = clients.BY_MECHANISM[program, mechanism](doors, ("anna@demo.test", secret_of(mechanism, "anna@demo.test")), processes.new_folder(folder + "/client"))
    assert clients.mails_in(text) == [(number, "anna@demo.test", "real") for number in "123"]
    front.wait_for("login", f"mechanism={mechanism}", "user=anna@demo.test", since=since)
    assert not front.lines("tok-anna") and not front.lines("secret", since=since)


@pytest.mark.parametrize("program, mechanism", [each for each in clients.BY_MECHANISM if each != ("mbsync", "XOAUTH2")])  # it hangs at any challenge
def test_a_real_program_is_refused(accounts, folder, program, mechanism):
    """With somebody else's token, or somebody else's password."""
    _, doors = accounts
    with pytest.raises(clients.Refused):
        clients.BY_MECHANISM[program, mechanism](doors, ("anna@demo.test", secret_of(mechanism, "bert@demo.test")), processes.new_folder(folder + "/client"))


@pytest.mark.parametrize("mechanism, want", [("XOAUTH2", b'{"status":"401","schemes":"bearer","scope":"mail"}'), ("OAUTHBEARER", b'{"status":"invalid_token"}')])
@pytest.mark.parametrize("protocol, verb", [("imap", b"a AUTHENTICATE "), ("pop3", b"AUTH ")])
def test_a_bad_token_is_told_in_json(accounts, trust, mechanism, want, protocol, verb):
    """RFC 7628, 3.2.2: the reason as a challenge, and only when the client has answered it the refusal."""
    _, doors = accounts
    door = Door(doors, trust, protocol)
    challenge, _ = door.ask(verb + mechanism.encode() + b" " + bearer(mechanism, "anna@demo.test", "stolen") + b"\r\n")
    assert base64.b64decode(challenge.removeprefix(b"+ ")) == want
    assert door.ask(b"AQ==\r\n")[0] == REFUSED[protocol]
    door.close()


def bearer(mechanism, name, token_of):
    form = f"user={name}\x01auth=Bearer {token_of}\x01\x01" if mechanism == "XOAUTH2" else f"n,a={name},\x01auth=Bearer {token_of}\x01\x01"
    return base64.b64encode(form.encode())


# --- nothing is told ---

SWITCHED = {"anna": "", "carl": "protocols=imap", "dora": "protocols=pop3", "eve": "networks=192.0.2.0/24", "gone": "", "administrator": ""}
NAMES = [("anna", "wrong"), ("nobody", "secret"), ("administrator", "secret"), ("guest@demo.test", "secret"), ("eve", "secret"), ("gone", "secret"),
         ("an na", "secret")]


def chain_of(kind, authority, folder):
    """(verifier, what is to be closed): one of each kind with the same accounts; "gone" is locked in its own way."""
    if kind == "file":
        one = verifiers.hashed("secret")
        path = verifiers.passwd_file(os.path.join(folder, "accounts"), {name: (("!" if name == "gone" else "") + one, words) for name, words in SWITCHED.items()})
        return {"driver": "file", "path": path}, lambda: None
    if kind == "http":
        script = verifiers.auth_http({f"{name}@demo.test": "secret" for name in SWITCHED if name != "gone"},
                                     {f"{name}@demo.test": {"Homeward-Options": words} for name, words in SWITCHED.items() if words})
        return {"driver": "http", "urls": [script.url]}, script.close
    people = people_and(authority, folder, "".join(
        [verifiers.person(name, "secret", **({"mailOption": words} if words else {})) for name, words in SWITCHED.items() if name != "gone"]
        + ["dn: uid=gone,dc=demo,dc=test\nobjectClass: inetOrgPerson\nuid: gone\ncn: gone\nsn: gone\nmail: gone@demo.test\n\n"]))
    return directory(next(people), authority, folder, "ldaps", preset="openldap", options_attribute="mailOption"), lambda: next(people, None)


def is_one_step(times):
    """Of two tries one may have met a busy machine."""
    return STEP_MS * 0.5 < min(times) < STEP_MS * 1.9


@pytest.mark.parametrize("kind, protocol", [("file", "imap"), ("file", "pop3"), ("http", "imap"), ("ldap", "imap"), ("ldap", "pop3")])
def test_a_refusal_says_nothing(mastered, trust, authority, folder, kind, protocol):
    verifier, close = chain_of(kind, authority, folder)
    try:
        mastered.start(verifier, auth={"failure_step_ms": STEP_MS})
        door = Door(mastered.doors, trust, protocol)
        for name, password in NAMES + [("dora" if protocol == "imap" else "carl", "secret")]:
            answers, times = zip(door.login(name, password), door.plain(name, name, password))
            assert set(answers) == {REFUSED[protocol]}, name
            assert is_one_step(times), f"{name}: {times} ms"
        door.close()
        tries(mastered, trust, protocol, ("carl" if protocol == "imap" else "dora", "secret", OK), ("anna", "secret", OK))
    finally:
        close()


@pytest.mark.parametrize("protocol, verb", [("imap", b"a AUTHENTICATE "), ("pop3", b"AUTH ")])
def test_a_refused_token_says_nothing(mastered, trust, authority, protocol, verb):
    tokens = verifiers.introspection({"t-anna": token("anna@demo.test"), "t-old": token("anna@demo.test", exp=1), "t-narrow": token("anna@demo.test", scope="openid"),
                                      "t-administrator": token("administrator@demo.test"), "t-dora": token("dora@demo.test")})
    secret = verifiers.secret_file(os.path.join(mastered.folder, "client"), "s3cret")
    try:
        mastered.start({"driver": "oauth", "urls": [tokens.url], "client_id": "homeward", "secret_file": secret, "scope": "mail"},
                       auth={"failure_step_ms": STEP_MS}, directory="anna@demo.test real\ndora@demo.test real protocols=" +
                       ("pop3" if protocol == "imap" else "imap") + "\nadministrator@demo.test real\n")
        door = Door(mastered.doors, trust, protocol)
        challenges, times = set(), []
        for name, which in (("anna", "stolen"), ("anna", "t-old"), ("anna", "t-narrow"), ("anna", "t-dora"), ("nobody", "t-anna"),
                            ("administrator", "t-administrator"), ("dora", "t-dora")):
            challenge, ms = door.ask(verb + b"OAUTHBEARER " + bearer("OAUTHBEARER", name, which) + b"\r\n")
            challenges.add(challenge)
            times.append(ms)
            assert door.ask(b"AQ==\r\n")[0] == REFUSED[protocol]
        assert len(challenges) == 1 and is_one_step(times) and sorted(times)[-2] < STEP_MS * 1.9, times
        answer, _ = door.ask(verb + b"OAUTHBEARER " + bearer("OAUTHBEARER", "anna", "t-anna") + b"\r\n")
        assert answer.startswith(OK[protocol])
        door.close()
        tokens.close()
        down = Door(mastered.doors, trust, protocol)
        assert down.ask(verb + b"OAUTHBEARER " + bearer("OAUTHBEARER", "anna", "t-anna") + b"\r\n")[0].startswith(DOWN[protocol])
        down.close()
    finally:
        tokens.close()


# --- a script that nginx was asked of ---

def test_a_script_sends_the_client_where_it_likes(front, store, authority, folder, trust):
    """Auth-Server by address and by host name, Auth-Port, Auth-User and Auth-Pass: the stores judge what the script gave."""
    first = store("first", "tls", {"box-1": "inner-1"})
    second = store("second", "tls", {"anna@demo.test": "outer"})
    home = {"by-address@demo.test": {"Auth-Server": "127.0.0.1", "Auth-Port": str(first.port_of["imap"]), "Auth-User": "box-1", "Auth-Pass": "inner-1"},
            "by-name@demo.test": {"Auth-Server": "LOCALHOST", "Auth-Port": str(second.port_of["imap"]), "Auth-User": "anna@demo.test"},
            "wrong-pass@demo.test": {"Auth-Server": "127.0.0.1", "Auth-Port": str(first.port_of["imap"]), "Auth-User": "box-1", "Auth-Pass": "stale"},
            "wait@demo.test": {"Auth-Wait": "60"}}
    script = verifiers.auth_http({name: "outer" for name in home if not name.startswith("wait")}, home)
    doors = homeward.Doors(authority.ca)
    try:
        instance = front({**doors.groups(), "sites": [homeward.site(first), {**homeward.site(second), "backends": [{"host": "localhost"}]}],
                          "auth": {"failure_step_ms": 100, "verifiers": [{"driver": "http", "urls": [script.url]}]}}, "nobody@demo.test first\n")
        for name, want in (("by-address@demo.test", b"a OK"), ("by-name@demo.test", b"a OK"), ("wrong-pass@demo.test", b"a NO [AUTHENTICATIONFAILED]"),
                           ("wait@demo.test", b"a NO [AUTHENTICATIONFAILED]")):
            door = Door(doors, trust, "imap")
            answer, ms = door.plain("", name, "outer")
            assert answer.startswith(want) and ms < 3000, (name, answer, ms)
            door.close()
        assert instance.events("login", "user=by-address@demo.test", "site=first") and instance.events("login", "user=by-name@demo.test", "site=second")
        assert not instance.lines("inner-1") and not instance.lines("outer")
    finally:
        script.close()


# --- hashing holds nobody up ---

def test_guessing_one_account_does_not_slow_the_others(mastered, trust, folder):
    """Its hashes take about 80 ms each. Generous: what matters is that nobody waits for hashes."""
    slow, quick = verifiers.hashed("secret", "$6$rounds=120000$"), verifiers.hashed("secret")
    path = verifiers.passwd_file(os.path.join(folder, "accounts"), {"anna": (slow, ""), "bert": (quick, "")})
    mastered.start({"driver": "file", "path": path, "threads": 2})
    reader = Door(mastered.doors, trust, "imap")
    assert reader.login("bert", "secret")[0].startswith(OK["imap"])
    guessers = [Door(mastered.doors, trust, "imap") for _ in range(8)]
    for each in guessers:
        each.wire.send(b"".join(b"a AUTHENTICATE PLAIN " + sasl("", "anna", f"guess-{n}") + b"\r\n" for n in range(3)))
    times = sorted(reader.ask(b"a NOOP\r\n")[1] for _ in range(100))
    other = Door(mastered.doors, trust, "imap")
    answer, ms = other.login("bert", "secret")
    assert answer.startswith(OK["imap"]) and ms < 1000, "another account has its turn at once"
    assert times[98] < 50, f"NOOP took {times[98]} ms"
    for each in [reader, other, *guessers]:
        each.close()
