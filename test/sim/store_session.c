/* Mail stores after the login: they answer the commands of client_commands.c. */
#include <stdlib.h>

#include "config/config.h"
#include "test/sim/store_inside.h"

enum { LARGEST = 100000 };

static void say_literal(struct store *s, size_t n)
{
    char piece[256];
    for (size_t done = 0; done < n;) {
        size_t some = n - done < sizeof piece - 1 ? n - done : sizeof piece - 1;
        random_text(piece, some, "ab\r\n* BYE{}1+\xff");
        store_says(s, span_bytes(piece, some));
        done += some;
    }
}

void compress(char *at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        at[i] = (char)(at[i] ^ 0x5a);
}

/* Not every store can. */
static void do_compress(struct store *s, struct span tag)
{
    bool can = random_below(4) > 0;
    store_says_line(s, "%.*s %s\r\n", SPAN_ARG(tag), can ? "OK compressing" : "NO it cannot");
    store_answered(s);
    s->compressed = can;
}

static void do_session_imap(struct store *s, struct span tag, struct span verb, size_t number)
{
    if (random_below(3) == 0) {
        store_says_line(s, "* %u EXISTS\r\n", random_below(100));
        store_answered(s);
    }
    if (span_eq(verb, SPAN("FETCH"))) {
        store_says_line(s, "* 1 FETCH (BODY[] {%zu}\r\n", number);
        say_literal(s, number);
        store_says_line(s, ")\r\n");
        store_answered(s);
    }
    if (span_eq(verb, SPAN("COMPRESS"))) {
        do_compress(s, tag);
        return;
    }
    s->leaving = span_eq(verb, SPAN("LOGOUT"));
    if (s->leaving)
        store_says_line(s, "* BYE so long\r\n");
    store_says_line(s, "%.*s OK done\r\n", SPAN_ARG(tag));
    store_answered(s);
}

static void do_session_pop3(struct store *s, struct span verb, size_t number)
{
    s->leaving = span_eq(verb, SPAN("QUIT"));
    store_says_line(s, "+OK done\r\n");
    if (span_eq(verb, SPAN("RETR"))) {
        for (size_t n = 0; n < number; n += 60)
            store_says_line(s, "%.*s\r\n", 58, "A line of a message that is as long as all the others are.");
        store_says_line(s, ".\r\n");
    }
    store_answered(s);
}

/* "{12+}", "{12}": the client's literal follows. */
static bool announces(struct store *s, struct span word, struct span tag)
{
    if (word.n < 3 || word.at[0] != '{' || word.at[word.n - 1] != '}')
        return false;
    bool waits = word.at[word.n - 2] != '+';
    if (!span_number(span_bytes(word.at + 1, word.n - (waits ? 2 : 3)), LOG_MAX, &s->literal))
        return false;
    store_keeps_tag(s, tag);
    s->in_literal_line = true;
    if (waits) {
        store_says_line(s, "+ go\r\n");
        store_answered(s);
    }
    return true;
}

/* What follows a literal: nothing, from a client that keeps to the rules. */
static void end_literal_line(struct store *s, struct span line)
{
    s->in_literal_line = false;
    SIM_REQUIRE(line.n == 0 || s->plan->client_fault == FAULT_GARBAGE);
    do_session_imap(s, span_of(s->tag), SPAN("APPEND"), 0);
}

/* "tag APPEND x {12+}", "tag FETCH 500", "RETR 500". */
static void do_session_line(struct store *s, struct span line)
{
    struct span rest = line, tag = SPAN_NONE, verb, word;
    uint64_t number = 0;
    bool imap = s->plan->protocol == IMAP;
    if (s->in_literal_line) {
        end_literal_line(s, line);
        return;
    }
    if ((imap && !span_word(&rest, &tag)) || !span_word(&rest, &verb) || tag.n >= sizeof s->tag) {
        SIM_REQUIRE(s->plan->client_fault == FAULT_GARBAGE);
        store_says_line(s, imap ? "* BAD what\r\n" : "-ERR what\r\n");
        store_answered(s);
        return;
    }
    while (span_word(&rest, &word)) {
        if (imap && announces(s, word, tag))
            return;
        if (!span_number(word, LARGEST, &number))
            number = 0;
    }
    if (imap)
        do_session_imap(s, tag, verb, number);
    else
        do_session_pop3(s, verb, number);
}

bool store_reads_session(struct store *s)
{
    struct span line;
    size_t used;
    if (s->in.n == 0 || s->leaving)
        return false;
    if (s->literal > 0) {
        size_t n = s->literal < s->in.n ? s->literal : s->in.n;
        s->literal -= n;
        buf_take(&s->in, n);
        return true;
    }
    if (!store_reads_line(s, &line, &used))
        return false;
    char *copy = span_copy(line);
    buf_take(&s->in, used);
    do_session_line(s, span_bytes(copy, line.n));
    free(copy);
    return true;
}
