"""What clients do that mean harm, or are broken: tables for both protocols, in clear and inside TLS. Nothing in here knows Homeward, but
for `ours`."""
import base64
import random

from .cases import Below, Case, Cut, HALF, LINE, Maybe, TLS
from .stage import PASSWORD

IMAP, POP3 = ("imap-clear", "imaps"), ("pop3-clear", "pop3s")
ANNA = b"anna@hostile.test"
NOISE = {
    "HTTP": b"GET / HTTP/1.1\r\nHost: mail.example\r\nUser-Agent: x\r\n\r\n",
    "SMTP": b"EHLO mail.example\r\nMAIL FROM:<a@b.example>\r\n",
    "a ClientHello": bytes.fromhex("160301003001000100") + b"\0" * 46 + b"\r\n",
    "random bytes": random.Random(7).randbytes(2000) + b"\r\n",
    "zeros": b"\0" * 3000 + b"\r\n",
}


def b64(*parts):
    return base64.b64encode(b"\0".join(parts))


# ---- STARTTLS and STLS ----

STARTTLS = [
    Case("STARTTLS and a command in one segment", "imap", b"a STARTTLS\r\nb NOOP\r\n", never=rb"^(a OK|b )", then="end"),
    Case("STARTTLS and a LOGIN in one segment", "imap", b"a STARTTLS\r\nb LOGIN x y\r\n", never=rb"^(a OK|b )", then="end", store=[]),
    Case("STARTTLS and a command 1 ms later", "imap", b"a STARTTLS\r\n", 0.001, Below(b"b NOOP\r\n"), never=rb"^b ", then="end"),
    Case("STARTTLS, a command, then a handshake", "imap", b"a STARTTLS\r\n", LINE, Below(b"b NOOP\r\n"), TLS, never=rb"^b ", then="end"),
    Case("STARTTLS and a ClientHello's first byte in one segment", "imap", b"a STARTTLS\r\n\x16", never=rb"^a OK", then="end"),
    Case("STLS and CAPA in one segment", "pop3", b"STLS\r\nCAPA\r\n", never=rb"^(USER|\.|SASL|\+OK Begin)", then="end"),
    Case("STLS and CAPA 1 ms later", "pop3", b"STLS\r\n", 0.001, Below(b"CAPA\r\n"), never=rb"^(USER|SASL)", then="end"),
    Case("STLS, CAPA, then a handshake", "pop3", b"STLS\r\n", LINE, Below(b"CAPA\r\n"), TLS, never=rb"^(USER|SASL)", then="end"),
    Case("STARTTLS twice", "imap", b"a STARTTLS\r\n", LINE, TLS, b"b STARTTLS\r\n", want=rb"^b (BAD|NO) "),
    Case("STARTTLS on a TLS port", "imaps", b"b STARTTLS\r\n", want=rb"^b (BAD|NO) "),
    Case("STLS twice", "pop3", b"STLS\r\n", LINE, TLS, b"STLS\r\n", want=rb"^-ERR"),
    Case("STLS on a TLS port", "pop3s", b"STLS\r\n", want=rb"^-ERR"),
    Case("STARTTLS with an argument", "imap", b"a STARTTLS now\r\n", want=rb"^a BAD "),
    Case("USER, STLS, PASS", "pop3-clear", b"USER %s\r\n" % ANNA, LINE, b"STLS\r\n", LINE, TLS, b"PASS %s\r\n" % PASSWORD,
         want=rb"^-ERR", then="any", store=[]),
    Case("an AUTHENTICATE half done, then STARTTLS as its answer", "imap-clear", b"a AUTHENTICATE PLAIN\r\n", LINE, b"b STARTTLS\r\n",
         want=rb"^a (BAD|NO) ", never=rb"^b OK", store=[]),
    *[Case(f"{name} before TLS", door, *steps, want=refused, ours=ours, never=rb"^(\+ ?$|a OK|\+OK [Ll]ogged)", store=[])
      for name, door, steps, refused, ours in [
          ("LOGIN", "imap", [b"a LOGIN %s %s\r\n" % (ANNA, PASSWORD)], rb"^a (NO|BAD)", rb"^a NO \[PRIVACYREQUIRED\]"),
          ("LOGIN with a literal", "imap", [b"a LOGIN %s {%d}\r\n" % (ANNA, len(PASSWORD))], rb"^a (NO|BAD)", rb"\[PRIVACYREQUIRED\]"),
          ("AUTHENTICATE", "imap", [b"a AUTHENTICATE PLAIN\r\n"], rb"^a (NO|BAD)", rb"^a NO \[PRIVACYREQUIRED\]"),
          ("AUTHENTICATE with its response", "imap", [b"a AUTHENTICATE PLAIN %s\r\n" % b64(b"", ANNA, PASSWORD)], rb"^a (NO|BAD)",
           rb"^a NO \[PRIVACYREQUIRED\]"),
          ("USER", "pop3", [b"USER %s\r\n" % ANNA], rb"^-ERR", rb"^-ERR \[SYS/PERM\]"),
          ("PASS", "pop3", [b"PASS %s\r\n" % PASSWORD], rb"^-ERR", None),
          ("AUTH", "pop3", [b"AUTH PLAIN\r\n"], rb"^-ERR", rb"^-ERR \[SYS/PERM\]"),
          ("AUTH with its response", "pop3", [b"AUTH PLAIN %s\r\n" % b64(b"", ANNA, PASSWORD)], rb"^-ERR", rb"^-ERR \[SYS/PERM\]"),
      ]],
    *[Case(f"{name} instead of a ClientHello", door, start, LINE, *steps, never=rb"^(b |USER|SASL)", then="end")
      for door, start in (("imap", b"a STARTTLS\r\n"), ("pop3", b"STLS\r\n"))
      for name, steps in [("garbage", [b"no handshake at all, not even nearly\r\n" * 4]), ("an alert", [bytes.fromhex("15030100020228")]),
                          ("the end", [HALF]), ("commands", [b"b NOOP\r\nb NOOP\r\nCAPA\r\nCAPA\r\n"])]],
]

