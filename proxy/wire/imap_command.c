/* Commands of an IMAP client before its login (RFC 9051 9, RFC 7888), one byte at a time.
 *
 * Every byte goes through the handler of the current step, so that nothing can depend on how the input was cut. A
 * command that goes wrong is still read to its end: `tail` watches every line for a literal announcement, because what
 * a client sends behind "{5+}" is no command, whatever stands before it. */
#include "proxy/wire/imap_command.h"

#include "proxy/wire/imap_id.h"

enum { NAME_MAX_SHOWN = 32 };

enum step {
    S_TAG,
    S_NAME,
    S_WORD, /* an argument may begin */
    S_ATOM,
    S_QUOTED,
    S_ESCAPE,  /* behind a backslash */
    S_HEAD,    /* inside {n}, up to its line end */
    S_AFTER,   /* an argument has ended */
    S_ID,      /* the argument of ID begins */
    S_LIST,    /* a key or the closing parenthesis */
    S_VALUE,   /* the value to a key */
    S_END,     /* nothing more may come */
    S_REST,    /* the rest of a command that is unknown or bad */
    S_LITERAL, /* inside a literal */
    S_DONE,    /* told the caller; the next byte begins a command */
    S_FATAL,
};

enum tail { TAIL_NONE, TAIL_OPEN, TAIL_DIGITS, TAIL_PLUS, TAIL_CLOSED };

static const struct verb_row {
    const char *name;
    enum imap_verb verb;
    enum step then; /* the step behind "name SP" */
    size_t words_min, words_max;
    bool strings; /* arguments may be quoted or literals */
} verbs[] = {
    {"CAPABILITY",    IMAP_CAPABILITY,   S_WORD, 0, 0,              false},
    { "NOOP",         IMAP_NOOP,         S_WORD, 0, 0,              false},
    { "LOGOUT",       IMAP_LOGOUT,       S_WORD, 0, 0,              false},
    { "STARTTLS",     IMAP_STARTTLS,     S_WORD, 0, 0,              false},
    { "ID",           IMAP_ID,           S_ID,   0, IMAP_WORDS_MAX, true },
    { "AUTHENTICATE", IMAP_AUTHENTICATE, S_WORD, 1, 2,              false},
    { "LOGIN",        IMAP_LOGIN,        S_WORD, 2, 2,              true },
};
static const struct verb_row unknown = { .verb = IMAP_UNKNOWN, .then = S_REST };

static const struct verb_row *row_of(enum imap_verb verb)
{
    for (size_t i = 0; i < COUNT_OF(verbs); i++)
        if (verbs[i].verb == verb)
            return &verbs[i];
    return &unknown;
}

static void fail(struct imap_reader *r, imap_problem problem)
{
    if (!r->bad)
        r->problem = problem;
    r->bad = true;
    r->step = S_REST;
    r->n_words = 0;
    imap_id_forget(r, r->tag_n + r->name_n);
}

/* Limits */

static size_t command_max(const struct imap_reader *r)
{
    if (r->verb == IMAP_AUTHENTICATE)
        return r->sasl_max;
    return r->verb == IMAP_ID ? IMAP_COMMAND_MAX : IMAP_LINE_MAX;
}

static size_t fatal_max(const struct imap_reader *r)
{
    return r->sasl_max > IMAP_COMMAND_MAX ? r->sasl_max : IMAP_COMMAND_MAX;
}

static size_t word_max(const struct imap_reader *r)
{
    if (r->verb != IMAP_ID)
        return SIZE_MAX; /* the command's limit is the word's */
    return r->half ? IMAP_ID_VALUE_MAX : IMAP_ID_KEY_MAX;
}

/* Bytes */

/* What ATOM-CHAR is, and ']', '%' and '*' too: some clients send passwords as they are, and nothing else can be meant.
 */
static bool is_atom_char(char c)
{
    return c > ' ' && c < 0x7f && strchr("(){\"\\", c) == NULL;
}

static bool is_tag_char(char c)
{
    return is_atom_char(c) && strchr("%*+", c) == NULL;
}

static void add(struct imap_reader *r, struct span bytes)
{
    if (bytes.n > word_max(r) - (r->bytes.n - r->word_at))
        fail(r, "A string is too long.");
    else if (!buf_add(&r->bytes, bytes))
        fail(r, "There is no memory for this command.");
}

