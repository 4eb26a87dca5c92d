/* The reserve. What a spare does until it stands ready is the beginning of a hand-in, without a session. */
#include "proxy/front/reserve.h"

#include <stdlib.h>

#include "proxy/front/process.h"
#include "proxy/front/signin.h"
#include "proxy/net/ipc.h"
#include "proxy/net/loop.h"

enum { READ_BYTES = 16384, FORGOTTEN_MS = 15 * SECOND /* backends lets an old one go earlier */ };

struct spare {
    struct list link;
    uint64_t id, member;
    const struct site *site;
    enum protocol protocol;
    bool ready;
    char *host;
    struct conn *conn;
    struct login_order order;
    struct login *login;
    struct buf in, out;
    struct alarm limit; /* of its making, then of its standing */
};

static struct {
    struct list all;
    size_t n;
    bool closed; /* no more are taken */
} reserve;

/* ---- the end of one ---- */

static void spare_free(struct spare *one)
{
    alarm_clear(&one->limit);
    login_free(&one->login);
    conn_free(&one->conn);
    buf_fini(&one->in);
    buf_fini(&one->out);
    list_remove(&one->link);
    reserve.n--;
    free(one->host);
    free(one);
}

static void tell_gone(uint64_t id, enum spare_end end, const char *why)
{
    helper_tell(&front.backends,
                &(struct message){
                    .type = MSG_SPARE_GONE,
                    .id = id,
                    .spare_gone = {.end = (uint8_t)end, .why = span_first(span_of(why), MESSAGE_WHY_MAX)}
    });
}

static void lose(struct spare *one, const char *why)
{
    uint64_t id = one->id;
    enum spare_end end = one->ready ? SPARE_LOST : SPARE_FAILED;
    spare_free(one);
    tell_gone(id, end, why);
}

static void on_limit(struct alarm *a)
{
    struct spare *one = OWNER_OF(a, struct spare, limit);
    lose(one, one->ready ? "age" : "timeout");
}

/* ---- making one ready ---- */

static void step(struct spare *one, enum login_step next);

static void feed(struct spare *one)
{
    struct span input = buf_span(&one->in);
    size_t had = input.n;
    enum login_step next = login_feed(one->login, &input, &one->out);
    buf_take(&one->in, had - input.n);
    step(one, next);
}

static void shake(struct spare *one)
{
    int done = conn_handshake(one->conn);
    if (done == CONN_AGAIN)
        return;
    if (done != 1) {
        lose(one, conn_why(one->conn));
        return;
    }
    conn_watch(one->conn, WATCH_READ);
    if (one->order.implicit_tls)
        feed(one);
    else
        step(one, login_protected(one->login, &one->out));
}

static void start_tls(struct spare *one)
{
    if (conn_tls_connect(one->conn, one->site->tls[one->protocol], one->host, one->member))
        shake(one);
    else
        lose(one, "memory");
}

/* False: it is gone. */
static bool flush(struct spare *one)
{
    while (one->out.n > 0) {
        ssize_t n = conn_write(one->conn, one->out.at, one->out.n);
        if (n == CONN_AGAIN)
            break;
        if (n < 0) {
            lose(one, conn_why(one->conn));
            return false;
        }
        buf_take(&one->out, (size_t)n);
    }
    conn_watch(one->conn, WATCH_READ | (one->out.n > 0 ? WATCH_WRITE : 0));
    return true;
}

static void stand_ready(struct spare *one)
{
    int64_t age_ms = one->site->config->spare_age_s * SECOND + FORGOTTEN_MS;
    buf_fini(&one->in);
    buf_fini(&one->out);
    if (!alarm_set(&one->limit, age_ms, on_limit)) {
        lose(one, "memory");
        return;
    }
    one->ready = true;
    helper_tell(&front.backends, &(struct message){ .type = MSG_SPARE_READY, .id = one->id });
}

static void step(struct spare *one, enum login_step next)
{
    if (next == LOGIN_DONE)
        lose(one, login_answer(one->login)->why);
    else if (!flush(one))
        return;
    else if (next == LOGIN_START_TLS)
        start_tls(one);
    else if (next == LOGIN_READY)
        stand_ready(one);
}

static void read_greeting(struct spare *one)
{
    ssize_t n = conn_read(one->conn, front.scratch, READ_BYTES);
    if (n == CONN_AGAIN)
        return;
    if (n < 0 || !buf_add(&one->in, (struct span){ front.scratch, (size_t)n })) {
        lose(one, n >= 0 ? "too_much" : n == CONN_BROKEN ? conn_why(one->conn) : "eof");
        return;
    }
    if (one->protocol == POP3 && !conn_is_tls(one->conn))
        conn_acknowledge(one->conn);
    feed(one);
}

