/* Facts, written twice. */
#include "proxy/admin/answer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { ANSWER_MAX = 16 << 20, LABEL_COLUMNS = 14 };

void answer_begin(struct answer *a, bool as_json)
{
    a->as_json = as_json;
    buf_init(&a->text, ANSWER_MAX);
    json_init(&a->json, &a->text);
    if (as_json)
        json_open(&a->json, NULL);
}

/* What could move a terminal's cursor is shown as what it is. */
static void put_safely(struct answer *a, struct span text)
{
    bool utf8 = span_is_utf8(text);
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.at[i];
        bool plain = c >= 0x20 && c != 0x7f && (c < 0x80 || utf8);
        bool good = plain ? buf_add_byte(&a->text, (char)c) : buf_printf(&a->text, "\\x%02x", c);
        a->json.failed = a->json.failed || !good;
    }
}

static void put_line(struct answer *a, const char *label, struct span text)
{
    bool good = buf_printf(&a->text, "%-*s", LABEL_COLUMNS, label != NULL ? label : "");
    put_safely(a, text);
    good = buf_add_byte(&a->text, '\n') && good;
    a->json.failed = a->json.failed || !good;
}

void answer_text(struct answer *a, const char *key, const char *label, struct span text)
{
    if (a->as_json)
        json_text(&a->json, key, text);
    else
        put_line(a, label, text);
}

static void say(struct answer *a, const char *key, const char *label, const char *format, va_list args)
    PRINTF_LIKE(4, 0);
static void say(struct answer *a, const char *key, const char *label, const char *format, va_list args)
{
    char *text = NULL;
    if (vasprintf(&text, format, args) < 0) {
        a->json.failed = true;
        return;
    }
    answer_text(a, key, label, span_of(text));
    free(text);
}

void answer_say(struct answer *a, const char *key, const char *label, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(a, key, label, format, args);
    va_end(args);
}

void answer_flag(struct answer *a, const char *key, bool flag)
{
    if (a->as_json)
        json_flag(&a->json, key, flag);
}

void answer_number(struct answer *a, const char *key, int64_t number)
{
    if (a->as_json)
        json_number(&a->json, key, number);
}

void answer_list(struct answer *a, const char *key)
{
    if (a->as_json)
        json_list(&a->json, key);
}

void answer_item(struct answer *a, const char *label, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(a, NULL, label, format, args);
    va_end(args);
}

void answer_list_end(struct answer *a)
{
    if (a->as_json)
        json_list_close(&a->json);
}

bool answer_end(struct answer *a)
{
    if (a->as_json) {
        json_close(&a->json);
        json_end_line(&a->json);
    }
    bool good = !a->json.failed && fwrite(a->text.at, 1, a->text.n, stdout) == a->text.n && fflush(stdout) == 0;
    buf_fini(&a->text);
    if (!good)
        fprintf(stderr, "homeward: cannot print\n");
    return good;
}