static void add_byte(struct imap_reader *r, char c)
{
    add(r, (struct span){ &c, 1 });
}

/* Tag and name */

static void take_tag(struct imap_reader *r, char c)
{
    if (c == ' ' && r->bytes.n > 0) {
        r->tag_n = r->word_at = r->bytes.n;
        r->step = S_NAME;
    } else if (!is_tag_char(c)) {
        fail(r, "A command must begin with a tag.");
    } else if (r->bytes.n == IMAP_TAG_MAX) {
        fail(r, "The tag is too long.");
    } else {
        add_byte(r, c);
    }
}

static void end_name(struct imap_reader *r)
{
    struct span name = { r->bytes.at + r->tag_n, r->bytes.n - r->tag_n };
    const struct verb_row *row = &unknown;
    if (name.n == 0) {
        fail(r, "A command is missing behind the tag.");
        return;
    }
    for (size_t i = 0; i < COUNT_OF(verbs); i++)
        if (span_eq_nocase(name, span_of(verbs[i].name)))
            row = &verbs[i];
    r->name_n = name.n;
    r->verb = row->verb;
    r->step = row->then;
}

static void take_name(struct imap_reader *r, char c)
{
    if (c == ' ')
        end_name(r);
    else if (!is_atom_char(c) && c != '{') /* "a X{5+}" is an unknown command with a literal */
        fail(r, "The command's name holds a character that it must not.");
    else if (r->bytes.n - r->tag_n < NAME_MAX_SHOWN) /* no known name is as long */
        add_byte(r, c);
}

/* Words */

static void end_word(struct imap_reader *r);

static void begin_word(struct imap_reader *r, char c, bool strings, bool atoms)
{
    r->word_at = r->bytes.n;
    if (c == '"' && strings) {
        r->step = S_QUOTED;
    } else if (c == '{' && strings) {
        r->step = S_HEAD;
    } else if (is_atom_char(c) && atoms) {
        r->step = S_ATOM;
        add_byte(r, c);
    } else {
        fail(r, "An argument is malformed.");
    }
}

static void take_word(struct imap_reader *r, char c)
{
    const struct verb_row *row = row_of(r->verb);
    if (r->n_words == row->words_max)
        fail(r, "There are too many arguments.");
    else
        begin_word(r, c, row->strings, true);
}

static void take_after(struct imap_reader *r, char c)
{
    if (c == ' ' && r->verb != IMAP_ID)
        r->step = S_WORD;
    else if (c == ' ')
        r->step = r->half ? S_VALUE : S_LIST;
    else if (c == ')' && r->verb == IMAP_ID && !r->half)
        r->step = S_END;
    else
        fail(r, "A space is missing between two arguments.");
}

static void take_atom(struct imap_reader *r, char c)
{
    if (is_atom_char(c)) {
        add_byte(r, c);
        return;
    }
    end_word(r);
    if (r->step == S_AFTER)
        take_after(r, c);
    else if (r->step == S_END && c != ' ')
        fail(r, "There are too many arguments.");
}

static void take_quoted(struct imap_reader *r, char c)
{
    if (c == '"')
        end_word(r);
    else if (c == '\\')
        r->step = S_ESCAPE;
    else
        add_byte(r, c); /* 8-bit too: clients send UTF-8 names and passwords in quotes */
}

static void take_escape(struct imap_reader *r, char c)
{
    r->step = S_QUOTED;
    if (c == '"' || c == '\\')
        add_byte(r, c);
    else
        fail(r, "Only \" and \\ may follow a backslash.");
}

static void take_head(struct imap_reader *r, char c)
{
    if (c == '{' || r->tail == TAIL_NONE)
        fail(r, "A literal is malformed.");
}

/* ID's list (RFC 2971): NIL, or ( key value key value … ) */

static void take_id(struct imap_reader *r, char c)
{
    if (c == '(') {
        r->list = true;
        r->step = S_LIST;
    } else {
        begin_word(r, c, false, true);
    }
}

static void take_list(struct imap_reader *r, char c)
{
    if (c == ')')
        r->step = S_END;
    else if (c == ' ')
        return; /* "( " and two spaces are seen in the wild */
    else if (r->pairs == IMAP_ID_PAIRS_MAX)
        fail(r, "The list has too many pairs.");
    else
        begin_word(r, c, true, false);
}

static void take_value(struct imap_reader *r, char c)
{
    begin_word(r, c, true, true);
}

