"""A store, or somebody in its place, as the attacker: in none of these cases a byte of a credential leaves, and the user hears of an
outage. Steps: bytes; Await(word) (what comes until a line has that word); Drip(bytes, seconds) (one at a time); FIN, RESET, STALL;
INSIDE (the handshake of STARTTLS)."""
import random

FIN, RESET, STALL, INSIDE = "fin", "reset", "stall", "inside"


class Await:
    def __init__(self, word):
        self.word = word


class Drip:
    def __init__(self, data, seconds):
        self.data, self.seconds = data, seconds


class Answer:
    """To the command that Await saw, under its tag."""

    def __init__(self, text):
        self.text = text


LISTS = b"* OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN] ready\r\n"
CAPA = [b"+OK ready\r\n", Await(b"CAPA"), b"+OK\r\nUSER\r\nSTLS\r\n.\r\n"]

# name: (security, IMAP's steps, POP3's steps)
CASES = {
    "more lines in the segment of STARTTLS's OK": ("starttls", [LISTS, Await(b"STARTTLS"), Answer(b"%s OK go on\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n")],
                                                   CAPA + [Await(b"STLS"), b"+OK go on\r\n+OK logged in\r\n"]),
    "an OK to STARTTLS, then clear text instead of a handshake": (
        "starttls", [LISTS, Await(b"STARTTLS"), Answer(b"%s OK go on\r\n"), b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n"],
        CAPA + [Await(b"STLS"), b"+OK go on\r\n", b"+OK logged in\r\n"]),
    "NO to STARTTLS": ("starttls", [LISTS, Await(b"STARTTLS"), Answer(b"%s NO not today\r\n")], CAPA + [Await(b"STLS"), b"-ERR not today\r\n"]),
    "BAD to STARTTLS": ("starttls", [LISTS, Await(b"STARTTLS"), Answer(b"%s BAD what?\r\n")], CAPA + [Await(b"STLS"), b"-ERR what?\r\n"]),
    "a continuation to STARTTLS": ("starttls", [LISTS, Await(b"STARTTLS"), b"+ go on\r\n"], CAPA + [Await(b"STLS"), b"+ go on\r\n"]),
    "BYE to STARTTLS": ("starttls", [LISTS, Await(b"STARTTLS"), b"* BYE no\r\n", FIN], CAPA + [Await(b"STLS"), b"-ERR bye\r\n", FIN]),
    "STARTTLS's OK under another tag": ("starttls", [LISTS, Await(b"STARTTLS"), b"zz OK go on\r\n"], CAPA + [Await(b"STLS"), b"zz OK go on\r\n"]),
    "STARTTLS is not listed": ("starttls", [b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready\r\n", Await(b"CAPABILITY"),
                                            Answer(b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n%s OK\r\n")],
                               [b"+OK ready\r\n", Await(b"CAPA"), b"+OK\r\nUSER\r\n.\r\n", Await(b"STLS"), b"-ERR no\r\n"]),
    "a greeting of two lines in one segment, before TLS": ("starttls", [LISTS + b"* CAPABILITY IMAP4rev1\r\na OK\r\n"], [b"+OK ready\r\n+OK logged in\r\n"]),
    "nothing of a handshake": ("tls", [STALL], [STALL]),
    "the end instead of a handshake": ("tls", [FIN], [FIN]),
    "a reset instead of a handshake": ("tls", [RESET], [RESET]),
    "clear text before its ServerHello": ("tls", [LISTS], [b"+OK ready\r\n"]),
    "a TLS alert": ("tls", [bytes.fromhex("15030300020228")] * 2, [bytes.fromhex("15030300020228")] * 2),
    "a record of 65,535 octets": ("tls", [bytes.fromhex("160303ffff") + b"\2" * 70000], [bytes.fromhex("160303ffff") + b"\2" * 70000]),
    "random bytes instead of a ServerHello": ("tls", [random.Random(3).randbytes(5000)], [random.Random(4).randbytes(5000)]),
}

GREETINGS = {
    "PREAUTH": (b"* PREAUTH welcome\r\n", b"+OK\r\n+OK logged in\r\n"),
    "BYE": (b"* BYE too busy\r\n", b"-ERR too busy\r\n"),
    "NO": (b"* NO go away\r\n", b"-ERR [SYS/PERM] go away\r\n"),
    "BAD": (b"* BAD go away\r\n", b"ERR\r\n"),
    "a tagged OK": (b"a OK ready\r\n", b"OK ready\r\n"),
    "HTTP": (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",) * 2,
    "SMTP": (b"220 mail.example ESMTP\r\n",) * 2,
    "SSH": (b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",) * 2,
    "the other protocol": (b"+OK ready\r\n", b"* OK ready\r\n"),
    "an empty line": (b"\r\n",) * 2,
    "100 kB": (b"A" * 100000,) * 2,
    "100 kB of lines": (b"* OK\r\n* X\r\n" * 10000, b"+OK\r\n+OK\r\n" * 10000),
    "NULs": (b"\0" * 100 + b"\r\n",) * 2,
    "one byte a second": (Drip(LISTS, 0.4), Drip(b"+OK ready, and here we are at last\r\n", 0.4)),
    "nothing": (STALL, STALL),
    "an answer that nobody asked for": (LISTS + b"a OK logged in\r\n", b"+OK ready\r\n+OK logged in\r\n"),
    "a referral": (b"* BYE [REFERRAL imap://evil.example/] try there\r\n", b"-ERR try pop://evil.example\r\n"),
    "a list of capabilities without end": (b"* OK [CAPABILITY IMAP4rev1 " + b"X" * 40000, b"+OK " + b"x" * 40000),
    "LOGINDISABLED": ([b"* OK [CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=NTLM] ready\r\n", Await(b"CAPABILITY"),
                       Answer(b"* CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=NTLM\r\n%s OK\r\n")],
                      None),  # POP3 has no such word
}
CASES.update({f"for a greeting, {name}{how}": (security, *(steps if steps is None or isinstance(steps, list) else [steps] for steps in both))
              for name, both in GREETINGS.items() for security, how in (("loopback", ""), ("tls", " (inside TLS)"))})
