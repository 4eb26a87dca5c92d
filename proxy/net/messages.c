/* Messages as tables of fields. Packing and unpacking are one walk over the row of the type. */
#include "proxy/net/messages.h"

#include <sys/socket.h>

#include "proxy/base/pack.h"
#include "proxy/net/hash.h"

enum {
    NAME_MAX_BYTES = 512,
    PASSWORD_MAX_BYTES = 4096,
    TEXT_MAX_BYTES = 8192,
    SITE_MAX_BYTES = 256,
    HOST_MAX_BYTES = 256
};

enum field_kind { FIELD_END, FIELD_U8, FIELD_U16, FIELD_U64, FIELD_TEXT, FIELD_ADDR };

struct field {
    enum field_kind kind;
    size_t offset;
    size_t bound; /* U8: values must be below it (0: any); TEXT: longest */
};

#define U8(part, name, below)                                                                                          \
    {                                                                                                                  \
        FIELD_U8, offsetof(struct message, part.name), below                                                           \
    }
#define U16(part, name)                                                                                                \
    {                                                                                                                  \
        FIELD_U16, offsetof(struct message, part.name), 0                                                              \
    }
#define U64(part, name)                                                                                                \
    {                                                                                                                  \
        FIELD_U64, offsetof(struct message, part.name), 0                                                              \
    }
#define TEXT(part, name, longest)                                                                                      \
    {                                                                                                                  \
        FIELD_TEXT, offsetof(struct message, part.name), longest                                                       \
    }
#define ADDR(part, name)                                                                                               \
    {                                                                                                                  \
        FIELD_ADDR, offsetof(struct message, part.name), 0                                                             \
    }

enum { FINGERPRINT_TEXT_MAX = 64 * 1024 };
enum { FIELDS_MAX = 16, PROTOCOLS_BOUND = 2, MECHANISMS_BOUND = 8, FLAG = 2, MODES_BOUND = 2, ROLES_BOUND = 8 };