static void take_end(struct imap_reader *r, char c)
{
    if (c != ' ')
        fail(r, "There are too many arguments.");
}

static void take_rest(struct imap_reader *r UNUSED, char c UNUSED)
{
}

static void end_word(struct imap_reader *r)
{
    bool nil = r->verb == IMAP_ID && r->step == S_ATOM;
    struct span word = { r->bytes.at + r->word_at, r->bytes.n - r->word_at };
    if (nil && !span_eq_nocase(word, SPAN("NIL"))) {
        fail(r, "The list of ID must hold strings.");
        return;
    }
    if (nil)
        imap_id_forget(r, r->word_at);
    r->step = S_AFTER;
    if (r->verb != IMAP_ID)
        r->words[r->n_words++] = (struct imap_word){ .at = (uint32_t)r->word_at, .n = (uint32_t)word.n };
    else if (!r->list)
        r->step = S_END;
    else
        imap_id_word(r, nil);
}

/* How each step goes on, and what is missing if the line ends there (NULL: it may). */
static const struct {
    void (*take)(struct imap_reader *r, char c);
    imap_problem open;
} steps[] = {
    [S_TAG] = {take_tag,     "A command is missing."          },
    [S_NAME] = { take_name,   NULL                             },
    [S_WORD] = { take_word,   NULL                             },
    [S_ATOM] = { take_atom,   NULL                             },
    [S_QUOTED] = { take_quoted, "A quoted string is not closed." },
    [S_ESCAPE] = { take_escape, "A quoted string is not closed." },
    [S_HEAD] = { take_head,   "A literal is malformed."        },
    [S_AFTER] = { take_after,  NULL                             },
    [S_ID] = { take_id,     "An argument is missing."        },
    [S_LIST] = { take_list,   "The list is not closed."        },
    [S_VALUE] = { take_value,  "A value is missing in the list."},
    [S_END] = { take_end,    NULL                             },
    [S_REST] = { take_rest,   NULL                             },
};

/* Lines and literals */

static void watch_tail(struct imap_reader *r, char c)
{
    bool number = r->tail == TAIL_OPEN || r->tail == TAIL_DIGITS;
    if (c == '{') {
        r->tail = TAIL_OPEN;
        r->literal = 0;
        r->non_sync = false;
    } else if (c >= '0' && c <= '9' && number) {
        r->tail = TAIL_DIGITS;
        if (r->literal <= fatal_max(r)) /* what is larger need not be known */
            r->literal = r->literal * 10 + (uint64_t)(c - '0');
    } else if (c == '+' && r->tail == TAIL_DIGITS) {
        r->tail = TAIL_PLUS;
        r->non_sync = true;
    } else if (c == '}' && (r->tail == TAIL_DIGITS || r->tail == TAIL_PLUS)) {
        r->tail = TAIL_CLOSED;
    } else {
        r->tail = TAIL_NONE;
    }
}

static enum imap_got done(struct imap_reader *r)
{
    r->step = S_DONE;
    return r->bad ? IMAP_BAD : IMAP_COMMAND;
}

static enum imap_got fatal(struct imap_reader *r, imap_problem problem)
{
    r->bad = false; /* this problem is the one to tell */
    fail(r, problem);
    r->step = S_FATAL;
    return IMAP_FATAL;
}

/* The line ended in a well-formed {n} or {n+}. */
static enum imap_got begin_literal(struct imap_reader *r)
{
    if (r->step == S_NAME)
        end_name(r);
    if (r->step == S_QUOTED)
        fail(r, steps[S_QUOTED].open);
    if (r->non_sync && (r->literal > IMAP_LITERAL_MINUS || r->command_n + r->literal > fatal_max(r)))
        return fatal(r, "A literal is too large.");
    if (r->step == S_HEAD && (r->literal > word_max(r) || r->command_n + r->literal > command_max(r)))
        fail(r, "A literal is too large.");
    r->skip = r->step == S_REST;
    if (r->skip && !r->non_sync)
        return done(r); /* the client sends none of it, for it is not told to */
    r->step = r->literal > 0 ? S_LITERAL : S_REST;
    if (r->literal == 0 && !r->skip)
        end_word(r);
    return r->non_sync ? IMAP_MORE : IMAP_GO_AHEAD;
}

