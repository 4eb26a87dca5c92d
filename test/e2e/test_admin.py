"""homewardctl against the running service: every command, and what clients see of it."""
import base64
import imaplib
import json
import os
import poplib
import signal
import socket
import subprocess
import time

import pytest

from harness import clients, homeward, processes, scripted

PASSWORD = "correct horse battery 123"


def imap(doors, trust, user="anna@demo.test", password="secret"):
    client = imaplib.IMAP4_SSL(clients.HOST, doors.port["imaps"], ssl_context=trust, timeout=10)
    client.login(user, password)
    return client


def pop3(doors, trust, user="anna@demo.test", password="secret"):
    client = poplib.POP3_SSL(clients.HOST, doors.port["pop3s"], context=trust, timeout=10)
    client.user(user)
    client.pass_(password)
    return client


@pytest.fixture
def place(front, authority, stores):
    """A Homeward of its own before the three stores: (front, doors)."""
    doors = homeward.Doors(authority.ca)
    sites = [homeward.site(stores["north"]), homeward.site(stores["south"]),
             homeward.site(stores["old"], user_format="%n")]
    instance = front({**doors.groups(), "sites": sites, "run": {"workers": 2}},
                     "anna@demo.test north\nbert@demo.test south\ncarl@demo.test old\nidle@demo.test north\n"
                     "dora@demo.test north protocols=imap\n")
    return instance, doors


def test_status_says_what_an_admin_asks_first(place, trust):
    instance, doors = place
    client = imap(doors, trust)
    said = instance.ctl("status")
    print(said)
    for words in ("serving", f"127.0.0.1:{doors.port['imaps']}", "1 IMAP4 and 0 POP3 signed in", "5 entries", "days left",
                  "last change", ", ok", "directory.map"):
        assert words in said
    rows = instance.ask("status")["rows"]
    assert sorted(row["process"] for row in rows) == ["auth", "backends", "front", "front", "main"]
    client.logout()


def test_weak_links_are_named(front, authority, stores):
    instance = front({**homeward.Doors(authority.ca).groups(),
                      "sites": [homeward.site(stores["north"], verify="none")]}, "* north\n")
    assert "WEAK" in instance.ctl("status") and "north" in instance.ctl("status")


def test_who_is_on_and_its_filters(place, trust):
    instance, doors = place
    anna, bert, post = imap(doors, trust), imap(doors, trust, "bert@demo.test"), pop3(doors, trust)
    anna.xatom("ID", '("name" "trombone" "version" "7")')
    said = instance.ctl("who")
    print(said)
    assert said.count("anna@demo.test") == 2 and "bert@demo.test" in said
    for words, count in ((["anna*"], 2), (["--site", "south"], 1), (["--proto", "pop3"], 1), (["--net", "127.0.0.0/8"], 3),
                         (["ANNA@demo.test", "--proto", "imap"], 1)):
        assert instance.ask("who", *words)["number"] == count, words
    assert instance.ask("who", "nobody*", status=1)["number"] == 0
    assert instance.ask("who", "--net", "192.0.2.0/24", status=1)["number"] == 0
    instance.ctl("who", "--net", "everywhere", status=2)
    row = next(row for row in instance.ask("who")["rows"] if row["user"] == "bert@demo.test")
    assert row["link"] == "starttls" and row["tls"] == "TLSv1.3" and row["site"] == "south"
    for client in (anna, bert):
        client.logout()
    post.quit()


def test_kick_says_bye_with_the_reason_and_touches_nobody_else(place, trust):
    instance, doors = place
    idler, other = imap(doors, trust, "idle@demo.test"), imap(doors, trust, "bert@demo.test")
    idler.select()
    idler.send(b"i1 IDLE\r\n")
    assert idler.readline().startswith(b"+ ")
    said = instance.ctl("kick", "idle@demo.test", "--reason", "The quota desk wants a word.\r\n* OK evil")
    assert "1 sessions are being ended" in said
    line = idler.readline()
    while line and not line.startswith(b"* BYE"):
        line = idler.readline()
    assert line == b"* BYE The quota desk wants a word.??* OK evil\r\n"
    assert idler.readline() == b""
    assert other.noop()[0] == "OK"
    assert "1 sessions" not in instance.ctl("kick", "idle@demo.test", status=1)
    instance.ctl("kick", status=2)
    assert instance.wait_for("session_end", "user=idle@demo.test", "why=kick", "closed_by=us")
    assert instance.wait_for("admin", "kick user=idle@demo.test")
    other.logout()


def test_kick_can_be_spread(place, trust):
    instance, doors = place
    open_ones = [imap(doors, trust) for _ in range(6)]
    began = time.monotonic()
    assert instance.ask("kick", "anna*", "--spread", "2s")["number"] == 6
    processes.wait_until("all are gone", 6, lambda: instance.ask("status") and "anna" not in processes.run(
        [instance.ctl_binary, "-s", instance.control, "who"])[1])
    assert time.monotonic() - began > 0.8
    for client in open_ones:
        client.shutdown()


