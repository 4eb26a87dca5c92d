"""Who judges a password before stores that know none of them: a file, a script for nginx's auth_http, OpenLDAP. The
stores let Homeward in as their master."""
import base64
import os
import re
import signal
import time

import pytest

from harness import certificates, dovecot, homeward, processes, scripted, verifiers
from test_spellings import Door

REFUSED = {"imap": b"a NO [AUTHENTICATIONFAILED] Authentication failed.", "pop3": b"-ERR [AUTH] Authentication failed."}
DOWN = {"imap": b"a NO [UNAVAILABLE] Your mailbox cannot be reached", "pop3": b"-ERR [SYS/TEMP] Your mailbox cannot be reached"}
USERS = [f"{name}@demo.test" for name in ("anna", "bert", "carl", "dora", "eve", "administrator", "boss", "info")]


# They have tests of their own; here many guesses come from one address.
NO_PENALTIES = {"delay_points_max": 0, "guesses_per_account": 0, "guesses_per_address": 0}


class Mastered:
    """Homeward before one Dovecot that knows no passwords but its master's; verifiers are put in by the test."""

    def __init__(self, front, store, authority, folder):
        self.make, self.folder, self.authority = front, folder, authority
        self.doors = homeward.Doors(authority.ca)
        self.store = store("real", "tls", {name: os.urandom(12).hex() for name in USERS}, extra=dovecot.masters(folder, {"homeward": "m4ster"}))
        self.secret = verifiers.secret_file(os.path.join(folder, "master.secret"), "m4ster")

    def site(self, **more):
        return homeward.site(self.store, credentials="master", master_user="homeward", master_password_file=self.secret, **more)

    def start(self, *chain, directory="* real\n", site=None, **more):
        self.front = self.make({**self.doors.groups(), "sites": [site or self.site()],
                                "accounts": {"default_domain": "demo.test"},
                                "limits": {"failed_logins": 100, "login_timeout_s": 600}, **more,
                                "auth": {"failure_step_ms": 100, **NO_PENALTIES, "verifiers": list(chain), **more.get("auth", {})}}, directory)
        return self.front


@pytest.fixture
def mastered(front, store, authority, folder):
    return Mastered(front, store, authority, folder)


def tries(mastered, trust, protocol, *cases):
    """cases: (name, password, answer's beginning)."""
    for name, password, want in cases:
        door = Door(mastered.doors, trust, protocol)
        for way in (lambda: door.login(name, password), lambda: door.plain("", name, password), lambda: door.mechanism_login(name, password)):
            answer, _ = way()
            want_here = want[protocol] if isinstance(want, dict) else want
            assert answer.startswith(want_here), (protocol, name, password, answer)
            if want is OK:
                door.close()
                door = Door(mastered.doors, trust, protocol)
        door.close()


OK = {"imap": b"a OK", "pop3": b"+OK"}


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
@pytest.mark.parametrize("form", ["authzid", "user*master"])
def test_accounts_of_a_file(mastered, trust, folder, protocol, form):
    path = os.path.join(folder, "accounts")
    bcrypt, sha512, yescrypt = (verifiers.hashed("secret", method) for method in ("$2b$", "$6$rounds=1000$", "$y$j8T$"))
    verifiers.passwd_file(path, {"anna": (bcrypt, ""), "bert@demo.test": ("{SHA512-CRYPT}" + sha512, ""), "carl": (yescrypt, "protocols=imap"),
                                 "dora": ("!" + yescrypt, ""), "eve": (yescrypt, "networks=192.0.2.0/24"), "administrator": (yescrypt, "")})
    instance = mastered.start({"driver": "file", "path": path}, site=mastered.site(master_form=form))
    tries(mastered, trust, protocol, ("anna", "secret", OK), ("bert", "secret", OK), ("ANNA@demo.test", "secret", OK), ("anna", "Secret", REFUSED),
          ("anna", "secret ", REFUSED), ("dora", "secret", REFUSED), ("eve", "secret", REFUSED), ("nobody", "secret", REFUSED),
          ("administrator", "secret", REFUSED), ("carl", "secret", OK if protocol == "imap" else REFUSED))
    assert instance.events("login_failed", "result=denied", "user=administrator@demo.test")
    assert not instance.lines("secret") and not instance.lines(base64.b64encode(b"\0anna\0secret").decode())