# ---- IMAP's parser ----

SIZES = [b"4294967295", b"4294967296", b"18446744073709551615", b"18446744073709551616", b"99999999999999999999", b"-1", b"", b"0x10", b" 5"]
BAD_TAGS = {"empty": b"", "*": b"*", "+": b"+", "a kilobyte": b"t" * 1024, "8-bit": b"t\xe4", "a quote": b'"t"', "brackets": b"(t)", "NUL": b"t\0t",
            "a literal": b"{3}"}


def imap_cases(door):
    def case(name, *steps, **more):
        return Case(name, door, *steps, **more)

    def one_line(name, line, **more):
        """One bad line is one BAD at the most, and the session goes on, or ends."""
        return case(name, line + b"\r\n", **{"then": "any", "never": rb"^a OK", **more})

    yield from (one_line(f"literal {{{size.decode()}}} for a name", b"a LOGIN {%s}" % size, never=rb"^(\+ |a OK)", store=[]) for size in SIZES)
    yield from (one_line(f"literal {{{size.decode()}+}} for a name", b"a LOGIN {%s+}" % size, never=rb"^a OK", store=[]) for size in SIZES)
    yield one_line("a literal's brace not closed", b"a LOGIN {5", want=rb"^(a BAD|\* BYE|\* BAD|a NO)", store=[])
    yield case("an empty literal for a name", b"a LOGIN {0}\r\n", LINE, b" x\r\n", want=rb"^a (BAD|NO) ")
    yield case("an empty non-synchronising literal for a password", b"a LOGIN %s {0+}\r\n\r\n" % ANNA, want=rb"^a (BAD|NO) ", then="any",
               never=rb"^a OK")
    yield case("a million parentheses", b"a " + b"(" * 1000000 + b"\r\n", want=None, never=rb"^a OK", then="any")
    yield case("a million parentheses behind LOGIN", b"a LOGIN " + b"(" * 1000000 + b"\r\n", never=rb"^a OK", then="any", store=[])
    yield case("ten million octets without a line's end", *[b"a" * 1000000] * 10, never=rb"OK", then="end", within=8)
    pair = b'"k" "v" '
    yield case("ID with 30 pairs", b"a ID (%s)\r\n" % b" ".join(b'"k%d" "v"' % n for n in range(30)), want=rb"^a OK")
    yield case("ID with 31 pairs", b"a ID (%s)\r\n" % b" ".join(b'"k%d" "v"' % n for n in range(31)), want=rb"^a ", ours=rb"^a BAD", then="any")
    yield case("ID with a key of 31 octets", b'a ID ("%s" "v")\r\n' % (b"k" * 31), want=rb"^a ", ours=rb"^a BAD", then="any")
    yield case("ID with a value of 1,025 octets", b'a ID ("k" "%s")\r\n' % (b"v" * 1025), want=rb"^a ", ours=rb"^a BAD", then="any")
    yield case("ID with a value and no key", b'a ID ("k")\r\n', want=rb"^a ", ours=rb"^a BAD", then="any")
    yield case("ID of quotes inside quotes", b'a ID (%s"k" "\\"\\\\\\"")\r\n' % pair, want=rb"^a OK")
    yield case("a line as long as is allowed", b"a NOOP%s\r\n" % (b" " * 4000), want=rb"^a ", then="any")
    for length in (8190, 8192, 8193, 65536, 65600, 131073):
        yield case(f"a line of {length} octets", b"a LOGIN " + b"x" * (length - 10) + b"\r\n", never=rb"^a OK", then="any", store=[])
    for name, tag in BAD_TAGS.items():
        yield case(f"a tag that is {name}", tag + b" NOOP\r\n", never=rb"^t{100}|^\S*\xe4", then="any")
    yield case("a tag of percent signs", b"%n%n%s%s NOOP\r\n", then="any", want=None)
    for name, byte in (("NUL", b"\0"), ("CR", b"\r"), ("LF", b"\n")):
        for where, line in (("in front of", b"%sa NOOP\r\n"), ("inside the tag of", b"a%sb NOOP\r\n"), ("inside", b"a NO%sOP\r\n"),
                            ("behind", b"a NOOP%s\r\n"), ("between CR and LF of", b"a NOOP\r%s\n")):
            yield case(f"{name} {where} a command", line % byte, then="any")
    for name, text in (("a quoted string without end", b'"x'), ("a quote inside an atom", b'x"y"'), ("a bad escape", b'"x\\y"'),
                       ("an escape at the end", b'"x\\'), ("a NUL in quotes", b'"x\0y"'), ("an 8-bit atom", b"x\xff"),
                       ("an atom of wildcards", b"x*%"), ("a list", b"(x)"), ("nothing", b"")):
        yield case(f"{name} for a user name", b"a LOGIN %s %s\r\n" % (text, PASSWORD), never=rb"^a OK", then="any", store=Maybe())
        yield case(f"{name} for a password", b"a LOGIN %s %s\r\n" % (ANNA, text), never=None, then="any")
    yield case("NIL is a name like any other", b"a LOGIN NIL@hostile.test %s\r\n" % PASSWORD, want=rb"^a OK")
    yield case("a CR alone in quotes", b'a LOGIN %s "x\ry"\r\n' % ANNA, then="any", store=Maybe())
    yield case("three arguments for LOGIN", b"a LOGIN x y z\r\n", want=rb"^a BAD", store=[])
    yield case("two spaces between arguments", b"a LOGIN  x y\r\n", want=rb"^a (BAD|NO)", then="any", store=Maybe())
    yield case("a literal larger than its kind allows", b"a LOGIN {5000+}\r\n" + b"x" * 5000 + b" y\r\n", never=rb"^a OK|^x", then="any", store=[])
    yield case("a literal and a command in one segment", b"a LOGIN {4}\r\nb NOOP\r\n", never=rb"^a OK", then="any", store=[])
    for name, noise in NOISE.items():
        yield case(f"{name}", noise, never=rb"^(?!probe)\S+ OK", then="any")
    for name, response in (("base64 that is none", b"!!!!"), ("base64 cut off", b"AGFu"), ("one base64 letter", b"A"), ("padding in the middle", b"AA==AA=="),
                           ("no NUL", b64(b"abc")), ("one NUL", b64(b"a", b"b")), ("three NULs", b64(b"", ANNA, b"x", b"y")), ("nothing", b""),
                           ("no name", b64(b"", b"", b"x")), ("a name with LF", b64(b"", b"an\nna", b"x")), ("spaces", b"  ")):
        yield case(f"AUTHENTICATE PLAIN answered by {name}", b"a AUTHENTICATE PLAIN\r\n", LINE, response + b"\r\n", want=rb"^a (BAD|NO) ",
                   store=[])
        if response:
            yield case(f"AUTHENTICATE PLAIN with {name} at once", b"a AUTHENTICATE PLAIN %s\r\n" % response, want=rb"^(a|\*) (BAD|NO) ", store=[])
    yield case("AUTHENTICATE cancelled", b"a AUTHENTICATE PLAIN\r\n", LINE, b"*\r\n", want=rb"^a (BAD|NO) ", store=[])
    yield case("AUTHENTICATE cut off by a half-close", b"a AUTHENTICATE PLAIN\r\n", LINE, HALF, never=rb"^a OK", then="end", store=[])
    yield case("AUTHENTICATE with no such mechanism", b"a AUTHENTICATE X-NONE\r\n", want=rb"^a (BAD|NO) ")
    yield case("a mechanism with a percent sign", b"a AUTHENTICATE %n%s\r\n", want=rb"^a (BAD|NO) ")
    yield case("a refused mechanism, then another: nothing of the first survives", b"a AUTHENTICATE PLAIN %s\r\n" % b64(b"", ANNA, b"wrong-1"),
               LINE, b"b AUTHENTICATE PLAIN %s\r\n" % b64(b"", b"", PASSWORD), 0.3, want=rb"^b (BAD|NO) ", store=[(ANNA, b"wrong-1")], then="any")
    yield case("a response of 100,000 octets", b"a AUTHENTICATE PLAIN\r\n", LINE, b"A" * 100000 + b"\r\n", never=rb"^a OK", then="any", store=[])
    yield case("a thousand commands in one segment", b"".join(b"n%d NOOP\r\n" % n for n in range(1000)), want=rb"^n999 OK")
    yield case("twenty unknown commands", *[b"a XNONE\r\n"] * 20, want=rb"^a BAD", never=rb"^a OK", then="any")
    yield case("a thousand unknown commands in one segment", b"a XNONE\r\n" * 1000, want=rb"^a BAD", never=rb"^a OK", then="end")
    yield case("commands of other states", b"a SELECT INBOX\r\nb FETCH 1 BODY[]\r\nc IDLE\r\n", want=rb"^a (BAD|NO).*^b (BAD|NO).*^c (BAD|NO)", then="any")
    yield case("a lone CR for ever", b"\r" * 20000, never=rb"^(?!probe)\S+ OK", then="any")
    yield case("empty lines for ever", b"\r\n" * 5000, never=rb"^(?!probe)\S+ OK", then="any")
    yield from credentials_by_imap(door)


