/* Answers for people: tables as wide as what stands in them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"

enum { CELL_MAX = 64 };

/* One cell; a client chose some of these texts. Returns its columns. */
static size_t cell(const json_t *value, char to[CELL_MAX * 4])
{
    char plain[CELL_MAX * 4];
    size_t columns = 0, n = 0;
    const char *text = json_string_value(value);
    if (json_is_integer(value))
        snprintf(plain, sizeof plain, "%lld", (long long)json_integer_value(value));
    else
        snprintf(plain, sizeof plain, "%s", text != NULL ? text : json_is_true(value) ? "yes" : "-");
    for (const char *at = plain; *at != '\0' && columns < CELL_MAX; at++) {
        unsigned char c = (unsigned char)*at;
        to[n++] = c < 0x20 || c == 0x7f ? '?' : *at;
        columns += (c & 0xc0) != 0x80;
    }
    to[n] = '\0';
    return columns;
}

void show_table(const json_t *rows, const struct column *columns, size_t n)
{
    size_t width[16] = { 0 }, i;
    char text[CELL_MAX * 4];
    json_t *row;
    for (size_t c = 0; c < n; c++)
        width[c] = strlen(columns[c].title);
    json_array_foreach((json_t *)rows, i, row) for (size_t c = 0; c < n; c++)
    {
        size_t wide = cell(json_object_get(row, columns[c].key), text);
        width[c] = wide > width[c] ? wide : width[c];
    }
    for (size_t c = 0; c < n; c++)
        printf("%-*s%s", c + 1 < n ? (int)width[c] : 0, columns[c].title, c + 1 < n ? "  " : "\n");
    json_array_foreach((json_t *)rows, i, row) for (size_t c = 0; c < n; c++)
    {
        size_t wide = cell(json_object_get(row, columns[c].key), text);
        printf("%s%*s%s", text, c + 1 < n ? (int)(width[c] - wide) : 0, "", c + 1 < n ? "  " : "\n");
    }
}

void show_text(const char *text)
{
    for (; *text != '\0'; text++)
        putchar((unsigned char)*text < 0x20 && *text != '\n' ? '?' : *text);
    putchar('\n');
}

void show_json(const char *command, const struct reply *r)
{
    json_t *all = json_object();
    json_object_set_new(all, "command", json_string(command));
    json_object_set_new(all, "status", json_integer(r->status));
    json_object_set_new(all, "number", json_integer((json_int_t)r->number));
    if (r->text[0] != '\0')
        json_object_set_new(all, "text", json_string(r->text));
    json_object_set(all, "rows", r->rows);
    json_dumpf(all, stdout, JSON_INDENT(1));
    putchar('\n');
    json_decref(all);
}
