/* The front process: born with its configuration and files, it gets its sockets and its channels from main, serves, and
 * drains. Once serving it opens no file and connects to nothing. */
#include "proxy/front/front.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proxy/base/log.h"
#include "proxy/front/control.h"
#include "proxy/front/dialogue.h"
#include "proxy/front/process.h"
#include "proxy/front/reserve.h"
#include "proxy/net/hash.h"
#include "proxy/net/listener.h"
#include "proxy/net/loop.h"
#include "proxy/net/sandbox.h"
#include "proxy/net/tls_pool.h"

struct front front;

enum { LISTENERS_MAX = 1024, COUNTERS = 65536, OWN_FDS = 64, LISTENER_INDEX_BITS = 16 };
enum { TLS_BLOCKS = 32768, AIRING_MS = 10 * SECOND };

/* ---- sessions by id: the low bits are a place in a table, the rest counts how often that place was given away ---- */

enum { PLACE_BITS = 24 };

static struct {
    struct session **at;
    uint32_t *free; /* a stack of places */
    size_t n_free;
    uint64_t serial;
} places;

static bool places_init(size_t n)
{
    places.at = calloc(n, sizeof(struct session *));
    places.free = calloc(n, sizeof *places.free);
    if (places.at == NULL || places.free == NULL)
        return false;
    for (size_t i = 0; i < n; i++)
        places.free[i] = (uint32_t)(n - 1 - i);
    places.n_free = n;
    return true;
}

struct session *front_session(uint64_t id)
{
    uint64_t place = id & ((1U << PLACE_BITS) - 1);
    struct session *s = place < front.sessions_max ? places.at[place] : NULL;
    return s != NULL && s->id == id ? s : NULL;
}

struct session *front_session_called(uint64_t sid)
{
    struct session *s = places.at[(sid - front.sid_base) & ((1U << PLACE_BITS) - 1)];
    return s != NULL && s->sid == sid ? s : NULL;
}

bool front_has_room(void)
{
    return places.n_free > 0;
}

void front_air(void)
{
    malloc_trim(0);
    tls_pool_trim();
}

/* What those who have left took lies between what others keep: without this each burst, which finds other holes than
 * the last, would leave the heap a little larger. */
static void on_airing(struct alarm *a UNUSED)
{
    front_air();
}

static void air_later(void)
{
    static struct alarm airing;
    if (airing.place == 0 && !alarm_set(&airing, AIRING_MS, on_airing))
        log_say(LOG_DEBUG, "memory", "short: what is free is given back later");
}

void front_admit(struct session *s)
{
    uint32_t place = places.free[--places.n_free];
    s->id = ++places.serial << PLACE_BITS | place;
    s->sid = front.sid_base + s->id;
    places.at[place] = s;
    list_add(&front.sessions, &s->link);
    front.n_sessions++;
    air_later();
}

void front_rename(struct session *s)
{
    s->id = ++places.serial << PLACE_BITS | (s->id & ((1U << PLACE_BITS) - 1));
}

static void leave_if_done(void);

void front_left(struct session *s)
{
    uint32_t place = (uint32_t)(s->id & ((1U << PLACE_BITS) - 1));
    places.at[place] = NULL;
    places.free[places.n_free++] = place;
    list_remove(&s->link);
    front.n_sessions--;
    air_later();
    leave_if_done();
}

/* Two descriptors a session, both there before they are asked for; and the reserve's. */
static size_t sessions_allowed(void)
{
    struct rlimit files;
    size_t most = (1U << PLACE_BITS) - 1, own = OWN_FDS + reserve_most(front.config);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY)
        most = files.rlim_cur > own + 2 ? (files.rlim_cur - own) / 2 : 1;
    int64_t workers = front.config->run.workers > 0 ? front.config->run.workers : 1;
    int64_t share = (front.config->limits.sessions + workers - 1) / workers;
    return share > 0 && (size_t)share < most ? (size_t)share : most;
}

/* ---- connections before login, per block of addresses: a fixed table, which two blocks may share ---- */

static uint32_t counters[COUNTERS];

static uint32_t *counter_of(const struct addr *peer)
{
    struct addr block = addr_block(peer);
    return &counters[hash_keyed(span_bytes(block.bytes, sizeof block.bytes)) % COUNTERS];
}

static bool is_exempt(const struct addr *peer)
{
    return networks_have(&front.config->limits.exempt, peer);
}