/* ---- standing ---- */

/* NULL: nothing has come, and the connection is whole. TLS's own affairs, such as tickets, are no doubt. */
static const char *doubt(struct spare *one)
{
    char byte;
    ssize_t n = conn_read(one->conn, &byte, 1);
    if (n == CONN_AGAIN)
        return NULL;
    return n > 0 ? "unasked" : n == CONN_BROKEN ? conn_why(one->conn) : "eof";
}

static void on_ready(void *owner, unsigned events)
{
    struct spare *one = owner;
    if (conn_is_tls(one->conn) && conn_tls_version(one->conn) == NULL) {
        shake(one);
        return;
    }
    if (one->ready) {
        const char *why = doubt(one);
        if (why != NULL)
            lose(one, why);
        return;
    }
    if ((events & WATCH_WRITE) && !flush(one))
        return;
    if (events & WATCH_READ)
        read_greeting(one);
}

/* ---- in and out ---- */

size_t reserve_most(const struct config *config)
{
    size_t n = 0;
    for (size_t i = 0; i < config->n_sites; i++)
        for (enum protocol p = 0; p < PROTOCOLS; p++)
            if (config->protocols[p].on && config->sites[i].serves[p])
                n += 2 * config->sites[i].n_backends * (size_t)config->sites[i].spare; /* old ones wait for new ones */
    return n;
}

static struct spare *spare_new(struct message *m, const struct site *site)
{
    struct spare *one = calloc(1, sizeof *one);
    if (one == NULL)
        return NULL;
    list_init(&one->link);
    list_add(&reserve.all, &one->link);
    reserve.n++;
    one->id = m->id;
    one->member = m->spare.member;
    one->site = site;
    one->protocol = (enum protocol)m->spare.protocol;
    one->host = span_copy(m->spare.host);
    site_order(site, one->protocol, &one->order);
    buf_init(&one->in, 2 * SITE_INPUT_MAX);
    buf_init(&one->out, 4096);
    one->login = login_new(&one->order);
    one->conn = conn_new(ipc_take_fd(m, 0), on_ready, one);
    if (one->host != NULL && one->login != NULL && one->conn != NULL &&
        alarm_set(&one->limit, front.config->limits.greeting_timeout_ms, on_limit))
        return one;
    spare_free(one);
    return NULL;
}

void reserve_take_in(struct message *m)
{
    const struct site *site = front_site(m->spare.site);
    if (reserve.closed) {
        tell_gone(m->id, SPARE_UNWANTED, "drain");
        return;
    }
    bool fits = site != NULL && site->config->serves[m->spare.protocol] && site->config->security != SECURITY_IPSEC &&
                reserve.n < reserve_most(front.config);
    struct spare *one = fits ? spare_new(m, site) : NULL;
    if (one == NULL) {
        tell_gone(m->id, SPARE_FAILED, fits ? "memory" : "no_site");
        return;
    }
    conn_watch(one->conn, WATCH_READ);
    if (one->order.implicit_tls)
        start_tls(one);
}

static struct spare *find(uint64_t id)
{
    LIST_EACH(link, &reserve.all) {
        struct spare *one = OWNER_OF(link, struct spare, link);
        if (one->id == id)
            return one;
    }
    return NULL;
}

void reserve_drop(uint64_t id)
{
    struct spare *one = find(id);
    if (one != NULL)
        spare_free(one);
}

bool reserve_give(uint64_t id, const struct session *s, struct conn **conn, struct login **login)
{
    struct spare *one = find(id);
    if (one == NULL)
        return false;
    bool fits = one->ready && one->site == s->signin->site && one->protocol == s->protocol && one->member == s->member;
    const char *why = fits ? doubt(one) : "misnamed";
    if (why != NULL) {
        lose(one, why);
        return false;
    }
    *conn = one->conn;
    *login = one->login;
    one->conn = NULL;
    one->login = NULL;
    spare_free(one);
    return true;
}

void reserve_clear(enum spare_end end, const char *why)
{
    reserve.closed = reserve.closed || end == SPARE_UNWANTED;
    while (!list_empty(&reserve.all)) {
        struct spare *one = OWNER_OF(reserve.all.next, struct spare, link);
        uint64_t id = one->id;
        spare_free(one);
        tell_gone(id, end, why);
    }
}

void reserve_forget(void)
{
    while (!list_empty(&reserve.all))
        spare_free(OWNER_OF(reserve.all.next, struct spare, link));
}

void reserve_init(void)
{
    list_init(&reserve.all);
}
