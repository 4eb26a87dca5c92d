/* What an IMAP client may send before login, well-formed or not, in every segmentation. */
#include "test/unit/replay.h"

#include "proxy/wire/imap_command.h"

enum { SASL_LINE = 10000 };

static struct imap_reader reader;
static bool half, over;

static void begin(void)
{
    imap_reader_init(&reader, SASL_LINE);
    half = over = false;
}

static void say_command(struct buf *said, const struct imap_command *c)
{
    static const char *const verbs[] = {
        "?", "CAPABILITY", "NOOP", "LOGOUT", "ID", "STARTTLS", "AUTHENTICATE", "LOGIN"
    };
    replay_say(said, "");
    replay_print(said, c->tag);
    assert_true(buf_printf(said, " %s", verbs[c->verb]));
    if (c->verb == IMAP_UNKNOWN)
        replay_print(said, c->name);
    for (size_t i = 0; i < c->n_words; i++) {
        assert_true(buf_add_text(said, c->words[i].at == NULL ? " NIL" : " ["));
        replay_print(said, c->words[i]);
        assert_true(c->words[i].at == NULL || buf_add_text(said, "]"));
    }
}

static void say_bad(struct buf *said, const struct imap_command *c, enum imap_got got, imap_problem problem)
{
    assert_non_null(problem);
    assert_int_equal(c->n_words, 0);
    replay_say(said, "");
    replay_print(said, c->tag);
    assert_true(buf_add_text(said, got == IMAP_BAD ? " BAD" : " FATAL"));
}

static size_t take(struct span unread, struct buf *said)
{
    struct span in = unread;
    struct imap_command command;
    imap_problem problem;
    while (in.n > 0 && !over) {
        size_t before = in.n;
        enum imap_got got = imap_reader_next(&reader, &in, &command, &problem);
        half = got == IMAP_MORE || got == IMAP_GO_AHEAD;
        over = got == IMAP_FATAL;
        assert_true(in.n < before);
        assert_true(reader.bytes.n <= reader.bytes.max);
        if (got == IMAP_GO_AHEAD)
            replay_say(said, "go");
        else if (got == IMAP_COMMAND)
            say_command(said, &command);
        else if (got != IMAP_MORE)
            say_bad(said, &command, got, problem);
    }
    return unread.n;
}

static void end(struct buf *said)
{
    if (half)
        replay_say(said, "...");
    imap_reader_fini(&reader);
}

static const struct replay subject = { begin, take, end };

static const struct replay_case lines[] = {
    CASE("", ""),
    CASE("a1 NOOP\r\n", "a1 NOOP"),
    CASE("a1 noop\n", "a1 NOOP"),
    CASE("a1 NOOP \r\n", "a1 NOOP"),
    CASE("a1 NOOP  \r\n", "a1 BAD"),
    CASE("a1 NOOP x\r\n", "a1 BAD"),
    CASE("a1  NOOP\r\n", "a1 BAD"),
    CASE("a1 CAPABILITY\r\na2 LOGOUT\r\na3 STARTTLS\r\n", "a1 CAPABILITY | a2 LOGOUT | a3 STARTTLS"),
    CASE("a1 NOOP", "..."),
    CASE("a1 NOOP\r", "..."),
    CASE("a1 NOOP\rx\r\na2 NOOP\r\n", "a1 BAD | a2 NOOP"),
    CASE("a1 NOOP\r\r\n", "a1 BAD"),
    CASE("a1 NO\0OP\r\n", "a1 BAD"),
    CASE("a1 NOOPS\r\n", "a1 ?NOOPS"),
    CASE("a1 SELECT \"x y\" (z)\r\na2 NOOP\r\n", "a1 ?SELECT | a2 NOOP"),
    CASE("a1 SELECT x\0y\r\n", "a1 BAD"),
    CASE("a1 ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJ\r\n", "a1 ?ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF"),
    CASE("a1 (((((\r\na2 NOOP\r\n", "a1 BAD | a2 NOOP"),
    CASE("a1 caf\xc3\xa9\r\n", "a1 BAD"),
};