def test_a_changed_file_is_in_force_by_itself_and_a_broken_one_never(mastered, trust, folder):
    path = verifiers.passwd_file(os.path.join(folder, "accounts"), {"anna": "one"})
    instance = mastered.start({"driver": "file", "path": path})
    tries(mastered, trust, "imap", ("anna", "one", OK), ("bert", "two", REFUSED))
    since = instance.mark()
    verifiers.passwd_file(path, {"anna": "new", "bert": "two"})
    instance.wait_for("accounts", "result=ok", since=since, seconds=10)
    tries(mastered, trust, "imap", ("anna", "new", OK), ("anna", "one", REFUSED), ("bert", "two", OK))
    since = instance.mark()
    verifiers.passwd_file(path, {"anna": ("$1$salt$aaaaaaaaaaaaaaaaaaaaaa", "")})
    line = instance.wait_for("accounts", "result=refused", since=since, seconds=10)
    assert f"{path}:1:" in line and "unknown or weak kind" in line
    tries(mastered, trust, "imap", ("anna", "new", OK))
    before = instance.roles()["auth"]
    os.kill(before[0], 9)
    processes.wait_until("auth is back", 5, lambda: instance.roles().get("auth") not in (None, before))
    tries(mastered, trust, "imap", ("anna", "new", OK))


@pytest.mark.parametrize("wrong, said", [
    ({"path": "/nowhere/accounts"}, "cannot be read"), ({"mode": 0o620}, "its group or everybody may write it"), ({"mode": 0o602}, "may write it"),
    ({"text": "anna:plain\n"}, "accounts:1: anna@demo.test: found a hash of an unknown or weak kind"), ({"text": "anna:\n"}, "found no hash"),
    ({"text": "anna:$6$salt$short\n"}, "unknown or weak kind"), ({"text": "# c\nan na:!\n"}, "accounts:2: found \"an na\""),
    ({"text": "anna:!\nANNA@demo.test:!\n"}, "accounts:2: found anna@demo.test again"), ({"text": "anna:!::::::color=red\n"}, "color=red"),
    ({"text": "anna:!"}, "expected a newline"), ({"secret_mode": 0o660}, "its group or everybody may write it"), ({"secret": "\n"}, "no master password"),
])
def test_a_file_that_cannot_be_used_is_told_with_its_line(mastered, folder, wrong, said):
    path = verifiers.passwd_file(os.path.join(folder, "accounts"), {"anna": "one"})
    if "text" in wrong:
        with open(path, "w", encoding="ascii") as file:
            file.write(wrong["text"])
    os.chmod(path, wrong.get("mode", 0o600))
    if "secret" in wrong:
        verifiers.secret_file(mastered.secret, "")
    os.chmod(mastered.secret, wrong.get("secret_mode", 0o600))
    instance = mastered.make({**mastered.doors.groups(), "sites": [mastered.site()], "accounts": {"default_domain": "demo.test"},
                              "auth": {"verifiers": [{"driver": "file", "path": wrong.get("path", path)}]}}, "* real\n", start=False)
    if "secret" in wrong:
        instance.launch()
        assert instance.process.wait(10) == 1
        assert said in instance.said()
        instance.process = None
        return
    status, output = instance.check()
    assert status == 1 and said in output
    if "text" not in wrong:
        assert "homeward.cfg:" in output


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
@pytest.mark.parametrize("tls", [True, False])
def test_a_script_written_for_nginx(mastered, trust, authority, protocol, tls):
    passwords = {"anna@demo.test": "secret", "bert@demo.test": "p %\"ä+&=;", "carl@demo.test": "secret", "dora@demo.test": "secret"}
    home = {"anna@demo.test": {"Auth-Server": "localhost", "Auth-Port": str(mastered.store.port_of[protocol])},
            "carl@demo.test": {"Auth-Server": "198.51.100.7", "Auth-Port": "143"},
            "dora@demo.test": {"Auth-Server": "backend-7", "Auth-Port": "143", "Auth-User": "bert@demo.test"}}
    script = verifiers.auth_http(passwords, home, authority.leaf("mail") if tls else None, key="k3y")
    key = verifiers.secret_file(os.path.join(mastered.folder, "key"), "k3y")
    site = {**mastered.site(), "backends": [{"host": "localhost"}]}
    try:
        instance = mastered.start({"driver": "http", "urls": [script.url], "ca_file": authority.ca, "secret_header": "X-Auth-Key",
                                   "secret_file": key, "threads": 2, "sites": [{"value": "backend-*", "site": "real"}]}, site=site)
        tries(mastered, trust, protocol, ("anna", "secret", OK), ("bert", passwords["bert@demo.test"], OK), ("anna", "wrong", REFUSED),
              ("nobody", "x", REFUSED), ("trouble", "x", DOWN), ("carl", "secret", DOWN), ("dora", "secret", OK))
        headers = script.asked[0][0]
        assert headers["Auth-Method"] == "plain" and headers["Auth-Protocol"] == protocol and headers["Client-IP"] == "127.0.0.1"
        assert headers["Auth-Login-Attempt"] == "1" and headers["Auth-SSL"] == "on" and headers["X-Auth-Key"] == "k3y"
        assert script.connections <= 2 < len(script.asked), "connections are kept"
        assert any("bert@demo.test" in line for line in mastered.store.logins())
        assert instance.events("account_unclear", "driver=http", "user=carl@demo.test", "Auth-Server is at none of the sites")
        assert not instance.events("verifier", "state=down"), "it is well"
        assert not instance.lines("secret") and not instance.lines("k3y")
    finally:
        script.close()