def test_route_says_where_a_login_would_go_and_where_the_mailbox_lives(place, trust):
    instance, doors = place
    said = instance.ctl("route", "Bert@DEMO.test", "--proto", "imap")
    print(said)
    assert "mailbox       bert@demo.test" in said and "site          south" in said and "member        127.0.0.1" in said
    client = imap(doors, trust, "bert@demo.test")
    assert "lives on      127.0.0.1" in instance.ctl("route", "bert@demo.test", "--proto", "imap")
    assert "refused: unknown" in instance.ctl("route", "nobody@demo.test", status=1)
    assert "refused: protocol_off" in instance.ctl("route", "dora@demo.test", "--proto", "pop3", status=1)
    client.logout()


def test_site_maintenance_ends_sessions_and_lets_nobody_in_and_outlasts_reload_and_crash(place, trust):
    instance, doors = place
    bert, anna = imap(doors, trust, "bert@demo.test"), imap(doors, trust)
    instance.ctl("site", "south", "maint")
    assert b"BYE" in bert.readline()
    with pytest.raises(imaplib.IMAP4.error, match="UNAVAILABLE"):
        imap(doors, trust, "bert@demo.test")
    assert anna.noop()[0] == "OK"
    assert {row["state"] for row in instance.ask("sites", "south")["rows"]} == {"maint"}
    instance.reload()
    os.kill(instance.roles()["backends"][0], signal.SIGKILL)
    instance.wait_for("role_died", "process=backends")
    processes.wait_until("backends is back", 5, lambda: "maint" in processes.run(
        [instance.ctl_binary, "-s", instance.control, "sites", "south"])[1])
    with pytest.raises(imaplib.IMAP4.error, match="UNAVAILABLE"):
        imap(doors, trust, "bert@demo.test")
    instance.ctl("site", "south", "ready")
    imap(doors, trust, "bert@demo.test").logout()
    anna.logout()
    instance.ctl("site", "nowhere", "drain", status=1)
    instance.ctl("site", "south", "sideways", status=2)


def test_a_drained_site_keeps_who_lives_there_and_takes_nobody_new(place, trust):
    instance, doors = place
    bert = imap(doors, trust, "bert@demo.test")
    instance.ctl("site", "south", "drain")
    second = imap(doors, trust, "bert@demo.test")
    for client in (bert, second):
        client.logout()
    processes.wait_until("nobody lives there", 5, lambda: not instance.ask("route", "bert@demo.test", status=1)["rows"][-1].get(
        "lives_on"))
    with pytest.raises(imaplib.IMAP4.error, match="UNAVAILABLE"):
        imap(doors, trust, "bert@demo.test")
    instance.ctl("site", "south", "ready")
    imap(doors, trust, "bert@demo.test").logout()


def test_a_drained_member_gets_no_new_mailboxes(front, authority, store, trust):
    users = {f"u{i}": "secret" for i in range(12)}
    one, two = store("one", "tls", users), store("two", "tls", users)
    doors = homeward.Doors(authority.ca)
    site = homeward.site(one, name="pair")
    site["backends"] = [{"host": "127.0.0.1", "imap_port": each.port_of["imap"], "pop3_port": each.port_of["pop3"]}
                        for each in (one, two)]
    instance = front({**doors.groups(), "sites": [site]}, "* pair\n")
    instance.ctl("member", "pair", f"127.0.0.1:{one.port_of['imap']}", "drain")
    for user in users:
        imap(doors, trust, user).logout()
    assert not instance.events("login", f"backend=127.0.0.1:{one.port_of['imap']}")
    assert len(instance.events("login", f"backend=127.0.0.1:{two.port_of['imap']}")) == len(users)
    instance.ctl("member", "pair", "127.0.0.9", "drain", status=1)
    said = instance.ctl("sites")
    print(said)
    assert " drain " in said


def test_reload_answers_with_what_the_check_says(place):
    instance, _ = place
    instance.settings["limits"] = {"errors": 7}
    instance.write()
    assert instance.ask("reload")["status"] == 0
    with open(instance.file, "a") as file:
        file.write("limits = { errors = 0; };\n")
    said = instance.ctl("reload", status=1)
    print(said)
    assert "errors" in said or "limits" in said
    assert "REFUSED" in instance.ctl("status")


def test_drain_stops_in_order(place, trust):
    instance, doors = place
    instance.settings["run"]["drain_timeout_s"] = 1
    instance.reload()
    client = imap(doors, trust)
    assert "draining" in instance.ctl("drain")
    assert "draining" in instance.ctl("status")
    with pytest.raises(OSError):
        socket.create_connection((clients.HOST, doors.port["imaps"]), 1).close()
    assert b"BYE" in client.readline()
    processes.wait_until("it ends", 10, instance.has_ended)
    instance.ctl("status", status=3)


def test_loglevel(place):
    instance, _ = place
    instance.ctl("loglevel", "debug")
    instance.ctl("loglevel", "loud", status=2)


def trace(instance, *words):
    return subprocess.Popen([instance.ctl_binary, "-s", instance.control, "trace", *words], stdout=subprocess.PIPE,
                            **processes.as_account())


def lines_of(tracer, seconds=10):
    try:
        out, _ = tracer.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        tracer.kill()
        out, _ = tracer.communicate()
    return out.decode(), [json.loads(line) for line in out.decode().splitlines()]