ODD = [
    ("a quote", b'pa"ss-4711'), ("a backslash", b"pa\\ss-4711\\"), ("what looks like a literal", b"{3}"), ("what looks like a literal+", b"x {3+}"),
    ("spaces", b" pa ss "), ("percent and star", b"100%*"), ("a brace", b"}{"), ("8-bit", "pässwörd".encode()), ("0xFF", b"pa\xffss"),
    ("parentheses", b"(pass)"), ("one octet", b"x"), ("a kilobyte", b"p" * 1000), ("a tag and a command", b"x b NOOP"), ("tabs", b"a\tb"),
]
LINES_INSIDE = [("CR LF", b"pa\r\nb SELECT INBOX"), ("LF", b"pa\nDELE 1"), ("CR", b"pa\rss")]
NAMES = [("CR LF", b"anna\r\nb NOOP"), ("LF", b"an\nna"), ("a quote", b'an"na@hostile.test'), ("a backslash", b"an\\na@hostile.test"),
         ("a literal", b"anna {3}"), ("0xFF", b"ann\xff@hostile.test"), ("ESC", b"\x1b[31manna@hostile.test"),
         ("U+202E", "\u202eanna@hostile.test".encode()), ("percent signs", b"%n%s@hostile.test"), ("a kilobyte", b"n" * 1000),
         ("two @", b"x@a@hostile.test"), ("wildcards", b"*@hostile.test"), ("an equals sign", b"user=anna site=x@hostile.test")]


