"""Every phase of a session by every fault: a client, its store or a helper ends, resets, stalls, dribbles, talks nonsense, is stopped or
is killed, at each point of the way from connect to logout. In each cell: a defined reply or a close, in time, and nobody else harmed.

A cell has a site of its own, so that what a fault leaves behind (a site avoided) reaches no other cell."""
import asyncio
import os
import random
import signal
import ssl
import subprocess
import time

from harness import homeward
from . import wire
from .stage import PASSWORD, sign_in
from .stores import Store
from .wire import hello

SANITIZED = "asan" in homeward.BINARY  # several times slower
LOGIN_S, IDLE_S, SILENT_S, SITE_S = (6, 3, 3, 5) if SANITIZED else (3, 3, 2, 2)
SETTINGS = {"limits": {"login_timeout_s": LOGIN_S, "site_silent_timeout_s": SILENT_S, "site_login_timeout_s": SITE_S, "check_interval_s": 0,
                       "failed_logins": 3, "errors": 5},
            "imap": {"idle_timeout_s": IDLE_S}, "pop3": {"idle_timeout_s": IDLE_S}}
GRACE_S = 10  # in which a store may still answer a client that is leaving
DEADLINE_S = LOGIN_S + SITE_S + IDLE_S + GRACE_S + 2  # nothing outlives all of them together
REACHING = 12  # at once: on the way there is work to do, at the end only waiting
HELPER_STOPPED_S = LOGIN_S + 1.5
GARBAGE = random.Random(11).randbytes(600).replace(b"\n", b"x") + b"\r\n"

# ---- faults of one end ----


async def fin(end):
    end.close()


async def rst(end):
    end.reset()


async def half(end):
    end.half_close()


async def stall(end):
    pass


async def dribble(end):
    """It goes on, an octet at a time, with nothing that helps."""
    for byte in b"x" * 40:
        await end.send(bytes([byte]))
        await asyncio.sleep(0.02)


async def garbage(end):
    await end.send(GARBAGE)


def holder(end):
    """A process of its own that has the connection."""
    return subprocess.Popen(["sleep", "60"], pass_fds=[end.sock.fileno()], stdin=subprocess.DEVNULL)


async def stopped(end):
    end.process = holder(end)
    end.process.send_signal(signal.SIGSTOP)


async def killed(end):
    process = holder(end)
    end.close()
    process.kill()
    process.wait()


FAULTS = {"FIN": fin, "RST": rst, "half-close": half, "stall": stall, "dribble": dribble, "garbage": garbage, "SIGSTOP": stopped, "SIGKILL": killed}
LEAVES = ("FIN", "RST", "SIGKILL")  # after which that end hears nothing any more

# ---- phases: what brings a session there ----


class Phase:
    """name; the doors; what the client does to get there (a coroutine function of the cell); the store's script and security."""

    def __init__(self, name, doors, reach, security=None, script=None, protocols=("imap", "pop3"), greeted=True):
        self.name, self.doors, self.reach, self.protocols, self.greeted = name, doors, reach, protocols, greeted
        self.security, self.script = security, script


async def hold(double):
    """Say no more; what comes is kept."""
    double.visit.reached.set()
    await double.wire.rest(patience=60)


async def before_greeting(double):
    await hold(double)


async def before_capabilities(double):
    await double.say(b"* OK ready\r\n" if double.is_imap else b"+OK ready\r\n")
    await double.wire.line()
    await hold(double)


async def starttls(double):
    """The line in which it is asked for."""
    while b"TLS" not in (line := await double.wire.line()) and b"STLS" not in line:
        if line == b"CAPA":
            await double.say(b"+OK\r\nUSER\r\nSTLS\r\n.\r\n")
    return line


async def before_starttls(double):
    await double.greet()
    await starttls(double)
    await hold(double)


async def before_inner_handshake(double):
    await double.greet()
    await double.say((await starttls(double)).split(b" ")[0] + b" OK go\r\n" if double.is_imap else b"+OK go\r\n")
    await hold(double)


async def before_answer(double):
    await double.greet()
    await double.credential()
    await hold(double)


