"""The world of the cases: sites, their stores, Homeward in front of them, and clients."""
import imaplib
import os
import poplib
import signal
import ssl
import subprocess
import threading

from harness import dovecot, homeward, processes, scripted

import network
import wire
from network import FRONT4, FRONT6, Pair

IMAP, POP3 = 10143, 10110  # Homeward's doors, in clear on loopback: what matters is the other side
INNER_IMAP, INNER_POP3 = 1143, 1110
BARE_IMAP, BARE_POP3 = 2143, 2110

# Sites by name: address of the store, reqid, and what else differs.
SITES = {
    "esp4": ("10.9.0.11", 11, {}),
    "esp6": ("fd09::12", 12, {}),
    "tunnel": ("10.9.0.13", 13, {"ipsec": {"mode": "tunnel"}}),
    "cbc": ("10.9.0.14", 14, {}),
    "inner": ("10.9.0.15", 15, {"imap": {"port": INNER_IMAP}, "pop3": {"port": INNER_POP3}}),
    "never": ("10.9.0.16", 16, {"ipsec": {"tls": "never"}}),
    "bare": ("10.9.0.17", 17, {"imap": {"port": BARE_IMAP}, "pop3": {"port": BARE_POP3}}),
    "broken": ("10.9.0.18", 18, {"imap": {"port": BARE_IMAP}, "pop3": "off"}),
    "talker": ("10.9.0.19", 19, {}),
    "mute": ("10.9.0.20", 20, {}),
    "gap": ("10.9.0.21", 21, {}),
    "null": ("10.9.0.22", 22, {}),
    "gmac": ("10.9.0.23", 23, {}),
    "des": ("10.9.0.24", 24, {}),
    "unproved": ("10.9.0.25", 25, {}),
    "turned": ("10.9.0.26", 26, {}),
    "w2003": ("10.9.0.27", 27, {}),
    "w2003ok": ("10.9.0.28", 28, {"ipsec": {"algorithms": ["3des-sha1"]}}),
    "none": ("10.9.0.29", 29, {}),
    "ahonly": ("10.9.0.30", 30, {}),
    "mode": ("10.9.0.31", 31, {}),
    "reqid": ("10.9.0.32", 32, {}),
    "half": ("10.9.0.33", 33, {}),
    "late": ("10.9.0.34", 34, {}),
    "reborn": ("10.9.0.35", 35, {}),
    "drained": ("10.9.0.36", 36, {}),
    "expired": ("10.9.0.37", 37, {}),
    "switched": ("10.9.0.38", 38, {"imap": {"port": BARE_IMAP}, "pop3": "off"}),
    "half_way": ("10.9.0.39", 39, {"imap": {"port": BARE_IMAP}, "pop3": "off"}),
    "ike": ("10.9.0.40", 40, {}),
    "ikev1": ("10.9.0.41", 41, {"ipsec": {"algorithms": ["3des-sha1"]}}),
    "probed": ("10.9.0.42", 42, {}),
    "control": ("10.9.0.50", 0, {"security": "clear", "networks": ["10.9.0.50"], "reason": "the control of this test",
                                 "until": "2999-12-31"}),
}
SECRETS = {name: f"geheim-{name}-Zq7" for name in SITES}
LOGS = ["/run/house/homeward/homeward.log", "/run/house/store/dovecot.log", "/run/house/inner/dovecot.log",
        "/run/house/charon-front.log", "/run/house/charon-store.log"]


def site(name):
    address, reqid, more = SITES[name]
    group = {"name": name, "backends": [{"host": address}], "security": "ipsec",
             **{key: value for key, value in more.items() if key != "ipsec"}}
    if group["security"] == "ipsec":
        group["ipsec"] = {"reqid": reqid, **more.get("ipsec", {})}
    return group


class Refused(Exception):
    """The client's login was refused; the server's words."""