@pytest.mark.parametrize("whom", ["bert@demo.test", "127.0.0.0/8"])
def test_a_trace_of_a_login_has_the_story_and_no_secret(place, trust, whom):
    instance, doors = place
    tracer = trace(instance, whom, "--for", "2s")
    instance.wait_for("admin", "trace")
    time.sleep(0.2)
    client = imaplib.IMAP4_SSL(clients.HOST, doors.port["imaps"], ssl_context=trust, timeout=10)
    with pytest.raises(imaplib.IMAP4.error):
        client.login("bert@demo.test", PASSWORD)
    with pytest.raises(imaplib.IMAP4.error):
        client.authenticate("PLAIN", lambda _: b"\0bert@demo.test\0" + PASSWORD.encode())
    client.login("bert@demo.test", "secret")
    client.select()
    client.fetch("1", "(FLAGS)")
    client.append("INBOX", None, None, f"Subject: {PASSWORD}\r\n\r\nx1 LOGIN {PASSWORD}\r\n".encode())
    client.logout()
    text, lines = lines_of(tracer)
    print(text)
    whats = [line["what"] for line in lines]
    for what in ("open", "LOGIN", "AUTHENTICATE", "greeting", "login", "SELECT", "FETCH", "APPEND", "LOGOUT", "close"):
        assert what in whats, what
    assert any(line["what"] == "NO" and line.get("more") == "AUTHENTICATIONFAILED" for line in lines)
    for secret in (PASSWORD, PASSWORD.split()[0], "secret", base64.b64encode(PASSWORD.encode()).decode()[:8],
                   base64.b64encode(b"\0bert@demo.test\0" + PASSWORD.encode()).decode()[:30]):
        assert secret not in text


def test_a_trace_follows_only_whom_it_was_asked_to(place, trust):
    instance, doors = place
    tracer = trace(instance, "bert@demo.test", "--for", "1s")
    instance.wait_for("admin", "trace")
    time.sleep(0.2)
    imap(doors, trust).logout()
    client = pop3(doors, trust, "bert@demo.test")
    client.list()
    client.retr(1)
    client.quit()
    text, lines = lines_of(tracer)
    assert {"USER", "PASS", "RETR", "QUIT"} <= {line["what"] for line in lines} and "secret" not in text
    assert len({line["sid"] for line in lines}) == 1


def test_strangers_are_shown_the_door(front, authority, stores):
    if not processes.AM_ROOT:
        pytest.skip("needs two accounts")
    instance = front({**homeward.Doors(authority.ca).groups(), "sites": [homeward.site(stores["north"])]}, "* north\n")
    done = subprocess.run([instance.ctl_binary, "-s", instance.control, "status"], user=1, group=1, extra_groups=[],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 3 and b"run.operators" in done.stdout
    # A reader may look, but not change anything.
    instance.settings["run"] = {"readers": "daemon"}
    instance.reload()
    as_reader = {"user": 1, "group": 1, "extra_groups": [], "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    argv = [instance.ctl_binary, "-s", instance.control]
    assert subprocess.run(argv + ["status"], check=False, **as_reader).returncode == 0
    refused = subprocess.run(argv + ["kick", "--all"], check=False, **as_reader)
    assert refused.returncode == 1 and b"run.operators" in refused.stdout
    instance.settings["run"] = {"operators": "daemon"}
    instance.reload()
    assert b"ended" in subprocess.run(argv + ["kick", "--all"], check=False, **as_reader).stdout


def test_what_breaks_the_rules_is_dropped_and_hurts_nobody(place):
    instance, _ = place
    for packet in (b"", b"\0" * 9, b"\xff" * 100, b"\x0a" + b"\0" * 8 + b"\xff\xff\xff\x7f", os.urandom(16384)):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as visitor:
            visitor.connect(instance.control)
            visitor.settimeout(2)
            visitor.send(packet)
            try:
                visitor.recv(100)
            except (TimeoutError, ConnectionResetError):
                pass
    held = []
    for _ in range(20):
        visitor = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        visitor.connect(instance.control)
        held.append(visitor)
    for visitor in held:
        visitor.close()
    assert "serving" in instance.ctl("status")


def test_help_completion_and_usage(place, folder):
    instance, _ = place
    said = instance.ctl("--help")
    script = instance.ctl("--completion")
    for command in ("status", "who", "kick", "route", "sites", "site", "member", "forgive", "reload", "drain", "trace", "top", "loglevel"):
        assert f"\n  {command} " in said and command in script
    file = os.path.join(folder, "completion")
    with open(file, "w") as out:
        out.write(script)
    status, words = processes.run(["bash", "-c", f"source {file}; COMP_WORDS=(homewardctl site north m); COMP_CWORD=3; "
                                   "_homewardctl; echo ${COMPREPLY[@]}"])
    assert status == 0 and words.strip() == "maint"
    instance.ctl("fly", status=2)
    instance.ctl("route", status=2)
    assert processes.run([instance.ctl_binary, "-s", os.path.join(folder, "nothing"), "status"])[0] == 3