bool front_count(const struct addr *peer)
{
    if (is_exempt(peer))
        return true;
    uint32_t *n = counter_of(peer);
    if (*n >= front.config->limits.connections_per_address)
        return false;
    ++*n;
    return true;
}

void front_uncount(const struct addr *peer)
{
    if (!is_exempt(peer))
        --*counter_of(peer);
}

/* ---- sockets ---- */

struct socket_row {
    uint64_t number, listener;
    struct listener *at;
};
static struct socket_row sockets[LISTENERS_MAX];
static size_t n_sockets;

static void on_accepted(void *owner, struct listener *l UNUSED, int fd, const struct addr *peer)
{
    session_open(owner, fd, peer);
}

static void tell_unlistened(uint64_t number, uint64_t listener)
{
    struct message m = {
        .type = MSG_UNLISTENED, .listen = {.socket = number, .listener = listener}
    };
    if (front.main != NULL && !ipc_send(front.main, &m))
        return; /* main is gone: nobody waits for this */
}

static void on_listener_closed(void *owner UNUSED, struct listener *l)
{
    for (size_t i = 0; i < n_sockets; i++)
        if (sockets[i].at == l) {
            struct socket_row row = sockets[i];
            sockets[i] = sockets[--n_sockets];
            tell_unlistened(row.number, row.listener);
            break;
        }
    leave_if_done();
}

static void listen_on(struct message *m)
{
    enum protocol protocol = (enum protocol)(m->listen.listener >> LISTENER_INDEX_BITS);
    struct port *port = port_find(protocol, m->listen.listener & ((1U << LISTENER_INDEX_BITS) - 1));
    struct listener *l = NULL;
    if (port != NULL && n_sockets < LISTENERS_MAX)
        l = listener_new(ipc_take_fd(m, 0), on_accepted, port);
    if (l == NULL)
        tell_unlistened(m->listen.socket, m->listen.listener);
    else
        sockets[n_sockets++] = (struct socket_row){ m->listen.socket, m->listen.listener, l };
}

static void unlisten(uint64_t number)
{
    for (size_t i = 0; i < n_sockets; i++)
        if (sockets[i].number == number && sockets[i].at != NULL)
            listener_finish(sockets[i].at, on_listener_closed);
}

static void unlisten_all(void)
{
    for (size_t i = 0; i < n_sockets; i++)
        listener_finish(sockets[i].at, on_listener_closed);
}

/* ---- draining ---- */

enum { DISMISSALS_A_STEP = 64, STEP_MS = 50 };

static struct {
    struct alarm next;
    int64_t until_ms; /* when the last one must have been told */
} farewell;

static void leave_if_done(void)
{
    if (front.draining && front.n_sessions == 0 && n_sockets == 0)
        loop_stop();
}

/* Sessions are told one after the other over the spread, so that they do not all come back at once. */
static void on_farewell(struct alarm *a)
{
    int64_t left = farewell.until_ms - loop_now_ms();
    size_t steps = left > 0 ? (size_t)(left / STEP_MS) + 1 : 1;
    size_t most = front.n_sessions / steps + 1;
    LIST_EACH_SAFE(link, &front.sessions) {
        struct session *s = OWNER_OF(link, struct session, link);
        if (most == 0)
            break;
        if (s->leaving || s->state == S_CLOSING)
            continue;
        most--;
        session_dismiss(s, WHY_DRAIN, "The server is being restarted; please connect again.");
    }
    if (front.n_sessions > 0 && !alarm_set(a, STEP_MS, on_farewell))
        loop_stop();
}

static void on_farewell_begins(struct alarm *a)
{
    on_farewell(a);
}

static void start_drain(const struct msg_drain *d)
{
    front.draining = true;
    reserve_clear(SPARE_UNWANTED, "drain");
    if (d->say_bye) {
        farewell.until_ms = loop_now_ms() + (int64_t)d->deadline_ms + (int64_t)d->spread_ms;
        if (!alarm_set(&farewell.next, (int64_t)d->deadline_ms, on_farewell_begins))
            loop_stop();
    }
    leave_if_done();
}

/* ---- main's messages ---- */

