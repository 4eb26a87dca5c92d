"""Plays flow files: dialogues with the real binary, readable as transcripts.

A file opens with comments and `config:` lines (a group's option for this file: `config: limits.failed_logins = 3`), then
holds dialogues, each headed `== what it claims`. A dialogue may begin with

    door: imaps | imap | pop3s | pop3 | imap-clear | pop3-clear     where the client connects (imaps)
    site: tls | starttls | loopback [option=value ...]              the store behind; options of the site, or of its double:
                                        certificate=, alpn=, before=, after= (capabilities outside and inside TLS)
    map: dora@home.test protocols=imap                              a line of its own in the directory map

and is then played line by line. home.test stands for a domain of the dialogue's own, which lives at its site.

    C: text        the client sends this line             S: text      the client gets this line
    C> bytes       it sends exactly this                  S end        its connection is ended
    C tls          TLS handshake                          S quiet      nothing comes for a moment
    C tls fails    ... which must not succeed             S bye        lines may come, none of them an OK, then the end
    C close | half-close | reset                          S ends somehow     anything may come, then the end
    site S: site C: site S> site tls site tls fails site close site reset site end site quiet site ends somehow
                   the same at the store, which is the server there: it sends `site S:`, and gets `site C:`
    site greets [text]      a greeting with the store's capabilities
    site gets USER PASSWORD the store answers what comes before the credential, which must be this; <t> is then its tag
    site gets nothing       it answers likewise, but the connection ends without a credential
    site refuses STLS       it answers CAPA, refuses STLS, and gets nothing more
    site floods N           it sends so many bytes without a line's end
    site never WORD         nothing that it got so far holds this
    site none               no connection came to the store
    site new                what follows happens on another connection
    site accepts            it takes the connection, without a handshake
    site refused            homeward breaks the handshake off
    S list <name>           the client gets lines up to a lone dot; name is all their words
    check: <name> has WORDS, lacks WORDS
    log: words              a line of Homeward's log holds all of these
    pause MILLISECONDS

In what is expected `...` stands for anything and <name> for what is the same everywhere in the dialogue; in what is sent
<name> is what it was. \\r \\n \\t \\\\ \\xHH are bytes, $b64(text) is base64, $x(a,1000) is that many times a."""
import base64
import os
import re
import shlex
import ssl
import time

from . import homeward, processes, scripted
from .scripted import Surprise

HEADERS = ("door", "site", "map")
CLEAR = {"imap-clear": "imap", "pop3-clear": "pop3"}


class Flow:
    """One dialogue of a file."""

    def __init__(self, title, line, number):
        self.title, self.line, self.number = title, line, number
        self.door, self.site, self.options, self.map = "imaps", "tls", {}, []
        self.steps = []  # (line number, text)

    @property
    def name(self):
        return f"h{self.number:03}"

    def header(self, key, value):
        if key == "door":
            self.door = value
        elif key == "map":
            self.map.append(value)
        else:
            self.site, *options = shlex.split(value)
            self.options = dict(option.split("=", 1) for option in options)


def parse(path):
    """A file's settings ({"limits.errors": "3"}) and dialogues."""
    settings, flows = {}, []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            line = line.rstrip("\n")
            if line.startswith("== "):
                flows.append(Flow(line[3:], number, len(flows) + 1))
            elif line.startswith("config: ") and not flows:
                key, _, value = line[8:].partition("=")
                settings[key.strip()] = value.strip()
            elif not line.strip() or line.startswith("#"):
                continue
            elif not flows:
                raise Surprise(f"{path}:{number}: expected a comment, config: or ==, found {line!r}")
            elif line.split(":")[0] in HEADERS and not flows[-1].steps:
                flows[-1].header(*line.split(": ", 1))
            else:
                flows[-1].steps.append((number, line))
    return settings, flows


