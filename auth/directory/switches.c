/* Words of an account, by a table. Lists keep the form that they are written in: a look-up reads one of them, and a
 * million of them lie in the map. */
#include "auth/directory/switches.h"

static bool read_user(struct switches_reader *r, struct span value)
{
    r->to->user = value;
    return name_format_is_valid(value);
}

/* Takes what stands before the next comma; false behind the last. */
static bool next(struct span *list, struct span *item)
{
    if (list->at == NULL)
        return false;
    ptrdiff_t comma = span_find(*list, ',');
    *item = comma < 0 ? *list : span_first(*list, (size_t)comma);
    *list = comma < 0 ? SPAN_NONE : span_after(*list, (size_t)comma + 1);
    return true;
}

static unsigned protocol_bit(struct span name)
{
    for (unsigned p = 0; p < PROTOCOLS; p++)
        if (span_eq(name, span_of(protocol_names[p])))
            return 1U << p;
    return 0;
}

static bool read_protocols(struct switches_reader *r, struct span value)
{
    struct span item;
    while (next(&value, &item)) {
        unsigned bit = protocol_bit(item);
        if (bit == 0 || (r->to->protocols & bit) != 0)
            return false;
        r->to->protocols |= bit;
    }
    return true;
}

static bool read_networks(struct switches_reader *r, struct span value)
{
    struct network network;
    struct span item;
    r->to->networks = value;
    while (next(&value, &item))
        if (!network_parse(item, &network))
            return false;
    return true;
}

static bool read_sessions(struct switches_reader *r, struct span value)
{
    uint64_t n;
    bool good = span_number(value, SWITCHES_SESSIONS_MAX, &n) && n > 0;
    r->to->sessions = good ? (unsigned)n : 0;
    return good;
}

static bool add_name(struct switches_reader *r, struct span item, bool first)
{
    struct buf name;
    buf_init(&name, NAME_BYTES_MAX);
    bool good = name_canonical(r->names, item, &name) && (first || buf_add_byte(r->text, ',')) &&
                buf_add(r->text, buf_span(&name));
    buf_fini(&name);
    return good;
}

/* Offsets first: the text may move while it grows. */
static bool read_names(struct switches_reader *r, struct span value, size_t *at)
{
    struct span item;
    *at = r->text->n;
    for (bool first = true; next(&value, &item); first = false)
        if (!add_name(r, item, first))
            return false;
    return true;
}

static void set_names(struct switches_reader *r, struct span *to, size_t at)
{
    *to = span_after(buf_span(r->text), at);
}

static bool read_delegates(struct switches_reader *r, struct span value)
{
    size_t at;
    size_t opens = r->to->opens.n;
    if (!read_names(r, value, &at))
        return false;
    if (opens > 0)
        r->to->opens = span_first(buf_span(r->text), opens);
    set_names(r, &r->to->delegates, at);
    return true;
}

static bool read_opens(struct switches_reader *r, struct span value)
{
    size_t at;
    size_t delegates = r->to->delegates.n;
    if (!read_names(r, value, &at))
        return false;
    if (delegates > 0)
        r->to->delegates = span_first(buf_span(r->text), delegates);
    set_names(r, &r->to->opens, at);
    return true;
}

static const struct row {
    const char *name, *expected;
    bool (*read)(struct switches_reader *r, struct span value);
} rows[] = {
    {"user=",       "the name at the back end, in which % stands before u, n, d, t or %",               read_user     },
    { "protocols=", "imap, pop3 or imap,pop3",                                                          read_protocols},
    { "networks=",  "networks or addresses with commas between them, such as 10.0.0.0/8,2001:db8::/32", read_networks },
    { "sessions=",  "a whole number from 1 to 65535",                                                   read_sessions },
    { "delegates=", "names of accounts with commas between them",                                       read_delegates},
    { "opens=",     "names of mailboxes with commas between them",                                      read_opens    },
};

enum switches_read switches_read(struct switches_reader *r, struct span word, const char **expected)
{
    if (r->seen == 0)
        buf_clear(r->text);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct row *row = &rows[i];
        if (!span_starts(word, span_of(row->name)))
            continue;
        *expected = row->name;
        if ((r->seen & 1U << i) != 0)
            return SWITCHES_TWICE;
        r->seen |= 1U << i;
        *expected = row->expected;
        return row->read(r, span_after(word, strlen(row->name))) ? SWITCHES_READ : SWITCHES_BAD;
    }
    *expected = "user=…, protocols=…, networks=…, sessions=…, delegates=… or opens=…";
    return SWITCHES_UNKNOWN;
}

bool switches_allow(const struct switches *s, const struct addr *client)
{
    struct span list = s->networks, item;
    struct network network;
    if (list.n == 0)
        return true;
    while (next(&list, &item))
        if (network_parse(item, &network) && network_has(&network, client))
            return true;
    return false;
}

bool switches_serve(const struct switches *s, enum protocol protocol)
{
    return s->protocols == 0 || (s->protocols & 1U << protocol) != 0;
}

static bool has_name(struct span list, struct span name)
{
    struct span item;
    while (list.n > 0 && next(&list, &item))
        if (span_eq(item, name))
            return true;
    return false;
}

bool switches_grant(const struct switches *s, struct span delegate)
{
    return has_name(s->delegates, delegate);
}

bool switches_open(const struct switches *s, struct span mailbox)
{
    return has_name(s->opens, mailbox);
}