static const struct row {
    const char *name;
    uint8_t fds_least, fds_most;
    struct field fields[FIELDS_MAX];
} rows[MSG_TYPES] = {
    [MSG_BOOT] = {"boot",          1, 3, { U64(boot, slot), U64(boot, generation) }                                  },
    [MSG_CHANNEL] = { "channel",      1, 1, { U8(channel, to, ROLES_BOUND) }                                            },
    [MSG_LISTEN] = { "listen",       1, 1, { U64(listen, socket), U64(listen, listener) }                              },
    [MSG_UNLISTEN] = { "unlisten",     0, 0, { U64(listen, socket), U64(listen, listener) }                              },
    [MSG_BUNDLE] = { "bundle",       1, 1, { { 0 } }                                                                   },
    [MSG_TICKET_KEYS] = { "ticket_keys",  0, 0, { TEXT(ticket_keys, keys, TICKET_KEYS_MAX *TICKET_KEY_BYTES) }              },
    [MSG_MAP] = { "map",          1, 1, { { 0 } }                                                                   },
    [MSG_ACCOUNTS] = { "accounts",     1, 1, { { 0 } }                                                                   },
    [MSG_HOSTS] = { "hosts",        1, 1, { { 0 } }                                                                   },
    [MSG_DRAIN] = { "drain",        0, 0, { U64(drain, spread_ms), U64(drain, deadline_ms), U8(drain, say_bye, FLAG) }},
    [MSG_STATUS] = { "status",       0, 0, { { 0 } }                                                                   },
    [MSG_CONTROL] = { "control",      0, 1, { TEXT(control, words, TEXT_MAX_BYTES) }                                    },
    [MSG_CONTROLLED] = { "controlled",
                  0,                  1,
                  { U8(controlled, status, 3), U8(controlled, more, FLAG), U64(controlled, number),
                           TEXT(controlled, who, MESSAGE_WHY_MAX), TEXT(controlled, text, TEXT_MAX_BYTES) }          },
    [MSG_READY] = { "ready",        0, 0, { { 0 } }                                                                   },
    [MSG_FAILED] = { "failed",       0, 0, { TEXT(text, text, TEXT_MAX_BYTES) }                                        },
    [MSG_UNLISTENED] = { "unlistened",   0, 0, { U64(listen, socket), U64(listen, listener) }                              },
    [MSG_UNCONNECTED] = { "unconnected",  0, 0, { U8(channel, to, ROLES_BOUND) }                                            },
    [MSG_CHECKED] = { "checked",      0, 6, { TEXT(text, text, TEXT_MAX_BYTES) }                                        },
    [MSG_ASK] = { "ask",
                  0,                  0,
                  { U8(ask, protocol, PROTOCOLS_BOUND), U8(ask, mechanism, MECHANISMS_BOUND),
                    U8(ask, trusted_hop, FLAG), U8(ask, tls, FLAG), U8(ask, attempt, 0), U16(ask, mark),
                    TEXT(ask, name, NAME_MAX_BYTES), TEXT(ask, authzid, NAME_MAX_BYTES),
                    TEXT(ask, secret, MESSAGE_SECRET_MAX), ADDR(ask, client) }                                       },
    [MSG_CANCEL] = { "cancel",       0, 0, { { 0 } }                                                                   },
    [MSG_LOGIN_RESULT] = { "login_result", 0, 0, { U8(login_result, result, LOGIN_RESULTS) }                                 },
    [MSG_SESSION_GONE] = { "session_gone", 0, 0, { { 0 } }                                                                   },
    [MSG_HOLD] = { "hold",
                  0,                  0,
                  { U8(hold, protocol, PROTOCOLS_BOUND), U8(hold, signed_in, FLAG), U64(hold, member),
                     ADDR(hold, client), TEXT(hold, mailbox, NAME_MAX_BYTES), TEXT(hold, site, SITE_MAX_BYTES),
                     U64(hold, reqid), U8(hold, mode, MODES_BOUND), U8(hold, algorithms, 0), ADDR(hold, local),
                     ADDR(hold, backend) }                                                                           },
    [MSG_HELD] = { "held",         0, 0, { { 0 } }                                                                   },
    [MSG_MARK_KEY] = { "mark_key",     0, 0, { TEXT(mark_key, key, MARK_KEY_BYTES) }                                     },
    [MSG_VERDICT] = { "verdict",
                  0,                  0,
                  { U8(verdict, status, VERDICT_STATUSES), U8(verdict, delay, 0), U8(verdict, verified, FLAG),
                        U8(verdict, user_full, FLAG), U64(verdict, sessions_max),
                        TEXT(verdict, mailbox, NAME_MAX_BYTES), TEXT(verdict, delegate, NAME_MAX_BYTES),
                        TEXT(verdict, site, SITE_MAX_BYTES), TEXT(verdict, store_name, NAME_MAX_BYTES),
                        TEXT(verdict, store_login, NAME_MAX_BYTES), TEXT(verdict, password, PASSWORD_MAX_BYTES),
                        TEXT(verdict, why, MESSAGE_WHY_MAX) }                                                        },
    [MSG_REVOKE] = { "revoke",       0, 0, { U8(revoke, why, REVOKE_WHYS) }                                            },
    [MSG_DIAL] = { "dial",
                  0,                  0,
                  { U8(dial, protocol, PROTOCOLS_BOUND), U64(dial, ms_left), TEXT(dial, site, SITE_MAX_BYTES),
                     TEXT(dial, mailbox, NAME_MAX_BYTES), TEXT(dial, tried, TRIED_MAX * 8) }                         },
    [MSG_DIAL_OUTCOME] = { "dial_outcome",
                  0,                  0,
                  { U8(dial_outcome, stage, DIAL_STAGES), U8(dial_outcome, fault, DIAL_FAULTS),
                             U64(dial_outcome, ms), TEXT(dial_outcome, why, MESSAGE_WHY_MAX) }                       },
    [MSG_IPSEC_CONFIRM] = { "confirm",      0, 0, { { 0 } }                                                                   },
    [MSG_IPSEC_CONFIRMED] = { "confirmed",
                  0,                  0,
                  { U8(ipsec_confirmed, good, FLAG), TEXT(ipsec_confirmed, why, MESSAGE_WHY_MAX) }                   },
    [MSG_IPSEC_GUARDED] = { "guarded",      0, 0, { { 0 } }                                                                   },
    [MSG_DIALED] = { "dialed",
                  0,                  1,
                  { U8(dialed, status, DIAL_STATUSES), U64(dialed, member), U64(dialed, ms), U64(dialed, spare),
                       TEXT(dialed, host, HOST_MAX_BYTES), ADDR(dialed, address),
                       TEXT(dialed, why, MESSAGE_WHY_MAX) }                                                          },
    [MSG_SPARE] = { "spare",
                  1,                  1,
                  { U8(spare, protocol, PROTOCOLS_BOUND), U64(spare, member), TEXT(spare, site, SITE_MAX_BYTES),
                      TEXT(spare, host, HOST_MAX_BYTES), ADDR(spare, address) }                                      },
    [MSG_SPARE_DROP] = { "spare_drop",   0, 0, { { 0 } }                                                                   },
    [MSG_SPARE_READY] = { "spare_ready",  0, 0, { { 0 } }                                                                   },
    [MSG_SPARE_GONE] = { "spare_gone",
                  0,                  0,
                  { U8(spare_gone, end, SPARE_ENDS), TEXT(spare_gone, why, MESSAGE_WHY_MAX) }                        },
};

static const struct row *row_of(enum message_type type)
{
    return type > 0 && type < MSG_TYPES ? &rows[type] : NULL;
}

const char *message_name(enum message_type type)
{
    const struct row *row = row_of(type);
    return row != NULL ? row->name : NULL;
}