def quoted(text):
    return b'"' + text.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def credentials_by_imap(door):
    """They reach the store unchanged, as one command, or not at all."""
    def literal(text):
        return b"{%d+}\r\n%s" % (len(text), text)

    for name, password in ODD:
        if max(password) < 128:
            yield Case(f"LOGIN, quoted password: {name}", door, b"a LOGIN %s %s\r\n" % (quoted(ANNA), quoted(password)), LINE, want=rb"^a OK",
                       then="any", store=[(ANNA, password)])
        yield Case(f"LOGIN, literal password: {name}", door, b"a LOGIN %s {%d}\r\n" % (ANNA, len(password)), LINE, password + b"\r\n", LINE,
                   want=rb"^a OK", then="any", store=[(ANNA, password)])
    for name, password in ODD + LINES_INSIDE:
        yield Case(f"AUTHENTICATE PLAIN, password: {name}", door, b"a AUTHENTICATE PLAIN\r\n", LINE, b64(b"", ANNA, password) + b"\r\n", LINE,
                   want=None, then="any", store=Maybe([(ANNA, password)]))
    for name, password in LINES_INSIDE:
        yield Case(f"LOGIN, literal password: {name}", door, b"a LOGIN %s {%d}\r\n" % (ANNA, len(password)), LINE, password + b"\r\n", LINE,
                   then="any", store=Maybe([(ANNA, password)]))
    for name, user in NAMES:
        yield Case(f"LOGIN, literal name: {name}", door, b"a LOGIN {%d}\r\n" % len(user), LINE, user + b" x\r\n", LINE, then="any",
                   store=Maybe([(user, b"x")]))
        yield Case(f"AUTHENTICATE PLAIN, name: {name}", door, b"a AUTHENTICATE PLAIN\r\n", LINE, b64(b"", user, b"x") + b"\r\n", LINE, then="any",
                   store=Maybe([(user, b"x")]))