async def signed_in(double):
    await double.greet()
    await double.welcome(await double.credential())
    await hold(double)


async def midway_down(double):
    await double.greet()
    await double.welcome(await double.credential())
    double.visit.reached.set()
    await double.wire.line()
    await double.say(b"* 1 FETCH (BODY[] {5000}\r\n" + b"m" * 2500 if double.is_imap else b"+OK\r\n" + b"m" * 2500)
    await hold(double)


async def begin(cell):
    """A login is asked for; nobody waits for its answer."""
    if cell.protocol == "imap":
        await cell.client.send(b"in LOGIN %s %s\r\n" % (cell.user, PASSWORD))
    else:
        await cell.client.send(b"USER %s\r\n" % cell.user)
        await cell.client.line()
        await cell.client.send(b"PASS %s\r\n" % PASSWORD)
    await cell.store_reached()


async def enter(cell):
    await begin(cell)
    while not (await cell.client.line()).startswith((b"in OK", b"+OK")):
        pass


def then(*steps):
    """steps: functions of the cell, or bytes to send: one for both protocols or a pair."""
    async def reach(cell):
        for step in steps:
            if callable(step):
                await step(cell)
            else:
                await cell.client.send(step if isinstance(step, bytes) else step[cell.protocol == "pop3"])
    return reach


async def line(cell):
    await cell.client.line()


async def half_hello(cell):
    await cell.client.raw(hello(cell.stage.context, "localhost")[:100])


async def dial(cell):
    """The store's kernel answers no SYN: its queue is full."""
    await cell.fill_queue()
    if cell.protocol == "imap":
        await cell.client.send(b"in LOGIN %s %s\r\n" % (cell.user, PASSWORD))
    else:
        await cell.client.send(b"USER %s\r\nPASS %s\r\n" % (cell.user, PASSWORD))
        await cell.client.line()
    await asyncio.sleep(0.1)


CLEAR, TLS, BOTH = ("-clear",), ("s",), ("-clear", "s")
PHASES = [
    Phase("connected", BOTH, then(), greeted=False),
    Phase("half a ClientHello", TLS, half_hello, greeted=False),
    Phase("STARTTLS said", CLEAR, then((b"a STARTTLS\r\n", b"STLS\r\n"), line)),
    Phase("STARTTLS, half a ClientHello", CLEAR, then((b"a STARTTLS\r\n", b"STLS\r\n"), line, half_hello)),
    Phase("greeted", BOTH, then()),
    Phase("half a command", BOTH, then((b"a LOGI", b"USE"))),
    Phase("half a credential", BOTH, then((b"a LOGIN {10}\r\n", b"USER x\r\n"), line, (b"12345", b"PASS ha"))),
    Phase("SASL begun", BOTH, then((b"a AUTHENTICATE PLAIN\r\n", b"AUTH PLAIN\r\n"), line)),
    Phase("half a SASL response", BOTH, then((b"a AUTHENTICATE PLAIN\r\n", b"AUTH PLAIN\r\n"), line, b"AGFubmE")),
    Phase("dial", BOTH, dial, "loopback", hold),
    Phase("the store's handshake", BOTH, begin, "tls", None),
    Phase("the store's greeting", BOTH, begin, "tls", before_greeting),
    Phase("the store's capabilities", BOTH, begin, "loopback", before_capabilities, protocols=("imap",)),
    Phase("the store's STARTTLS", BOTH, begin, "starttls", before_starttls),
    Phase("the store's handshake after STARTTLS", BOTH, begin, "starttls", before_inner_handshake),
    Phase("the store's answer", BOTH, begin, "tls", before_answer),
    Phase("signed in", BOTH, enter, "tls", signed_in),
    Phase("half a command later", BOTH, then(enter, (b"b NOO", b"NOO")), "tls", signed_in),
    Phase("half a literal later", BOTH, then(enter, (b"b APPEND x {500+}\r\n12345", b"RETR ")), "tls", signed_in),
    Phase("half a message", BOTH, then(enter, (b"b FETCH 1 BODY[]\r\n", b"RETR 1\r\n"), line), "tls", midway_down),
    Phase("a command unanswered", BOTH, then(enter, (b"b NOOP\r\n", b"NOOP\r\n")), "loopback", signed_in),
    Phase("logging out", BOTH, then(enter, (b"b LOGOUT\r\n", b"QUIT\r\n")), "loopback", signed_in),
]


