/* Mail stores: they greet, list, take a login and serve a session, each in one of the ways that stores have; and some
 * end, fall silent or talk nonsense at a moment that the plan says. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/config.h"
#include "proxy/wire/pop3.h"
#include "test/sim/store_inside.h"

enum { NOISES = 16 };

struct store *store_new(const struct plan *p, struct link *l, const char *user)
{
    struct store *s = calloc(1, sizeof *s);
    SIM_REQUIRE(s != NULL);
    *s = (struct store){ .plan = p, .link = l, .phase = site_facts[p->site].tls ? ST_TLS : ST_GREET };
    s->fault = l->bad != FAULT_NO ? (enum sim_fault)l->bad : p->store_fault;
    s->fault_at = l->bad != FAULT_NO ? 0 : p->store_fault_at;
    s->attempt = user != NULL ? client_attempt(slots[l->slot].client) : 0;
    s->awaited = user;
    s->lists_in_greeting = random_below(2) == 0;
    s->initial_response = random_below(2) == 0;
    s->literal_plus = random_below(2) == 0;
    s->plain = random_below(3) > 0 || site_facts[p->site].master; /* who opens for somebody else needs it */
    s->lists_after = random_below(2) == 0;
    imap_reader_init(&s->reader, STORE_SASL_LINE);
    buf_init(&s->in, LOG_MAX);
    buf_init(&s->out, LOG_MAX);
    buf_init(&s->down_log, LOG_MAX);
    buf_init(&s->safe, LOG_MAX);
    return s;
}

void store_free(struct store **pointer)
{
    struct store *s = *pointer;
    *pointer = NULL;
    if (s == NULL)
        return;
    imap_reader_fini(&s->reader);
    buf_fini(&s->in);
    buf_fini(&s->out);
    buf_fini(&s->down_log);
    buf_fini(&s->safe);
    peer_let_go(&s->link);
    free(s);
}

void store_adopt(struct store *s, const struct plan *p, const char *user)
{
    s->awaited = user;
    s->plan = p;
    s->fault = p->store_fault;
    s->fault_at = s->steps + p->store_fault_at;
    s->attempt = client_attempt(slots[s->link->slot].client);
}

bool store_is_silent(const struct store *s)
{
    return s->phase >= ST_SILENT;
}

bool store_is_over(const struct store *s)
{
    return s->phase == ST_OVER;
}

bool store_let_in(const struct store *s)
{
    return s->let_in;
}

const struct buf *store_down_log(const struct store *s)
{
    return &s->down_log;
}

size_t store_up_got(const struct store *s)
{
    return s->up_got;
}

size_t store_safe_before(const struct store *s, size_t at)
{
    size_t best = 0;
    for (size_t i = 0, place; i < s->safe.n; i += sizeof place) {
        memcpy(&place, s->safe.at + i, sizeof place);
        best = place <= at && place > best ? place : best;
    }
    return best;
}

/* ---- saying ---- */

void store_says(struct store *s, struct span text)
{
    SIM_REQUIRE(buf_add(&s->out, text));
    if (s->compressed)
        compress(s->out.at + s->out.n - text.n, text.n);
    if (s->phase == ST_SESSION)
        SIM_REQUIRE(buf_add(&s->down_log, span_after(buf_span(&s->out), s->out.n - text.n)));
}

void store_says_line(struct store *s, const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    store_says(s, span_bytes(line, (size_t)n));
}

void store_answered(struct store *s)
{
    SIM_REQUIRE(buf_add(&s->safe, span_bytes(&s->down_log.n, sizeof s->down_log.n)));
}

bool store_reads_line(struct store *s, struct span *line, size_t *used)
{
    enum line_read got = line_read(buf_span(&s->in), LOG_MAX, line, used);
    SIM_REQUIRE(got != LINE_TOO_LONG);
    return got == LINE_READ;
}

/* ---- a step ---- */

static bool understand(struct store *s)
{
    if (s->in.n == 0)
        return false;
    if (s->phase == ST_SESSION)
        return store_reads_session(s);
    return store_reads_login(s);
}

