/* Following a session: each case is a dialogue after login, played whole, byte by byte and with each of its parts cut
 * at every offset; what is known after each part must be the same. */
#include "proxy/wire/follow.h"

#include "test/unit/replay.h"

enum { PARTS_MAX = 10, SAID_MAX = 80 };

/* 'C' client, 'S' store; what is known afterwards, as letters: - between lines, o opaque, l leaving, g a go-ahead is
 * awaited, and the octets of literals that are still to come. */
struct part {
    const char *text; /* the first letter says whose */
    const char *known;
};

static const struct dialogue_case {
    const char *name;
    struct part parts[PARTS_MAX];
} imap_cases[] = {
    { "lines",
     { { "Ca NOOP\r\n", "-" },
        { "S* 1 EXISTS\r\n", "-" },
        { "Sa OK do", "" },
        { "Sne\r", "" },
        { "S\n", "-" },
        { "C\r\n", "-" } } },
    { "a bare LF ends a line", { { "S* 1 EXISTS\n", "-" }, { "S* 2", "" } } },
    { "a literal down, and its line goes on",
     { { "S* 1 FETCH (BODY {5}\r\n", "down 5" },
        { "Sab\r\n", "down 1" },
        { "Sc", "" },
        { "S FLAGS ()", "" },
        { "S)\r\n", "-" } } },
    { "two literals in one line",
     { { "S* 1 FETCH (A {2}\r\nab B {3}\r\n", "down 3" }, { "Sabc", "" }, { "S)\r\n", "-" } } },
    { "an empty literal leaves its line open", { { "S* 1 FETCH (A {0}\r\n", "" }, { "S)\r\n", "-" } } },
    { "a binary literal", { { "S* 1 FETCH (BINARY[1] ~{4}\r\n", "down 4" }, { "S\r\n\r\n", "" }, { "S)\r\n", "-" } } },
    { "what only looks like a literal",
     { { "S* OK {5} more\r\n", "-" },
        { "S* OK {}\r\n", "-" },
        { "S* OK {+}\r\n", "-" },
        { "S* OK {5+\r\n", "-" },
        { "S* OK {-5}\r\n", "-" },
        { "S* OK {5}}\r\n", "-" },
        { "S* OK {5}\r\r\n", "-" },
        { "S* OK 5}\r\n", "-" } } },
    { "a brace within braces", { { "S* OK {1{3}\r\n", "down 3" } } },
    { "numbers of any length",
     { { "S* X {00000000000000000003}\r\n", "down 3" },
        { "Sabc\r\n", "-" },
        { "S* X {000000000000000000003}\r\n", "-" },
        { "S* X {4294967295}\r\n", "down 4294967295" } } },
    { "a number that is too large", { { "S* X {9999999999}\r\n", "down 9999999999" } } },
    { "one that is much too large", { { "S* X {99999999999}\r\n", "-" } } },
    { "a literal in a long line",
     { { "S* 1 FETCH (ENVELOPE (\"0123456789012345678901234567890123456789\" {2}\r\n", "down 2" }, { "Sab)\r\n", "-" } } },
    { "synchronising literals up",
     { { "Ca APPEND x {4}\r\n", "-g up 4" },
        { "S+ go\r\n", "-g up 4" },
        { "Cab", "- up 2" },
        { "Ccd", "-" },
        { "C\r\n", "-" },
        { "Sa OK\r\n", "-" } } },
    { "non-synchronising ones", { { "Ca APPEND x {4+}\r\n", "- up 4" }, { "Ca LO", "-" }, { "CGOUT\r\n", "-" } } },
    { "a refused literal: what follows is a command",
     { { "Ca APPEND x {4}\r\n", "-g up 4" }, { "Sa NO too much\r\n", "-" }, { "Cb LOGOUT\r\n", "-l" } } },
    { "untagged lines do not refuse it",
     { { "Ca APPEND x {8}\r\n", "-g up 8" },
        { "S* 1 EXISTS\r\n", "-g up 8" },
        { "S+ go\r\n", "-g up 8" },
        { "Cb LOGOUT", "-" },
        { "C\r\n", "-" } } },
    { "nor does the answer to the command before",
     { { "Ca NOOP\r\nb APPEND x {12}\r\n", "-g up 12" },
        { "Sa OK NOOP done\r\n", "-g up 12" },
        { "Sa1 NO what?\r\n", "-g up 12" },
        { "S+ go\r\n", "-g up 12" },
        { "Cx LOGOUT me\r\n", "-" } } },
    { "LOGOUT", { { "Ca1 LogOut\r\n", "-l" } } },
    { "LOGOUT with a LF alone", { { "Ca LOGOUT\n", "-l" } } },
    { "LOGOUT elsewhere",
     { { "CLOGOUT x\r\n", "-" }, { "Ca SEARCH LOGOUT\r\n", "-" }, { "Ca LOGOUTS\r\n", "-" }, { "Ca LOGOU\r\n", "-" } } },
    { "COMPRESS", { { "Ca COMPRESS DEFLATE\r\n", "o" }, { "Sa OK\r\n", "o" } } },
    { "COMPRESS before its line ends", { { "Ca COMPRESS D", "o" } } },
    { "the store says BYE", { { "S* BYE over and out\r\n", "-l" } } },
    { "in small letters, and no more", { { "S* bye", "l" }, { "S\r\n", "-l" } } },
    { "BYE elsewhere",
     { { "S* OK * BYE\r\n", "-" },
        { "S* 1 FETCH (A {7}\r\n* BYE\r\n)\r\n", "-" },
        { "Sa BYE\r\n", "-" },
        { "S* BY\r\n", "-" },
        { "S * BYE\r\n", "-" } } },
    { "IDLE", { { "Ca IDLE\r\n", "-" }, { "S+ idling\r\n", "-" }, { "CDONE\r\n", "-" }, { "Sa OK\r\n", "-" } } },
},
  pop3_cases[] = {
      { "lines", { { "CRETR 1\r\n", "-" }, { "S+OK\r\nSubject: {5}\r\n", "-" }, { "Sabc", "" }, { "S\r\n.\r\n", "-" } } },
      { "QUIT", { { "Cquit\r\n", "-l" } } },
      { "QUIT elsewhere", { { "CRETR QUIT\r\n", "-" }, { "CQUITE\r\n", "-" }, { "CQUIT", "-" }, { "C\n", "-l" } } },
      { "no literals", { { "CTOP 1 {5}\r\n", "-" }, { "CQUIT\r\n", "-l" } } },
      { "nothing of IMAP", { { "Ca LOGOUT\r\nCOMPRESS x\r\n", "-" }, { "S* BYE\r\n", "-" } } },
  };

