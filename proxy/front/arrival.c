/* Arrival: from accept to the first command, and the door on the way out. */
#include "proxy/front/arrival.h"

#include "proxy/front/dialogue.h"
#include "proxy/net/loop.h"
#include "proxy/wire/proxy_protocol.h"

enum { READ_BYTES = 8192, DISCARD_BYTES_A_TURN = SCRATCH_BYTES };

static bool is_implicit(const struct session *s)
{
    return s->port->config->tls == TLS_MODE_IMPLICIT;
}

bool arrival_may_connect(const struct port *port, const struct addr *peer)
{
    return port->config->networks.n == 0 || networks_have(&port->config->networks, peer);
}

static void greet(struct session *s)
{
    session_enter(s, S_LOGIN);
    const char *greeting = s->port->greeting[conn_is_tls(s->client)];
    if (!conn_greeted(s->client) && !session_say(s, span_of(greeting)))
        return;
    arrival_read_on(s);
}

static void protect_or_greet(struct session *s)
{
    if (!is_implicit(s)) {
        greet(s);
        return;
    }
    session_enter(s, S_TLS);
    conn_watch(s->client, WATCH_READ);
}

void arrival_begin(struct session *s)
{
    const struct networks *balancers = &s->port->config->proxy_protocol_from;
    if (balancers->n == 0) {
        s->state = is_implicit(s) ? S_TLS : S_PROXY; /* where it would come from */
        if (is_implicit(s))
            conn_watch(s->client, WATCH_READ);
        else
            greet(s);
        return;
    }
    if (!networks_have(balancers, &s->peer)) {
        session_close(s, WHY_NETWORK);
        return;
    }
    s->state = S_PROXY;
    conn_watch(s->client, WATCH_READ);
}

/* ---- the PROXY header: looked at before it is taken, since what follows belongs to TLS ---- */

/* The client that the balancer named takes the balancer's place in every count. */
static bool rename_peer(struct session *s, const struct addr *client)
{
    front_uncount(&s->signin->hop);
    s->peer = s->signin->hop = *client;
    s->counted = front_count(client);
    return s->counted;
}

/* From a trusted front end the client's address is believed; from anybody the number of hops, which can only sink. */
void arrival_believe(struct session *s, const struct forwarded *told)
{
    struct signin *in = s->signin;
    if (told->ttl >= 0 && told->ttl < s->ttl)
        s->ttl = (uint8_t)told->ttl;
    if (told->client.family == AF_UNSPEC || !networks_have(&s->port->config->trusted_proxies, &in->hop))
        return;
    s->peer = told->client;
    s->trusted = true;
    memset(in->sid, 0, sizeof in->sid);
    if (told->session.n > 0 && told->session.n < sizeof in->sid)
        memcpy(in->sid, told->session.at, told->session.n);
}

void arrival_doubt(struct session *s)
{
    struct signin *in = s->signin;
    s->peer = in->hop;
    s->ttl = FORWARDED_TTL_START;
    s->trusted = false;
    memset(in->sid, 0, sizeof in->sid);
}

static void header_done(struct session *s, enum proxy_read read, const struct addr *client)
{
    buf_clear(&s->signin->in);
    if (read == PROXY_PEER && !arrival_may_connect(s->port, client)) {
        session_close(s, WHY_NETWORK);
        return;
    }
    if (read == PROXY_PEER && !rename_peer(s, client)) {
        session_close(s, WHY_ADDRESS_FULL);
        return;
    }
    protect_or_greet(s);
}

void arrival_header(struct session *s)
{
    struct buf *header = &s->signin->in;
    struct addr client, server;
    size_t used, had = header->n;
    char *room = buf_space(header, PROXY_HEADER_MAX);
    ssize_t n = room != NULL ? conn_peek(s->client, room, PROXY_HEADER_MAX) : CONN_BROKEN;
    if (n == CONN_AGAIN)
        return;
    if (n < 0) {
        session_close(s, WHY_CLIENT_EOF); /* a balancer's check that only connects */
        return;
    }
    enum proxy_read read = proxy_header_read(span_bytes(header->at, had + (size_t)n), &client, &server, &used);
    size_t take = read == PROXY_MORE ? (size_t)n : read == PROXY_BAD ? 0 : used - had;
    if (read == PROXY_BAD || conn_read(s->client, room, take) != (ssize_t)take) {
        session_close(s, WHY_PROXY_HEADER);
        return;
    }
    buf_grew(header, take);
    if (read != PROXY_MORE)
        header_done(s, read, &client);
}

/* ---- TLS ---- */

bool session_start_tls(struct session *s)
{
    struct span early = SPAN_NONE;
    if (is_implicit(s) && front.config->tls.early_greeting)
        early = span_of(s->port->greeting[true]);
    if (conn_tls_accept(s->client, s->port->tls, early))
        return true;
    session_close(s, WHY_MEMORY);
    return false;
}

/* The first byte of every TLS connection is 0x16. Who speaks something else on a TLS port is told so in clear. */
static bool speaks_tls(struct session *s)
{
    char first;
    ssize_t n = conn_peek(s->client, &first, 1);
    if (n == 1 && first == 0x16)
        return true;
    if (n == CONN_AGAIN)
        return false;
    if (n == 1 && is_implicit(s))
        session_finish(s, WHY_PROTOCOL,
                       s->protocol == IMAP ? SPAN("* BYE This port speaks IMAP4 inside TLS only.\r\n")
                                           : SPAN("-ERR This port speaks POP3 inside TLS only.\r\n"));
    else
        session_close(s, n == 1 ? WHY_TLS : WHY_CLIENT_EOF);
    return false;
}

