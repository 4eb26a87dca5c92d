/* Following a session. An announcement "{n}" or "{n+}" and its CRLF fit into 32 octets, so of every line only the last
 * 32 are looked at one by one; literals are skipped by their length. Memory and work do not depend on the mail. */
#include "proxy/wire/follow.h"

enum { ANNOUNCEMENT_MAX = 32, DIGITS_MAX = 20 };
static const uint32_t empty_tag = 2166136261; /* FNV-1a */

enum step { STEP_NONE, STEP_NUMBER, STEP_PLUS, STEP_CLOSED, STEP_CR };

void follow_init(struct follow *f, bool imap)
{
    *f = (struct follow){ .imap = imap, .up_tag = empty_tag };
}

static uint32_t tag_add(uint32_t tag, char c)
{
    return (tag ^ (unsigned char)c) * 16777619;
}

static enum step announcement_step(struct follow_line *l, char c)
{
    if (c == '{') {
        l->number = 0;
        l->digits = 0;
        l->plus = false;
        return STEP_NUMBER;
    }
    if (l->step == STEP_NUMBER && c >= '0' && c <= '9' && l->number < UINT32_MAX && l->digits < DIGITS_MAX) {
        l->digits++;
        l->number = l->number * 10 + (uint64_t)(c - '0');
        return STEP_NUMBER;
    }
    if (l->step == STEP_NUMBER && l->digits > 0 && c == '+') {
        l->plus = true;
        return STEP_PLUS;
    }
    if (((l->step == STEP_NUMBER && l->digits > 0) || l->step == STEP_PLUS) && c == '}')
        return STEP_CLOSED;
    return l->step == STEP_CLOSED && c == '\r' ? STEP_CR : STEP_NONE;
}

/* A part of one line, its LF included if it has one. True: the line ends in an announcement. */
static bool read_line_part(struct follow_line *l, struct span part)
{
    bool ends = part.n > 0 && part.at[part.n - 1] == '\n';
    if (part.n > ANNOUNCEMENT_MAX) {
        l->step = STEP_NONE;
        part = span_after(part, part.n - ANNOUNCEMENT_MAX);
    }
    bool announced = false;
    for (size_t i = 0; i < part.n; i++) {
        announced = part.at[i] == '\n' && (l->step == STEP_CLOSED || l->step == STEP_CR);
        l->step = (uint8_t)announcement_step(l, part.at[i]);
    }
    l->in_line = !ends;
    return ends && announced;
}

/* The next part of bytes that belongs to one line or one literal. */
static struct span next_part(struct follow_line *l, struct span bytes, bool *literal)
{
    *literal = l->literal > 0;
    if (*literal) {
        struct span part = span_first(bytes, l->literal < bytes.n ? (size_t)l->literal : bytes.n);
        l->literal -= part.n;
        l->in_line = true; /* what follows a literal is still its line */
        return part;
    }
    ptrdiff_t end = span_find(bytes, '\n');
    return end < 0 ? bytes : span_first(bytes, (size_t)end + 1);
}

/* ---- up ---- */

static void command_done(struct follow *f)
{
    struct span command = { f->command, f->command_n };
    if (f->imap && span_eq_nocase(command, SPAN("COMPRESS")))
        f->opaque = true;
    if (span_eq_nocase(command, f->imap ? SPAN("LOGOUT") : SPAN("QUIT")))
        f->leaving = true;
}

/* The command is the second word of an IMAP line and the first of a POP3 line. */
static void read_command(struct follow *f, struct span line)
{
    uint8_t wanted = f->imap ? 1 : 0;
    for (size_t i = 0; i < line.n && f->word <= wanted; i++) {
        char c = line.at[i];
        if (c == ' ' || c == '\r' || c == '\n') {
            if (f->word == wanted)
                command_done(f);
            f->word++;
        } else if (f->word < wanted) {
            f->up_tag = tag_add(f->up_tag, c);
        } else if (f->word == wanted) {
            if (f->command_n < sizeof f->command)
                f->command[f->command_n++] = c;
            else
                f->word = UINT8_MAX; /* longer than any that matters */
        }
    }
}

static void line_begins(struct follow *f)
{
    f->word = 0;
    f->command_n = 0;
    f->up_tag = empty_tag;
}

void follow_up(struct follow *f, struct span bytes)
{
    while (bytes.n > 0) {
        bool literal;
        struct span part = next_part(&f->up, bytes, &literal);
        bytes = span_after(bytes, part.n);
        if (literal) {
            f->awaits_go_ahead = false;
            continue;
        }
        read_command(f, part);
        bool announced = read_line_part(&f->up, part) && f->imap;
        if (announced) {
            f->up.literal = f->up.number;
            f->awaits_go_ahead = !f->up.plus && f->up.number > 0;
            f->up.in_line = true;
        } else if (!f->up.in_line) {
            line_begins(f);
        }
    }
}

/* ---- down ---- */

/* The site refused the literal: the client sends a new command instead of it. */
static void go_ahead_refused(struct follow *f)
{
    f->up = (struct follow_line){ 0 };
    f->awaits_go_ahead = false;
    line_begins(f);
}

/* A line under the tag of the command whose literal is awaited refuses it; what answers commands before it does not. */
static void read_tag(struct follow *f, struct span line, bool begins)
{
    if (begins) {
        f->down_tag = empty_tag;
        f->tag_read = !f->awaits_go_ahead;
    }
    for (size_t i = 0; i < line.n && !f->tag_read; i++) {
        f->tag_read = line.at[i] == ' ';
        if (!f->tag_read)
            f->down_tag = tag_add(f->down_tag, line.at[i]);
        else if (f->awaits_go_ahead && f->down_tag == f->up_tag)
            go_ahead_refused(f);
    }
}

/* The store says good-bye by itself. */
static void read_bye(struct follow *f, struct span line, bool begins)
{
    static const char word[] = "* BYE";
    if (begins)
        f->bye = 0;
    for (size_t i = 0; i < line.n && f->bye < sizeof word - 1; i++) {
        if ((line.at[i] & ~0x20) != (word[f->bye] & ~0x20)) {
            f->bye = UINT8_MAX;
            return;
        }
        f->bye++;
    }
    if (f->bye == sizeof word - 1)
        f->leaving = true;
}

void follow_down(struct follow *f, struct span bytes)
{
    if (!f->imap && bytes.n > 0) { /* lines and nothing else: where the last one stands is all there is to know */
        f->down.in_line = bytes.at[bytes.n - 1] != '\n';
        return;
    }
    while (bytes.n > 0) {
        bool literal;
        bool begins = !f->down.in_line && f->down.literal == 0;
        struct span part = next_part(&f->down, bytes, &literal);
        bytes = span_after(bytes, part.n);
        if (literal)
            continue;
        read_tag(f, part, begins);
        read_bye(f, part, begins);
        if (read_line_part(&f->down, part)) {
            f->down.literal = f->down.number;
            f->down.in_line = true;
        }
    }
}