def test_the_next_url_is_asked_when_one_is_down(mastered, trust, authority):
    first = verifiers.auth_http({"anna@demo.test": "secret"})
    second = verifiers.auth_http({"anna@demo.test": "secret"})
    try:
        instance = mastered.start({"driver": "http", "urls": [first.url, second.url], "timeout_ms": 500})
        tries(mastered, trust, "imap", ("anna", "secret", OK))
        assert not second.asked
        first.close()
        tries(mastered, trust, "imap", ("anna", "secret", OK), ("anna", "wrong", REFUSED))
        assert second.asked
        second.delay = 1
        tries(mastered, trust, "imap", ("anna", "secret", DOWN))
        assert instance.events("login_failed", "result=unavailable", "why=verifier_down")
    finally:
        second.close()


def people_and(authority, folder, people):
    server = verifiers.Slapd(os.path.join(folder, "slapd"), authority.leaf("store"), people)
    yield server.start()
    server.stop()


@pytest.fixture
def slapd(authority, folder):
    yield from people_and(authority, folder, "".join([
        verifiers.person("anna", "secret", mailOption=["sessions=3", "protocols=imap"]), verifiers.person("bert", "secret", mailHost="store-7.demo.test"),
        verifiers.person("carl", "secret", mail="alias@demo.test"), verifiers.person("dora", "secret", mailOption="opens=info@demo.test"),
        verifiers.ad_user("eve", "secret", proxyAddresses=["SMTP:eve@demo.test", "smtp:e.v.e@demo.test"]),
        verifiers.ad_user("boss", "secret", rid=500), verifiers.ad_user("visitor", "secret", rid=501), verifiers.ad_user("gone", "secret", control=514),
        verifiers.ad_user("moved", "secret", userPrincipalName="bert@demo.test", proxyAddresses="smtp:moved@demo.test",
                          msExchHomeServerName="/o=Demo/ou=AG/cn=Configuration/cn=Servers/cn=MAIL1")]))


def directory(slapd, authority, folder, which, **more):
    secret = verifiers.secret_file(os.path.join(folder, "ldap.secret"), "service")
    return {"driver": "ldap", "urls": [slapd.urls[which == "ldaps"]], "starttls": which == "starttls", "ca_file": authority.ca, "base": "dc=demo,dc=test",
            "bind_dn": "cn=homeward,dc=demo,dc=test", "secret_file": secret, "threads": 2, **more}


@pytest.mark.parametrize("which", ["ldaps", "starttls", "loopback"])
def test_a_directory(mastered, slapd, trust, authority, folder, which):
    instance = mastered.start(directory(slapd, authority, folder, which, preset="openldap", options_attribute="mailOption",
                                        sites=[{"value": "store-*.demo.test", "site": "real"}]),
                              directory="anna@demo.test real\ncarl@demo.test real\ndora@demo.test real\ninfo@demo.test real\n")
    tries(mastered, trust, "imap", ("anna", "secret", OK), ("bert", "secret", OK), ("anna", "wrong", REFUSED), ("nobody", "secret", REFUSED),
          ("carl", "secret", OK), ("alias", "secret", OK), ("dora/info@demo.test", "secret", OK), ("anna/info@demo.test", "secret", REFUSED))
    tries(mastered, trust, "pop3", ("anna", "secret", REFUSED), ("bert", "secret", OK))
    for name in ("anna)(uid=*", "*", "a*", "anna\\2a", "(|(uid=*))", "anna\u0000", "an*na"):
        door = Door(mastered.doors, trust, "imap")
        assert not door.plain("", name, "secret")[0].startswith(b"a OK"), name
        door.close()
    assert instance.events("login", "user=bert@demo.test", "site=real") and not instance.lines("user=alias@demo.test")
    assert 'BIND dn="uid=anna,dc=demo,dc=test"' in slapd.said()