static bool tell_row(const struct row *row, struct buf *to)
{
    bool good = buf_printf(to, "%s %u %u", row->name, row->fds_least, row->fds_most);
    for (const struct field *f = row->fields; f < row->fields + FIELDS_MAX && f->kind != FIELD_END; f++)
        good = good && buf_printf(to, " %u:%zu", f->kind, f->bound);
    return good && buf_add_byte(to, '\n');
}

uint64_t messages_fingerprint(void)
{
    struct buf text;
    bool good = true;
    buf_init(&text, FINGERPRINT_TEXT_MAX);
    for (size_t type = 1; good && type < MSG_TYPES; type++)
        good = tell_row(&rows[type], &text);
    uint64_t is = good ? hash_stable(buf_span(&text)) : 0;
    buf_fini(&text);
    return is;
}

bool message_is_secret(enum message_type type)
{
    return type == MSG_ASK || type == MSG_VERDICT || type == MSG_MARK_KEY || type == MSG_TICKET_KEYS;
}

void message_fds(enum message_type type, size_t *least, size_t *most)
{
    const struct row *row = row_of(type);
    *least = row != NULL ? row->fds_least : 0;
    *most = row != NULL ? row->fds_most : 0;
}

static bool pack_addr(struct buf *to, const struct addr *a)
{
    return pack_number(to, a->family, 1) && pack_number(to, a->port, 2) && pack_number(to, a->scope, 4) &&
           buf_add(to, span_bytes(a->bytes, sizeof a->bytes));
}

static bool unpack_addr(struct unpack *from, struct addr *a)
{
    uint64_t family = unpack_number(from, 1);
    *a = (struct addr){ .family = (uint8_t)family };
    a->port = (uint16_t)unpack_number(from, 2);
    a->scope = (uint32_t)unpack_number(from, 4);
    if (from->bad || from->rest.n < sizeof a->bytes)
        return false;
    memcpy(a->bytes, from->rest.at, sizeof a->bytes);
    from->rest = span_after(from->rest, sizeof a->bytes);
    return family == AF_UNSPEC || family == AF_INET || family == AF_INET6;
}

static bool in_bound(const struct field *f, uint8_t value)
{
    return f->bound == 0 || value < f->bound;
}

static bool pack_field(const struct field *f, const void *at, struct buf *to)
{
    switch (f->kind) {
    case FIELD_U8:
        return in_bound(f, *(const uint8_t *)at) && pack_number(to, *(const uint8_t *)at, 1);
    case FIELD_U16:
        return pack_number(to, *(const uint16_t *)at, 2);
    case FIELD_U64:
        return pack_number(to, *(const uint64_t *)at, 8);
    case FIELD_TEXT:
        return ((const struct span *)at)->n <= f->bound && pack_string(to, *(const struct span *)at);
    case FIELD_ADDR:
    case FIELD_END: /* nobody comes here with it */
        break;
    }
    return pack_addr(to, at);
}

static bool unpack_field(const struct field *f, struct unpack *from, void *at)
{
    switch (f->kind) {
    case FIELD_U8:
        *(uint8_t *)at = (uint8_t)unpack_number(from, 1);
        return in_bound(f, *(uint8_t *)at);
    case FIELD_U16:
        *(uint16_t *)at = (uint16_t)unpack_number(from, 2);
        return true;
    case FIELD_U64:
        *(uint64_t *)at = unpack_number(from, 8);
        return true;
    case FIELD_TEXT:
        *(struct span *)at = unpack_string(from, f->bound);
        return true;
    case FIELD_ADDR:
    case FIELD_END: /* nobody comes here with it */
        break;
    }
    return unpack_addr(from, at);
}

bool message_pack(const struct message *m, struct buf *to)
{
    const struct row *row = row_of(m->type);
    if (row == NULL || !pack_number(to, m->type, 1) || !pack_number(to, m->id, 8))
        return false;
    for (const struct field *f = row->fields; f < row->fields + FIELDS_MAX && f->kind != FIELD_END; f++)
        if (!pack_field(f, (const char *)m + f->offset, to))
            return false;
    return true;
}

bool message_unpack_next(struct span *packet, struct message *m)
{
    struct unpack from = { .rest = *packet };
    *m = (struct message){ .type = (enum message_type)unpack_number(&from, 1), .id = unpack_number(&from, 8) };
    const struct row *row = row_of(m->type);
    if (row == NULL || from.bad)
        return false;
    for (const struct field *f = row->fields; f < row->fields + FIELDS_MAX && f->kind != FIELD_END; f++)
        if (!unpack_field(f, &from, (char *)m + f->offset))
            return false;
    *packet = from.rest;
    return !from.bad;
}

bool message_unpack(struct span packet, struct message *m)
{
    return message_unpack_next(&packet, m) && packet.n == 0;
}
