/* Writing JSON. */
#include "proxy/base/json.h"

#include <inttypes.h>
#include <stdio.h>

void json_init(struct json *j, struct buf *to)
{
    *j = (struct json){ .to = to };
}

static void put(struct json *j, struct span s)
{
    j->failed = j->failed || !buf_add(j->to, s);
}

static void put_char(struct json *j, struct span whole, unsigned char c)
{
    char escaped[8];
    if (c == '"' || c == '\\')
        snprintf(escaped, sizeof escaped, "\\%c", c);
    else if (c < 0x20 || c == 0x7f)
        snprintf(escaped, sizeof escaped, "\\u%04x", c);
    else if (c >= 0x80 && whole.n == 0)
        snprintf(escaped, sizeof escaped, "\\ufffd");
    else
        snprintf(escaped, sizeof escaped, "%c", c);
    put(j, span_of(escaped));
}

static void put_string(struct json *j, struct span text)
{
    struct span valid = span_is_utf8(text) ? text : SPAN_NONE;
    put(j, SPAN("\""));
    for (size_t i = 0; i < text.n; i++)
        put_char(j, valid, (unsigned char)text.at[i]);
    put(j, SPAN("\""));
}

static void begin(struct json *j, const char *key)
{
    if (j->comma)
        put(j, SPAN(", "));
    if (key != NULL) {
        put_string(j, span_of(key));
        put(j, SPAN(": "));
    }
    j->comma = true;
}

static void open_with(struct json *j, const char *key, struct span bracket)
{
    begin(j, key);
    put(j, bracket);
    j->comma = false;
}

static void close_with(struct json *j, struct span bracket)
{
    put(j, bracket);
    j->comma = true;
}

void json_open(struct json *j, const char *key)
{
    open_with(j, key, SPAN("{"));
}

void json_close(struct json *j)
{
    close_with(j, SPAN("}"));
}

void json_list(struct json *j, const char *key)
{
    open_with(j, key, SPAN("["));
}

void json_list_close(struct json *j)
{
    close_with(j, SPAN("]"));
}

void json_text(struct json *j, const char *key, struct span text)
{
    begin(j, key);
    put_string(j, text);
}

void json_word(struct json *j, const char *key, const char *word)
{
    if (word != NULL)
        json_text(j, key, span_of(word));
}

void json_number(struct json *j, const char *key, int64_t number)
{
    begin(j, key);
    j->failed = !buf_printf(j->to, "%" PRId64, number) || j->failed;
}

void json_flag(struct json *j, const char *key, bool flag)
{
    begin(j, key);
    put(j, flag ? SPAN("true") : SPAN("false"));
}

void json_addr(struct json *j, const char *key, const struct addr *a)
{
    char text[ADDR_TEXT_MAX];
    if (a->family != AF_UNSPEC)
        json_word(j, key, addr_text(a, text));
}

void json_end_line(struct json *j)
{
    put(j, SPAN("\n"));
    j->comma = false;
}