def test_a_directory_that_is_down_is_an_outage_and_comes_back_by_itself(mastered, slapd, trust, authority, folder):
    instance = mastered.start(directory(slapd, authority, folder, "ldaps", preset="openldap", timeout_ms=1000))
    tries(mastered, trust, "imap", ("anna", "secret", OK))
    slapd.stop()
    tries(mastered, trust, "imap", ("anna", "secret", DOWN), ("anna", "wrong", DOWN), ("nobody", "x", DOWN))
    slapd.start()
    tries(mastered, trust, "imap", ("anna", "secret", OK), ("anna", "wrong", REFUSED))
    slapd.process.signal(signal.SIGSTOP)  # it hangs; the kernel goes on taking connections for it
    tries(mastered, trust, "pop3", ("bert", "secret", DOWN))
    slapd.process.signal(signal.SIGCONT)
    tries(mastered, trust, "pop3", ("bert", "secret", OK))
    assert len(instance.events("verifier", "state=down")) == 2 == len(instance.events("verifier", "state=up"))


@pytest.mark.parametrize("which", ["ldaps", "starttls"])
def test_a_directory_that_proves_nothing_gets_no_password(mastered, slapd, trust, authority, folder, which):
    """Its certificate is of a CA that is not trusted here."""
    other = certificates.Authority(os.path.join(folder, "other"), "Another CA")
    mastered.start({**directory(slapd, authority, folder, which, preset="openldap"), "ca_file": other.ca})
    tries(mastered, trust, "imap", ("anna", "secret", DOWN))
    assert "closed (TLS negotiation failure)" in slapd.said() and "BIND" not in slapd.said()


def test_active_directory(mastered, slapd, trust, authority, folder):
    instance = mastered.start(directory(slapd, authority, folder, "ldaps", preset="ad", sites=[{"value": "*/cn=MAIL1", "site": "real"}]),
                              directory="eve@demo.test real\nboss@demo.test real\nvisitor@demo.test real\ngone@demo.test real\n")
    tries(mastered, trust, "imap", ("eve", "secret", OK), ("e.v.e@demo.test", "secret", OK), ("eve", "wrong", REFUSED), ("gone", "secret", REFUSED),
          ("boss", "secret", REFUSED), ("visitor", "secret", REFUSED), ("moved", "secret", OK), ("anna", "secret", REFUSED))
    assert all("user=eve@demo.test" in line for line in instance.events("login")[:6])
    assert len(instance.events("login_failed", "result=denied", "user=boss@demo.test")) == 3
    assert len(instance.events("login_failed", "result=denied", "user=visitor@demo.test")) == 3
    assert instance.events("login", "user=bert@demo.test", "site=real")


def test_the_first_that_knows_the_account_decides(front, store, authority, folder, trust):
    """file, then the site: who is in the file is judged there alone, whatever the store thinks."""
    path = verifiers.passwd_file(os.path.join(folder, "accounts"), {"anna@demo.test": "of-the-file"})
    real = store("real", "tls", {"anna@demo.test": "of-the-store", "bert@demo.test": "of-the-store"})
    doors = homeward.Doors(authority.ca)
    instance = front({**doors.groups(), "sites": [homeward.site(real)],
                      "auth": {"failure_step_ms": 100, "verifiers": [{"driver": "file", "path": path}, {"driver": "site"}]}}, "* real\n")
    for name, password, want in (("bert@demo.test", "of-the-store", True), ("bert@demo.test", "wrong", False),
                                 ("anna@demo.test", "of-the-store", False), ("anna@demo.test", "of-the-file", False)):
        door = Door(doors, trust, "imap")
        assert door.login(name, password)[0].startswith(b"a OK") == want, (name, password)
        door.close()
    assert len([line for line in real.said().splitlines() if "user=<anna@demo.test>" in line]) == 1, "the file's no reaches no store"
    assert instance.events("login_failed", "user=anna@demo.test", "result=refused")