static const char *known(const struct follow *f, char text[SAID_MAX])
{
    int n = snprintf(text, SAID_MAX, "%s%s%s%s", follow_is_between_lines(f) ? "-" : "", f->opaque ? "o" : "",
                     f->leaving ? "l" : "", f->awaits_go_ahead ? "g" : "");
    if (f->up.literal > 0)
        n += snprintf(text + n, SAID_MAX - (size_t)n, "%sup %llu", n > 0 ? " " : "", (unsigned long long)f->up.literal);
    if (f->down.literal > 0)
        snprintf(text + n, SAID_MAX - (size_t)n, "%sdown %llu", n > 0 ? " " : "", (unsigned long long)f->down.literal);
    return text;
}

static void hear(struct follow *f, char who, struct span bytes)
{
    char *exact = malloc(bytes.n + 1);
    assert_non_null(exact);
    memcpy(exact, bytes.at, bytes.n);
    (who == 'C' ? follow_up : follow_down)(f, span_bytes(exact, bytes.n));
    free(exact);
}

/* cut: an offset in part `where`; bytewise: every part in single octets. */
static void play(const struct dialogue_case *c, bool imap, size_t where, size_t cut, bool bytewise)
{
    char text[SAID_MAX];
    struct follow f;
    follow_init(&f, imap);
    for (size_t i = 0; i < PARTS_MAX && c->parts[i].text != NULL; i++) {
        char who = c->parts[i].text[0];
        struct span bytes = span_of(c->parts[i].text + 1);
        for (size_t k = 0; bytewise && k < bytes.n; k++)
            hear(&f, who, span_bytes(bytes.at + k, 1));
        if (!bytewise && i == where) {
            hear(&f, who, span_first(bytes, cut));
            bytes = span_after(bytes, cut);
        }
        if (!bytewise)
            hear(&f, who, bytes);
        if (strcmp(known(&f, text), c->parts[i].known) != 0)
            fail_msg("%s, part %zu, cut at %zu of part %zu%s: \"%s\" instead of \"%s\"", c->name, i, cut, where,
                     bytewise ? ", octet by octet" : "", text, c->parts[i].known);
    }
}

static void play_all(const struct dialogue_case *cases, size_t n, bool imap)
{
    for (size_t i = 0; i < n; i++) {
        play(&cases[i], imap, 0, 0, true);
        for (size_t where = 0; where < PARTS_MAX && cases[i].parts[where].text != NULL; where++)
            for (size_t cut = 0; cut < strlen(cases[i].parts[where].text); cut++)
                play(&cases[i], imap, where, cut, false);
    }
}

static void imap_dialogues(void **state UNUSED)
{
    play_all(imap_cases, COUNT_OF(imap_cases), true);
}

static void pop3_dialogues(void **state UNUSED)
{
    play_all(pop3_cases, COUNT_OF(pop3_cases), false);
}

/* Any bytes at all: the same whole and in pieces. */
static void random_bytes_in_pieces(void **state UNUSED)
{
    static const struct span likely = { "{}+0123 \r\n*aBYE", 15 };
    uint64_t seed = 7;
    char whole_said[SAID_MAX], said[SAID_MAX], at[64];
    for (int i = 0; i < RANDOM_STRINGS / 10; i++) {
        struct span s = random_string(&seed, likely, at, sizeof at);
        size_t cut = random_number(&seed, (uint32_t)s.n + 1);
        bool imap = random_number(&seed, 4) > 0;
        for (int up = 0; up < 2; up++) {
            struct follow whole, pieces;
            follow_init(&whole, imap);
            follow_init(&pieces, imap);
            hear(&whole, up ? 'C' : 'S', s);
            hear(&pieces, up ? 'C' : 'S', span_first(s, cut));
            hear(&pieces, up ? 'C' : 'S', span_after(s, cut));
            assert_string_equal(known(&whole, whole_said), known(&pieces, said));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(imap_dialogues),
        cmocka_unit_test(pop3_dialogues),
        cmocka_unit_test(random_bytes_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
