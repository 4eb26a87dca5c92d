/* Reading one row of the table: whom it concerns, what it expects, its value as a number. */
#include "config/options.h"

#include <inttypes.h>

unsigned option_roles(const struct option *o)
{
    unsigned roles = o->roles;
    if (o->section != NULL)
        for (size_t i = 0; i < o->section->n; i++)
            roles |= option_roles(&o->section->rows[i]);
    return roles;
}

const struct option *section_find(const struct section *s, const char *name)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->rows[i].name, name) == 0)
            return &s->rows[i];
    return NULL;
}

int64_t option_number(const struct option *o, const void *base)
{
    const char *field = (const char *)base + o->at;
    switch (o->bytes) {
    case sizeof(bool):
        return *(const bool *)field;
    case sizeof(uint16_t):
        return *(const uint16_t *)field;
    case sizeof(int):
        return *(const int *)field;
    default:
        return *(const int64_t *)field;
    }
}

void option_set_number(const struct option *o, void *base, int64_t value)
{
    char *field = (char *)base + o->at;
    switch (o->bytes) {
    case sizeof(bool):
        *(bool *)field = value != 0;
        break;
    case sizeof(uint16_t):
        *(uint16_t *)field = (uint16_t)value;
        break;
    case sizeof(int):
        *(int *)field = (int)value;
        break;
    default:
        *(int64_t *)field = value;
    }
}

const struct choice *option_choice(const struct option *o, struct span name)
{
    for (const struct choice *c = o->choices; c->name != NULL; c++)
        if (span_eq(span_of(c->name), name))
            return c;
    return NULL;
}

const char *option_choice_name(const struct option *o, int64_t value)
{
    const struct choice *c = o->choices;
    while (c->value != value)
        c++;
    return c->name;
}

static bool add_choices(const struct option *o, struct buf *to)
{
    size_t n = 0, i = 0;
    for (const struct choice *c = o->choices; c->name != NULL; c++)
        n += c->refused == NULL;
    for (const struct choice *c = o->choices; c->name != NULL; c++) {
        if (c->refused != NULL)
            continue;
        const char *glue = i == 0 ? "" : i + 1 == n ? " or " : ", ";
        if (!buf_printf(to, "%s\"%s\"", glue, c->name))
            return false;
        i++;
    }
    return true;
}

bool option_expects(const struct option *o, struct buf *to)
{
    switch (o->kind) {
    case KIND_BOOL:
        return buf_add_text(to, "true or false");
    case KIND_INT:
        return buf_printf(to, "a whole number from %" PRId64 " to %" PRId64, o->least, o->most);
    case KIND_CHOICE:
        return add_choices(o, to);
    case KIND_STRING:
    case KIND_HOST:
        return buf_add_text(to, o->rule->expected);
    case KIND_PATH:
        return o->most > 0 ? buf_printf(to, "a path of at most %" PRId64 " bytes", o->most)
                           : buf_add_text(to, "a path");
    case KIND_DATE:
        return buf_add_text(to, "a day such as \"2027-06-30\"");
    case KIND_ADDRESS:
        return buf_add_text(to, "an IP address or \"*\"");
    case KIND_LOG_TO:
        return buf_add_text(to, "\"stderr\", \"syslog\" or the path of a file");
    case KIND_NETWORKS:
        return buf_add_text(to, "a list of networks such as ( \"10.0.0.0/8\", \"2001:db8::/32\" )");
    case KIND_STRINGS:
        return buf_printf(to, "a list of at most %" PRId64 ", each %s", o->most, o->rule->expected);
    case KIND_GROUP:
        return buf_add_text(to, "a group { ... }");
    case KIND_SWITCH:
        return buf_add_text(to, "a group { ... } or \"off\"");
    case KIND_LIST:
        return buf_printf(to, "a list ( { ... }, { ... } ) of %" PRId64 " to %" PRId64 " groups", o->least, o->most);
    }
    return false;
}
