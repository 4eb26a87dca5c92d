/* proxy/net/conn.h on links. Short reads and short writes, wake-ups for nothing, TLS that is a scramble behind three
 * words; and the rules of that header are checked: what was refused is offered again, nobody spins, nothing secret
 * leaves in clear. */
#include "proxy/net/conn.h"

#include <stdlib.h>

#include "proxy/net/loop.h"
#include "test/sim/sim.h"

enum shake { SHAKE_NONE, SHAKE_UNDER_WAY, SHAKE_DONE };
enum { SPINS_MOST = 200, REFUSED_KEPT = 32 };

struct conn {
    struct link *link;
    conn_ready_fn *ready;
    void *owner;
    unsigned wanted;
    uint8_t shake, step;
    bool is_client, read_full, greeted, forsaken, waits_to_write;
    bool end_is_due; /* nothing may be waited for before conn_end */
    struct span early;
    struct grid grid;
    bool login_over;
    const char *why;
    char refused[REFUSED_KEPT];
    size_t n_refused;
    unsigned spins; /* wake-ups since something last moved */
};

static size_t alive;

size_t conns_alive(void)
{
    return alive;
}

/* ---- waiting ---- */

static unsigned possible(const struct conn *c)
{
    const struct link *l = c->link;
    bool broken = l->in->reset;
    bool can_write = broken || l->peer_gone || l->out->n < l->out->room;
    bool can_read = broken || l->in->seen > 0 || l->in->end_seen;
    size_t flight = c->step == 2 && !c->is_client ? c->early.n : shake_words[0].n;
    if (c->shake == SHAKE_UNDER_WAY && c->waits_to_write)
        can_write = broken || l->peer_gone || l->out->room - l->out->n >= flight;
    if (c->shake == SHAKE_UNDER_WAY) /* half a flight is taken in, and wakes nobody */
        can_read = c->waits_to_write ? can_write : broken || l->in->end_seen || l->in->seen >= shake_words[0].n;
    return (can_read ? WATCH_READ : 0) | (can_write ? WATCH_WRITE : 0);
}

static struct conn *of_slots[SLOTS + SPARES_MAX][2];

void conn_moves(struct link *l, unsigned slot)
{
    SIM_REQUIRE(l->to_site);
    if (l->conn != NULL) {
        of_slots[l->slot][true] = NULL;
        of_slots[slot][true] = l->conn;
    }
    l->slot = slot;
}

bool conn_wakes_slot(unsigned slot, bool to_site)
{
    struct conn *c = of_slots[slot][to_site];
    if (c == NULL || c->wanted == 0)
        return false;
    unsigned told = c->wanted & possible(c);
    if (told == 0)
        return false;
    if (told == (WATCH_READ | WATCH_WRITE) && random_below(3) == 0)
        told = random_below(2) == 0 ? WATCH_READ : WATCH_WRITE;
    if (random_chance(5))
        told = c->wanted; /* for nothing, perhaps */
    SIM_REQUIRE(++c->spins < SPINS_MOST);
    c->ready(c->owner, told);
    return true;
}

void conn_watch(struct conn *c, unsigned events)
{
    SIM_REQUIRE(!c->end_is_due);
    c->wanted = events;
}

/* ---- life ---- */

void conn_set_options(int fd)
{
    (void)fd;
}

struct conn *conn_new(int fd, conn_ready_fn *ready, void *owner)
{
    struct link *l = link_of(fd);
    SIM_REQUIRE(l != NULL && l->conn == NULL && l->fd == fd);
    struct conn *c = calloc(1, sizeof *c);
    SIM_REQUIRE(c != NULL);
    *c = (struct conn){ .link = l, .ready = ready, .owner = owner };
    l->conn = of_slots[l->slot][l->to_site] = c;
    alive++;
    return c;
}

void conn_free(struct conn **pointer)
{
    struct conn *c = *pointer;
    if (c == NULL)
        return;
    *pointer = NULL;
    c->link->conn = NULL;
    if (of_slots[c->link->slot][c->link->to_site] == c)
        of_slots[c->link->slot][c->link->to_site] = NULL;
    c->link->out->reset |= c->forsaken;
    fd_close(c->link->fd);
    alive--;
    free(c);
}

void conn_adopt(struct conn *c, conn_ready_fn *ready, void *owner)
{
    c->ready = ready;
    c->owner = owner;
}

void conn_forsake(struct conn *c)
{
    c->forsaken = true;
}

/* ---- reading ---- */

static ssize_t broken(struct conn *c, const char *why)
{
    c->why = why;
    return CONN_BROKEN;
}

static ssize_t end_of(struct conn *c)
{
    struct wire *w = c->link->in;
    if (w->reset)
        return broken(c, "reset");
    if (!w->end_seen || w->seen > 0)
        return CONN_AGAIN;
    return c->shake == SHAKE_DONE && !w->notified ? CONN_CUT : CONN_EOF;
}