static void reload_files(int fd)
{
    struct stat st;
    struct buf why;
    void *at = fstat(fd, &st) == 0 && st.st_size > 0 ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0)
                                                     : MAP_FAILED;
    buf_init(&why, 4096);
    struct span bundle = span_bytes(at, at != MAP_FAILED ? (size_t)st.st_size : 0);
    if (at == MAP_FAILED || !ports_reload(bundle, &why) || !sites_take_secrets(bundle, &why))
        log_say(LOG_ERROR, "certificates", "not taken, the old ones stay: %.*s", SPAN_ARG(buf_span(&why)));
    reserve_clear(SPARE_LET_GO, "reload");
    if (at != MAP_FAILED)
        munmap(at, (size_t)st.st_size);
    buf_fini(&why);
    close(fd);
}

static void log_status(void)
{
    struct log_line l;
    log_begin(&l, LOG_INFO, "status");
    log_number(&l, "sessions", (int64_t)front.n_sessions);
    log_number(&l, "sessions_max", (int64_t)front.sessions_max);
    log_number(&l, "sockets", (int64_t)n_sockets);
    log_number(&l, "draining", front.draining);
    log_number(&l, "log_dropped", (int64_t)log_dropped());
    log_end(&l);
}

static void on_main(void *owner UNUSED, struct message *m)
{
    switch (m->type) {
    case MSG_CHANNEL:
        if (m->channel.to == ROLE_AUTH || m->channel.to == ROLE_BACKENDS)
            helper_connect(m->channel.to == ROLE_AUTH ? &front.auth : &front.backends, ipc_take_fd(m, 0));
        break;
    case MSG_LISTEN:
        listen_on(m);
        break;
    case MSG_UNLISTEN:
        unlisten(m->listen.socket);
        break;
    case MSG_BUNDLE:
        reload_files(ipc_take_fd(m, 0));
        break;
    case MSG_TICKET_KEYS:
        tls_ticket_keys(m->ticket_keys.keys);
        break;
    case MSG_DRAIN:
        start_drain(&m->drain);
        break;
    case MSG_STATUS:
        log_status();
        break;
    case MSG_CONTROL:
        front_control(m);
        break;
    default:
        break;
    }
}

/* Without main there is nobody to give sockets away; the sessions that exist are served to their end. */
static void on_main_gone(void *owner UNUSED, const char *why UNUSED)
{
    ipc_free(&front.main);
    unlisten_all();
    front.draining = true;
    reserve_clear(SPARE_UNWANTED, "drain");
    leave_if_done();
}

/* ---- birth ---- */

static struct question *verdict_of(uint64_t id, enum message_type answer UNUSED)
{
    struct session *s = front_session(id);
    return s != NULL && s->signin != NULL ? &s->signin->verdict : NULL;
}

static struct question *dial_of(uint64_t id, enum message_type answer)
{
    struct session *s = front_session(id);
    if (s == NULL || s->signin == NULL)
        return NULL;
    return answer == MSG_IPSEC_CONFIRMED ? &s->signin->confirm : &s->signin->dial;
}

static bool prepare(struct role *role, struct buf *why)
{
    front.config = role->config;
    front.sessions_max = sessions_allowed();
    tls_pool_open(front.sessions_max < TLS_BLOCKS / 4 ? 4 * front.sessions_max : TLS_BLOCKS);
    list_init(&front.sessions);
    front.scratch = malloc(SCRATCH_BYTES);
    random_bytes(&front.sid_base, sizeof front.sid_base);
    helper_init(&front.auth, ROLE_AUTH, verdict_of);
    helper_init(&front.backends, ROLE_BACKENDS, dial_of);
    sessions_init();
    reserve_init();
    return front.scratch != NULL && places_init(front.sessions_max) && sites_init(role->bundle, why) &&
           ports_init(role->bundle, why);
}

int front_run(struct role *role)
{
    static const struct ipc_events events = { on_main, on_main_gone };
    struct buf why;
    loop_init();
    buf_init(&why, 4096);
    bool good = prepare(role, &why) && sandbox_enter(role, SANDBOX_ACCEPTS, &why);
    front.main = ipc_new(role->main_fd, &events, NULL);
    if (front.main == NULL)
        return 1;
    struct message m = { .type = good ? MSG_READY : MSG_FAILED };
    if (!good)
        m.text.text = why.n > 0 ? span_trim(buf_span(&why)) : SPAN("no memory");
    bool told = ipc_send(front.main, &m);
    buf_fini(&why);
    if (!good || !told)
        return 1;
    loop_run();
    if (front.main != NULL)
        ipc_flush(front.main, 100);
    return 0;
}