static void require_in_order(struct store *s, struct span bytes)
{
    const struct buf *sent = client_up_log(slots[s->link->slot].client);
    SIM_REQUIRE(s->up_got + bytes.n <= sent->n);
    SIM_REQUIRE(span_eq(span_first(span_after(buf_span(sent), s->up_got), bytes.n), bytes));
    s->up_got += bytes.n;
    totals.bytes += bytes.n;
}

/* Bytes behind the login's last line belong to the session. */
static bool hear(struct store *s)
{
    char room[4096];
    if (!peer_can_read(s->link))
        return false;
    size_t n = peer_read(s->link, room, random_size(sizeof room));
    if (n == 0) {
        if (!peer_sees_end(s->link))
            return false;
        s->phase = ST_OVER;
        peer_let_go(&s->link);
        return true;
    }
    if (s->deaf)
        return true;
    if (s->phase == ST_SESSION)
        require_in_order(s, span_bytes(room, n));
    if (s->compressed)
        compress(room, n);
    SIM_REQUIRE(buf_add(&s->in, span_bytes(room, n)));
    while (s->phase <= ST_SESSION && !s->starts_tls) {
        bool before = s->phase != ST_SESSION;
        if (!understand(s))
            break;
        if (before && s->phase == ST_SESSION)
            require_in_order(s, buf_span(&s->in));
    }
    return true;
}

static bool speak(struct store *s)
{
    if (s->out.n == 0 || !peer_can_write(s->link))
        return false;
    size_t n = peer_write(s->link, span_first(buf_span(&s->out), random_size(s->out.n)));
    buf_take(&s->out, n);
    return n > 0;
}

/* It takes no more notice, but for the end. */
static bool wait_for_end(struct store *s)
{
    if (s->link->fd >= 0 && !s->link->out->ended)
        return false;
    s->phase = ST_OVER;
    peer_let_go(&s->link);
    return true;
}

static bool shake(struct store *s)
{
    uint8_t before = s->link->peer_shake;
    int done = peer_handshake(s->link, true);
    if (done < 0) {
        s->phase = ST_OVER;
        peer_let_go(&s->link);
        return true;
    }
    if (done == 1 && s->phase == ST_TLS)
        s->phase = ST_GREET;
    s->starts_tls = s->starts_tls && done != 1;
    return done == 1 || s->link->peer_shake != before || wait_for_end(s);
}

static void fail(struct store *s)
{
    char noise[64];
    totals.faults++;
    switch (s->fault) {
    case FAULT_FIN:
        peer_end(s->link, random_below(2) == 0);
        s->phase = ST_SILENT;
        break;
    case FAULT_RESET:
        peer_reset(s->link);
        s->phase = ST_OVER;
        peer_let_go(&s->link);
        break;
    case FAULT_GARBAGE:
        s->deaf = s->deaf || (s->phase < ST_SESSION && s->plan->mechanism != SASL_PLAIN);
        random_noise(noise, random_size(sizeof noise - 1), "\r\n* OK+-ERR[{9}] NO\x01\xff");
        SIM_REQUIRE(buf_add(&s->out, span_of(noise)) && buf_add(&s->down_log, span_of(noise)));
        s->fault_at = ++s->noises < NOISES ? s->steps + 1 + random_below(8) : 0; /* and again */
        break;
    default:
        s->phase = ST_SILENT;
        break;
    }
}

bool store_acts(struct store *s)
{
    if (s->phase == ST_OVER)
        return false;
    if (s->phase == ST_SILENT)
        return wait_for_end(s);
    if (s->fault != FAULT_NO && s->fault != FAULT_CERTIFICATE && s->steps == s->fault_at) {
        s->steps++;
        fail(s);
        return true;
    }
    bool acted = true;
    if (s->phase == ST_TLS || (s->starts_tls && s->out.n == 0))
        acted = shake(s);
    else if (s->phase == ST_GREET)
        store_greets(s);
    else if (s->leaving && s->out.n == 0 && !s->said_end) {
        s->said_end = true;
        peer_end(s->link, false);
    } else
        acted = random_below(2) == 0 ? speak(s) || hear(s) : hear(s) || speak(s);
    s->steps += acted;
    return acted;
}