class Failed(Exception):
    """A cell did not end as it must."""


class Cell:
    """One session, brought to a phase. fault: (whose, name); whose: client, store, or a helper's name."""

    def __init__(self, number, phase, door, whose, fault):
        self.phase, self.door, self.whose, self.fault = phase, door, whose, fault
        self.protocol, self.site, self.user = door[:4], f"c{number}", b"anna@c%d.test" % number
        self.client = self.store = self.stage = None
        self.extra = []

    @property
    def title(self):
        return f"{self.phase.name} ({self.door}): {self.whose} {self.fault}"

    # ---- the store ----

    def prepare(self, stage_context):
        """Its store, listening; the site's group for the configuration; or None."""
        if self.phase.security is None:
            return None
        script, implicit = self.phase.script, self.phase.security == "tls"
        self.store = Store(self.protocol, script or hold, tls=stage_context if implicit and script else None,
                           inside=stage_context if self.phase.security == "starttls" else None)
        return {"name": self.site, "backends": [{"host": "127.0.0.1"}], "security": self.phase.security,
                self.protocol: {"port": self.store.port}, "pop3" if self.protocol == "imap" else "imap": "off"}

    async def store_reached(self):
        """Until the store stands where the phase has it."""
        async with asyncio.timeout(wire.PATIENCE):
            while not self.store.visits:
                await asyncio.sleep(0.005)
            await self.store.visits[0].reached.wait()

    async def fill_queue(self):
        self.store.listener.listen(0)
        for _ in range(2):
            try:
                self.extra.append(await wire.connect(self.store.port, patience=0.2))
            except (TimeoutError, OSError):
                return

    # ---- the play ----

    async def reach(self, stage):
        self.stage = stage
        if self.store is not None and self.phase.reach is not dial:
            self.store.start()
        if self.phase.greeted:
            self.client = await stage.connect(self.door, patience=DEADLINE_S)
        else:
            self.client = await wire.connect(stage.doors[self.door], patience=DEADLINE_S)
        await self.phase.reach(self)
        self.mark = len(self.client.received) - len(self.client.unread)

    async def suffer(self):
        end = self.client if self.whose == "client" else self.store.visits[0].wire
        end.process = None
        self.hurt = end
        try:
            await FAULTS[self.fault](end)
        except (OSError, ssl.SSLError, ValueError):
            pass  # homeward ended it in the middle of the fault, which is its right

    async def outcome(self):
        """Both ends come to their end by themselves, in time; raises Failed."""
        began = time.monotonic()
        ends = [self.client] + ([visit.wire for visit in self.store.visits] if self.store is not None else [])
        gone = [end for end in ends if end is getattr(self, "hurt", None) and self.fault in LEAVES]
        for end in ends:
            if end in gone:
                continue
            left = DEADLINE_S - (time.monotonic() - began)
            ended = await end.ends(left) if end is self.client or self.store is None else await self._store_ended(end, left)
            if not ended:
                raise Failed(f"{'the client' if end is self.client else 'the store'} still has its connection after {DEADLINE_S} s; "
                             f"it got {end.received[-200:]!r}")
        said = self.client.received[self.mark:]
        if self.phase.security and self.phase.reach in (begin, dial) and (b"in OK" in said or b"+OK" in said):
            raise Failed(f"the store never said yes, the client heard {said!r}")
        if self.client not in gone and self.fault != "garbage" and b"AUTHENTICATIONFAILED" in said and self.phase.security:
            raise Failed(f"an outage looks like a wrong password: {said!r}")

    @staticmethod
    async def _store_ended(end, seconds):
        """The store's own script reads; here it is only watched."""
        until = time.monotonic() + seconds
        while end.end is None and end.sock.fileno() >= 0:
            if time.monotonic() > until:
                return False
            await asyncio.sleep(0.02)
        return True

    def close(self):
        for end in [self.client, *self.extra] + ([visit.wire for visit in self.store.visits] if self.store is not None else []):
            if end is not None:
                if getattr(end, "process", None) is not None:
                    end.process.kill()
                    end.process.wait()
                end.close()
        if self.store is not None:
            self.store.close()

    async def play(self, stage, gate):
        try:
            async with gate:
                await self.reach(stage)
            await self.suffer()
            await self.outcome()
            return None
        except (Failed, wire.Surprise, OSError, ssl.SSLError, TimeoutError) as error:
            return f"{self.title}: {type(error).__name__}: {error}"
        finally:
            self.close()


