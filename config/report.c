/* Errors and warnings, in the order of the text. */
#include "config/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct report_line {
    int line;
    bool warning;
    size_t order; /* of finding, for lines that have several */
    char *text;
};

struct report_field {
    const void *field;
    int line;
};

void report_init(struct report *r, const struct text *text)
{
    *r = (struct report){ .text = text };
}

void report_fini(struct report *r)
{
    for (size_t i = 0; i < r->n; i++)
        free(r->lines[i].text);
    free(r->lines);
    free(r->fields);
    *r = (struct report){ 0 };
}

/* A bigger array, or NULL with the old one unharmed. */
static void *grow(void *array, size_t *room, size_t item_bytes)
{
    size_t more = *room > 0 ? 2 * *room : 64;
    void *bigger = reallocarray(array, more, item_bytes);
    if (bigger != NULL)
        *room = more;
    return bigger;
}

static void PRINTF_LIKE(4, 0) say(struct report *r, bool warning, int line, const char *format, va_list values)
{
    if (!warning)
        r->errors++;
    if (r->text == NULL)
        return;
    char *text;
    struct report_line *lines = r->n < r->room ? r->lines : grow(r->lines, &r->room, sizeof *lines);
    if (lines != NULL)
        r->lines = lines;
    if (lines == NULL || vasprintf(&text, format, values) < 0)
        r->short_of_memory = true;
    else {
        r->lines[r->n] = (struct report_line){ line, warning, r->n, text };
        r->n++;
    }
}

void report_error(struct report *r, int line, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    say(r, false, line, format, values);
    va_end(values);
}

void report_warning(struct report *r, int line, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    say(r, true, line, format, values);
    va_end(values);
}

void report_set_line(struct report *r, const void *field, int line)
{
    if (r->text == NULL)
        return;
    struct report_field *fields =
        r->n_fields < r->fields_room ? r->fields : grow(r->fields, &r->fields_room, sizeof *fields);
    if (fields == NULL) {
        r->short_of_memory = true;
        return;
    }
    r->fields = fields;
    r->fields[r->n_fields++] = (struct report_field){ field, line };
}

int report_line(const struct report *r, const void *field)
{
    for (size_t i = 0; i < r->n_fields; i++)
        if (r->fields[i].field == field)
            return r->fields[i].line;
    return 0;
}

static int compare(const void *a, const void *b)
{
    const struct report_line *x = a, *y = b;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static bool write_line(const struct report *r, const struct report_line *l, struct buf *to)
{
    struct place place = text_place(r->text, l->line);
    return place.line > 0 ? buf_printf(to, "%s:%d: %s\n", place.file, place.line, l->text)
                          : buf_printf(to, "%s: %s\n", place.file, l->text);
}

void report_write(struct report *r, struct buf *errors, struct buf *warnings)
{
    bool fits = true; /* a full buf has told enough */
    if (r->n > 0)
        qsort(r->lines, r->n, sizeof *r->lines, compare);
    for (size_t i = 0; i < r->n && fits; i++)
        fits = write_line(r, &r->lines[i], r->lines[i].warning ? warnings : errors);
    if (r->short_of_memory && buf_add_text(errors, "out of memory\n"))
        return;
}
