"""homeward explain: why does bert not get in? Without a network, a password, or a running Homeward."""
import json

import pytest

from harness import homeward, processes

SITES = [
    {"name": "north", "backends": [{"host": "a.north.test"}, {"host": "b.north.test"}, {"host": "c.north.test", "standby": True}],
     "security": "tls"},
    {"name": "branch", "backends": [{"host": "mail.branch.test"}], "security": "starttls", "user_format": "BRANCH\\%n",
     "mechanism": "login", "verify_name": "store.branch.test"},
    {"name": "here", "backends": [{"host": "127.0.0.1"}], "security": "loopback", "pop3": "off"},
]
MAP = """\
# who lives where
anna@demo.test   north
bert@demo.test   branch  user=bert   # moved
dora@demo.test   north   protocols=imap
@branch.test     branch
hans@demo.test   here
"""


@pytest.fixture
def explain(front, authority):
    doors = homeward.Doors(authority.ca)
    listen = {"imap": doors.groups()["imap"], "pop3": {"listen": doors.listen("pop3", networks=["10.0.0.0/8"])}}
    instance = front({**listen, "sites": SITES}, MAP, start=False)
    instance.write()

    def run(*words):
        return processes.run([instance.binary, "explain", *words, "-c", instance.file])

    run.instance = instance
    return run


def test_who_gets_in_is_told_every_step(explain):
    status, said = explain("Bert@Demo.test", "--from", "10.0.0.7")
    print(said)
    assert status == 0
    for words in ("typed         Bert@Demo.test", "mailbox       bert@demo.test", "map entry     bert@demo.test",
                  "line 3: bert@demo.test   branch  user=bert", "site          branch",
                  "link          STARTTLS, certificate verified for the name: store.branch.test",
                  "guessing      60 wrong passwords an hour are judged", "members       mail.branch.test port 143", "store's name  bert\n", "signs in by   LOGIN",
                  "verdict       goes to the store"):
        assert words in said


def test_a_domain_line_and_the_format_of_the_site(explain):
    status, said = explain("x.y@branch.test", "--proto", "pop3", "--from", "10.9.9.9")
    assert status == 0
    assert "map entry     @branch.test" in said and "store's name  BRANCH\\x.y" in said and "port 110" in said


def test_members_stand_in_the_order_of_the_mailbox_and_standbys_last(explain):
    orders = set()
    for i in range(20):
        name = f"u{i}@demo.test"
        with open(explain.instance.map, "a") as file:
            file.write(f"{name} north\n")
        status, said = explain(name, "--json")
        answer = json.loads(said)
        assert status == 0 and answer["ok"]
        assert [member.split()[0] for member in answer["members"]][2] == "c.north.test"
        orders.add(tuple(answer["members"]))
    assert len(orders) == 2


@pytest.mark.parametrize("words, why, sees", [
    (["nobody@demo.test"], "the map has no such mailbox (unknown)", "NO [AUTHENTICATIONFAILED] Authentication failed."),
    (["dora@demo.test", "--proto", "pop3", "--from", "10.0.0.1"], "(protocol_off)", "-ERR [AUTH] Authentication failed."),
    (["hans@demo.test", "--proto", "pop3", "--from", "10.0.0.1"], "(protocol_off)", "-ERR [AUTH]"),
    (["a@b@c"], "(name)", "NO [AUTHENTICATIONFAILED]"),
    (["anna@demo.test", "--proto", "pop3", "--from", "192.0.2.1"], "the client cannot connect", "no connection"),
])
def test_who_does_not_get_in_is_told_why(explain, words, why, sees):
    status, said = explain(*words)
    print(said)
    assert status == 1
    assert why in said and f"client sees   {sees}" in said


def test_a_name_cannot_move_the_terminal(explain):
    status, said = explain("a\x1b[2J@demo.test")
    assert status == 1 and "\x1b" not in said and "\\x1b" in said


def test_a_broken_configuration_says_so_and_bad_options_are_usage(explain):
    assert explain()[0] == 2
    assert explain("x", "--proto", "smtp")[0] == 2
    assert explain("x", "--from", "nowhere")[0] == 2
    assert explain("--help")[0] == 0
    with open(explain.instance.map, "a") as file:
        file.write("zoe@demo.test nowhere\n")
    status, said = explain("anna@demo.test")
    assert status == 1 and "nowhere" in said


def test_deny_rules_domains_and_networks_of_the_map_are_part_of_it(front, authority):
    instance = front({**homeward.Doors(authority.ca).groups(), "sites": SITES,
                      "accounts": {"default_domain": "demo.test", "domains": [{"name": "CORP", "is": "demo.test"}],
                                   "deny": ["guest"]}},
                     "anna@demo.test north networks=10.0.0.0/8\nguest@demo.test north\n", start=False)
    instance.write()

    def run(*words):
        return processes.run([instance.binary, "explain", *words, "-c", instance.file])

    for typed in ("CORP\\Anna", "anna", "anna@demo.test"):
        status, said = run(typed, "--from", "10.1.1.1")
        assert status == 0 and "mailbox       anna@demo.test" in said, said
    status, said = run("anna", "--from", "192.0.2.1")
    assert status == 1 and "(network)" in said
    status, said = run("guest", "--from", "10.1.1.1")
    assert status == 1 and "accounts.deny" in said and "AUTHENTICATIONFAILED" in said
