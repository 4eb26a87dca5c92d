"""What the cases are played on: a front end with all its doors, good stores behind it, and the look at its health after each case.

HomewardStage is the one that the tests use; peers.py has others, for the same client-side cases."""
import asyncio
import os
import ssl
import time

from harness import homeward, ports, processes
from . import wire
from .stores import Store

DOORS = {"imap": ("imap", "starttls", False), "imaps": ("imap", "implicit", False), "imap-clear": ("imap", "starttls", True),
         "pop3": ("pop3", "starttls", False), "pop3s": ("pop3", "implicit", False), "pop3-clear": ("pop3", "starttls", True)}
PASSWORD = b"Marker-4711-Secret"  # the right one; no log may ever hold it
SETTLE_S = 4
LOGIN_S = 3  # in which a client must have logged in


def client_context(**more):
    """One that trusts everybody: who is at the other end is known here."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for key, value in more.items():
        setattr(context, key, value)
    return context


def server_context(pair, **more):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    for key, value in more.items():
        setattr(context, key, value)
    return context


async def sign_in(client, door, user=b"anna", password=PASSWORD):
    """The right way; raises Surprise if it is refused."""
    if door.startswith("imap"):
        await client.send(b'in LOGIN "%s" "%s"\r\n' % (user, password))
        while not (line := await client.line()).startswith(b"in "):
            pass
    else:
        await client.send(b"USER %s\r\n" % user)
        line = await client.line()
        if line.startswith(b"+OK"):
            await client.send(b"PASS %s\r\n" % password)
            line = await client.line()
    if not line.startswith((b"in OK", b"+OK")):
        raise wire.Surprise(f"the login was answered by {line[:200]!r}")


class Unwell(Exception):
    """After a case something is not as it was."""


class Stage:
    """The loop that everything runs in, good stores, and the front end. Subclasses start and name one."""

    name = ""
    patience = wire.PATIENCE  # seconds in which an answer comes, or the end

    def __init__(self, folder, authority):
        self.folder, self.authority = folder, authority
        self.loop = asyncio.new_event_loop()
        self.context = client_context()
        self.doors = dict(zip(DOORS, ports.take(len(DOORS))))
        self.good = {}
        for protocol in ("imap", "pop3"):
            self.run(self._start_good(protocol))

    async def _start_good(self, protocol):
        self.good[protocol] = Store(protocol).start()

    def run(self, coroutine, seconds=120):
        """Play it, and the stores with it."""
        async def bounded():
            async with asyncio.timeout(seconds):
                return await coroutine
        return self.loop.run_until_complete(bounded())

    def source(self, _door):
        """Where a client comes from."""
        return None

    async def connect(self, door, greeted=True, context=None, patience=None, **more):
        """A client's wire at a door, with TLS where that comes first; greeted: and the greeting read."""
        client = await wire.connect(self.doors[door], self.source(door), patience or self.patience, **more)
        try:
            if door.endswith("s"):
                await client.handshake(context or self.context)
            if greeted:
                await client.line()
        except BaseException:
            client.close()
            raise
        return client

    async def warm(self):
        """One login by every door, so that all that opens once is open."""
        for door in ("imaps", "pop3s", "imap-clear", "pop3-clear"):
            client = await self.connect(door)
            await sign_in(client, door)
            client.close()

    # ---- health ----

    def pids(self):
        raise NotImplementedError

    def descriptors(self):
        found = {}
        for pid in self.pids():
            try:
                found[pid] = len(os.listdir(f"/proc/{pid}/fd"))
            except (FileNotFoundError, PermissionError):
                pass
        return found

    def take_baseline(self):
        # What opens once (a log, a clock) is open when two looks agree.
        before = None
        while before != (now := self.descriptors()):
            before = now
            self.run(asyncio.sleep(0.2))
        self.baseline = now

    def unwell(self):
        """What is not as it was, in a sentence; None: all is well."""
        now = self.descriptors()
        if now != self.baseline:
            return f"processes and their descriptors were {self.baseline} and are {now}"
        return None

    def check(self, seconds=SETTLE_S):
        """Raises Unwell unless all is as it was within so many seconds."""
        end = time.monotonic() + seconds
        while (why := self.unwell()) is not None:
            if time.monotonic() > end:
                raise Unwell(why)
            self.run(asyncio.sleep(0.02))
        if PASSWORD.decode() in self.said():
            raise Unwell("the password stands in the log")

    def said(self):
        """All of its log."""
        raise NotImplementedError

    def close(self):
        for store in self.good.values():
            store.close()
        self.run(asyncio.sleep(0))
        self.loop.close()


class HomewardStage(Stage):
    name = "homeward"

    def __init__(self, folder, authority, sites=(), directory="", settings=None, environment=None):
        """sites: groups beside the site `good`; directory: lines before `* good`; settings: whole groups, merged."""
        super().__init__(folder, authority)
        chain, key = authority.leaf("mail")
        groups = {
            **{protocol: {"listen": [{"address": "127.0.0.1", "port": self.doors[name], "tls": tls, "clear_login": clear}
                                     for name, (kind, tls, clear) in DOORS.items() if kind == protocol]}
               for protocol in ("imap", "pop3")},
            "tls": {"certificates": [{"chain": chain, "key": key}], "ca_file": authority.ca},
            # Cases of many kinds come from one address, and most of them leave a failure behind.
            "auth": {"failure_step_ms": 100, "guesses_per_account": 0, "guesses_per_address": 0},
            "log": {"level": "debug"},
            "accounts": {"default_domain": "hostile.test"},
            "sites": [self.site("good"), *sites],
        }
        for name, more in (settings or {}).items():
            groups[name] = {**groups.get(name, {}), **more}
        groups["limits"] = {"connections_per_address": 100000, "sessions_per_address": 100000, "imap_sessions_per_user": 100000,
                            "pop3_sessions_per_user": 100000, "login_timeout_s": LOGIN_S, "connect_timeout_ms": 1000,
                            "greeting_timeout_ms": 1000, "site_login_timeout_s": 2, **groups.get("limits", {})}
        self.front = homeward.Homeward(os.path.join(folder, "homeward"), groups, directory + "* good\n", environment=environment)

    def site(self, name, stores=None, **more):
        stores = stores or self.good
        return {"name": name, "backends": [{"host": "127.0.0.1"}], "security": "loopback",
                **{protocol: {"port": store.port} for protocol, store in stores.items()}, **more}

    def start(self):
        self.front.start()
        self.run(self.warm())
        self.take_baseline()
        return self

    def pids(self):
        return self.front.process.members()

    def gauges(self):
        """Every count of live things, as its owner has it."""
        rows = self.front.ask("status")["rows"]
        return {(row["from"], name): row[name] for row in rows for name in ("sessions", "dials", "visits") if name in row}

    def unwell(self):
        why = super().unwell()
        if why is None and any((gauges := self.gauges()).values()):
            why = f"something is still counted: {gauges}"
        return why

    def check(self, seconds=SETTLE_S):
        super().check(seconds)
        self.front.look_for_reports()

    def said(self):
        return self.front.said()

    def close(self):
        super().close()
        self.front.stop()
