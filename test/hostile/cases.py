"""A case: what a client sends, cut as it says, and what must and must not come of it.

Steps are bytes (one segment, or one TLS record), Cut(bytes, n) (n bytes a segment), Below(bytes) (under TLS), numbers (seconds of
silence), and the words TLS (handshake), LINE (wait for a line), HALF (our side ends)."""
import asyncio
import re
import ssl

from . import wire

TLS, LINE, HALF = "tls", "line", "half"


class Cut:
    def __init__(self, data, size=1):
        self.data, self.size = data, size


class Below:
    def __init__(self, data):
        self.data = data


class Case:
    """want: a pattern that all answers together must hold; never: one that they must not. then: what the session is afterwards: "open"
    (it answers a probe), "end" (it ends), "any" (one of the two; it does not hang). store: what must have been signed in with at the
    store: a list of (user, password), or MAYBE with one of them: that or nothing. ours: a pattern that Homeward's answers hold, in
    words that no standard asks of others. within: the seconds of `then`, where the stage's patience is less."""

    def __init__(self, name, door, *steps, want=None, never=None, then="open", store=None, ours=None, within=0):
        self.name, self.door, self.steps = name, door, steps
        self.want, self.never, self.then, self.store, self.ours, self.within = want, never, then, store, ours, within

    @property
    def title(self):
        return f"{self.name} ({self.door})"


class Maybe(list):
    """That, or nothing at all."""


class Failed(Exception):
    """A case did not end as it must; one sentence."""


def on_doors(doors, *cases):
    """Each case (a function of the door) at each of the doors."""
    return [case(door) for case in cases for door in doors]


PROBE = {"imap": (b"probe NOOP\r\n", re.compile(rb"(?m)^probe \S+ .*$")),
         "pop3": (b"CAPA\r\n", re.compile(rb"(?m)^\.\r?$"))}


class Player:
    def __init__(self, stage, case):
        self.stage, self.case = stage, case
        self.said = b""  # all that came behind the greeting
        self.client = None

    async def play(self):
        visits = {protocol: len(store.visits) for protocol, store in self.stage.good.items()}
        first = self.case.steps[0] if self.case.steps else None
        below = isinstance(first, Below)
        self.client = await self._connect(below)
        try:
            try:
                for step in self.case.steps:
                    await self._step(step)
            except (wire.Ended, OSError, ssl.SSLError):
                pass
            await self._afterwards()
        finally:
            self.client.close()
        self._judge()
        await asyncio.sleep(0.02 if self.case.store is not None else 0)
        self._judge_store(self.stage.good[self.case.door[:4]].visits[visits[self.case.door[:4]]:])

    async def _connect(self, below):
        if below and self.case.door.endswith("s"):  # its own bytes instead of a handshake
            return await wire.connect(self.stage.doors[self.case.door], self.stage.source(self.case.door), self.stage.patience)
        client = await self.stage.connect(self.case.door)
        client.received = client.unread
        return client

    async def _step(self, step):
        client = self.client
        if step == TLS:
            self._keep()
            await client.handshake(self.stage.context)
        elif step == LINE:
            await client.line()
        elif step == HALF:
            client.half_close()
        elif isinstance(step, (int, float)):
            await client.linger(step)
        elif isinstance(step, Cut):
            await client.send(step.data, step.size)
        elif isinstance(step, Below):
            await client.raw(step.data)
        else:
            await client.send(step)

    def _keep(self):
        self.said, self.client.received = self.said + self.client.received, b""

    async def _afterwards(self):
        """What the session is now, as "open", "end" or "hang"."""
        probe, answer = PROBE[self.case.door[:4]]
        mark = len(self.client.received)
        self.state = "hang"
        within = max(self.case.within, self.stage.patience)
        try:
            async with asyncio.timeout(within):
                if self.case.then != "end":
                    await self.client.send(probe)
                while not answer.search(self.client.received, mark) or self.case.then == "end":
                    if not await self.client.more(within + 1):
                        self.state = "end"
                        break
                else:
                    self.state = "open"
        except TimeoutError:
            pass
        except (OSError, ssl.SSLError):
            self.state = "end"
        self._keep()

    def _judge(self):
        case = self.case
        wanted = {"any": ("open", "end")}.get(case.then, (case.then,))
        if self.state not in wanted:
            raise Failed(f"the session is then {self.state!r}, not {case.then!r}; it said {self.said[-400:]!r}")
        patterns = [case.want] + ([case.ours] if self.stage.name == "homeward" else [])
        for pattern in filter(None, patterns):
            if not re.search(pattern, self.said, re.MULTILINE | re.DOTALL):
                raise Failed(f"its answers {self.said[-600:]!r} do not hold {pattern!r}")
        if case.never and re.search(case.never, self.said, re.MULTILINE):
            raise Failed(f"its answers {self.said[-600:]!r} hold {case.never!r}")

    def _judge_store(self, visits):
        wanted = self.case.store
        if wanted is None:
            return
        got = [attempt for visit in visits for attempt in visit.attempts]
        if got != list(wanted) and not (isinstance(wanted, Maybe) and not got):
            raise Failed(f"the store got {got!r:.600}, not {list(wanted)!r:.600}")
        # Exactly one command with a credential, whatever stood in it.
        for visit in visits:
            other = [command for command in visit.commands
                     if not re.match(rb"(?i)(\S+ (LOGIN|AUTHENTICATE|CAPABILITY|ID|LOGOUT|NOOP)|USER|PASS|AUTH|CAPA|XCLIENT|QUIT|NOOP)\b", command)]
            if other or len(visit.commands) > 8:
                raise Failed(f"the store got the commands {visit.commands!r:.600}")
