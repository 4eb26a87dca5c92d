"""homeward probe: which half is broken? Against real stores, against doubles in trouble, and against ourselves."""
import json
import subprocess

import pytest

from harness import homeward, ports, processes, scripted


def probe(instance, *words, password=None):
    done = subprocess.run([instance.binary, "probe", *words, "-c", instance.file], input=password, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=60, check=False, **processes.as_account())
    print(done.stdout)
    return done.returncode, done.stdout


@pytest.fixture
def place(front, authority, stores):
    doors = homeward.Doors(authority.ca)
    sites = [homeward.site(stores["north"]), homeward.site(stores["south"]), homeward.site(stores["old"], user_format="%n")]
    return front({**doors.groups(), "sites": sites}, "anna@demo.test north\n"), doors


def test_every_step_of_every_member_with_its_time(place):
    instance, _ = place
    status, said = probe(instance)
    assert status == 0 and "6 of 6 are well" in said
    for words in ("site north: 127.0.0.1 port", "IMAP4: well", "POP3: well", "  tcp ", "TLSv1.3, certificate for localhost, ",
                  "trusted", "  starttls ", "* OK ", "IMAP4rev1", "  capability "):
        assert words in said
    status, said = probe(instance, "south", "--proto", "imap", "--json")
    answer = json.loads(said)
    assert status == 0 and answer["ok"]
    assert [step["step"] for step in answer["steps"]] == ["tcp", "greeting", "starttls", "tls", "capability"]
    assert all(step["ms"] >= 0 and step["ok"] for step in answer["steps"])
    assert probe(instance, "nowhere")[0] == 1 and probe(instance, "a", "b")[0] == 2


def test_with_a_user_it_goes_to_the_mailbox(place):
    instance, _ = place
    status, said = probe(instance, "north", "--user", "anna@demo.test", password="secret\n")
    assert status == 0 and "  login " in said and "  mailbox " in said and "secret" not in said
    status, said = probe(instance, "north", "--user", "anna@demo.test", password="wrong horse\n")
    assert status == 1 and "login" in said and "FAILED" in said and "horse" not in said


def test_front_and_end_to_end(place):
    instance, doors = place
    status, said = probe(instance, "--front")
    assert status == 0 and said.count("listener: ") == len(doors.listen("imap")) + len(doors.listen("pop3"))
    status, said = probe(instance, "--front", "--user", "anna@demo.test", password="secret\n")
    assert status == 0 and "mailbox" in said
    instance.stop()
    status, said = probe(instance, "--front")
    assert status == 1 and "refused" in said and "BROKEN: this side" in said


def test_what_is_wrong_is_named(front, authority, scripted_store, store_context):
    def bye(wire):
        wire.send(b"* BYE full\r\n")
    closed, rude = ports.take(), scripted_store(bye, tls=False)
    silent = scripted_store(lambda wire: wire.rest(), tls=False)
    trusted = scripted_store(lambda wire: wire.send(b"* OK hi\r\n"))
    def site(name, port, **more):
        return {"name": name, "backends": [{"host": "127.0.0.1"}], "security": "loopback", "imap": {"port": port}, "pop3": "off",
                **more}
    sites = [site("closed", closed), site("rude", rude.port), site("silent", silent.port),
             site("clear", rude.port, security="tls"), site("liar", trusted.port, security="tls", verify_name="other.test"),
             site("lost", 143, backends=[{"host": "no-such-host.invalid"}], security="tls")]
    instance = front({"imap": homeward.Doors(authority.ca).groups()["imap"], "sites": sites,
                      "limits": {"connect_timeout_ms": 500, "greeting_timeout_ms": 500}}, "* closed\n", start=False)
    instance.write()
    for name, step, why in (("closed", "tcp", "refused"), ("rude", "greeting", "* BYE full"), ("silent", "greeting", "timeout"),
                            ("clear", "tls", ""), ("liar", "tls", "verif"), ("lost", "dns", "no-such-host")):
        status, said = probe(instance, name, "--json")
        last = json.loads(said)["steps"][-1]
        assert status == 1 and last["step"] == step and not last["ok"] and why in last["text"], said
