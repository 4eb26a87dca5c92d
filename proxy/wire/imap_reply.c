/* Replies of an IMAP server. Stateless: what is unread stays with the caller, and is looked at again from its start. */
#include "proxy/wire/imap_reply.h"

#include "proxy/wire/text.h"

/* Finding the end */

/* Nothing but text and TAB, one CR before the LF. */
static bool line_ok(struct span line)
{
    for (size_t i = 0; i < line.n; i++)
        if (text_is_control(line.at[i]) && !(line.at[i] == '\r' && i + 1 == line.n))
            return false;
    return true;
}

static struct span without_cr(struct span line)
{
    if (line.n > 0 && line.at[line.n - 1] == '\r')
        line.n--;
    return line;
}

/* Does the line end in {n}? Too large a number is held to be one over the limit. */
static bool announces_literal(struct span line, uint64_t *n)
{
    ptrdiff_t open = span_find_last(line, '{');
    if (open < 0 || line.at[line.n - 1] != '}')
        return false;
    struct span digits = span_first(span_after(line, (size_t)open + 1), line.n - (size_t)open - 2);
    if (digits.n == 0)
        return false;
    for (size_t i = 0; i < digits.n; i++)
        if (digits.at[i] < '0' || digits.at[i] > '9')
            return false;
    if (!span_number(digits, IMAP_REPLY_LINE_MAX, n))
        *n = IMAP_REPLY_LINE_MAX;
    return true;
}

static enum imap_status status_of(struct span *rest)
{
    static const struct {
        const char *word;
        enum imap_status status;
    } statuses[] = {
        {"OK",       IMAP_OK       },
        { "NO",      IMAP_NO       },
        { "BAD",     IMAP_BAD_REPLY},
        { "BYE",     IMAP_BYE      },
        { "PREAUTH", IMAP_PREAUTH  },
    };
    ptrdiff_t space = span_find(*rest, ' ');
    struct span word = space < 0 ? *rest : span_first(*rest, (size_t)space);
    for (size_t i = 0; i < COUNT_OF(statuses); i++) {
        if (span_eq_nocase(word, span_of(statuses[i].word))) {
            *rest = span_after(*rest, space < 0 ? word.n : word.n + 1);
            return statuses[i].status;
        }
    }
    return IMAP_STATUS_NONE;
}

/* Only data can hold literals; "* OK see {1}" is text. */
static bool may_hold_literals(struct span first_line)
{
    struct span rest = span_after(first_line, 2);
    return span_starts(first_line, SPAN("* ")) && status_of(&rest) == IMAP_STATUS_NONE;
}

/* *n is the reply's length with its line end. */
static enum imap_read find_end(struct span in, size_t *n)
{
    bool literals = false;
    for (size_t at = 0;;) {
        struct span rest = span_after(in, at);
        ptrdiff_t lf = span_find(rest, '\n');
        struct span line = lf < 0 ? rest : span_first(rest, (size_t)lf);
        uint64_t literal;
        if (!line_ok(line))
            return IMAP_READ_BROKEN;
        if (lf < 0)
            return IMAP_READ_MORE;
        line = without_cr(line);
        literals = at == 0 ? may_hold_literals(line) : literals;
        at += (size_t)lf + 1;
        *n = at;
        if (!literals || !announces_literal(line, &literal))
            return IMAP_READ_REPLY;
        if (literal >= IMAP_REPLY_LINE_MAX || span_has(span_first(span_after(in, at), literal), '\0'))
            return IMAP_READ_BROKEN;
        if (in.n - at < literal)
            return IMAP_READ_MORE;
        at += literal;
    }
}

/* What it says */

/* Offset of the ] that ends the code at the front, or -1. One inside a quoted string does not count, unless the quotes
 * do not pair up. */
static ptrdiff_t code_end(struct span text)
{
    bool quoted = false;
    for (size_t i = 1; i < text.n; i++) {
        if (quoted && text.at[i] == '\\')
            i++;
        else if (text.at[i] == '"')
            quoted = !quoted;
        else if (text.at[i] == ']' && !quoted)
            return (ptrdiff_t)i;
    }
    return span_find(text, ']');
}

static void read_capabilities(struct span from, struct imap_reply *reply)
{
    struct span word;
    if (span_word(&from, &word) && span_eq_nocase(word, SPAN("CAPABILITY")))
        reply->capabilities = from;
}

static void read_text(struct span text, struct imap_reply *reply)
{
    ptrdiff_t end = text.n > 0 && text.at[0] == '[' ? code_end(text) : -1;
    reply->text = text;
    if (end < 0)
        return;
    reply->code = span_first(span_after(text, 1), (size_t)end - 1);
    reply->text = span_after(text, (size_t)end + 1);
    if (reply->text.n > 0 && reply->text.at[0] == ' ')
        reply->text = span_after(reply->text, 1);
    read_capabilities(reply->code, reply);
}

static bool read_untagged(struct span data, struct imap_reply *reply)
{
    reply->kind = IMAP_UNTAGGED;
    reply->data = data;
    reply->status = status_of(&data);
    if (reply->status != IMAP_STATUS_NONE)
        read_text(data, reply);
    else
        read_capabilities(data, reply);
    return reply->data.n > 0;
}

static bool read_tagged(struct span line, struct imap_reply *reply)
{
    ptrdiff_t space = span_find(line, ' ');
    if (space <= 0)
        return false;
    reply->kind = IMAP_TAGGED;
    reply->tag = span_first(line, (size_t)space);
    if (span_has(reply->tag, '*') || span_has(reply->tag, '+'))
        return false;
    struct span rest = span_after(line, (size_t)space + 1);
    reply->status = status_of(&rest);
    read_text(rest, reply);
    return reply->status == IMAP_OK || reply->status == IMAP_NO || reply->status == IMAP_BAD_REPLY;
}

static bool read_reply(struct span line, struct imap_reply *reply)
{
    if (span_starts(line, SPAN("* ")))
        return read_untagged(span_after(line, 2), reply);
    if (!span_starts(line, SPAN("+ ")) && !span_eq(line, SPAN("+")))
        return read_tagged(line, reply);
    reply->kind = IMAP_CONTINUE;
    reply->text = span_after(line, 2);
    return true;
}

enum imap_read imap_reply_read(struct span in, struct imap_reply *reply, size_t *used)
{
    size_t n = 0;
    *reply = (struct imap_reply){ 0 };
    in = span_first(in, IMAP_REPLY_LINE_MAX);
    enum imap_read read = find_end(in, &n);
    if (read == IMAP_READ_MORE && in.n == IMAP_REPLY_LINE_MAX)
        return IMAP_READ_BROKEN;
    if (read != IMAP_READ_REPLY)
        return read;
    if (!read_reply(without_cr(span_first(in, n - 1)), reply))
        return IMAP_READ_BROKEN;
    *used = n;
    return IMAP_READ_REPLY;
}

bool capability_has(struct span list, struct span word)
{
    struct span one;
    while (span_word(&list, &one))
        if (span_eq_nocase(one, word))
            return true;
    return false;
}