static const struct replay_case tags[] = {
    CASE("\r\n", "* BAD"),
    CASE("\n\n", "* BAD | * BAD"),
    CASE(" NOOP\r\n", "* BAD"),
    CASE("* NOOP\r\n", "* BAD"),
    CASE("+ NOOP\r\n", "* BAD"),
    CASE("a+ NOOP\r\n", "* BAD"),
    CASE("%n%n%s NOOP\r\n", "* BAD"),
    CASE("a\0b NOOP\r\n", "* BAD"),
    CASE("\xff NOOP\r\n", "* BAD"),
    CASE("a\x7f NOOP\r\n", "* BAD"),
    CASE("a\"b NOOP\r\n", "* BAD"),
    CASE("a\\b NOOP\r\n", "* BAD"),
    CASE("a(b NOOP\r\n", "* BAD"),
    CASE("a1\r\n", "a1 BAD"),
    CASE("a1 \r\n", "a1 BAD"),
    CASE("A]b}.1-!#$&',/:;<=>?@[^_`|~ NOOP\r\n", "A]b}.1-!#$&',/:;<=>?@[^_`|~ NOOP"),
    CASE("0123456789012345678901234567890123456789012345678901234567890123 NOOP\r\n",
         "0123456789012345678901234567890123456789012345678901234567890123 NOOP"),
    CASE("01234567890123456789012345678901234567890123456789012345678901234 NOOP\r\n", "* BAD"),
    CASE("01234567890123456789012345678901234567890123456789012345678901234\r\n", "* BAD"),
    CASE("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET ?/ | Host: ?x | * BAD"),
    CASE("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "..."),
    CASE("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n", "* BAD"),
};

static const struct replay_case logins[] = {
    CASE("a1 LOGIN ann secret\r\n", "a1 LOGIN [ann] [secret]"),
    CASE("a1 login ann se%c*r]t\r\nx", "a1 LOGIN [ann] [se%c*r]t] | ..."),
    CASE("a1 LOGIN NIL nil\r\n", "a1 LOGIN [NIL] [nil]"),
    CASE("a1 LOGIN ann\r\n", "a1 BAD"),
    CASE("a1 LOGIN\r\n", "a1 BAD"),
    CASE("a1 LOGIN \r\n", "a1 BAD"),
    CASE("a1 LOGIN ann \r\n", "a1 BAD"),
    CASE("a1 LOGIN ann secret \r\n", "a1 LOGIN [ann] [secret]"),
    CASE("a1 LOGIN ann secret more\r\n", "a1 BAD"),
    CASE("a1 LOGIN ann  secret\r\n", "a1 BAD"),
    CASE("a1 LOGIN ann s(x\r\n", "a1 BAD"),
    CASE("a1 LOGIN ann s\"x\r\n", "a1 BAD"),
    CASE("a1 LOGIN ann s\\x\r\n", "a1 BAD"),
    CASE("a1 LOGIN ann s\xc3\xa9\r\n", "a1 BAD"),
    CASE("a1 LOGIN ann s\tx\r\n", "a1 BAD"),
    CASE("a1 LOGIN ann s\0x\r\na2 NOOP\r\n", "a1 BAD | a2 NOOP"),
    CASE("a1 LOGIN (ann) x\r\n", "a1 BAD"),
    CASE("a1 LOGIN \"ann\" \"se cret\"\r\n", "a1 LOGIN [ann] [se cret]"),
    CASE("a1 LOGIN \"\" \"\"\r\n", "a1 LOGIN [] []"),
    CASE("a1 LOGIN \"a\\\\b\\\"c\" \"\\\"\"\r\n", "a1 LOGIN [a\\b\"c] [\"]"),
    CASE("a1 LOGIN \"a\\nb\" x\r\n", "a1 BAD"),
    CASE("a1 LOGIN \"caf\xc3\xa9\" \"\xff\x01\x7f\t\"\r\n", "a1 LOGIN [caf\\xC3\\xA9] [\\xFF\\x01\\x7F\\x09]"),
    CASE("a1 LOGIN \"ann\"\"x\"\r\n", "a1 BAD"),
    CASE("a1 LOGIN \"ann\"x y\r\n", "a1 BAD"),
    CASE("a1 LOGIN ann \"x\r\na2 NOOP\r\n", "a1 BAD | a2 NOOP"),
    CASE("a1 LOGIN ann \"x\\\r\na2 NOOP\r\n", "a1 BAD | a2 NOOP"),
    CASE("a1 LOGIN ann \"x\ry\"\r\na2 NOOP\r\n", "a1 BAD | a2 NOOP"),
    CASE("a1 LOGIN ann \"x\0y\"\r\n", "a1 BAD"),
    CASE("a1 LOGIN \"{3}\" \"{3+}\"\r\n", "a1 LOGIN [{3}] [{3+}]"),
};

static const struct replay_case literals[] = {
    CASE("a1 LOGIN {3}\r\nann {6}\r\nsecret\r\n", "go | go | a1 LOGIN [ann] [secret]"),
    CASE("a1 LOGIN {3+}\r\nann {6+}\r\nsecret\r\n", "a1 LOGIN [ann] [secret]"),
    CASE("a1 LOGIN {3}\r\nann {6+}\r\nsecret\r\n", "go | a1 LOGIN [ann] [secret]"),
    CASE("a1 LOGIN {3+}\nann {6}\nsecret\n", "go | a1 LOGIN [ann] [secret]"),
    CASE("a1 LOGIN ann {6}\r\nsecret\r\n", "go | a1 LOGIN [ann] [secret]"),
    CASE("a1 LOGIN {3}\r\nann secret\r\n", "go | a1 LOGIN [ann] [secret]"),
    CASE("a1 LOGIN {3+}\r\nann secret\r\n", "a1 LOGIN [ann] [secret]"),
    CASE("a1 LOGIN {3}\r\nann \"se cret\"\r\n", "go | a1 LOGIN [ann] [se cret]"),
    CASE("a1 LOGIN \"ann\" {6+}\r\nsecret\r\n", "a1 LOGIN [ann] [secret]"),
    CASE("a1 LOGIN \"ann\" {0}\r\n\r\n", "go | a1 LOGIN [ann] []"),
    CASE("a1 LOGIN {0+}\r\n {0+}\r\n\r\n", "a1 LOGIN [] []"),
    CASE("a1 LOGIN {0}\r\n {0}\r\n\r\n", "go | go | a1 LOGIN [] []"),
    CASE("a1 LOGIN ann {0}\r\n", "go | ..."),
    CASE("a1 LOGIN {003}\r\nann {00000000000000000000000006+}\r\nsecret\r\n", "go | a1 LOGIN [ann] [secret]"),
    CASE("a1 LOGIN {5+}\r\na\r\nb\" {4+}\r\n\xff{3}\r\n", "a1 LOGIN [a\\x0D\\x0Ab\"] [\\xFF{3}]"),
    CASE("a1 LOGIN {3}\r\nannsecret\r\n", "go | a1 BAD"),
    CASE("a1 LOGIN {3+}\r\nann\r\n", "a1 BAD"),
    CASE("a1 LOGIN {3+}\r\nan", "..."),
    CASE("a1 LOGIN {3+}\r\na\0n {3+}\r\nxyz\r\na2 NOOP\r\n", "a1 BAD | a2 NOOP"),
    CASE("a1 LOGIN {3}\r\na\0n {3}\r\na2 NOOP\r\n", "go | a1 BAD | a2 NOOP"),
    CASE("a1 LOGIN {4294967295}\r\na2 NOOP\r\n", "a1 BAD | a2 NOOP"),
    CASE("a1 LOGIN {4294967296}\r\na2 NOOP\r\n", "a1 BAD | a2 NOOP"),
    CASE("a1 LOGIN {18446744073709551615}\r\na2 NOOP\r\n", "a1 BAD | a2 NOOP"),
    CASE("a1 LOGIN {18446744073709551617}\r\na2 NOOP\r\n", "a1 BAD | a2 NOOP"),
    CASE("a1 LOGIN {99999999999999999999}\r\na2 NOOP\r\n", "a1 BAD | a2 NOOP"),
    CASE("a1 LOGIN {-1}\r\na2 NOOP\r\n", "a1 BAD | a2 NOOP"),
    CASE("a1 LOGIN {}\r\na2 NOOP\r\n", "a1 BAD | a2 NOOP"),
    CASE("a1 LOGIN {5\r\na2 NOOP\r\n", "a1 BAD | a2 NOOP"),
    CASE("a1 LOGIN {+}\r\na2 NOOP\r\n", "a1 BAD | a2 NOOP"),
    CASE("a1 LOGIN {-1+}\r\na2 NOOP\r\n", "a1 BAD | a2 NOOP"),
    CASE("a1 LOGIN {5+\r\na2 NOOP\r\n", "a1 BAD | a2 NOOP"),
    CASE("a1 LOGIN {5-}\r\na2 NOOP\r\n", "a1 BAD | a2 NOOP"),
    CASE("a1 LOGIN {5++}\r\na2 NOOP\r\n", "a1 BAD | a2 NOOP"),
    CASE("a1 LOGIN {5} x\r\na2 NOOP\r\n", "a1 BAD | a2 NOOP"),
    CASE("a1 LOGIN {5}\r\r\na2 NOOP\r\n", "a1 BAD | a2 NOOP"),
    CASE("a1 LOGIN {4097+}\r\na2 NOOP\r\n", "a1 FATAL"),
    CASE("a1 LOGIN {4294967295+}\r\na2 NOOP\r\n", "a1 FATAL"),
    CASE("a1 LOGIN {4294967296+}\r\na2 NOOP\r\n", "a1 FATAL"),
    CASE("a1 LOGIN {18446744073709551615+}\r\na2 NOOP\r\n", "a1 FATAL"),
    CASE("a1 LOGIN {18446744073709551617+}\r\na2 NOOP\r\n", "a1 FATAL"),
    CASE("a1 LOGIN {99999999999999999999+}\r\na2 NOOP\r\n", "a1 FATAL"),
    /* where no literal is expected, what a client sends behind one is still no command */
    CASE("a1 LOGIN {5}x{7+}\r\na2 NOOP\r\na3 NOOP\r\n", "a1 BAD | a3 NOOP"),
    CASE("a1 LOGIN {5{7+}\r\na2 NOOP\r\na3 NOOP\r\n", "a1 BAD | a3 NOOP"),
    CASE("a1 LOGIN ann x{7+}\r\na2 NOOP\r\na3 NOOP\r\n", "a1 BAD | a3 NOOP"),
    CASE("a1 LOGIN ann \"x{7+}\r\na2 NOOP\r\na3 NOOP\r\n", "a1 BAD | a3 NOOP"),
    CASE("a1 LOGIN ann x {7+}\r\na2 NOOP\r\na3 NOOP\r\n", "a1 BAD | a3 NOOP"),
    CASE("a1 LOGIN ann x {7}\r\na2 NOOP\r\n", "a1 BAD | a2 NOOP"),
    CASE("a1 NOOP {9+}\r\na2 NOOP\r\n\r\na3 NOOP\r\n", "a1 BAD | a3 NOOP"),
    CASE("a1 NOOP {9}\r\na2 NOOP\r\n", "a1 BAD | a2 NOOP"),
    CASE("a1 X {9+}\r\na2 NOOP\r\n {1+}\r\nx\r\na3 NOOP\r\n", "a1 ?X | a3 NOOP"),
    CASE("a1 X {9+}\r\na2 NOOP\r\n {1}\r\na3 NOOP\r\n", "a1 ?X | a3 NOOP"),
    CASE("a1 X {9}\r\na2 NOOP\r\n", "a1 ?X | a2 NOOP"),
    CASE("a1 X{9}\r\na2 NOOP\r\n", "a1 ?X{9} | a2 NOOP"),
    CASE("a1 {9+}\r\na2 NOOP\r\n\r\na3 NOOP\r\n", "a1 ?{9+} | a3 NOOP"),
    CASE("a1 X {0+}\r\n\r\na2 NOOP\r\n", "a1 ?X | a2 NOOP"),
    CASE("a1 X {4097+}\r\na2 NOOP\r\n", "a1 FATAL"),
    CASE("{9+}\r\na2 NOOP\r\n\r\na3 NOOP\r\n", "* BAD | a3 NOOP"),
    CASE("{4097+}\r\n", "* FATAL"),
};

static const struct replay_case sasl[] = {
    CASE("a1 AUTHENTICATE PLAIN\r\n", "a1 AUTHENTICATE [PLAIN]"),
    CASE("a1 authenticate plain AGFubgB4\r\n", "a1 AUTHENTICATE [plain] [AGFubgB4]"),
    CASE("a1 AUTHENTICATE PLAIN =\r\n", "a1 AUTHENTICATE [PLAIN] [=]"),
    CASE("a1 AUTHENTICATE PLAIN \r\n", "a1 AUTHENTICATE [PLAIN]"),
    CASE("a1 AUTHENTICATE\r\n", "a1 BAD"),
    CASE("a1 AUTHENTICATE \"PLAIN\"\r\n", "a1 BAD"),
    CASE("a1 AUTHENTICATE {5+}\r\nPLAIN\r\na2 NOOP\r\n", "a1 BAD | a2 NOOP"),
    CASE("a1 AUTHENTICATE {5}\r\na2 NOOP\r\n", "a1 BAD | a2 NOOP"),
    CASE("a1 AUTHENTICATE PLAIN a b\r\n", "a1 BAD"),
    CASE("a1 AUTHENTICATE PLAIN\r\nAGFubgB4\r\n", "a1 AUTHENTICATE [PLAIN] | AGFubgB4 BAD"),
};

static const struct replay_case ids[] = {
    CASE("a1 ID NIL\r\n", "a1 ID"),
    CASE("a1 id nil \r\n", "a1 ID"),
    CASE("a1 ID ()\r\n", "a1 ID"),
    CASE("a1 ID (\"name\" \"mutt\" \"version\" NIL)\r\n", "a1 ID [name] [mutt] [version] NIL"),
    CASE("a1 ID ( \"name\" \"mutt\"  \"os\" nil ) \r\n", "a1 ID [name] [mutt] [os] NIL"),
    CASE("a1 ID ({4}\r\nname {4+}\r\nmutt)\r\n", "go | a1 ID [name] [mutt]"),
    CASE("a1 ID (\"name\" {0}\r\n)\r\n", "go | a1 ID [name] []"),
    CASE("a1 ID (\"a\" {1}\r\n) \"b\" NIL)\r\n", "go | a1 ID [a] [)] [b] NIL"),
    CASE("a1 ID\r\n", "a1 BAD"),
    CASE("a1 ID \r\n", "a1 BAD"),
    CASE("a1 ID NILS\r\n", "a1 BAD"),
    CASE("a1 ID x\r\n", "a1 BAD"),
    CASE("a1 ID NIL x\r\n", "a1 BAD"),
    CASE("a1 ID NIL(\r\n", "a1 BAD"),
    CASE("a1 ID \"NIL\"\r\n", "a1 BAD"),
    CASE("a1 ID {3+}\r\nNIL\r\na2 NOOP\r\n", "a1 BAD | a2 NOOP"),
    CASE("a1 ID (\r\n", "a1 BAD"),
    CASE("a1 ID (\"name\")\r\n", "a1 BAD"),
    CASE("a1 ID (\"name\" )\r\n", "a1 BAD"),
    CASE("a1 ID (\"name\" \"x\"\r\n", "a1 BAD"),
    CASE("a1 ID (\"name\" \"x\" \"y\")\r\n", "a1 BAD"),
    CASE("a1 ID (\"name\"\"x\")\r\n", "a1 BAD"),
    CASE("a1 ID (\"name\" \"x\"\"y\" \"z\")\r\n", "a1 BAD"),
    CASE("a1 ID (NIL \"x\")\r\n", "a1 BAD"),
    CASE("a1 ID (name \"x\")\r\n", "a1 BAD"),
    CASE("a1 ID (\"name\" mutt)\r\n", "a1 BAD"),
    CASE("a1 ID ((\"name\" \"x\"))\r\n", "a1 BAD"),
    CASE("a1 ID (\"name\" \"x\"))\r\n", "a1 BAD"),
    CASE("a1 ID () ()\r\n", "a1 BAD"),
    CASE("a1 ID (\"012345678901234567890123456789\" \"x\")\r\n", "a1 ID [012345678901234567890123456789] [x]"),
    CASE("a1 ID (\"0123456789012345678901234567890\" \"x\")\r\n", "a1 BAD"),
    CASE("a1 ID ({31}\r\na2 NOOP\r\n", "a1 BAD | a2 NOOP"),
    CASE("a1 ID ({31+}\r\n0123456789012345678901234567890 NIL)\r\na2 NOOP\r\n", "a1 BAD | a2 NOOP"),
    CASE("a1 ID (\"a\" {1025}\r\na2 NOOP\r\n", "a1 BAD | a2 NOOP"),
    CASE("a1 ID (\"a\" \"\\\"\\\\\")\r\n", "a1 ID [a] [\"\\]"),
};

#define REPLAY_TEST(name)                                                                                              \
    static void test_##name(void **state UNUSED)                                                                       \
    {                                                                                                                  \
        replay_all(&subject, name, COUNT_OF(name));                                                                    \
    }
REPLAY_TEST(lines)
REPLAY_TEST(tags)
REPLAY_TEST(logins)
REPLAY_TEST(literals)
REPLAY_TEST(sasl)
REPLAY_TEST(ids)

/* Inputs that are long: before, n times fill, after. */
static const struct {
    const char *before;
    char fill;
    size_t n;
    const char *after;
    const char *want; /* "=": the command, its last word is the fill */
} longs[] = {
    {"a1 LOGIN ann ",             'x', 8192 - 15,   "\r\n",                              "="                    },
    { "a1 LOGIN ann ",            'x', 8192 - 14,   "\r\na2 NOOP\r\n",                   "a1 BAD | a2 NOOP"     },
    { "a1 LOGIN ann {8169}\r\n",  'x', 8169,        "\r\n",                              "="                    },
    { "a1 LOGIN ann {8171}\r\n",  'x', 8171,        "\r\na2 NOOP\r\n",                   "go | a1 BAD | a2 NOOP"},
    { "a1 LOGIN ann {8172}\r\n",  'x', 1,           "\r\n",                              "a1 BAD | x BAD"       },
    { "a1 LOGIN ann {4096+}\r\n", 'x', 4096,        "\r\n",                              "="                    },
    { "a1 LOGIN ann {4096+}\r\n", 'x', 4096,        " {4096+}\r\n",                      "..."                  },
    { "a1 LOGIN {4096+}\r\n",     'x', 4096,        " {4096+}\r\n",                      "..."                  },
    { "a1 LOGIN ann {4096+}\r\n", 'x', 4096,        "x\r\na2 NOOP\r\n",                  "a1 BAD | a2 NOOP"     },
    { "a1 X ",                    'x', 8192 - 7,    "\r\n",                              "a1 ?X"                },
    { "a1 X ",                    'x', 8192 - 6,    "\r\n",                              "a1 BAD"               },
    { "a1 X ",                    '(', 100000,      " {9+}\r\na2 NOOP\r\n\r\na3 NOOP\n", "a1 BAD | a3 NOOP"     },
    { "a1 X ",                    '(', 131072 - 7,  "\r\na2 NOOP\r\n",                   "a1 BAD | a2 NOOP"     },
    { "a1 X ",                    '(', 131072 - 6,  "\r\n",                              "a1 FATAL"             },
    { "",                         '(', 1000000,     "\r\n",                              "* FATAL"              },
    { "",                         'x', 131073,      "",                                  "* FATAL"              },
    { "",                         'x', 1000,        " NOOP\r\na2 NOOP\r\n",              "* BAD | a2 NOOP"      },
    { "a1 AUTHENTICATE PLAIN ",   'A', 10064 - 24,  "\r\n",                              "="                    },
    { "a1 AUTHENTICATE PLAIN ",   'A', 10064 - 23,  "\r\n",                              "a1 BAD"               },
    { "a1 ID (\"a\" \"",          'x', 1024,        "\")\r\n",                           "="                    },
    { "a1 ID (\"a\" \"",          'x', 1025,        "\")\r\n",                           "a1 BAD"               },
    { "a1 ID (",                  ' ', 131072 - 10, ")\r\n",                             "a1 ID"                },
    { "a1 ID (",                  ' ', 131072,      ")\r\n",                             "a1 FATAL"             },
};

/* What is said of a command whose last word is the fill. */
static void say_whole(struct buf *want, const char *before, struct span fill)
{
    bool login = strstr(before, "LOGIN") != NULL;
    assert_true(buf_add_text(want, strstr(before, "9}") != NULL ? "go | " : ""));
    assert_true(buf_add_text(want, login                          ? "a1 LOGIN [ann] ["
                                   : strstr(before, "ID") != NULL ? "a1 ID [a] ["
                                                                  : "a1 AUTHENTICATE [PLAIN] ["));
    assert_true(buf_add(want, fill) && buf_add_byte(want, ']'));
}

static void test_longs(void **state UNUSED)
{
    struct buf input, want;
    buf_init(&input, 2000000);
    buf_init(&want, 2000000);
    for (size_t i = 0; i < COUNT_OF(longs); i++) {
        buf_clear(&input);
        buf_clear(&want);
        assert_true(buf_add_text(&input, longs[i].before));
        char *fill = buf_space(&input, longs[i].n);
        assert_non_null(fill);
        memset(fill, longs[i].fill, longs[i].n);
        buf_grew(&input, longs[i].n);
        if (strcmp(longs[i].want, "=") == 0)
            say_whole(&want, longs[i].before, span_bytes(fill, longs[i].n));
        else
            assert_true(buf_add_text(&want, longs[i].want));
        assert_true(buf_add_byte(&want, '\0'));
        assert_true(buf_add_text(&input, longs[i].after));
        replay(&subject, buf_span(&input), want.at);
    }
    buf_fini(&input);
    buf_fini(&want);
}

/* ID lists at their limits */

static void add_pair(struct buf *input, const char *key, char fill, size_t n, bool quoted)
{
    assert_true(buf_printf(input, quoted ? " \"%s\" \"" : " \"%s\" {%zu+}\r\n", key, n));
    for (size_t i = 0; i < n; i++)
        assert_true(buf_add_text(input, quoted ? "\\\"" : "") && (quoted || buf_add_byte(input, fill)));
    assert_true(buf_add_text(input, quoted ? "\"" : ""));
}

/* As long as the law allows, every byte of it escaped. */
static void test_id_longest(void **state UNUSED)
{
    struct buf input;
    buf_init(&input, 200000);
    for (size_t pairs = 30; pairs <= 31; pairs++) {
        buf_clear(&input);
        assert_true(buf_add_text(&input, "a1 ID ("));
        for (size_t i = 0; i < pairs; i++)
            add_pair(&input, "123456789012345678901234567890", '"', 1024, true);
        assert_true(buf_add_text(&input, ")\r\na2 NOOP\r\n"));
        assert_true(input.n > 31000);
        begin();
        struct span in = buf_span(&input);
        struct imap_command command;
        imap_problem problem;
        assert_int_equal(imap_reader_next(&reader, &in, &command, &problem), pairs == 30 ? IMAP_COMMAND : IMAP_BAD);
        assert_int_equal(command.n_words, pairs == 30 ? 6 : 0); /* three pairs fit what is kept */
        assert_int_equal(in.n, strlen("a2 NOOP\r\n"));
        assert_true(reader.bytes.room <= IMAP_LINE_MAX);
        imap_reader_fini(&reader);
        replay(&subject, buf_span(&input), NULL);
    }
    buf_fini(&input);
}

/* Keys that tell of the client push out ordinary ones, the latest first. */
static void test_id_kept(void **state UNUSED)
{
    static const char *const keys[] = { "a", "name", "b", "c", "X-Originating-IP", "x-proxy-ttl", "d", "version" };
    static const size_t sizes[] = { 500, 20, 1000, 1000, 1000, 800, 600, 1024 };
    static const char *const kept[] = { "a", "name", "X-Originating-IP", "x-proxy-ttl", "version" };
    struct buf input;
    struct imap_command command;
    imap_problem problem;
    buf_init(&input, 200000);
    assert_true(buf_add_text(&input, "a1 ID ("));
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        add_pair(&input, keys[i], (char)('0' + i), sizes[i], false);
    assert_true(buf_add_text(&input, ")\r\n"));
    replay(&subject, buf_span(&input), NULL);
    begin();
    struct span in = buf_span(&input);
    assert_int_equal(imap_reader_next(&reader, &in, &command, &problem), IMAP_COMMAND);
    assert_int_equal(command.n_words, 2 * COUNT_OF(kept));
    for (size_t i = 0; i < COUNT_OF(kept); i++) {
        size_t from = 0;
        while (strcmp(keys[from], kept[i]) != 0)
            from++;
        struct span value = command.words[2 * i + 1];
        assert_true(span_eq(command.words[2 * i], span_of(kept[i])));
        assert_int_equal(value.n, sizes[from]);
        for (size_t k = 0; k < value.n; k++)
            assert_int_equal(value.at[k], '0' + (int)from);
    }
    imap_reader_fini(&reader);
    buf_fini(&input);
}

/* Sequences that no table thought of: whatever is said, it is said in every segmentation. */
static void test_noise(void **state UNUSED)
{
    static const char *const pieces[] = { "a1 ",     "LOGIN ",  "ID ", "NOOP",     "AUTHENTICATE PLAIN",
                                          " ",       "\r\n",    "\n",  "{3}",      "{3+}",
                                          "{0+}",    "{3}\r\n", "\"",  "\\",       "(",
                                          ")",       "NIL ",    "abc", "\xc3\xa9", "\r",
                                          "{5000+}", "\"x\"",   "{",   "}",        "{1+}\r\n" };
    uint64_t random = 7;
    struct buf input;
    buf_init(&input, 1000);
    for (int i = 0; i < 20000; i++) {
        buf_clear(&input);
        for (uint32_t n = random_number(&random, 14); n > 0; n--)
            assert_true(buf_add_text(&input, pieces[random_number(&random, COUNT_OF(pieces))]));
        replay(&subject, buf_span(&input), NULL);
    }
    buf_fini(&input);
}

/* What was read is forgotten: half a command on reset, all of it when the next one begins. */
static void test_reset_wipes(void **state UNUSED)
{
    struct imap_command command;
    imap_problem problem;
    struct span in = SPAN("a1 LOGIN ann secret");
    begin();
    assert_int_equal(imap_reader_next(&reader, &in, &command, &problem), IMAP_MORE);
    assert_true(span_contains_nocase(span_bytes(reader.bytes.at, reader.bytes.room), SPAN("secret")));
    imap_reader_reset(&reader);
    assert_false(span_contains_nocase(span_bytes(reader.bytes.at, reader.bytes.room), SPAN("secret")));
    in = SPAN("a2 LOGIN ann secret\r\na3 LOGIN ann secret {5}\r\n");
    assert_int_equal(imap_reader_next(&reader, &in, &command, &problem), IMAP_COMMAND);
    assert_true(span_eq(command.tag, SPAN("a2")));
    assert_int_equal(imap_reader_next(&reader, &in, &command, &problem), IMAP_BAD);
    assert_true(span_eq(command.tag, SPAN("a3")) && span_eq(command.name, SPAN("LOGIN")));
    assert_false(span_contains_nocase(span_bytes(reader.bytes.at, reader.bytes.room), SPAN("secret")));
    imap_reader_fini(&reader);
}

/* A fatal command stays fatal until the reset. */
static void test_fatal_stays(void **state UNUSED)
{
    struct imap_command command;
    imap_problem problem;
    struct span in = SPAN("a1 LOGIN {5000+}\r\na2 NOOP\r\n");
    begin();
    for (int i = 0; i < 2; i++) {
        assert_int_equal(imap_reader_next(&reader, &in, &command, &problem), IMAP_FATAL);
        assert_true(span_eq(command.tag, SPAN("a1")));
        assert_int_equal(in.n, strlen("a2 NOOP\r\n"));
    }
    imap_reader_reset(&reader);
    assert_int_equal(imap_reader_next(&reader, &in, &command, &problem), IMAP_COMMAND);
    imap_reader_fini(&reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),    cmocka_unit_test(test_tags),        cmocka_unit_test(test_logins),
        cmocka_unit_test(test_literals), cmocka_unit_test(test_sasl),        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_longs),    cmocka_unit_test(test_id_longest),  cmocka_unit_test(test_id_kept),
        cmocka_unit_test(test_noise),    cmocka_unit_test(test_reset_wipes), cmocka_unit_test(test_fatal_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
