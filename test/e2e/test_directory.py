"""Homes out of an LDAP directory (directory.driver = "ldap"): asked at each login, whoever judges the password; by a verifier that
is the same directory, in one search with the account."""
import os
import re

import pytest

from harness import homeward, processes, verifiers
from test_spellings import Door
from test_verifiers import DOWN, NO_PENALTIES, OK, REFUSED, people_and, tries

USERS = {"anna@demo.test": "secret", "carl@demo.test": "secret", "dora@demo.test": "secret", "info@demo.test": "secret",
         "store-bert": "secret", "moved@demo.test": "secret", "lost@demo.test": "secret", "p%u": "secret"}


@pytest.fixture
def slapd(authority, folder):
    yield from people_and(authority, folder, "".join([
        verifiers.person("anna", "-", mailHost="store-1.demo.test"),
        verifiers.person("bert", "-", mailHost="store-1.demo.test", employeeNumber="store-bert"),
        verifiers.person("percent", "-", mailHost="store-1.demo.test", employeeNumber="p%u"),
        verifiers.person("carl", "-", mail=["alias@demo.test"], mailHost="store-1.demo.test"),
        verifiers.person("dora", "-", mailHost="store-1.demo.test", mailOption=["protocols=imap", "opens=info@demo.test"]),
        verifiers.person("info", "-", mailHost="store-2.demo.test", mailOption="delegates=anna@demo.test"),
        verifiers.person("lost", "-", mailHost="elsewhere.demo.test"), verifiers.person("homeless", "-"),
        verifiers.person("odd", "-", mailHost="store-1.demo.test", mailOption="color=red"),
        verifiers.ad_user("moved", "-", homeMDB="CN=DB7,CN=Databases,O=Demo"), verifiers.ad_user("gone", "-", control=514, homeMDB="CN=DB7,CN=Databases"),
        verifiers.ad_user("boss", "-", rid=500, homeMDB="CN=DB7,CN=Databases"),
    ]))


class Directed:
    """Homeward before one Dovecot with passwords, which is two sites, and no map."""

    def __init__(self, make, store, authority, folder, slapd):
        self.make, self.slapd, self.authority = make, slapd, authority
        self.doors = homeward.Doors(authority.ca)
        self.store = store("real", "tls", USERS)
        self.secret = verifiers.secret_file(os.path.join(folder, "ldap.secret"), "service")

    def ldap(self, **more):
        """What the verifier and the directory are told alike."""
        return {"driver": "ldap", "urls": [self.slapd.urls[1]], "ca_file": self.authority.ca, "base": "dc=demo,dc=test",
                "bind_dn": "cn=homeward,dc=demo,dc=test", "secret_file": self.secret, "threads": 1, "timeout_ms": 1000, "preset": "openldap",
                "user_attribute": "employeeNumber", "options_attribute": "mailOption",
                "sites": [{"value": "store-1.*", "site": "first"}, {"value": "STORE-2.demo.test", "site": "second"}], **more}

    def start(self, chain=({"driver": "site"},), **more):
        sites = [homeward.site(self.store, "first"), homeward.site(self.store, "second")]
        self.front = self.make({**self.doors.groups(), "sites": sites, "accounts": {"default_domain": "demo.test"}, "directory": self.ldap(**more),
                                "limits": {"failed_logins": 100}, "auth": {"failure_step_ms": 100, **NO_PENALTIES, "verifiers": list(chain)}})
        return self.front

    def searches(self, name):
        return len(re.findall(rf'SRCH base=.*filter=.*{name}', self.slapd.said()))


@pytest.fixture
def directed(front, store, authority, folder, slapd):
    return Directed(front, store, authority, folder, slapd)


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_the_store_judges_and_the_directory_says_where_it_is(directed, trust, protocol):
    instance = directed.start()
    tries(directed, trust, protocol, ("anna", "secret", OK), ("anna", "wrong", REFUSED), ("bert", "secret", OK), ("percent", "secret", OK),
          ("nobody", "secret", REFUSED), ("homeless", "secret", REFUSED), ("lost", "secret", DOWN), ("odd", "secret", DOWN),
          ("dora", "secret", OK if protocol == "imap" else REFUSED), ("administrator", "secret", REFUSED),
          ("dora/info@demo.test", "secret", REFUSED), ("anna/bert@demo.test", "secret", REFUSED))
    assert instance.events("login", "user=anna@demo.test", "site=first")
    assert any("user=<store-bert>" in line for line in directed.store.logins()) and any("user=<p%u>" in line for line in directed.store.logins())
    assert directed.searches("administrator") == 0, "who never signs in is not looked for"