def test_a_master_that_the_store_does_not_take_is_an_outage(mastered, trust, folder):
    path = verifiers.passwd_file(os.path.join(folder, "accounts"), {"anna": "secret"})
    verifiers.secret_file(mastered.secret, "stale")
    instance = mastered.start({"driver": "file", "path": path})
    tries(mastered, trust, "imap", ("anna", "secret", DOWN))
    assert instance.events("login_failed", "why=master_refused", "result=unavailable")
    verifiers.secret_file(mastered.secret, "m4ster")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        door = Door(mastered.doors, trust, "imap")
        answer = door.login("anna", "secret")[0]
        door.close()
        if answer.startswith(b"a OK"):
            break
        time.sleep(0.5)
    assert answer.startswith(b"a OK"), "a changed master password is picked up like a certificate"


def test_a_site_that_would_let_everybody_in_judges_nobody(front, store, authority, folder, trust):
    """A store with a master beside one that judges: an account that no verifier knows is nobody at the first."""
    mastered = Mastered(front, store, authority, folder)
    plain = store("plain", "tls", {"carl@demo.test": "secret"})
    path = verifiers.passwd_file(os.path.join(folder, "accounts"), {"anna": "secret"})
    mastered.front = front({**mastered.doors.groups(), "sites": [mastered.site(), homeward.site(plain)], "accounts": {"default_domain": "demo.test"},
                            "auth": {"failure_step_ms": 100, "verifiers": [{"driver": "file", "path": path}, {"driver": "site"}]}},
                           "anna@demo.test real\nbert@demo.test real\ncarl@demo.test plain\n")
    tries(mastered, trust, "imap", ("anna", "secret", OK), ("carl", "secret", OK), ("bert", "anything", REFUSED), ("bert", "secret", REFUSED))
    assert not any("bert" in line for line in mastered.store.logins())


def test_what_came_before_tls_or_with_nothing_is_shown_to_no_verifier(mastered, trust):
    script = verifiers.auth_http({"anna@demo.test": "secret"})
    try:
        mastered.start({"driver": "http", "urls": [script.url]})
        wire = scripted.connect(mastered.doors.port["imap"])
        wire.line()
        wire.send(b"a LOGIN anna secret\r\n")
        assert b"PRIVACYREQUIRED" in wire.line()
        wire.close()
        door = Door(mastered.doors, trust, "imap")
        assert door.login("anna", "")[0] == REFUSED["imap"]
        door.close()
        assert not script.asked
    finally:
        script.close()


def examples():
    """Configurations in the manual page and in README.md: settings of libconfig, each on its own."""
    with open(os.path.join(processes.ROOT, "man", "homeward-accounts.7"), encoding="utf-8") as file:
        page = [block.split(".in\n.fi")[0] for block in file.read().split(".in +4n\n")[1:]]
    with open(os.path.join(processes.ROOT, "README.md"), encoding="utf-8") as file:
        readme = re.findall(r"(?m)^    auth = (?:.*\n)(?:    .*\n)*", file.read().partition("## Who judges passwords")[2])
    return [block for block in page + readme[:1] if block.strip().startswith(("auth = ", "directory = "))]


@pytest.mark.parametrize("example", examples())
def test_an_example_of_the_manual_passes_the_check(front, folder, example):
    names = re.findall(r'(?:secret_file|path) = "([^"]+)"', example)
    instance = front({"sites": [{"name": "south", "backends": [{"host": "127.0.0.1"}], "bearer": ["XOAUTH2"]},
                                {"name": "north", "backends": [{"host": "127.0.0.1"}], "bearer": ["XOAUTH2"]}]}, "* north\n", start=False)
    instance.settings.pop("auth")
    instance.write()
    for name in names:
        verifiers.secret_file(os.path.join(instance.folder, name), "# secret")
    with open(instance.file, "a", encoding="utf-8") as file:
        file.write(example)
    if "directory = " in example:
        with open(instance.file, encoding="utf-8") as file:
            text = re.sub(r'directory = \{ driver = "file".*;\n', "", file.read(), count=1)
        instance.put(instance.file, text)
    status, output = processes.run([instance.binary, "-t", "-c", instance.file])
    assert status == 0, output
