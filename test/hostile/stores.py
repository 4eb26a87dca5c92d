"""Mail stores out of a script, on asyncio: a good one in both protocols, and the room for bad ones.

Every connection is kept as a Visit: what it signed in with, and every byte that came."""
import asyncio
import base64
import re
import socket
import ssl

from harness import ports
from .wire import Surprise, Wire, forget_and_close

WRONG = b"wrong"  # a password with this in it is refused
WORDS = re.compile(rb'"((?:[^"\\]|\\.)*)"|([^ "]+)', re.DOTALL)


class Visit:
    """A connection at a store."""

    def __init__(self, wire):
        self.wire = wire
        self.attempts = []  # (user, password), the refused ones too
        self.reached = asyncio.Event()  # for scripts that stop at a place
        self.commands = []  # IMAP and POP3, as read, literals in place


def plain_parts(text):
    _, user, password = base64.b64decode(text, validate=True).split(b"\0")
    return user, password


class Imap:
    """The store's part. capabilities: as it greets."""

    is_imap = True
    capabilities = b"IMAP4rev1 SASL-IR LITERAL+ ID AUTH=PLAIN"

    def __init__(self, visit, context=None):
        self.visit, self.wire, self.context = visit, visit.wire, context

    async def say(self, text):
        await self.wire.send(text)

    async def greet(self):
        await self.say(b"* OK [CAPABILITY %s%s] ready\r\n" % (self.capabilities, b" STARTTLS" if self.context else b""))

    async def command(self):
        """(tag, verb, arguments) of one command with its literals."""
        whole, arguments = b"", []
        while True:
            line = await self.wire.line()
            whole += line
            literal = re.search(rb"\{(\d+)(\+?)\}$", line)
            text = line[:literal.start()] if literal else line
            arguments += [re.sub(rb"\\(.)", rb"\1", quoted) if not atom else atom for quoted, atom in WORDS.findall(text)]
            if not literal:
                break
            if not literal.group(2):
                await self.say(b"+ go on\r\n")
            if int(literal.group(1)) > 1 << 20:
                raise Surprise("the store got an endless literal")
            arguments.append(await self.wire.exactly(int(literal.group(1))))
            whole += b"\r\n" + arguments[-1]
        self.visit.commands.append(whole)
        return arguments[0] if arguments else b"", arguments[1].upper() if len(arguments) > 1 else b"", arguments[2:]

    async def credential(self):
        """Answer what comes before a credential; the tag of the command that has it."""
        while True:
            tag, verb, arguments = await self.command()
            if verb == b"CAPABILITY":
                await self.say(b"* CAPABILITY %s\r\n%s OK done\r\n" % (self.capabilities, tag))
            elif verb == b"ID":
                await self.say(b"* ID NIL\r\n%s OK done\r\n" % tag)
            elif verb == b"STARTTLS" and self.context:
                await self.say(tag + b" OK go ahead\r\n")
                await self.wire.handshake(self.context, server=True)
                self.context = None
            elif verb == b"LOGIN" and len(arguments) == 2:
                self.visit.attempts.append(tuple(arguments))
                return tag
            elif verb == b"AUTHENTICATE" and arguments[:1] == [b"PLAIN"]:
                if len(arguments) == 1:
                    await self.say(b"+ \r\n")
                    arguments.append(await self.wire.line())
                self.visit.attempts.append(plain_parts(arguments[1]))
                return tag
            elif verb in (b"LOGOUT", b"NOOP"):
                await self.say(tag + b" OK done\r\n")
            else:
                raise Surprise(f"the store did not expect {verb[:100]!r} {arguments!r:.200}")

    async def welcome(self, tag):
        if WRONG in self.visit.attempts[-1][1]:
            await self.say(tag + b" NO [AUTHENTICATIONFAILED] no\r\n")
            return False
        await self.say(tag + b" OK [CAPABILITY IMAP4rev1 IDLE] in\r\n")
        return True

    async def serve(self):
        """After the login, until LOGOUT."""
        while True:
            tag, verb, arguments = await self.command()
            if verb == b"LOGOUT":
                return await self.say(b"* BYE then\r\n%s OK done\r\n" % tag)
            if verb == b"IDLE":
                await self.say(b"+ idling\r\n")
                await self.wire.line()
            if verb == b"FETCH":
                await self.say(b"* 1 FETCH (BODY[] {%s}\r\n%s)\r\n" % (arguments[0], b"m" * int(arguments[0])))
            await self.say(b"%s OK %s done\r\n" % (tag, verb))