def test_an_alias_is_the_account_that_it_belongs_to(directed, trust):
    instance = directed.start()
    tries(directed, trust, "imap", ("alias@demo.test", "secret", OK))  # which the store does not know
    processes.wait_until("all have been logged", 5, lambda: len(instance.events("login", "user=carl@demo.test")) == 3)
    assert not instance.lines("user=alias")


def test_one_search_finds_account_and_home(directed, trust):
    directed.slapd.add_person(verifiers.person("zoe", "secret", mailHost="store-1.demo.test", employeeNumber="anna@demo.test"))
    instance = directed.start([directed.ldap()])
    door = Door(directed.doors, trust, "imap")
    assert door.login("zoe", "secret")[0].startswith(b"a OK")
    door.close()
    assert directed.searches("zoe") == 1
    instance.wait_for("login", "user=zoe@demo.test", "site=first")


def test_active_directory_says_who_is_disabled_or_built_in(directed, trust):
    instance = directed.start(preset="ad", sites=[{"value": "CN=DB7,*", "site": "second"}], user_attribute="", options_attribute="")
    tries(directed, trust, "imap", ("moved", "secret", OK), ("gone", "secret", REFUSED), ("boss", "secret", REFUSED), ("anna", "secret", REFUSED))
    assert instance.events("login", "user=moved@demo.test", "site=second")
    assert instance.events("login_failed", "user=gone@demo.test", "why=disabled")
    assert instance.events("login_failed", "user=boss@demo.test", "result=denied")


def test_a_directory_that_is_down_is_an_outage(directed, trust):
    instance = directed.start()
    tries(directed, trust, "imap", ("anna", "secret", OK))
    directed.slapd.stop()
    tries(directed, trust, "imap", ("anna", "secret", DOWN), ("anna", "wrong", DOWN), ("nobody", "secret", DOWN))
    assert instance.events("login_failed", "why=directory_down", "result=unavailable") and instance.events("directory", "state=down")
    directed.slapd.start()
    tries(directed, trust, "imap", ("anna", "secret", OK), ("anna", "wrong", REFUSED))
    instance.wait_for("directory", "state=up")


def test_commands_say_that_a_directory_is_asked(directed, trust):
    instance = directed.start()
    assert f"directory     {directed.slapd.urls[1]}" in instance.ctl("status")
    assert "directory_not_asked" in instance.ctl("route", "anna", status=1)


@pytest.mark.parametrize("wrong, said", [
    ({"base": ""}, "directory.base: missing"), ({"urls": []}, "directory.urls: missing"), ({"preset": "none"}, "directory.filter: missing"),
    ({"filter": "(mail=*)"}, "directory.filter: \"(mail=*)\" found"), ({"site_attribute": "two words"}, "found"),
    ({"path": "map"}, "directory.path: found with driver = \"ldap\""), ({"secret_file": "/nowhere"}, "/nowhere: cannot be read"),
    ({"preset": "none", "filter": "(uid=%n)"}, "directory.site_attribute: missing"), ({"sites": [{"value": "x", "site": "third"}]}, "directory.sites"),
    ({"urls": ["ldap://ldap.demo.test"]}, "would send passwords in clear text"), ({"driver": "file", "path": "directory.map"}, "directory.urls: found"),
])
def test_what_cannot_be_used_is_told_with_its_line(front, folder, wrong, said):
    secret = verifiers.secret_file(os.path.join(folder, "secret"), "x")
    good = {"driver": "ldap", "urls": ["ldaps://ldap.demo.test"], "base": "dc=demo", "bind_dn": "cn=a", "secret_file": secret, "preset": "openldap"}
    for settings, status in ((good, 0), ({**good, **wrong}, 1)):
        instance = front({"sites": [{"name": "one", "backends": [{"host": "127.0.0.1"}]}], "directory": settings}, "* one\n", name=f"check{status}", start=False)
        got, output = instance.check()
        assert got == status, output
    assert said in output and re.search(r"homeward\.cfg:\d+: ", output), output
