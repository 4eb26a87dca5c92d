"""SIGUSR2: a new program takes the sockets over; nobody is refused, and no session ends."""
import imaplib
import os
import shutil
import signal
import socket
import threading
import time

import pytest

from harness import clients, homeward, processes, scripted


def lets_in(wire):
    stub = scripted.ImapStub(wire)
    stub.greet()
    got = stub.credential()
    wire.send(got.tag + b" OK [CAPABILITY IMAP4rev1] in\r\n")
    wire.sock.settimeout(None)  # sessions rest for as long as they like
    while True:
        wire.send(wire.line().split()[0] + b" OK done\r\n")


def site_of(store):
    return {"name": "one", "backends": [{"host": "127.0.0.1"}], "security": "tls", "verify_name": "localhost",
            "imap": {"port": store.port}, "pop3": "off"}


def test_two_hundred_sessions_and_a_loop_of_logins_do_not_notice(front, authority, scripted_store, trust):
    doors = homeward.Doors(authority.ca)
    store = scripted_store(lets_in)
    instance = front({"imap": doors.groups()["imap"], "sites": [site_of(store)], "run": {"workers": 2},
                      "limits": {"imap_sessions_per_user": 1000}}, "* one\n")
    def sign_in():
        client = imaplib.IMAP4_SSL(clients.HOST, doors.port["imaps"], ssl_context=trust, timeout=20)
        client.login("anna@demo.test", "secret")
        return client

    live = [sign_in() for _ in range(200)]
    stop, done, problems = threading.Event(), [], []

    def again_and_again():
        while not stop.is_set():
            try:
                sign_in().logout()
                done.append(time.monotonic())
            except (OSError, imaplib.IMAP4.error) as problem:
                problems.append(repr(problem))

    threads = [threading.Thread(target=again_and_again) for _ in range(3)]
    for thread in threads:
        thread.start()
    pid = instance.process.pid
    old_fronts = instance.roles()["front"]
    main = next(pid for pid in instance.process.members() if pid in instance.roles()["main"])
    for _ in range(2):
        time.sleep(1)
        since = instance.mark()
        # As a package manager does it: another file under the same name.
        shutil.copy(instance.binary, instance.binary + ".new")
        os.rename(instance.binary + ".new", instance.binary)
        os.chmod(instance.binary, 0o755)
        os.kill(main, signal.SIGUSR2)
        instance.wait_for("ready", since=since, seconds=20)
    time.sleep(1)
    stop.set()
    for thread in threads:
        thread.join()
    print(len(done), "logins while two takeovers happened;", len(problems), "failed")
    assert not problems and len(done) > 20
    assert instance.process.pid == pid and not instance.has_ended()
    assert set(old_fronts) <= set(instance.roles()["front"])
    for client in live:
        assert client.noop()[0] == "OK"
        client.shutdown()
    processes.wait_until("the old fronts have left", 10, lambda: not set(old_fronts) & set(instance.roles().get("front", [])))
    assert "serving" in instance.ctl("status")


def take_over(instance):
    main = next(pid for pid in instance.process.members() if pid in instance.roles()["main"])
    since = instance.mark()
    os.kill(main, signal.SIGUSR2)
    instance.wait_for("ready", since=since, seconds=20)
    return since


@pytest.fixture
def inherited(front, authority, scripted_store, trust):
    """(instance, doors, sessions): a Homeward that has been taken over twice, with a session from each life before."""
    doors = homeward.Doors(authority.ca)
    store = scripted_store(lets_in)
    instance = front({"imap": doors.groups()["imap"], "sites": [site_of(store)], "limits": {"imap_sessions_per_user": 2},
                      "run": {"generations_max": 16}}, "* one\n")
    sessions = []
    for _ in range(2):
        sessions.append(signed_in(doors, trust))
        take_over(instance)
    return instance, doors, sessions


def signed_in(doors, trust, user="anna@demo.test"):
    client = imaplib.IMAP4_SSL(clients.HOST, doors.port["imaps"], ssl_context=trust, timeout=20)
    client.login(user, "secret")
    return client


def test_sessions_of_old_programs_are_seen_and_counted(inherited, trust):
    instance, doors, sessions = inherited
    said = instance.ctl("who")
    print(said, instance.ctl("status"))
    assert said.count("anna@demo.test") == 2
    rows = instance.ask("status")["rows"]
    processes_of_main = next(row for row in rows if row["process"] == "main")["processes"]
    fronts = sorted((each["generation"], each["state"]) for each in processes_of_main if each["name"].startswith("front"))
    assert fronts == [(1, "leaving"), (2, "leaving"), (3, "ready")]
    assert sum(row["imap"] for row in rows if row["process"] == "front") == 2
    with pytest.raises(imaplib.IMAP4.error, match="UNAVAILABLE"):
        signed_in(doors, trust)
    sessions.pop(0).shutdown()
    processes.wait_until("its end is counted", 5, lambda: instance.ctl("who").count("anna@demo.test") == 1)
    sessions.append(signed_in(doors, trust))
    for client in sessions:
        assert client.noop()[0] == "OK"
        client.shutdown()


