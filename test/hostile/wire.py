"""One end of a connection with everything in hand: segments, TLS records, stalls, half-closes, resets. Client or server.

TLS is done in memory, so that what goes over the socket can be cut anywhere, and bytes can be put below it. Everything is asyncio on
one thread: hundreds of these stall at the same time. Time limits are asyncio.timeout; wait_for of Python 3.11 may lose a cancellation."""
import asyncio
import socket
import ssl
import struct

PATIENCE = 6.0  # seconds that any single step may take, unless said


class Surprise(Exception):
    """The other side did not do what was expected; one sentence with what it did instead."""


class Ended(Surprise):
    """The other side has ended the connection."""


def forget_and_close(sock):
    """Whoever waits for it in the loop waits in vain from now on; its number may soon be another connection's."""
    if sock.fileno() >= 0:
        try:
            loop = asyncio.get_running_loop()
            loop.remove_reader(sock)
            loop.remove_writer(sock)
        except RuntimeError:
            pass  # no loop runs any more
        sock.close()


class Wire:
    def __init__(self, sock, patience=PATIENCE):
        sock.setblocking(False)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock, self.patience = sock, patience
        self.tls = None
        self.unread = b""
        self.received = b""  # in all; inside TLS as plain bytes
        self.keeps = True    # … of which a long transfer keeps nothing
        self.end = None      # how the other side ended: "notify" (TLS said so), "fin", "reset", "tls" (an alert, or nonsense)

    # ---- out ----

    async def raw(self, data, step=0):
        """Below TLS. step: so many bytes a segment."""
        loop = asyncio.get_running_loop()
        for at in range(0, len(data), step or len(data) or 1):
            async with asyncio.timeout(self.patience):
                await loop.sock_sendall(self.sock, data[at:at + (step or len(data))])
            if step:
                await asyncio.sleep(0)

    async def send(self, data, step=0):
        """step: so many bytes a segment, or a record."""
        if self.tls is None:
            return await self.raw(data, step)
        step = step or 16384
        for at in range(0, len(data), step):
            self.tls.write(data[at:at + step])
            await self._flush()

    async def _flush(self, step=0):
        if self.outgoing.pending:
            await self.raw(self.outgoing.read(), step)

    # ---- in ----

    async def _feed(self, patience):
        """Bytes of the socket; False at its end."""
        try:
            async with asyncio.timeout(patience):
                data = await asyncio.get_running_loop().sock_recv(self.sock, 65536)
        except TimeoutError:
            raise Surprise(f"nothing came for {patience:.1f} s; unread: {self.unread[:200]!r}") from None
        except OSError:
            self.end = self.end or "reset"
            return False
        if not data:
            self.end = self.end or "fin"
            return False
        if self.tls is None:
            self._take(data)
        else:
            self.incoming.write(data)
        return True

    def _take(self, data):
        self.unread += data
        if self.keeps:
            self.received += data

    async def more(self, patience=None):
        """Wait for more plain bytes; False: the other side has ended."""
        patience = patience or self.patience
        while self.tls is not None:
            try:
                data = self.tls.read(65536)
            except ssl.SSLWantReadError:
                await self._flush()
                if not await self._feed(patience):
                    return False
                continue
            except ssl.SSLZeroReturnError:
                data = b""
            except ssl.SSLError:
                self.end = self.end or "tls"
                return False
            if data:
                self._take(data)
                return True
            self.end = self.end or "notify"
            return False
        return await self._feed(patience)

    async def line(self, patience=None):
        """One line without its CRLF."""
        while b"\n" not in self.unread:
            if not await self.more(patience):
                raise Ended(f"the connection ended ({self.end}) where a line was expected; unread: {self.unread[:200]!r}")
        line, _, self.unread = self.unread.partition(b"\n")
        return line.removesuffix(b"\r")

    async def exactly(self, count):
        while len(self.unread) < count:
            if not await self.more():
                raise Ended(f"the connection ended ({self.end}) after {len(self.unread)} of {count} bytes")
        data, self.unread = self.unread[:count], self.unread[count:]
        return data

    async def rest(self, patience=None):
        """All that comes until the end."""
        while await self.more(patience):
            pass
        data, self.unread = self.unread, b""
        return data

    async def ends(self, within):
        """Whether it ends within so many seconds, whatever still comes."""
        try:
            async with asyncio.timeout(within):
                await self.rest(within + 1)
            return True
        except TimeoutError:
            return False

    async def linger(self, seconds):
        """Take what comes for so long, and go on at an end."""
        try:
            async with asyncio.timeout(seconds):
                while await self.more(seconds + PATIENCE):
                    pass
        except TimeoutError:
            pass

    # ---- TLS ----

    async def handshake(self, context, server=False, name="localhost", step=0):
        """Raises ssl.SSLError or Ended. step: the cut of what is sent, in bytes."""
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.incoming.write(self.unread)
        self.unread = b""
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=server, server_hostname=None if server else name)
        while True:
            try:
                self.tls.do_handshake()
                return await self._flush(step)
            except ssl.SSLWantReadError:
                await self._flush(step)
                if not await self._feed(self.patience):
                    raise Ended(f"the connection ended ({self.end}) in the handshake") from None
            except ssl.SSLError:
                try:
                    await self._flush(step)
                except OSError:
                    pass
                raise

    async def notify(self):
        """Our close_notify, and nothing else."""
        try:
            self.tls.unwrap()
        except ssl.SSLError:
            pass
        await self._flush()

    # ---- ends ----

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self):
        if self.sock.fileno() >= 0:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self):
        forget_and_close(self.sock)


async def connect(port, source=None, patience=PATIENCE, receive_bytes=0):
    """A client's connection, in clear so far. receive_bytes: the room the kernel has for what is not read."""
    sock = socket.socket()
    if receive_bytes:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    sock.setblocking(False)
    try:
        if source:
            sock.bind((source, 0))
        async with asyncio.timeout(patience):
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    except BaseException:
        sock.close()
        raise
    return Wire(sock, patience)


def hello(context, name, instead=None):
    """A ClientHello for the name, or for other bytes of that length in its place."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=name)
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    flight = outgoing.read()
    if instead is not None:
        assert flight.count(name.encode()) == 1 and len(instead) == len(name)
        flight = flight.replace(name.encode(), instead)
    return flight