class Stage:
    """One Homeward and the scripted stores for all dialogues of a file."""

    def __init__(self, folder, authority, foreign, settings, flows):
        """authority: trusted by Homeward and the client; foreign: a CA that nobody trusts."""
        self.authority, self.foreign = authority, foreign
        self.doors = homeward.Doors(authority.ca)
        for clear in CLEAR:
            self.doors.port[clear] = scripted.ports.take()
        self.stores = {flow.name: scripted.ScriptedStore() for flow in flows}
        self.front = homeward.Homeward(folder, self.groups(flows, settings), self.map(flows))

    def groups(self, flows, settings):
        groups = {
            "tls": {"certificates": [dict(zip(("chain", "key"), self.authority.leaf("mail")))], "ca_file": self.authority.ca},
            "auth": {"failure_step_ms": 200},
            "log": {"level": "debug"},
            "sites": [self.site(flow) for flow in flows],
        }
        for protocol in ("imap", "pop3"):
            clear = {"address": "127.0.0.1", "port": self.doors.port[f"{protocol}-clear"], "tls": "starttls", "clear_login": True}
            groups[protocol] = {"listen": self.doors.listen(protocol) + [clear]}
        for key, value in settings.items():
            group, name = key.split(".")
            groups.setdefault(group, {})[name] = int(value) if value.isdigit() else value == "true" if value in (
                "true", "false") else value.strip('"')
        return groups

    def site(self, flow):
        port = {"port": self.stores[flow.name].port}
        ours = ("certificate", "alpn", "before", "after", "tls")
        more = {key: value for key, value in flow.options.items() if key not in ours}
        if "bearer" in more:
            more["bearer"] = more["bearer"].split(",")
        return {"name": flow.name, "backends": [{"host": "127.0.0.1"}], "security": flow.site, "imap": port, "pop3": port,
                **more}

    @staticmethod
    def map(flows):
        lines = []
        for flow in flows:
            lines.append(f"@{flow.name}.test {flow.name}\n")
            for line in flow.map:
                mailbox, _, options = line.partition(" ")
                lines.append(f"{mailbox.replace('home.test', flow.name + '.test')} {flow.name} {options}\n")
        return "".join(lines)

    def start(self):
        self.front.start()
        return self

    def stop(self):
        for store in self.stores.values():
            store.close()
        self.front.stop()

    def store_context(self, flow):
        """The double's TLS: a good certificate unless the dialogue says otherwise."""
        kind = flow.options.get("certificate", "good")
        chain, key = {
            "good": lambda: self.authority.leaf("store"),
            "wrong-name": lambda: self.authority.leaf("elsewhere", "DNS:elsewhere.test,IP:192.0.2.1"),
            "expired": lambda: self.authority.leaf("expired", days=-1),
            "unknown-ca": lambda: self.foreign.leaf("foreign"),
            "self-signed": lambda: self.foreign.self_signed("self"),
            "subject-only": lambda: self.foreign.self_signed("subject", subject="127.0.0.1", names=None),
        }[kind]()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain, key)
        if flow.options.get("tls") == "1.1":
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
            context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
            context.options |= ssl.OP_NO_TLSv1_3 | ssl.OP_NO_TLSv1_2
        if "alpn" in flow.options:
            context.set_alpn_protocols([flow.options["alpn"]])
        return context

    def client_context(self):
        return ssl.create_default_context(cafile=self.authority.ca)


ESCAPES = {"r": b"\r", "n": b"\n", "t": b"\t", "\\": b"\\"}
TOKEN = re.compile(r"\\x([0-9a-fA-F]{2})|\\(.)|\$b64\(([^()]*)\)|\$x\((.+?),(\d+)\)|<([a-z]+)>|(\.\.\.)", re.DOTALL)