static void handshake_done(struct session *s)
{
    s->tls_ms = (uint32_t)(loop_now_ms() - s->accepted_ms);
    if (is_implicit(s)) {
        greet(s);
        return;
    }
    session_enter(s, S_LOGIN);
    arrival_read_on(s);
}

void arrival_handshake(struct session *s)
{
    if (!conn_is_tls(s->client)) {
        if (!speaks_tls(s) || !session_start_tls(s))
            return;
    }
    int done = conn_handshake(s->client);
    if (done == 1)
        handshake_done(s);
    else if (done != CONN_AGAIN)
        session_close(s, WHY_TLS);
}

/* ---- bytes ---- */

bool arrival_flush(struct session *s)
{
    struct buf *out = &s->signin->out;
    while (out->n > 0) {
        ssize_t n = conn_write(s->client, out->at, out->n);
        if (n == CONN_AGAIN)
            break;
        if (n < 0) {
            session_close(s, s->state == S_CLOSING ? (enum why)s->why : WHY_CLIENT_CUT);
            return false;
        }
        buf_take(out, (size_t)n);
    }
    if (out->n == 0)
        buf_fini(out);
    return true;
}

bool arrival_is_behind(const struct session *s)
{
    return s->signin->out.n >= OUT_MAX / 2;
}

/* What is wanted from the client now: everything while its commands are read; behind a login, as much as may be kept.
 */
static bool wants_more(const struct session *s)
{
    return !s->signin->client_ended && s->signin->in.n < PIPELINED_MAX && !arrival_is_behind(s);
}

/* The client has ended its side. What it asked for before is still answered; a login that nothing is waiting behind is
 * dropped. */
static void client_ended(struct session *s, ssize_t how)
{
    enum why why = how == CONN_EOF ? WHY_CLIENT_EOF : WHY_CLIENT_CUT;
    s->signin->client_ended = true;
    if (how != CONN_BROKEN && s->state == S_LOGIN)
        session_finish(s, why, SPAN_NONE); /* answers may still be waiting for room */
    else if (how == CONN_BROKEN || s->signin->in.n == 0)
        session_close(s, why);
    else
        session_listen(s, false);
}

static bool read_some(struct session *s)
{
    struct buf *in = &s->signin->in;
    while (wants_more(s)) {
        size_t room_n = PIPELINED_MAX - in->n < READ_BYTES ? PIPELINED_MAX - in->n : READ_BYTES;
        char *room = buf_space(in, room_n);
        ssize_t n = room != NULL ? conn_read(s->client, room, room_n) : CONN_BROKEN;
        if (n == CONN_AGAIN)
            return true;
        if (n < 0) {
            client_ended(s, n);
            return false;
        }
        buf_grew(in, (size_t)n);
        s->up_bytes += (uint64_t)n;
        if ((size_t)n < room_n)
            return true;
        if (s->state == S_LOGIN)
            return true; /* one pass a wake-up */
    }
    return true;
}

void arrival_read_on(struct session *s)
{
    uint64_t id = s->id;
    if (s->overdue) {
        session_dismiss(s, WHY_LOGIN_TIMEOUT, "The login took too long.");
        return;
    }
    if (s->signin->in.n > 0) {
        dialogue_input(s);
        s = front_session(id);
        if (s == NULL || s->state == S_CLOSING || s->signin == NULL || s->state == S_TLS)
            return;
    }
    if (s->state == S_LOGIN && s->signin->client_ended && !arrival_is_behind(s)) {
        session_finish(s, WHY_CLIENT_EOF, SPAN_NONE);
        return;
    }
    if (s->signin->in.n == 0)
        buf_fini(&s->signin->in);
    session_listen(s, wants_more(s));
}

void arrival_bytes(struct session *s, unsigned events)
{
    if ((events & WATCH_WRITE) && !arrival_flush(s))
        return;
    if ((events & WATCH_READ) && !read_some(s))
        return;
    if (s->state == S_LOGIN)
        arrival_read_on(s);
    else
        session_listen(s, wants_more(s));
}

/* ---- the way out ---- */

/* After the last words our side ends; what the client still sends is read and dropped, or its arrival at a closed
 * socket would make the kernel take the last words back. */
void arrival_last_words(struct session *s)
{
    if (!arrival_flush(s))
        return;
    if (s->signin->out.n == 0 && s->signin->finishing && conn_end(s->client, false) == 1)
        s->signin->finishing = false;
    conn_watch(s->client, WATCH_READ | (s->signin->finishing ? WATCH_WRITE : 0));
}

void arrival_linger(struct session *s, unsigned events)
{
    if (events & WATCH_READ) {
        ssize_t n = conn_read(s->client, front.scratch, DISCARD_BYTES_A_TURN);
        if (n > 0)
            explicit_bzero(front.scratch, (size_t)n);
        if (n < 0 && (n == CONN_BROKEN || !s->signin->finishing)) {
            session_close(s, (enum why)s->why);
            return;
        }
        if (n < 0) {
            conn_watch(s->client, WATCH_WRITE);
            return;
        }
    }
    if (s->signin->finishing)
        arrival_last_words(s);
}