static size_t look(struct conn *c, char *to, size_t room)
{
    struct wire *w = c->link->in;
    size_t n = w->seen < room ? w->seen : room;
    if (n > 0 && c->shake == SHAKE_DONE)
        n = random_size(n); /* a record ends */
    if (n > 0)
        memcpy(to, w->at, n);
    if (c->shake == SHAKE_DONE)
        wire_scramble(to, n);
    c->read_full = n == room;
    return n;
}

static void take(struct conn *c, size_t n)
{
    struct wire *w = c->link->in;
    memmove(w->at, w->at + n, w->n - n);
    w->n -= n;
    w->seen -= n;
    c->spins = 0;
}

ssize_t conn_read(struct conn *c, void *to, size_t room)
{
    SIM_REQUIRE(room > 0 && c->shake != SHAKE_UNDER_WAY);
    if (c->link->in->reset)
        return broken(c, "reset");
    if (c->shake == SHAKE_DONE && !c->link->in->end_seen && random_chance(10))
        return CONN_AGAIN; /* half a record */
    size_t n = look(c, to, room);
    if (n == 0)
        return end_of(c);
    take(c, n);
    grid_moment(&c->grid);
    return (ssize_t)n;
}

ssize_t conn_peek(struct conn *c, void *to, size_t room)
{
    SIM_REQUIRE(c->shake == SHAKE_NONE);
    size_t n = look(c, to, room);
    return n > 0 ? (ssize_t)n : end_of(c);
}

bool conn_has_more(const struct conn *c)
{
    return c->shake == SHAKE_DONE ? c->link->in->seen > 0 && random_below(2) == 0 : c->read_full;
}

void conn_acknowledge(struct conn *c)
{
    SIM_REQUIRE(c->shake != SHAKE_UNDER_WAY);
}

/* ---- writing ---- */

/* Which secrets may go there: to a client none, in clear none, and to a store only those that are for its eyes. */
static unsigned allowed(const struct conn *c)
{
    const struct link *l = c->link;
    if (!l->to_site || l->slot >= SLOTS || (c->shake != SHAKE_DONE && !l->may_be_clear))
        return 0;
    const struct plan *p = plan_of(l->slot);
    return site_facts[p->site].master ? SECRETS_MASTER : p->form_n[FORM_GIVEN] > 0 ? SECRETS_GIVEN : SECRETS_OWN;
}

/* The invariant of all invariants. What stands ready has heard of nobody. */
static void require_discreet(const struct conn *c, struct span bytes)
{
    const struct link *l = c->link;
    const struct plan *p = l->slot < SLOTS ? plan_of(l->slot) : NULL;
    SIM_REQUIRE((secrets_in(p, bytes) & ~allowed(c)) == 0);
    SIM_REQUIRE(!l->must_guard || l->guarded);
}

static void require_offered_again(const struct conn *c, struct span bytes)
{
    SIM_REQUIRE(bytes.n >= c->n_refused && memcmp(bytes.at, c->refused, c->n_refused) == 0);
}

static void remember_refused(struct conn *c, struct span bytes)
{
    c->n_refused = bytes.n < REFUSED_KEPT ? bytes.n : REFUSED_KEPT;
    memcpy(c->refused, bytes.at, c->n_refused);
}

static size_t put(struct conn *c, struct span bytes)
{
    struct wire *w = c->link->out;
    size_t most = bytes.n < w->room - w->n ? bytes.n : w->room - w->n, n = most > 0 ? random_size(most) : 0;
    if (n > 0)
        memcpy(w->at + w->n, bytes.at, n);
    if (c->shake == SHAKE_DONE)
        wire_scramble(w->at + w->n, n);
    w->n += n;
    return n;
}

ssize_t conn_write(struct conn *c, const void *from, size_t n)
{
    struct span bytes = span_bytes(from, n);
    SIM_REQUIRE(n > 0 && c->shake != SHAKE_UNDER_WAY && !c->link->out->ended);
    require_discreet(c, bytes);
    if (c->shake == SHAKE_DONE)
        require_offered_again(c, bytes);
    if (!c->link->to_site && !c->login_over)
        grid_offered(&c->grid, bytes, c->link->slot);
    if (c->link->in->reset)
        return broken(c, "reset");
    if (c->link->peer_gone)
        return random_below(2) == 0 ? broken(c, "reset") : (ssize_t)n;
    size_t done = c->shake == SHAKE_DONE && random_chance(10) ? 0 : put(c, bytes);
    if (done == 0) {
        remember_refused(c, bytes);
        return CONN_AGAIN;
    }
    c->n_refused = 0;
    c->spins = 0;
    grid_taken(&c->grid, done == n);
    return (ssize_t)done;
}

ssize_t conn_write_last(struct conn *c, const void *from, size_t n)
{
    ssize_t done = conn_write(c, from, n);
    c->end_is_due = done == (ssize_t)n;
    return done;
}

