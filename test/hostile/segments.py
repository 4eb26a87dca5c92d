"""Dialogues of honest clients, and how they may be cut: at every byte into two segments, and one byte a segment. Cut or not, the
answers are the same."""
import asyncio
import base64
import re

from .cases import Failed
from .client_cases import ANNA
from .stage import PASSWORD

PAUSE_S = 0.002  # long enough for the first segment to be read by itself
AT_ONCE = 12
PLAIN = base64.b64encode(b"\0" + ANNA + b"\0" + PASSWORD)

# Turns of a client: each goes out when the one before has been answered by a line that this pattern knows.
IMAP_DONE, POP3_DONE, GO_ON = rb"(?m)^\w+ (OK|NO|BAD).*\r\n", rb"(?m)^(\+OK|-ERR).*\r\n", rb"(?m)^\+ ?.*\r\n"
DIALOGUES = {
    "imap": {
        "commands": [(b"a NOOP\r\nb CAPABILITY\r\nc ID NIL\r\nd LOGOUT\r\n", None)],
        "ID": [(b'a ID ("name" "x\\"y" "version" NIL)\r\n', IMAP_DONE), (b"b LOGOUT\r\n", None)],
        "LOGIN, quoted": [(b'a LOGIN "%s" "%s"\r\nb NOOP\r\nc LOGOUT\r\n' % (ANNA, PASSWORD), None)],
        "LOGIN, literals": [(b"a LOGIN {%d}\r\n" % len(ANNA), GO_ON), (ANNA + b" {%d}\r\n" % len(PASSWORD), GO_ON), (PASSWORD + b"\r\n", IMAP_DONE),
                            (b"b LOGOUT\r\n", None)],
        "LOGIN, literals that wait for nobody": [(b"a LOGIN {%d+}\r\n%s {%d+}\r\n%s\r\nb LOGOUT\r\n" % (len(ANNA), ANNA, len(PASSWORD), PASSWORD), None)],
        "AUTHENTICATE": [(b"a AUTHENTICATE PLAIN\r\n", GO_ON), (PLAIN + b"\r\n", IMAP_DONE), (b"b LOGOUT\r\n", None)],
        "AUTHENTICATE at once": [(b"a AUTHENTICATE PLAIN %s\r\nb NOOP\r\nc LOGOUT\r\n" % PLAIN, None)],
        "a wrong password, then the right one": [(b"a LOGIN %s wrong\r\n" % ANNA, IMAP_DONE), (b"b LOGIN %s %s\r\n" % (ANNA, PASSWORD), IMAP_DONE),
                                                 (b"c LOGOUT\r\n", None)],
        "errors": [(b"a LOGIN\r\nb XNONE x\r\nc LOGIN (x)\r\nd LOGOUT\r\n", None)],
    },
    "pop3": {
        "commands": [(b"CAPA\r\nNOOP\r\nQUIT\r\n", None)],
        "USER and PASS": [(b"USER %s\r\n" % ANNA, POP3_DONE), (b"PASS %s\r\n" % PASSWORD, POP3_DONE), (b"STAT\r\n", POP3_DONE), (b"QUIT\r\n", None)],
        "USER and PASS in one piece": [(b"USER %s\r\nPASS %s\r\nSTAT\r\nQUIT\r\n" % (ANNA, PASSWORD), None)],
        "AUTH": [(b"AUTH PLAIN\r\n", GO_ON), (PLAIN + b"\r\n", POP3_DONE), (b"QUIT\r\n", None)],
        "AUTH at once": [(b"AUTH PLAIN %s\r\n" % PLAIN, POP3_DONE), (b"STAT\r\nQUIT\r\n", None)],
        "a wrong password, then the right one": [(b"USER %s\r\n" % ANNA, POP3_DONE), (b"PASS wrong\r\n", POP3_DONE), (b"USER %s\r\n" % ANNA, POP3_DONE),
                                                 (b"PASS %s\r\n" % PASSWORD, POP3_DONE), (b"QUIT\r\n", None)],
        "errors": [(b"PASS x\r\nXNONE\r\nSTAT\r\nQUIT\r\n", None)],
    },
}


async def play(stage, door, turns, cut=None, one_by_one=False):
    """All that the server says. cut: so many bytes of all that is sent are one segment, the rest another."""
    client = await stage.connect(door)
    try:
        sent = 0
        for data, until in turns:
            mark = len(client.received)
            at = cut - sent if cut is not None and sent < cut < sent + len(data) else 0
            if at:
                await client.send(data[:at])
                await asyncio.sleep(PAUSE_S)
            await client.send(data[at:], 1 if one_by_one else 0)
            sent += len(data)
            while until and not re.search(until, client.received[mark:]):
                if not await client.more():
                    raise Failed(f"the connection ended ({client.end}) after {client.received[-200:]!r}")
        await client.rest()
        return client.received
    finally:
        client.close()


def length(turns):
    return sum(len(data) for data, _ in turns)


def plain(answers):
    """Without what is told of the moment (a session's id, the time it took)."""
    return re.sub(rb"\[[0-9a-f]{16}\]|<[^>]*>|in [0-9.]+ secs|\([0-9.]+ \+[^)]*\)", b"", answers)


async def same_however_cut(stage, door, turns, every=1):
    """Raises Failed if the answers depend on the cut. every: not at each byte, at each such."""
    whole = plain(await play(stage, door, turns))
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(cut, one_by_one=False):
        async with gate:
            got = plain(await play(stage, door, turns, cut, one_by_one))
        if got != whole:
            raise Failed(f"cut at {'every byte' if one_by_one else cut} the answers are {got!r:.600} and not {whole!r:.600}")

    for result in await asyncio.gather(one(None, True), *(one(cut) for cut in range(1, length(turns), every)), return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
    return whole