def test_a_limit_holds_in_the_very_moment_of_a_change(inherited, trust):
    """Reloads that renew all processes, and takeovers, while somebody who is at the limit keeps trying. Who slips through
    between two judges is found when the new one counts."""
    instance, doors, sessions = inherited
    crowd = [signed_in(doors, trust, f"user{number}@demo.test") for number in range(100)]
    stop, passed, refused = threading.Event(), [], []

    def keep_trying():
        while not stop.is_set():
            try:
                passed.append(signed_in(doors, trust))
            except imaplib.IMAP4.error as no:
                refused.append(str(no))

    threads = [threading.Thread(target=keep_trying) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(2):
        instance.settings["limits"].update(errors=5 + number, connect_timeout_ms=1000 + number, sessions_per_address=400 + number)
        assert "fronts=new auth=new backends=new" in instance.reload()
        time.sleep(0.3)
        take_over(instance)
        time.sleep(0.3)
    stop.set()
    for thread in threads:
        thread.join()
    print(len(refused), "logins refused over the limit,", len(passed), "let in and sent away at once")
    assert len(refused) > 10 * len(passed) and all("UNAVAILABLE" in no for no in refused)
    for client in passed:
        assert client.readline().startswith(b"* BYE Too many")
    for client in crowd + sessions:
        client.shutdown()


def test_sessions_of_old_programs_are_kicked_and_their_ends_logged(inherited):
    instance, _, sessions = inherited
    since = instance.mark()
    assert "2" in instance.ctl("kick", "anna@demo.test", "--reason", "moving house")
    for client in sessions:
        assert b"BYE" in client.readline()
    processes.wait_until("both ends are in the log", 5, lambda: len(instance.events("session_end", since=since)) == 2)
    processes.wait_until("the old fronts have left", 10, lambda: len(instance.roles()["front"]) == 1)
    assert len(instance.roles()["auth"]) == len(instance.roles()["backends"]) == 1


def test_orders_to_sites_outlive_the_program(inherited, trust):
    instance, doors, _ = inherited
    instance.ctl("site", "one", "maint")
    take_over(instance)
    with pytest.raises(imaplib.IMAP4.error, match="UNAVAILABLE"):
        signed_in(doors, trust, "bert@demo.test")
    instance.ctl("site", "one", "ready")
    signed_in(doors, trust, "bert@demo.test").shutdown()


def test_the_end_of_the_service_is_also_that_of_old_sessions(inherited):
    instance, _, sessions = inherited
    instance.stop()
    for client in sessions:
        assert b"BYE" in client.readline()


LAUNCHER = """
import os, socket, sys
ours, fronts = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
if os.fork() == 0:
    ours.close()
    said = fronts.recv(100)
    with open(sys.argv[1], "wb") as file:
        file.write(b"heard: " + said)
    os._exit(0)
os.set_inheritable(ours.fileno(), True)
words = os.memfd_create("handover", os.MFD_ALLOW_SEALING)
os.write(words, f"messages={sys.argv[2]} front={ours.fileno()}:{os.getpid()}:0:1 socket=99:0:1:0 log=98 table=x".encode())
import fcntl
fcntl.fcntl(words, fcntl.F_ADD_SEALS, 15)
os.set_inheritable(words, True)
os.environ["HOMEWARD_HANDOVER"] = sys.argv[3] or str(words)
os.execv(sys.argv[4], sys.argv[4:])
"""


@pytest.mark.parametrize("list_of", ["", "nonsense", "99"])
def test_a_front_that_speaks_otherwise_is_left_to_itself(front, folder, list_of):
    """And what is no list at all is said and ignored."""
    heard = os.path.join(folder, "heard")
    instance = front({}, start=False)
    instance.write()
    process = processes.Process(["/usr/bin/python3", "-c", LAUNCHER, heard, "1", list_of, instance.binary, "-c", instance.file],
                                instance.log)
    try:
        processes.wait_until("it is ready", 10, lambda: instance.events("ready"))
        if list_of:
            assert "HOMEWARD_HANDOVER is set, and is no list of a predecessor" in instance.said()
        else:
            processes.wait_until("the front hears that main is gone", 5, lambda: processes.read(heard) == "heard: ")
            assert instance.events("takeover", "descriptor 99 is no listening socket")
    finally:
        process.stop()


def test_a_program_that_would_not_start_does_not_take_over(front, authority, stores, trust):
    doors = homeward.Doors(authority.ca)
    instance = front({**doors.groups(), "sites": [homeward.site(stores["north"])]}, "* north\n")
    with open(instance.file, "a") as file:
        file.write("nonsense = 1;\n")
    instance.process.signal(signal.SIGUSR2)
    instance.wait_for("takeover", "goes on")
    client = imaplib.IMAP4_SSL(clients.HOST, doors.port["imaps"], ssl_context=trust, timeout=20)
    client.login("anna@demo.test", "secret")
    client.logout()


def test_when_the_new_program_dies_at_once_sessions_live_on(inherited):
    """It passes the check and then fails: nobody is left to manage, and the fronts serve what they have."""
    instance, _, sessions = inherited
    with open(instance.binary + ".new", "w") as file:
        file.write('#!/bin/sh\ncase " $* " in *" -t "*) exit 0 ;; esac\nexit 1\n')
    os.chmod(instance.binary + ".new", 0o755)
    os.rename(instance.binary + ".new", instance.binary)
    instance.process.signal(signal.SIGUSR2)
    processes.wait_until("main is gone", 10, instance.has_ended)
    for client in sessions:
        assert client.noop()[0] == "OK"
        client.shutdown()
    processes.wait_until("the last front has left", 10, lambda: not instance.process.members())
    instance.process = None


def test_the_service_manager_is_told(front, folder):
    path = os.path.join(folder, "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        os.chmod(path, 0o777)
        manager.settimeout(10)
        os.environ.update({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "400000"})
        try:
            instance = front({})
        finally:
            del os.environ["NOTIFY_SOCKET"], os.environ["WATCHDOG_USEC"]
        heard = [manager.recv(100) for _ in range(6)]
        assert b"READY=1" in heard and heard.count(b"WATCHDOG=1") >= 3
        instance.stop()
        manager.setblocking(False)
        rest = []
        while True:
            try:
                rest.append(manager.recv(100))
            except BlockingIOError:
                break
        assert b"STOPPING=1" in rest