def phases():
    return [(phase, protocol + door) for phase in PHASES for protocol in phase.protocols for door in phase.doors]


def cells():
    """All of one end; helpers have rounds of their own."""
    found = []
    for phase, door in phases():
        for fault in FAULTS:
            found.append(Cell(len(found), phase, door, "client", fault))
            if phase.security is not None and phase.reach is not dial:
                found.append(Cell(len(found), phase, door, "store", fault))
    return found


HELPER_FAULTS = [(role, fault) for role in ("auth", "backends") for fault in ("SIGKILL", "SIGSTOP")]


def helper_cells():
    """{(role, fault): cells}"""
    return {both: [Cell(10000 + 1000 * number + each, phase, door, *both) for each, (phase, door) in enumerate(phases())]
            for number, both in enumerate(HELPER_FAULTS)}


class Bystander:
    """A session that was there before, and must not notice anything."""

    def __init__(self, stage, door):
        self.stage, self.door, self.rounds = stage, door, 0

    async def arrive(self):
        self.client = await self.stage.connect(self.door)
        await sign_in(self.client, self.door)
        self.task = asyncio.get_running_loop().create_task(self.work())
        return self

    async def work(self):
        while True:
            await self.client.send(b"n NOOP\r\n" if self.door.startswith("imap") else b"NOOP\r\n")
            if b"OK" not in await self.client.line(3):
                raise Failed("the bystander got a wrong answer")
            self.rounds += 1
            await asyncio.sleep(0.1)

    def leave(self):
        """Raises what it came across."""
        self.client.close()
        if self.task.done():
            self.task.result()
        self.task.cancel()


async def round_of(stage, some, whom=None):
    """Play cells; whom: (role, signal name) what happens to a helper once all of them have reached their phase. What went wrong."""
    bystanders = [await Bystander(stage, door).arrive() for door in ("imaps", "pop3-clear")]
    gate = asyncio.Semaphore(REACHING)
    if whom is None:
        # The latest phases first: in those an end has most time to come.
        wrong = await asyncio.gather(*(cell.play(stage, gate) for cell in reversed(some)))
    else:
        wrong = await helper_round(stage, some, gate, *whom)
    for each in bystanders:
        if each.rounds < 10:
            wrong.append(f"the bystander at {each.door} got only {each.rounds} answers")
        try:
            each.leave()
        except (Failed, wire.Surprise, OSError) as error:
            wrong.append(f"the bystander at {each.door}: {error!r}")
    return [each for each in wrong if each]


async def helper_round(stage, some, gate, role, name):
    async def safely(cell, what):
        try:
            return await what
        except (Failed, wire.Surprise, OSError, ssl.SSLError, TimeoutError) as error:
            return f"{cell.title}: {type(error).__name__}: {error}"

    async def reach(cell):
        async with gate:
            await cell.reach(stage)

    wrong = await asyncio.gather(*(safely(cell, reach(cell)) for cell in some))
    reached = [cell for cell, why in zip(some, wrong) if why is None]
    pid = stage.front.roles()[role][0]
    os.kill(pid, getattr(signal, name))
    began = time.monotonic()
    wrong += await asyncio.gather(*(safely(cell, cell.outcome()) for cell in reached))
    if name == "SIGSTOP":
        await asyncio.sleep(max(0, HELPER_STOPPED_S - (time.monotonic() - began)))
        os.kill(pid, signal.SIGCONT)
    for cell in some:
        cell.close()
    return wrong
