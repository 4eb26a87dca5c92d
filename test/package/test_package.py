"""The Debian package in a clean root: installed, upgraded under load, removed. Run by `make package-test`."""
import glob
import imaplib
import os
import shutil
import threading
import time

import pytest

from harness import certificates, homeward, ports, processes, scripted
from package import build, sh


@pytest.fixture
def serve(root, work):
    """serve(log): the installed daemon; whatever a test made of it, it does not outlive the test."""
    made = []

    def start(log):
        made.append(processes.Process(["/usr/sbin/chroot", root, "/usr/sbin/homeward"], log, privileged=True))
        return made[-1]

    yield start
    for each in made:
        each.kill()


def listing(root):
    found = set()
    for folder in ("etc", "usr", "lib", "run", "var"):
        for at, folders, files in os.walk(os.path.join(root, folder)):
            found.update(os.path.join(at, name)[len(root):] for name in files + folders if "homeward" in name)
    return found


def lets_in(wire):
    stub = scripted.ImapStub(wire)
    stub.greet()
    got = stub.credential()
    wire.send(got.tag + b" OK [CAPABILITY IMAP4rev1] in\r\n")
    wire.sock.settimeout(None)  # sessions rest for as long as they like
    while True:
        wire.send(wire.line().split()[0] + b" OK done\r\n")


@pytest.mark.skipif(not shutil.which("lintian"), reason="needs lintian")
def test_lintian_finds_no_error(work):
    build(work, "0.1")
    changes = glob.glob(os.path.join(work, "0.1", "homeward_*.changes"))
    print(sh("lintian", "--fail-on", "error", "--allow-root", *changes))


def test_installed_upgraded_under_load_and_removed(work, root, serve):
    first, second = build(work, "0.1"), build(work, "0.2")
    before = listing(root)
    for deb in (first, second):
        shutil.copy(deb, os.path.join(root, "tmp"))
    inside = lambda deb: "/tmp/" + os.path.basename(deb)
    sh("chroot", root, "dpkg", "-i", inside(first))
    assert "homeward" in processes.read(os.path.join(root, "etc/passwd"))

    # As it is installed it binds nothing.
    log = os.path.join(work, "log")
    daemon = serve(log)
    processes.wait_until("it is ready", 10, lambda: "event=ready" in processes.read(log))
    assert "POP3: off, IMAP4: off" in processes.read(log)
    daemon.stop()

    authority = certificates.Authority(os.path.join(work, "ca"))
    chain, key = authority.leaf("mail")
    for name, file in (("chain.pem", chain), ("key.pem", key), ("ca.pem", authority.ca)):
        shutil.copy(file, os.path.join(root, "etc/homeward", name))
    import ssl
    trust = ssl.create_default_context(cafile=authority.ca)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.leaf("store"))
    store = scripted.ScriptedStore(context).serve(lets_in)
    port = ports.take()
    settings = {"run": {"workers": 2}, "tls": {"certificates": [{"chain": "chain.pem", "key": "key.pem"}], "ca_file": "ca.pem"},
                "imap": {"listen": [{"address": "127.0.0.1", "port": port, "tls": "implicit"}]},
                "sites": [{"name": "one", "backends": [{"host": "127.0.0.1"}], "security": "tls", "verify_name": "localhost",
                           "imap": {"port": store.port}, "pop3": "off"}],
                "limits": {"imap_sessions_per_user": 1000, "check_interval_s": 0}, "directory": {"path": "directory.map"}}
    with open(os.path.join(root, "etc/homeward/homeward.cfg"), "w") as file:
        file.write(homeward.configuration(settings))
    with open(os.path.join(root, "etc/homeward/directory.map"), "w") as file:
        file.write("* one\n")
    sh("chroot", root, "homeward", "-t")
    daemon = serve(log)
    processes.wait_until("it is ready", 10, lambda: processes.read(log).count("event=ready") == 2)

    def sign_in():
        client = imaplib.IMAP4_SSL("localhost", port, ssl_context=trust, timeout=20)
        client.login("anna@demo.test", "secret")
        return client

    live = [sign_in() for _ in range(200)]
    stop, done, problems = threading.Event(), [], []

    def again_and_again():
        while not stop.is_set():
            try:
                sign_in().shutdown()
                done.append(1)
            except (OSError, imaplib.IMAP4.error) as problem:
                problems.append(repr(problem))

    threads = [threading.Thread(target=again_and_again) for _ in range(2)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    said = sh("chroot", root, "dpkg", "-i", inside(second))
    processes.wait_until("the new one serves", 20, lambda: processes.read(log).count("event=ready") == 3)
    time.sleep(1)
    stop.set()
    for thread in threads:
        thread.join()
    print(len(done), "logins during the upgrade,", len(problems), "failed;", said.splitlines()[-1])
    assert not problems and len(done) > 20
    assert sh("chroot", root, "homewardctl", "status").startswith("Homeward")
    for client in live:
        assert client.noop()[0] == "OK"
        client.shutdown()

    sh("chroot", root, "dpkg", "-r", "homeward")
    processes.wait_until("the daemon has ended", 90, lambda: not daemon.is_alive())
    left = {path for path in listing(root) - before if not path.startswith("/var/lib/dpkg/")}
    print("left behind by removal:", sorted(left))
    assert left <= {"/etc/homeward", "/etc/homeward/homeward.cfg", "/etc/logrotate.d/homeward",
                    "/etc/fail2ban/filter.d/homeward.conf", "/var/log/homeward"} | {path for path in left if "systemd" in path}
    for name in ("chain.pem", "key.pem", "ca.pem"):
        os.unlink(os.path.join(root, "etc/homeward", name))
    sh("chroot", root, "dpkg", "-P", "homeward")
    left = {path for path in listing(root) - before if not path.startswith("/var/lib/dpkg/")}
    assert not left, left
    store.close()