class Player:
    """Plays one dialogue. one_by_one: both ends send their lines a byte at a time."""

    def __init__(self, stage, flow, one_by_one=False):
        self.stage, self.flow, self.one_by_one = stage, flow, one_by_one
        self.store = stage.stores[flow.name]
        self.names = {}
        self.client = self.site = self.stub = None
        self.protocol = flow.door[:4]
        self.story = []
        self.log_mark = stage.front.mark()

    def bytes_of(self, text):
        """What is to be sent."""
        def one(match):
            code, escape, inside, unit, count, name, _ = match.groups()
            if code:
                return bytes.fromhex(code)
            if escape:
                return ESCAPES[escape]
            if inside is not None:
                return base64.b64encode(self.bytes_of(inside))
            if unit:
                return self.bytes_of(unit) * int(count)
            return self.names[name] if name else b"..."

        text = text.replace("home.test", f"{self.flow.name}.test")
        out, at = b"", 0
        for match in TOKEN.finditer(text):
            out += text[at:match.start()].encode() + one(match)
            at = match.end()
        return out + text[at:].encode()

    def pattern_of(self, text):
        """What is expected, as a regular expression; names that are not known yet become groups."""
        def one(match):
            name, anything = match.group(6), match.group(7)
            if anything:
                return b".*"
            if name and name not in self.names:
                new.append(name)
                return b"(?P<%s>.+?)" % name.encode() if new.count(name) == 1 else b"(?P=%s)" % name.encode()
            return re.escape(self.bytes_of(match.group(0)))

        new = []
        text = text.replace("home.test", f"{self.flow.name}.test")
        out, at = b"", 0
        for match in TOKEN.finditer(text):
            out += re.escape(text[at:match.start()].encode()) + one(match)
            at = match.end()
        return re.compile(out + re.escape(text[at:].encode()), re.DOTALL)

    def expect(self, wire, text):
        got = wire.line()
        match = self.pattern_of(text).fullmatch(got)
        if not match:
            raise Surprise(f"got {got[:2000]!r}")
        self.names.update(match.groupdict())

    def play(self):
        try:
            self.connect()
            for number, text in self.flow.steps:
                try:
                    self.step(text)
                except (Surprise, OSError, processes.Failure) as error:
                    raise Surprise(f"line {number}: {text}\n    {type(error).__name__}: {error}") from None
                self.story.append(text)
            if not self.store.is_untouched():
                raise Surprise("at the end a connection waits at the store that the dialogue does not know of")
        finally:
            for wire in (self.client, self.site):
                if wire is not None:
                    wire.close()
        if self.stage.front.has_ended():
            raise Surprise("homeward has ended")

    def connect(self):
        context = self.stage.client_context() if self.flow.door.endswith("s") else None
        self.client = scripted.connect(self.stage.doors.port[self.flow.door], context=context)

    def step(self, text):
        if text.startswith("site "):
            return self.site_step(text[5:])
        word, _, rest = text.partition(" ")
        steps = {
            "C:": lambda: self.client.send(self.bytes_of(rest) + b"\r\n", self.one_by_one),
            "C>": lambda: self.client.send(self.bytes_of(rest)),
            "S:": lambda: self.expect(self.client, rest),
            "C": lambda: self.client_does(rest),
            "S": lambda: self.client_sees(rest),
            "check:": lambda: self.check(rest),
            "log:": lambda: processes.wait_until(
                f"the log holds {rest}", 3, lambda: self.stage.front.lines(
                    *(self.bytes_of(word).decode() for word in rest.split()), since=self.log_mark)),
            "pause": lambda: time.sleep(int(rest) / 1000),
        }
        if word not in steps:
            raise Surprise(f"no such step: {text}")
        return steps[word]()

    def client_does(self, what):
        if what == "tls":
            self.client.tls_client(self.stage.client_context())
        elif what == "tls fails":
            try:
                self.client.tls_client(self.stage.client_context())
            except (ssl.SSLError, OSError):
                return
            raise Surprise("the handshake succeeded")
        else:
            self.wire_does(self.client, what)

    @staticmethod
    def wire_does(wire, what):
        {"close": wire.close, "half-close": wire.half_close, "reset": wire.reset}[what]()

    def client_sees(self, what):
        if not what.startswith("list "):
            return self.wire_sees(self.client, what)
        words = []
        while not words or words[-1] != b".":
            words.append(self.client.line())
        self.names[what[5:].strip("<>")] = b" ".join(words)

    @staticmethod
    def wire_sees(wire, what):
        if what == "bye":
            said = wire.rest()
            if re.search(rb"(?m)^(\S+ OK|\+OK)", said):
                raise Surprise(f"got {said[:2000]!r}")
        else:
            {"end": wire.expect_end, "quiet": wire.expect_quiet, "ends somehow": wire.rest}[what]()

    def at_site(self):
        """The store's connection, taken when the dialogue first speaks of it."""
        if self.site is None:
            self.site = self.store.accept()
            if self.flow.site == "tls" and not self.site.tls_server(self.stage.store_context(self.flow)):
                raise Surprise("homeward refused the handshake with the store")
        return self.site

    def site_step(self, text):
        word, _, rest = text.partition(" ")
        steps = {
            "none": self.site_none, "accepts": self.site_accepts, "new": self.site_new, "refused": self.site_refused,
            "S:": lambda: self.site_sends(self.bytes_of(rest) + b"\r\n", self.one_by_one),
            "S>": lambda: self.site_sends(self.bytes_of(rest)),
            "C:": lambda: self.expect(self.at_site(), rest),
            "greets": lambda: self.double().greet(*([rest] if rest else [])),
            "gets": lambda: self.site_gets_nothing() if rest == "nothing" else self.site_gets(rest),
            "refuses": self.site_refuses_stls,
            "floods": lambda: self.site_sends(b"A" * int(rest)),
            "never": lambda: self.site_never(self.bytes_of(rest)),
            "tls": lambda: self.site_tls(rest != "fails"),
            "end": lambda: self.wire_sees(self.at_site(), "end"),
            "ends": lambda: self.wire_sees(self.at_site(), "ends somehow"),
            "quiet": lambda: self.wire_sees(self.at_site(), "quiet"),
        }
        steps.get(word, lambda: self.wire_does(self.at_site(), text))()

    def site_sends(self, data, one_by_one=False):
        """That homeward ends the connection in the middle of it shows in the steps that follow."""
        try:
            self.at_site().send(data, one_by_one)
        except (ConnectionError, ssl.SSLError):
            pass

    def site_none(self):
        if not self.store.is_untouched():
            raise Surprise("a connection came to the store")

    def site_accepts(self):
        self.site = self.store.accept()

    def site_new(self):
        self.site.close()
        self.site = self.stub = None

    def site_refused(self):
        self.site = self.store.accept()
        # With TLS 1.3 the server's part of the handshake may end before the client looks at the certificate.
        if self.site.tls_server(self.stage.store_context(self.flow)):
            self.site.expect_end()

    def site_tls(self, is_welcome):
        if self.site.tls_server(self.stage.store_context(self.flow)):
            if not is_welcome:
                self.site.expect_end()
        elif is_welcome:
            raise Surprise("homeward refused the handshake with the store")

    def site_gets_nothing(self):
        self.at_site()
        try:
            got = self.double().credential()
        except (scripted.Ended, ConnectionError, ssl.SSLError):
            return
        raise Surprise(f"the store got {got!r}")

    def site_refuses_stls(self):
        while True:
            line = self.site.line().upper()
            self.site.send(b"-ERR no\r\n" if line == b"STLS" else b"+OK\r\nSTLS\r\nUSER\r\n.\r\n")
            if line == b"STLS":
                return self.site_gets_nothing()

    def site_never(self, word):
        if word in self.at_site().received:
            raise Surprise("it did")

    def double(self):
        if self.stub is None:
            self.at_site()
            kind = scripted.ImapStub if self.protocol == "imap" else scripted.Pop3Stub
            context = self.stage.store_context(self.flow) if self.flow.site == "starttls" else None
            more = {key: self.flow.options[key] for key in ("before", "after") if key in self.flow.options}
            self.stub = kind(self.at_site(), context=context, **more)
            if context is not None and "before" not in more:
                self.stub.after = self.stub.before
                self.stub.before += " STARTTLS" if self.protocol == "imap" else "|STLS"
        return self.stub

    def site_gets(self, text):
        self.at_site()
        user, password = (self.bytes_of(word) for word in text.split(" ", 1))
        got = self.double().credential()
        if (got.user, got.password) != (user, password):
            raise Surprise(f"the store got {got!r}")
        self.names["t"] = got.tag

    def check(self, text):
        """<caps> has A B, lacks C"""
        name, _, rest = text.partition(" ")
        words = self.names[name.strip("<>")].decode().split()
        for part in rest.split(","):
            verb, *wanted = part.split()
            wrong = [word for word in wanted if (word in words) != (verb == "has")]
            if wrong:
                raise Surprise(f"{name} is {' '.join(words)!r}: wrong about {' '.join(wrong)}")


def describe(player, surprise):
    """For a person: what was played, what went wrong, what Homeward logged meanwhile."""
    front = player.stage.front
    lines = front.said()[player.log_mark:].splitlines()[-25:]
    return "\n".join([f"{player.flow.title} (door {player.flow.door}, site {player.flow.name}, {player.flow.site})"]
                     + ["    " + step for step in player.story] + [f"--> {surprise}", "homeward's log:"]
                     + ["    " + line for line in lines])
