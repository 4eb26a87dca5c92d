/* Client facts between front ends: one table of fields, two spellings of each. */
#include "proxy/wire/forwarded.h"

#include <stdio.h>

enum {
    VALUE_MAX = 64,    /* of an XCLIENT value but SESSION, without xtext */
    WRITTEN_MAX = 512, /* all fields together */
};

/* Values */

/* Without a zone, which means nothing on another machine. */
static bool take_ip(struct addr *to, struct span value)
{
    struct addr a;
    if (span_has(value, '%') || span_has(value, '\0') || !addr_parse(value, to->port, &a))
        return false;
    *to = a;
    return true;
}

static bool take_port(struct addr *to, struct span value)
{
    uint64_t port;
    if (!span_number(value, UINT16_MAX, &port))
        return false;
    to->port = (uint16_t)port;
    return true;
}

static bool take_client_ip(struct forwarded *f, struct span value)
{
    return take_ip(&f->client, value);
}

static bool take_client_port(struct forwarded *f, struct span value)
{
    return take_port(&f->client, value);
}

static bool take_connected_ip(struct forwarded *f, struct span value)
{
    return take_ip(&f->connected, value);
}

static bool take_connected_port(struct forwarded *f, struct span value)
{
    return take_port(&f->connected, value);
}

/* XCLIENT's words for what is not known, which is therefore nobody's id. */
static bool is_not_told(struct span value)
{
    return span_eq_nocase(value, SPAN("[UNAVAILABLE]")) || span_eq_nocase(value, SPAN("[TEMPUNAVAIL]"));
}

/* What needs no escape in either spelling. */
static bool session_ok(struct span session)
{
    for (size_t i = 0; i < session.n; i++)
        if (session.at[i] <= ' ' || session.at[i] >= 0x7f || session.at[i] == '"' || session.at[i] == '\\')
            return false;
    return session.n > 0 && session.n <= FORWARDED_SESSION_MAX && !is_not_told(session);
}

static bool take_session(struct forwarded *f, struct span value)
{
    if (!session_ok(value))
        return false;
    f->session = value;
    return true;
}

/* Told twice, the lower one holds: this number stops loops. */
static bool take_ttl(struct forwarded *f, struct span value)
{
    uint64_t ttl;
    if (!span_number(value, UINT8_MAX, &ttl))
        return false;
    if (f->ttl < 0 || (int)ttl < f->ttl)
        f->ttl = (int)ttl;
    return true;
}

static const struct field {
    const char *id, *xclient; /* NULL: XCLIENT has none */
    bool (*take)(struct forwarded *f, struct span value);
} fields[] = {
    {"x-originating-ip",    "ADDR",    take_client_ip     },
    { "x-originating-port", "PORT",    take_client_port   },
    { "x-connected-ip",     NULL,      take_connected_ip  },
    { "x-connected-port",   NULL,      take_connected_port},
    { "x-session-id",       "SESSION", take_session       },
    { "x-proxy-ttl",        "TTL",     take_ttl           },
};

/* Reading */

bool forwarded_take_id(struct forwarded *f, struct span key, struct span value)
{
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        if (span_eq_nocase(key, span_of(fields[i].id)))
            return fields[i].take(f, value);
    return false;
}

static int hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* xtext: +HH stands for a byte. */
static bool decode_xtext(struct span coded, char plain[VALUE_MAX], size_t *n)
{
    for (*n = 0; coded.n > 0; (*n)++) {
        bool escaped = coded.at[0] == '+';
        if (*n == VALUE_MAX || (escaped && coded.n < 3))
            return false;
        plain[*n] = coded.at[0];
        if (escaped) {
            int high = hex_value(coded.at[1]), low = hex_value(coded.at[2]);
            if (high < 0 || low < 0)
                return false;
            plain[*n] = (char)(high << 4 | low);
        }
        coded = span_after(coded, escaped ? 3 : 1);
    }
    return true;
}

static bool take_xclient_value(struct forwarded *f, const struct field *field, struct span value)
{
    char plain[VALUE_MAX];
    struct span decoded = { plain, 0 };
    if (is_not_told(value))
        return true;
    if (field->take == take_session) /* Dovecot's ids hold '+' as it is; an id is compared, not understood */
        return take_session(f, value);
    if (!decode_xtext(value, plain, &decoded.n))
        return false;
    if (field->take == take_client_ip && span_starts_nocase(decoded, SPAN("IPV6:"))) /* as Postfix writes it */
        decoded = span_after(decoded, 5);
    return field->take(f, decoded);
}

bool forwarded_take_xclient(struct forwarded *f, struct span argument)
{
    struct span word;
    while (span_word(&argument, &word)) {
        ptrdiff_t equals = span_find(word, '=');
        if (equals <= 0)
            return false;
        struct span key = span_first(word, (size_t)equals), value = span_after(word, (size_t)equals + 1);
        for (size_t i = 0; i < COUNT_OF(fields); i++) /* a key that nobody knows is passed over */
            if (span_eq_nocase(key, span_of(fields[i].xclient)) && !take_xclient_value(f, &fields[i], value))
                return false;
    }
    return true;
}

/* Writing */

/* The values by the rows of `fields`; those not known stay empty. */
struct texts {
    char ip[2][ADDR_TEXT_MAX], port[2][8], ttl[16];
    struct span values[COUNT_OF(fields)];
};

static void addr_texts(const struct addr *a, char ip[ADDR_TEXT_MAX], char port[8], struct span values[2])
{
    if (a->family == AF_UNSPEC)
        return;
    values[0] = span_of(addr_host_text(a, ip));
    snprintf(port, 8, "%u", a->port);
    values[1] = span_of(port);
}

static bool write_fields(struct buf *to, const struct forwarded *f, bool id)
{
    struct texts t = { .values[4] = f->session };
    char all[WRITTEN_MAX];
    size_t n = 0;
    if (f->session.n > 0 && !session_ok(f->session))
        return false;
    addr_texts(&f->client, t.ip[0], t.port[0], &t.values[0]);
    addr_texts(&f->connected, t.ip[1], t.port[1], &t.values[2]);
    if (f->ttl >= 0) {
        snprintf(t.ttl, sizeof t.ttl, "%d", f->ttl);
        t.values[5] = span_of(t.ttl);
    }
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        const char *key = id ? fields[i].id : fields[i].xclient;
        if (key == NULL || t.values[i].n == 0)
            continue;
        n += (size_t)snprintf(all + n, sizeof all - n, id ? "%s\"%s\" \"%.*s\"" : "%s%s=%.*s", n > 0 ? " " : "", key,
                              SPAN_ARG(t.values[i]));
    }
    assert(n < sizeof all); /* two addresses and a session id are far below */
    return buf_add(to, span_bytes(all, n));
}

bool forwarded_write_id(struct buf *to, const struct forwarded *f)
{
    return write_fields(to, f, true);
}

bool forwarded_write_xclient(struct buf *to, const struct forwarded *f)
{
    return write_fields(to, f, false);
}
