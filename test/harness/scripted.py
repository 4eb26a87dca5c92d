"""Peers that send exact bytes in exact segments: the client's end and the mail store's end of a session.

A Wire is one connection, clear or TLS, with everything that came over it. A ScriptedStore listens; its connections are
taken one by one (accept) or each given to a script in a thread (serve). ImapStub and Pop3Stub speak a store's part of
the login, say what credential came, and leave the answer to the caller."""
import base64
import re
import socket
import ssl
import struct
import threading

from . import ports

PATIENCE = 5  # seconds that any single step may take


class Surprise(Exception):
    """The other side did not do what was expected; one sentence with what it did instead."""


class Ended(Surprise):
    """The other side has ended the connection."""


class Wire:
    def __init__(self, sock):
        self.sock = sock
        sock.settimeout(PATIENCE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.unread = b""
        self.received = b""  # in all, inside TLS as plain bytes

    def send(self, data, one_by_one=False):
        for piece in [data[i:i + 1] for i in range(len(data))] if one_by_one else [data]:
            self.sock.sendall(piece)

    def _more(self):
        """False: the other side has ended."""
        try:
            data = self.sock.recv(65536)
        except socket.timeout:
            raise Surprise(f"nothing came for {self.sock.gettimeout():.1f} s; unread: {self.unread[:200]!r}") from None
        except (ConnectionResetError, ssl.SSLEOFError, ssl.SSLZeroReturnError, BrokenPipeError):
            return False
        self.unread += data
        self.received += data
        return bool(data)

    def line(self):
        """One line without its CRLF."""
        while b"\n" not in self.unread:
            if not self._more():
                raise Ended(f"the connection ended where a line was expected; unread: {self.unread[:200]!r}")
        line, _, self.unread = self.unread.partition(b"\n")
        return line.removesuffix(b"\r")

    def exactly(self, count):
        while len(self.unread) < count:
            if not self._more():
                raise Ended(f"the connection ended after {len(self.unread)} of {count} bytes")
        data, self.unread = self.unread[:count], self.unread[count:]
        return data

    def expect_end(self):
        while not self.unread:
            if not self._more():
                return
        raise Surprise(f"the end of the connection was expected, {self.unread[:200]!r} came")

    def expect_quiet(self, seconds=0.3):
        if not self.unread:
            self.sock.settimeout(seconds)
            try:
                if not self._more():
                    raise Surprise("the connection ended where it should have stayed open and quiet")
            except Surprise as surprise:
                if str(surprise).startswith("nothing came"):
                    return
                raise
            finally:
                self.sock.settimeout(PATIENCE)
        raise Surprise(f"nothing was expected, {self.unread[:200]!r} came")

    def tls_client(self, context, name="localhost"):
        if self.unread:
            raise Surprise(f"{self.unread[:200]!r} came in clear before the handshake")
        self.sock = context.wrap_socket(self.sock, server_hostname=name, suppress_ragged_eofs=True)

    def tls_server(self, context):
        """False: the client refused the handshake or left."""
        if self.unread:
            raise Surprise(f"{self.unread[:200]!r} came in clear before the handshake")
        try:
            self.sock = context.wrap_socket(self.sock, server_side=True)
            return True
        except (ssl.SSLError, ConnectionError, socket.timeout):
            return False

    def rest(self):
        """All that comes until the end."""
        while self._more():
            pass
        data, self.unread = self.unread, b""
        return data

    def half_close(self):
        """Of a clear connection; Python's ssl cannot."""
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self):
        raw = socket.socket(fileno=self.sock.detach())
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raw.close()

    def close(self):
        try:
            self.sock.close()
        except OSError:
            pass


def connect(port, address="127.0.0.1", context=None, name="localhost"):
    """A client's connection; context: TLS at once."""
    wire = Wire(socket.create_connection((address, port), PATIENCE))
    if context is not None:
        wire.tls_client(context, name)
    return wire