class World:
    def __init__(self, folder):
        os.makedirs(folder, exist_ok=True)
        os.chmod(folder, 0o755)
        self.folder = folder
        network.make([address for address, _, _ in SITES.values()])
        self.pairs = {name: Pair(address, reqid, more.get("ipsec", {}).get("mode", "transport"))
                      for name, (address, reqid, more) in SITES.items()}
        self.clients = []
        self.stores = self.start_stores()
        self.front = self.start_homeward()
        self.wire = None
        self.mark = 0

    def start_stores(self):
        folder = os.path.join(os.path.dirname(os.environ["HOMEWARD"]), "certificates")
        certificate = tuple(os.path.join(folder, "store." + end) for end in ("crt", "key"))
        with wire.inside("store"):
            return [
                dovecot.Store("store", os.path.join(self.folder, "store"), "none", SECRETS, extra="listen = *, ::",
                              port_of={"imap": 143, "pop3": 110}).start(),
                dovecot.Store("inner", os.path.join(self.folder, "inner"), "starttls", {"inner": SECRETS["inner"]},
                              certificate, extra="listen = *", port_of={"imap": INNER_IMAP, "pop3": INNER_POP3}).start()]

    def start_homeward(self):
        doors = {protocol: {"listen": [{"address": "127.0.0.1", "port": port, "tls": "none"}], "clear_login": True}
                 for protocol, port in (("imap", IMAP), ("pop3", POP3))}
        settings = {**doors, "run": {"workers": 1, "user": "nobody", "runtime_dir": "/run/house/homeward/run"},
                    "auth": {"failure_step_ms": 100}, "sites": [site(name) for name in SITES]}
        directory = "".join(f"{name}@demo.test {name} user={name}\n" for name in SITES)
        with wire.inside("front"):
            return homeward.Homeward(os.path.join(self.folder, "homeward"), settings, directory, privileged=True).start()

    def stop(self):
        self.front.stop()
        for store in self.stores:
            store.stop()

    # ---- clients ----

    def imap(self, name, timeout=15):
        """Signed in at that site; Refused with what the server said."""
        with wire.inside("front"):
            client = imaplib.IMAP4("127.0.0.1", IMAP, timeout)
        self.clients.append(client)
        try:
            client.welcome_text = client.login(f"{name}@demo.test", SECRETS[name])[1][0].decode()
        except imaplib.IMAP4.error as error:
            raise Refused(str(error)) from None
        return client

    def pop3(self, name, timeout=15):
        with wire.inside("front"):
            client = poplib.POP3("127.0.0.1", POP3, timeout)
        self.clients.append(client)
        try:
            client.user(f"{name}@demo.test")
            client.pass_(SECRETS[name])
        except poplib.error_proto as error:
            raise Refused(str(error)) from None
        return client

    def close_clients(self):
        for client in self.clients:
            try:
                (client.shutdown if isinstance(client, imaplib.IMAP4) else client.close)()
            except (OSError, ssl.SSLError):
                pass
        self.clients = []

    def try_imap(self, name, timeout=15):
        """None when it works, else the refusal."""
        try:
            self.imap(name, timeout)
        except Refused as refused:
            return str(refused)
        return None

    def try_all(self, names):
        """The same for several at once."""
        answers = {}
        threads = [threading.Thread(target=lambda each=each: answers.update({each: self.try_imap(each)})) for each in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return answers

    # ---- what Homeward says and does ----

    def line(self, event, *words):
        return self.front.wait_for(event, *words, since=self.mark)

    def backends(self):
        return self.front.roles()["backends"][0]

    def probe(self, name):
        """homeward probe: its exit status and what it said."""
        with wire.inside("front"):
            done = subprocess.run([self.front.binary, "probe", name, "-c", self.front.file, "--proto", "imap"],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True)
        return done.returncode, done.stdout

    def kill_backends(self):
        old = self.backends()
        os.kill(old, signal.SIGKILL)
        return old

    def wait_for_new_backends(self, old):
        processes.wait_until("a new backends process", 10,
                             lambda: [pid for pid in self.front.roles().get("backends", []) if pid != old])

    def scripted(self, address, port, script):
        """A store that is a Python function of its connection."""
        with wire.inside("store"):
            return scripted.ScriptedStore(None, address, port).serve(script)


def read_imap(client):
    """All that a user would fetch."""
    client.select("INBOX")
    status, parts = client.fetch("1:*", "(BODY.PEEK[])")
    assert status == "OK", status
    return b"".join(part[1] for part in parts if isinstance(part, tuple)).decode()


def read_pop3(client):
    count = client.stat()[0]
    return b"\n".join(b"\n".join(client.retr(number + 1)[1]) for number in range(count)).decode()