class Pop3:
    is_imap = False

    def __init__(self, visit, context=None):
        self.visit, self.wire, self.context = visit, visit.wire, context
        self.named = None

    async def say(self, text):
        await self.wire.send(text)

    async def greet(self):
        await self.say(b"+OK ready\r\n")

    async def command(self):
        line = await self.wire.line()
        self.visit.commands.append(line)
        verb, _, rest = line.partition(b" ")
        return verb.upper(), rest

    async def credential(self):
        while True:
            verb, rest = await self.command()
            if verb == b"CAPA":
                await self.say(b"+OK\r\nUSER\r\nSASL PLAIN\r\nUIDL\r\nTOP\r\nPIPELINING\r\n%s.\r\n" % (b"STLS\r\n" if self.context else b""))
            elif verb == b"STLS" and self.context:
                await self.say(b"+OK go ahead\r\n")
                await self.wire.handshake(self.context, server=True)
                self.context = None
            elif verb == b"USER":
                self.named = rest
                await self.say(b"+OK\r\n")
            elif verb == b"PASS" and self.named is not None:
                self.visit.attempts.append((self.named, rest))
                return None
            elif verb == b"AUTH" and rest.upper().startswith(b"PLAIN"):
                response = rest[6:]
                if not response:
                    await self.say(b"+ \r\n")
                    response = await self.wire.line()
                self.visit.attempts.append(plain_parts(response))
                return None
            elif verb in (b"QUIT", b"NOOP", b"XCLIENT"):
                await self.say(b"+OK\r\n")
            else:
                raise Surprise(f"the store did not expect {verb[:100]!r} {rest[:100]!r}")

    async def welcome(self, _tag):
        if WRONG in self.visit.attempts[-1][1]:
            await self.say(b"-ERR [AUTH] no\r\n")
            return False
        await self.say(b"+OK in\r\n")
        return True

    async def serve(self):
        while True:
            verb, rest = await self.command()
            if verb == b"RETR":
                await self.say(b"+OK\r\n%s\r\n.\r\n" % (b"m" * int(rest)))
                continue
            await self.say(b"+OK\r\nUIDL\r\n.\r\n" if verb == b"CAPA" else b"+OK %s done\r\n" % verb)
            if verb == b"QUIT":
                return


KINDS = {"imap": Imap, "pop3": Pop3}


async def good(double):
    """The whole of a good store's dialogue."""
    await double.greet()
    while not await double.welcome(await double.credential()):
        pass
    await double.serve()


class Store:
    """A listener on loopback; each connection is given to script(double), double being an Imap or a Pop3. tls: a context for TLS at
    once; inside: one for STARTTLS."""

    def __init__(self, protocol, script=good, tls=None, inside=None):
        self.protocol, self.kind, self.script, self.tls, self.inside = protocol, KINDS[protocol], script, tls, inside
        self.port = ports.take()
        self.visits, self.errors, self.tasks = [], [], set()
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=1024)
        self.listener.setblocking(False)

    def start(self):
        self._spawn(self._accept())
        return self

    def _spawn(self, coroutine):
        task = asyncio.get_running_loop().create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _accept(self):
        while True:
            sock, _ = await asyncio.get_running_loop().sock_accept(self.listener)
            self._spawn(self._one(Visit(Wire(sock, patience=60))))

    async def _one(self, visit):
        self.visits.append(visit)
        try:
            if self.tls:
                await visit.wire.handshake(self.tls, server=True)
            await self.script(self.kind(visit, self.inside))
        except (Surprise, OSError, ssl.SSLError, ValueError) as error:
            self.errors.append(error)
        finally:
            visit.wire.close()

    def forget(self):
        self.visits, self.errors = [], []

    def close(self):
        forget_and_close(self.listener)
        for task in self.tasks:
            task.cancel()
        for visit in self.visits:
            visit.wire.close()