static enum imap_got take_literal(struct imap_reader *r, struct span *in)
{
    struct span part = span_first(*in, r->literal);
    *in = span_after(*in, part.n);
    r->command_n += part.n;
    r->literal -= part.n;
    if (!r->skip && span_has(part, '\0'))
        fail(r, "A literal must not hold NUL.");
    else if (!r->skip)
        add(r, part);
    r->skip = r->skip || r->bad;
    if (r->literal > 0)
        r->step = S_LITERAL; /* again, if it has just gone bad */
    else if (r->skip)
        r->step = S_REST;
    else
        end_word(r);
    return IMAP_MORE;
}

static enum imap_got end_line(struct imap_reader *r)
{
    bool announced = r->tail == TAIL_CLOSED;
    r->tail = TAIL_NONE;
    if (announced)
        return begin_literal(r);
    if (r->step == S_TAG)
        r->tag_n = r->bytes.n;
    else if (r->step == S_NAME)
        end_name(r);
    else if (r->step == S_ATOM)
        end_word(r);
    if (steps[r->step].open != NULL)
        fail(r, steps[r->step].open);
    else if (r->list && r->step == S_AFTER)
        fail(r, steps[S_LIST].open);
    else if (!r->bad && r->n_words < row_of(r->verb)->words_min)
        fail(r, "An argument is missing.");
    return done(r);
}

static enum imap_got take_byte(struct imap_reader *r, char c)
{
    bool after_cr = r->cr;
    r->cr = c == '\r';
    if (++r->command_n > fatal_max(r))
        return fatal(r, "The command is too long.");
    if (r->command_n > command_max(r))
        fail(r, "The command is too long.");
    if (after_cr && c != '\n') {
        r->tail = TAIL_NONE;
        fail(r, "A carriage return must be followed by a line feed.");
    }
    if (c == '\n')
        return end_line(r);
    if (c == '\r')
        return IMAP_MORE;
    watch_tail(r, c);
    if (c == '\0')
        fail(r, "A command must not hold NUL.");
    else
        steps[r->step].take(r, c);
    return IMAP_MORE;
}

/* The reader */

void imap_reader_init(struct imap_reader *r, size_t sasl_line_max)
{
    *r = (struct imap_reader){ .sasl_max = sasl_line_max + IMAP_AUTHENTICATE_ROOM };
    buf_init_secret(&r->bytes, r->sasl_max > IMAP_LINE_MAX ? r->sasl_max : IMAP_LINE_MAX);
}

void imap_reader_fini(struct imap_reader *r)
{
    buf_fini(&r->bytes);
}

void imap_reader_reset(struct imap_reader *r)
{
    struct buf bytes = r->bytes;
    if (bytes.room > IMAP_LINE_MAX) /* a long token is over: do not sit on its memory */
        buf_fini(&bytes);
    else
        buf_clear(&bytes);
    *r = (struct imap_reader){ .bytes = bytes, .sasl_max = r->sasl_max };
}

static void show(const struct imap_reader *r, enum imap_got got, struct imap_command *command)
{
    if (got == IMAP_MORE)
        return;
    if (r->tag_n > 0)
        command->tag = span_first(buf_span(&r->bytes), r->tag_n);
    if (r->name_n > 0)
        command->name = span_bytes(r->bytes.at + r->tag_n, r->name_n);
    if (got == IMAP_COMMAND || got == IMAP_GO_AHEAD)
        command->verb = r->verb;
    if (got != IMAP_COMMAND)
        return;
    command->n_words = r->n_words;
    for (size_t i = 0; i < r->n_words; i++)
        if (!r->words[i].nil)
            command->words[i] = span_bytes(r->bytes.at + r->words[i].at, r->words[i].n);
}

enum imap_got imap_reader_next(struct imap_reader *r, struct span *in, struct imap_command *command,
                               imap_problem *problem)
{
    enum imap_got got = r->step == S_FATAL ? IMAP_FATAL : IMAP_MORE;
    *command = (struct imap_command){ .tag = SPAN("*") };
    if (r->step == S_DONE)
        imap_reader_reset(r);
    while (got == IMAP_MORE && in->n > 0) {
        if (r->step == S_LITERAL) {
            got = take_literal(r, in);
        } else {
            char c = in->at[0];
            *in = span_after(*in, 1);
            got = take_byte(r, c);
        }
    }
    show(r, got, command);
    *problem = r->problem;
    return got;
}