class ScriptedStore:
    """A listener on loopback. context: TLS at once on every connection (served connections only)."""

    def __init__(self, context=None, address="127.0.0.1", port=None):
        self.context = context
        self.port = port or ports.take()
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.listener = socket.create_server((address, self.port), family=family, backlog=64)
        self.listener.settimeout(PATIENCE)
        self.wires, self.errors = [], []
        self._thread = None

    def accept(self):
        try:
            sock, _ = self.listener.accept()
        except socket.timeout:
            raise Surprise(f"no connection came to the store within {PATIENCE} s") from None
        wire = Wire(sock)
        self.wires.append(wire)
        return wire

    def is_untouched(self):
        """No connection waits to be taken."""
        self.listener.settimeout(0)
        try:
            sock, _ = self.listener.accept()
        except BlockingIOError:
            return True
        finally:
            self.listener.settimeout(PATIENCE)
        sock.close()
        return False

    def serve(self, script):
        """Run script(wire) in a thread for every connection; what it raises is kept in errors."""
        def one(sock):
            wire = Wire(sock)
            self.wires.append(wire)
            try:
                if self.context is None or wire.tls_server(self.context):
                    script(wire)
            except (Surprise, OSError) as error:
                self.errors.append(error)
            finally:
                wire.close()

        def all_of_them():
            while True:
                try:
                    sock, _ = self.listener.accept()
                except socket.timeout:
                    continue
                except OSError:
                    return
                threading.Thread(target=one, args=(sock,), daemon=True).start()

        self._thread = threading.Thread(target=all_of_them, daemon=True)
        self._thread.start()
        return self

    def close(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        for wire in self.wires:
            wire.close()


class Credential:
    """How a login came: the mechanism, and its parts as bytes. tag is the IMAP tag that waits for an answer."""

    def __init__(self, mechanism, user, password, tag=b"", authzid=b""):
        self.mechanism, self.user, self.password, self.tag, self.authzid = mechanism, user, password, tag, authzid

    def __repr__(self):
        return f"{self.mechanism} user={self.user!r} password={self.password[:80]!r} authzid={self.authzid!r}"


WORDS = re.compile(rb'("((?:[^"\\]|\\.)*)")|([^ "]+)', re.DOTALL)


def unquote(inside):
    """The inside of a quoted string: each backslash gives way to what stands behind it."""
    return re.sub(rb"\\(.)", rb"\1", inside, flags=re.DOTALL)


def plain_parts(text):
    authzid, user, password = base64.b64decode(text, validate=True).split(b"\0")
    return authzid, user, password


class ImapStub:
    """A store before login. before, after: capabilities outside and inside TLS (equal unless said)."""

    def __init__(self, wire, before="IMAP4rev1 SASL-IR LITERAL+ ID AUTH=PLAIN", after=None, context=None):
        self.wire, self.context = wire, context
        self.before, self.after = before, before if after is None else after
        self.is_protected = context is None
        self.commands = []  # as read, literals in place
        self.ids = []

    @property
    def capabilities(self):
        return self.after if self.is_protected else self.before

    def greet(self, text="ready", with_capabilities=True):
        code = f"[CAPABILITY {self.capabilities}] " if with_capabilities else ""
        self.wire.send(f"* OK {code}{text}\r\n".encode())

    def command(self):
        """One command with its literals: (tag, verb, rest, arguments as bytes)."""
        whole, arguments = b"", []
        while True:
            line = self.wire.line()
            whole += line
            literal = re.search(rb"\{(\d+)(\+?)\}$", line)
            text = line[:literal.start()] if literal else line
            arguments += [unquote(inside) if quoted else atom for quoted, inside, atom in WORDS.findall(text)]
            if not literal:
                break
            if not literal.group(2):
                self.wire.send(b"+ go on\r\n")
            arguments.append(self.wire.exactly(int(literal.group(1))))
            whole += b"\r\n" + arguments[-1]
        self.commands.append(whole)
        tag, _, rest = whole.partition(b" ")
        verb, _, rest = rest.partition(b" ")
        return tag, verb.upper(), rest, arguments[2:]

    def credential(self):
        """Answer whatever comes before a credential; then that, unanswered."""
        while True:
            tag, verb, rest, arguments = self.command()
            if verb == b"CAPABILITY":
                self.wire.send(b"* CAPABILITY %s\r\n%s OK done\r\n" % (self.capabilities.encode(), tag))
            elif verb == b"NOOP":
                self.wire.send(tag + b" OK done\r\n")
            elif verb == b"LOGOUT":
                self.wire.send(b"* BYE then\r\n" + tag + b" OK done\r\n")
            elif verb == b"ID":
                self.ids.append(rest)
                self.wire.send(b"* ID NIL\r\n" + tag + b" OK done\r\n")
            elif verb == b"STARTTLS" and not self.is_protected:
                self.wire.send(tag + b" OK go ahead\r\n")
                if not self.wire.tls_server(self.context):
                    raise Surprise("the TLS handshake after STARTTLS failed")
                self.is_protected = True
            elif verb == b"LOGIN" and len(arguments) == 2:
                return Credential("LOGIN", arguments[0], arguments[1], tag)
            elif verb == b"AUTHENTICATE":
                return self.authenticate(tag, arguments)
            else:
                raise Surprise(f"the store did not expect {verb[:100]!r} {rest[:100]!r}")

    def authenticate(self, tag, arguments):
        mechanism = arguments[0].upper()
        if len(arguments) > 1:
            response = arguments[1]
        else:
            self.wire.send(b"+ \r\n")
            response = self.wire.line()
        if mechanism == b"PLAIN":
            authzid, user, password = plain_parts(response)
            return Credential("PLAIN", user, password, tag, authzid)
        return Credential(mechanism.decode(), b"", base64.b64decode(response, validate=True), tag)


class Pop3Stub:
    def __init__(self, wire, before="USER SASL PLAIN|UIDL|TOP|PIPELINING|RESP-CODES", after=None, context=None):
        self.wire, self.context = wire, context
        self.before, self.after = before, before if after is None else after
        self.is_protected = context is None
        self.commands = []
        self.xclients = []

    @property
    def capabilities(self):
        return [each for each in (self.after if self.is_protected else self.before).split("|") if each]

    def greet(self, text="ready"):
        self.wire.send(f"+OK {text}\r\n".encode())

    def credential(self):
        user = None
        while True:
            line = self.wire.line()
            self.commands.append(line)
            verb, _, rest = line.partition(b" ")
            verb = verb.upper()
            if verb == b"CAPA":
                lines = ["+OK the list"] + self.capabilities + ["."]
                self.wire.send("".join(each + "\r\n" for each in lines).encode())
            elif verb == b"XCLIENT":
                self.xclients.append(rest)
                self.wire.send(b"+OK\r\n")
            elif verb == b"QUIT":
                self.wire.send(b"+OK then\r\n")
            elif verb == b"STLS" and not self.is_protected:
                self.wire.send(b"+OK go ahead\r\n")
                if not self.wire.tls_server(self.context):
                    raise Surprise("the TLS handshake after STLS failed")
                self.is_protected = True
            elif verb == b"USER":
                user = rest
                self.wire.send(b"+OK\r\n")
            elif verb == b"PASS" and user is not None:
                return Credential("USER", user, rest)
            elif verb == b"AUTH":
                return self.auth(rest)
            else:
                raise Surprise(f"the store did not expect {line[:100]!r}")

    def auth(self, rest):
        mechanism, _, response = rest.partition(b" ")
        if not response:
            self.wire.send(b"+ \r\n")
            response = self.wire.line()
        if mechanism.upper() == b"PLAIN":
            authzid, user, password = plain_parts(response)
            return Credential("PLAIN", user, password, authzid=authzid)
        return Credential(mechanism.decode().upper(), b"", base64.b64decode(response, validate=True))
