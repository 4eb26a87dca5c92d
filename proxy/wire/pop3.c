/* POP3 lines: one pass, nothing copied. */
#include "proxy/wire/pop3.h"

#include "proxy/wire/text.h"

enum { NAME_MAX_SHOWN = 32 };

static const struct {
    const char *name;
    enum pop3_verb verb;
} verbs[] = {
    {"CAPA",  POP3_CAPA},
    { "STLS", POP3_STLS},
    { "USER", POP3_USER},
    { "PASS", POP3_PASS},
    { "AUTH", POP3_AUTH},
    { "QUIT", POP3_QUIT},
    { "NOOP", POP3_NOOP},
};

enum line_read line_read(struct span in, size_t max, struct span *line, size_t *used)
{
    ptrdiff_t end = span_find(span_first(in, max), '\n');
    if (end < 0)
        return in.n >= max ? LINE_TOO_LONG : LINE_MORE;
    *line = span_first(in, (size_t)end);
    if (line->n > 0 && line->at[line->n - 1] == '\r')
        line->n--;
    *used = (size_t)end + 1;
    return LINE_READ;
}

bool pop3_command_parse(struct span line, struct pop3_command *command)
{
    ptrdiff_t space = span_find(line, ' ');
    struct span name = space < 0 ? line : span_first(line, (size_t)space);
    *command = (struct pop3_command){ .name = span_first(name, NAME_MAX_SHOWN) };
    if (name.n == 0)
        return false;
    for (size_t i = 0; i < name.n; i++)
        if (text_is_control(name.at[i]) || name.at[i] == '\t')
            return false;
    for (size_t i = 0; i < COUNT_OF(verbs); i++)
        if (span_eq_nocase(name, span_of(verbs[i].name)))
            command->verb = verbs[i].verb;
    if (space >= 0)
        command->argument = span_after(line, (size_t)space + 1);
    return true;
}

/* The word at the front of *rest and the space behind it. False: another word. */
static bool take_status(struct span *rest, struct span word)
{
    struct span behind = span_after(*rest, word.n);
    if (!span_starts_nocase(*rest, word) || (behind.n > 0 && behind.at[0] != ' '))
        return false;
    *rest = span_after(behind, 1);
    return true;
}

bool pop3_reply_parse(struct span line, struct pop3_reply *reply)
{
    *reply = (struct pop3_reply){ .text = line };
    for (size_t i = 0; i < line.n; i++)
        if (text_is_control(line.at[i]))
            return false;
    if (take_status(&reply->text, SPAN("+"))) {
        reply->status = POP3_CONTINUE;
        return true;
    }
    if (take_status(&reply->text, SPAN("+OK")))
        reply->status = POP3_OK;
    else if (take_status(&reply->text, SPAN("-ERR")))
        reply->status = POP3_ERR;
    else
        return false;
    ptrdiff_t close = span_find(reply->text, ']');
    if (reply->text.n == 0 || reply->text.at[0] != '[' || close < 0)
        return true;
    reply->code = span_first(span_after(reply->text, 1), (size_t)close - 1);
    reply->text = span_after(reply->text, (size_t)close + 1);
    if (reply->text.n > 0 && reply->text.at[0] == ' ')
        reply->text = span_after(reply->text, 1);
    return true;
}
