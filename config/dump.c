/* The effective configuration as text that libconfig reads again, by the table of options. For some roles only: the
 * rows that concern them, and the sites by name, so that changing their order changes nothing. */
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/options.h"

struct dump {
    struct buf *to;
    unsigned roles;
    int depth;
};

static bool dump_section(struct dump *d, const struct section *section, const void *base);

static bool indent(struct dump *d)
{
    return buf_printf(d->to, "%*s", 4 * d->depth, "");
}

/* --- values --- */

static bool add_string(struct buf *to, const char *text)
{
    bool utf8 = span_is_utf8(span_of(text));
    bool fits = buf_add_byte(to, '"');
    for (const char *c = text; *c != '\0' && fits; c++) {
        unsigned char byte = (unsigned char)*c;
        if (*c == '"' || *c == '\\')
            fits = buf_printf(to, "\\%c", *c);
        else if (byte < 0x20 || byte == 0x7f || (byte >= 0x80 && !utf8))
            fits = buf_printf(to, "\\x%02x", byte);
        else
            fits = buf_add_byte(to, *c);
    }
    return fits && buf_add_byte(to, '"');
}

static bool add_address(struct buf *to, const struct addr *a, bool any)
{
    char text[ADDR_TEXT_MAX], interface[IF_NAMESIZE];
    if (any)
        return buf_add_text(to, "\"*\"");
    if (a->scope == 0 || if_indextoname(a->scope, interface) == NULL)
        return buf_printf(to, "\"%s\"", addr_host_text(a, text));
    return buf_printf(to, "\"%s%%%s\"", addr_host_text(a, text), interface);
}

static bool add_networks(struct buf *to, const struct networks *list)
{
    bool fits = buf_add_text(to, "(");
    for (size_t i = 0; i < list->n && fits; i++) {
        char text[ADDR_TEXT_MAX];
        fits = buf_printf(to, "%s\"%s/%u\"", i > 0 ? ", " : " ", addr_host_text(&list->at[i].prefix, text),
                          list->at[i].bits);
    }
    return fits && buf_add_text(to, " )");
}

static bool add_strings(struct buf *to, const struct strings *list)
{
    bool fits = buf_add_text(to, "(");
    for (size_t i = 0; i < list->n && fits; i++)
        fits = buf_add_text(to, i > 0 ? ", " : " ") && add_string(to, list->at[i]);
    return fits && buf_add_text(to, " )");
}

static bool add_log_to(struct buf *to, enum log_target target, const char *file)
{
    return add_string(to, target == LOG_TO_STDERR ? "stderr" : target == LOG_TO_SYSLOG ? "syslog" : file);
}

/* libconfig takes a number of more than 32 bits for one only with its mark. */
static bool add_number(struct buf *to, int64_t number)
{
    return buf_printf(to, "%" PRId64 "%s", number, number > INT32_MAX || number < INT32_MIN ? "L" : "");
}

static bool add_value(struct buf *to, const struct option *o, const void *base)
{
    const char *field = (const char *)base + o->at;
    const char *with = (const char *)base + o->with;
    switch (o->kind) {
    case KIND_BOOL:
        return buf_add_text(to, option_number(o, base) != 0 ? "true" : "false");
    case KIND_INT:
        return add_number(to, option_number(o, base));
    case KIND_CHOICE:
        return buf_printf(to, "\"%s\"", option_choice_name(o, option_number(o, base)));
    case KIND_ADDRESS:
        return add_address(to, (const struct addr *)field, *(const bool *)with);
    case KIND_NETWORKS:
        return add_networks(to, (const struct networks *)field);
    case KIND_STRINGS:
        return add_strings(to, (const struct strings *)field);
    case KIND_LOG_TO:
        return add_log_to(to, (enum log_target)option_number(o, base), *(const char *const *)with);
    default:
        return add_string(to, *(const char *const *)field);
    }
}

/* --- groups and lists --- */

static bool dump_group(struct dump *d, const struct section *section, const void *base)
{
    if (!buf_add_text(d->to, "{\n"))
        return false;
    d->depth++;
    bool fits = dump_section(d, section, base);
    d->depth--;
    return fits && indent(d) && buf_add_text(d->to, "}");
}

static int by_name(const void *a, const void *b)
{
    const struct site_config *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

/* Pointers to the items that were written, in their order or by name. */
static const void **pick(const struct dump *d, const struct option *o, const char *items, size_t n, size_t *picked)
{
    const void **all = calloc(n + 1, sizeof *all);
    *picked = 0;
    for (size_t i = 0; i < n && all != NULL; i++) {
        const void *item = items + i * o->section->item_bytes;
        if (o->section->is_spread == NULL || !o->section->is_spread(item))
            all[(*picked)++] = item;
    }
    bool sites = o->section->item_bytes == sizeof(struct site_config) && strcmp(o->name, "sites") == 0;
    if (all != NULL && sites && d->roles != ~0u && *picked > 0)
        qsort(all, *picked, sizeof *all, by_name);
    return all;
}

static bool dump_list(struct dump *d, const struct option *o, const void *base)
{
    size_t picked;
    const void **items = pick(d, o, *(const char *const *)((const char *)base + o->at),
                              *(const size_t *)((const char *)base + o->with), &picked);
    bool fits = items != NULL && buf_add_text(d->to, "(");
    for (size_t i = 0; i < picked && fits; i++)
        fits = buf_add_text(d->to, i > 0 ? ", " : " ") && dump_group(d, o->section, items[i]);
    free(items);
    return fits && buf_add_text(d->to, " )");
}

static bool dump_option(struct dump *d, const struct option *o, const void *base)
{
    switch (o->kind) {
    case KIND_SWITCH:
        if (!*(const bool *)((const char *)base + o->with))
            return buf_add_text(d->to, "\"off\"");
        return dump_group(d, o->section, (const char *)base + o->at);
    case KIND_GROUP:
        return dump_group(d, o->section, (const char *)base + o->at);
    case KIND_LIST:
        return dump_list(d, o, base);
    default:
        return add_value(d->to, o, base);
    }
}

static bool dump_section(struct dump *d, const struct section *section, const void *base)
{
    for (size_t i = 0; i < section->n; i++) {
        const struct option *o = &section->rows[i];
        if ((option_roles(o) & d->roles) == 0 || (o->flags & OPTION_SHARED) != 0)
            continue;
        if (!indent(d) || !buf_printf(d->to, "%s = ", o->name) || !dump_option(d, o, base) ||
            !buf_add_text(d->to, ";\n"))
            return false;
    }
    return true;
}

bool config_dump(const struct config *config, unsigned roles, struct buf *to)
{
    struct dump d = { .to = to, .roles = roles };
    return dump_section(&d, &config_section, config);
}