# ---- POP3's parser ----

def pop3_cases(door):
    def case(name, *steps, **more):
        return Case(name, door, *steps, **more)

    for name, noise in NOISE.items():
        yield case(f"{name}", noise, never=rb"^\+OK [Ll]ogged", then="any")
    for name, byte in (("NUL", b"\0"), ("CR", b"\r"), ("LF", b"\n")):
        for where, line in (("in front of", b"%sCAPA\r\n"), ("inside", b"CA%sPA\r\n"), ("behind", b"CAPA%s\r\n"), ("between CR and LF of", b"CAPA\r%s\n")):
            yield case(f"{name} {where} a command", line % byte, then="any")
    for length in (255, 256, 511, 512, 513, 8192, 65536):
        yield case(f"USER with a line of {length} octets", b"USER " + b"x" * (length - 7) + b"\r\n", then="any")
        yield case(f"PASS with a line of {length} octets", b"USER %s\r\n" % ANNA, LINE, b"PASS " + b"x" * (length - 7) + b"\r\n", 0.05, then="any",
                   store=Maybe([(ANNA, b"x" * (length - 7))]))
    yield case("ten million octets without a line's end", *[b"a" * 1000000] * 10, never=rb"^.OK", then="end", within=8)
    yield case("PASS without USER", b"PASS %s\r\n" % PASSWORD, want=rb"^-ERR", store=[])
    yield case("USER without a name", b"USER\r\n", want=rb"^-ERR", then="any")
    yield case("commands of other states", b"STAT\r\nLIST\r\nRETR 1\r\nDELE 1\r\n", want=rb"^-ERR.*^-ERR.*^-ERR.*^-ERR", then="any")
    yield case("APOP", b"APOP anna c4c9334bac560ecc979e58001b3e22fb\r\n", want=rb"^-ERR", store=[])
    yield case("percent signs", b"%n%n%s %n\r\n", want=rb"^-ERR", then="any")
    yield case("a thousand unknown commands in one segment", b"XNONE\r\n" * 1000, want=rb"^-ERR", never=rb"^\+OK [Ll]ogged", then="end")
    yield case("a thousand CAPA in one segment", b"CAPA\r\n" * 1000, want=rb"^\+OK")
    yield case("empty lines for ever", b"\r\n" * 5000, then="any")
    for name, response in (("base64 that is none", b"!!!!"), ("base64 cut off", b"AGFu"), ("one base64 letter", b"A"), ("padding in the middle", b"AA==AA=="),
                           ("no NUL", b64(b"abc")), ("one NUL", b64(b"a", b"b")), ("three NULs", b64(b"", ANNA, b"x", b"y")), ("nothing", b""),
                           ("no name", b64(b"", b"", b"x")), ("a name with LF", b64(b"", b"an\nna", b"x")), ("a cancel", b"*")):
        yield case(f"AUTH PLAIN answered by {name}", b"AUTH PLAIN\r\n", LINE, response + b"\r\n", want=rb"^-ERR", store=[])
    yield case("AUTH cut off by a half-close", b"AUTH PLAIN\r\n", LINE, HALF, then="end", store=[])
    yield case("AUTH with no such mechanism", b"AUTH X-NONE\r\n", want=rb"^-ERR")
    yield case("AUTH with a response of 100,000 octets", b"AUTH PLAIN\r\n", LINE, b"A" * 100000 + b"\r\n", then="any", store=[])
    for name, password in ODD:
        if len(password) < 200:
            yield case(f"PASS: {name}", b"USER %s\r\n" % ANNA, LINE, b"PASS %s\r\n" % password, LINE, want=rb"^\+OK.*^\+OK", then="any", store=[(ANNA, password)])
    for name, password in ODD + LINES_INSIDE:
        yield case(f"AUTH PLAIN, password: {name}", b"AUTH PLAIN\r\n", LINE, b64(b"", ANNA, password) + b"\r\n", LINE, then="any",
                   store=Maybe([(ANNA, password)]))
    for name, user in NAMES:
        yield case(f"AUTH PLAIN, name: {name}", b"AUTH PLAIN\r\n", LINE, b64(b"", user, b"x") + b"\r\n", LINE, then="any", store=Maybe([(user, b"x")]))
        if b"\n" not in user and len(user) < 200:
            yield case(f"USER: {name}", b"USER %s\r\n" % user, LINE, b"PASS x\r\n", 0.05, then="any", store=Maybe([(user, b"x")]))


# ---- what is not TLS at a TLS port ----

NOT_TLS = [Case(f"{name} at a TLS port", door, Below(noise), never=rb"OK", then="end")
           for door in ("imaps", "pop3s")
           for name, noise in {**NOISE, "a record of 65,535 octets": bytes.fromhex("160303ffff") + b"\1" * 70000,
                               "an alert": bytes.fromhex("15030100020228"), "SSLv2": bytes.fromhex("802e0100020015000000100100800200800300800400800500800600400700c0") + b"\0" * 16,
                               "a plain command": b"a NOOP\r\n"}.items() if name != "a ClientHello"]

ALL = {
    "starttls": STARTTLS,
    "imap": [case for door in IMAP for case in imap_cases(door)],
    "pop3": [case for door in POP3 for case in pop3_cases(door)],
    "tls ports": NOT_TLS,
}