ssize_t conn_end(struct conn *c, bool cut)
{
    struct wire *w = c->link->out;
    c->end_is_due = false;
    if (c->shake == SHAKE_DONE && !cut && !c->link->peer_gone && !c->link->in->reset && w->n == w->room)
        return CONN_AGAIN; /* no room for close_notify */
    w->notified = c->shake == SHAKE_DONE && !cut;
    w->ended = true;
    c->spins = 0;
    return 1;
}

/* ---- TLS ---- */

bool conn_tls_accept(struct conn *c, struct tls_server *tls, struct span early)
{
    SIM_REQUIRE(tls != NULL && c->shake == SHAKE_NONE);
    c->shake = SHAKE_UNDER_WAY;
    c->early = early;
    return true;
}

bool conn_tls_connect(struct conn *c, struct tls_client *tls, const char *host, uint64_t member)
{
    SIM_REQUIRE(tls != NULL && host != NULL && member != 0 && c->shake == SHAKE_NONE);
    c->shake = SHAKE_UNDER_WAY;
    c->is_client = true;
    return true;
}

static int say(struct conn *c, struct span bytes, bool scrambled)
{
    struct wire *w = c->link->out;
    if (c->link->peer_gone)
        return (int)broken(c, "reset");
    if (w->room - w->n < bytes.n)
        return CONN_AGAIN;
    memcpy(w->at + w->n, bytes.at, bytes.n);
    if (scrambled)
        wire_scramble(w->at + w->n, bytes.n);
    w->n += bytes.n;
    return 1;
}

static int hear(struct conn *c, struct span want)
{
    struct wire *w = c->link->in;
    if (w->reset)
        return (int)broken(c, "reset");
    size_t n = w->seen < want.n ? w->seen : want.n;
    if (!span_eq(span_first(want, n), span_bytes(w->at, n)))
        return (int)broken(c, "wrong version number");
    if (n < want.n)
        return w->end_seen ? (int)broken(c, "cut") : CONN_AGAIN;
    take(c, n);
    return 1;
}

static int say_early(struct conn *c)
{
    if (c->early.n == 0 || c->link->out->room < 6 + c->early.n)
        return 1; /* as after a HelloRetryRequest: the greeting waits for the end */
    int result = say(c, c->early, true);
    c->greeted = result == 1;
    return result;
}

static int verify(struct conn *c)
{
    bool bad = c->link->bad == FAULT_CERTIFICATE || plan_of(c->link->slot)->store_fault == FAULT_CERTIFICATE;
    return bad ? (int)broken(c, "certificate verify failed") : 1;
}

static int shake_step(struct conn *c)
{
    switch (c->step) {
    case 0:
        return c->is_client ? say(c, shake_words[0], false) : hear(c, shake_words[0]);
    case 1:
        return c->is_client ? hear(c, shake_words[1]) : say(c, shake_words[1], false);
    case 2:
        return c->is_client ? verify(c) : say_early(c);
    default:
        return c->is_client ? say(c, shake_words[2], false) : hear(c, shake_words[2]);
    }
}

int conn_handshake(struct conn *c)
{
    while (c->shake != SHAKE_DONE) {
        int result = c->link->in->reset ? (int)broken(c, "reset") : shake_step(c);
        if (result != 1) {
            bool says = c->is_client ? c->step != 1 : c->step == 1 || c->step == 2;
            c->waits_to_write = says;
            c->wanted = WATCH_READ;
            return result;
        }
        c->spins = 0;
        if (++c->step == 4)
            c->shake = SHAKE_DONE;
    }
    c->link->front_tls = true;
    return 1;
}

bool conn_greeted(const struct conn *c)
{
    return c->greeted;
}

void conn_login_over(struct conn *c)
{
    c->login_over = true;
    SIM_REQUIRE(c->shake != SHAKE_UNDER_WAY);
}

/* ---- what others want to know ---- */

bool conn_is_tls(const struct conn *c)
{
    return c->shake != SHAKE_NONE;
}

const char *conn_tls_version(const struct conn *c)
{
    return c->shake == SHAKE_DONE ? "TLSv1.3" : NULL;
}

bool conn_tls_peer(const struct conn *c UNUSED, int64_t *ends_s UNUSED, struct buf *names UNUSED)
{
    return false;
}

bool conn_tls_resumed(const struct conn *c UNUSED)
{
    return false;
}

const char *conn_why(const struct conn *c)
{
    return c->why != NULL ? c->why : "unknown";
}

struct addr conn_local(const struct conn *c UNUSED)
{
    return (struct addr){
        .family = AF_INET, .port = 993, .bytes = {127, 0, 0, 1}
    };
}

struct addr conn_peer(const struct conn *c)
{
    return (struct addr){
        .family = AF_INET, .port = (uint16_t)(1024 + c->link->slot), .bytes = {127, 0, 0, 2}
    };
}
