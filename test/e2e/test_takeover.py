"""SIGUSR2: a new program takes the sockets over; nobody is refused, and no session ends."""
import imaplib
import os
import shutil
import signal
import socket
import threading
import time

from harness import clients, homeward, processes, scripted


def lets_in(wire):
    stub = scripted.ImapStub(wire)
    stub.greet()
    got = stub.credential()
    wire.send(got.tag + b" OK [CAPABILITY IMAP4rev1] in\r\n")
    wire.sock.settimeout(None)  # sessions rest for as long as they like
    while True:
        wire.send(wire.line().split()[0] + b" OK done\r\n")


def test_two_hundred_sessions_and_a_loop_of_logins_do_not_notice(front, authority, scripted_store, trust):
    doors = homeward.Doors(authority.ca)
    store = scripted_store(lets_in)
    site = {"name": "one", "backends": [{"host": "127.0.0.1"}], "security": "tls", "verify_name": "localhost",
            "imap": {"port": store.port}, "pop3": "off"}
    instance = front({"imap": doors.groups()["imap"], "sites": [site], "run": {"workers": 2},
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
