/* Sessions: the table of states, birth, and the one way to die. */
#include "proxy/front/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "proxy/base/log.h"
#include "proxy/front/arrival.h"
#include "proxy/front/dialogue.h"
#include "proxy/front/relay.h"
#include "proxy/front/tally.h"
#include "proxy/front/trace.h"
#include "proxy/net/loop.h"

#define TO(state) (1U << (state))
enum { ANY_END = 1U << S_CLOSING };

static const struct state_row {
    const char *name;
    unsigned next; /* where it may lead */
} rows[SESSION_STATES] = {
    [S_PROXY] = {"proxy",    TO(S_TLS) | TO(S_LOGIN) | ANY_END                              },
    [S_TLS] = { "tls",     TO(S_LOGIN) | ANY_END                                          },
    [S_LOGIN] = { "login",   TO(S_TLS) | TO(S_AUTH) | TO(S_REFUSE) | ANY_END                },
    [S_AUTH] = { "auth",    TO(S_DIAL) | TO(S_REFUSE) | TO(S_LOGIN) | ANY_END              },
    [S_DIAL] = { "dial",    TO(S_HANDIN) | TO(S_LOGIN) | ANY_END                           },
    [S_HANDIN] = { "handin",  TO(S_DIAL) | TO(S_RELAY) | TO(S_REFUSE) | TO(S_LOGIN) | ANY_END},
    [S_REFUSE] = { "refuse",  TO(S_LOGIN) | ANY_END                                          },
    [S_RELAY] = { "relay",   TO(S_IDLE) | ANY_END                                           },
    [S_IDLE] = { "idle",    TO(S_RELAY) | ANY_END                                          },
    [S_CLOSING] = { "closing", 0                                                              },
};

static const struct {
    const char *word, *by;
} whys[WHYS] = {
    [WHY_NONE] = {"none",           "us"    },
    [WHY_LOGOUT] = { "logout",        "client"},
    [WHY_CLIENT_EOF] = { "eof",           "client"},
    [WHY_CLIENT_CUT] = { "cut",           "client"},
    [WHY_SITE_EOF] = { "eof",           "site"  },
    [WHY_SITE_CUT] = { "cut",           "site"  },
    [WHY_SITE_SILENT] = { "silent",        "site"  },
    [WHY_TLS] = { "tls",           "client"},
    [WHY_PROXY_HEADER] = { "proxy_header",  "us"    },
    [WHY_NETWORK] = { "network",       "us"    },
    [WHY_LOGIN_TIMEOUT] = { "login_timeout", "us"    },
    [WHY_IDLE_TIMEOUT] = { "idle_timeout",  "us"    },
    [WHY_ERRORS] = { "errors",        "us"    },
    [WHY_FAILURES] = { "failures",      "us"    },
    [WHY_PROTOCOL] = { "protocol",      "us"    },
    [WHY_INJECTION] = { "injection",     "us"    },
    [WHY_ADDRESS_FULL] = { "address_full",  "us"    },
    [WHY_TOO_MANY] = { "too_many",      "us"    },
    [WHY_MOVED] = { "moved",         "us"    },
    [WHY_IPSEC] = { "ipsec",         "us"    },
    [WHY_DRAIN] = { "drain",         "us"    },
    [WHY_KICK] = { "kick",          "us"    },
    [WHY_MEMORY] = { "memory",        "us"    },
};

enum { LINGER_MS = 3 * SECOND };

static struct deadline_queue before_login, closing;

bool session_before_relay(const struct session *s)
{
    return s->state < S_RELAY;
}

const char *session_id_text(const struct session *s, char text[17])
{
    snprintf(text, 17, "%016llx", (unsigned long long)s->sid);
    return text;
}

/* ---- time ---- */

/* A refusal that waits for its moment is an answer under way too: were it cut short, the login limit would tell a
 * mailbox that was refused at once (there is none) from one whose store takes its time. */
static bool is_under_way(const struct session *s)
{
    return s->state == S_AUTH || s->state == S_DIAL || s->state == S_HANDIN || s->state == S_REFUSE;
}

/* A login that is under way has a budget of its own; the session ends when that has come to an answer. */
static void on_login_timeout(struct deadline *d)
{
    struct session *s = OWNER_OF(d, struct session, limit);
    if (is_under_way(s))
        s->overdue = true;
    else if (s->state <= S_TLS)
        session_close(s, WHY_LOGIN_TIMEOUT);
    else
        session_dismiss(s, WHY_LOGIN_TIMEOUT, "The login took too long.");
}

static void on_linger_over(struct deadline *d)
{
    struct session *s = OWNER_OF(d, struct session, stay);
    session_close(s, (enum why)s->why);
}

void sessions_init(void)
{
    deadline_queue_init(&before_login, front.config->limits.login_timeout_s * SECOND, on_login_timeout);
    deadline_queue_init(&closing, LINGER_MS, on_linger_over);
    relay_init();
}

/* ---- states ---- */

void session_enter(struct session *s, enum session_state next)
{
    assert(rows[s->state].next & TO(next));
    if (next == S_RELAY && s->state == S_HANDIN) {
        deadline_stop(&before_login, &s->limit);
        front_uncount(&s->signin->hop);
        s->counted = false;
    }
    bool told = next != S_IDLE && s->state != S_IDLE; /* how a session rests is nobody's business */
    s->state = (uint8_t)next;
    if (told)
        trace_state(s, rows[next].name);
}

/* ---- birth ---- */

static void on_client_ready(void *owner, unsigned events)
{
    struct session *s = owner;
    switch ((enum session_state)s->state) {
    case S_PROXY:
        arrival_header(s);
        return;
    case S_TLS:
        arrival_handshake(s);
        return;
    case S_RELAY:
    case S_IDLE:
        relay_client_ready(s, events);
        return;
    case S_CLOSING:
        arrival_linger(s, events);
        return;
    default:
        arrival_bytes(s, events);
        return;
    }
}

static struct session *session_new(struct port *port, int fd, const struct addr *peer)
{
    struct session *s = calloc(1, sizeof *s);
    if (s == NULL) {
        close(fd);
        return NULL;
    }
    *s = (struct session){
        .port = port, .protocol = (uint8_t)port->protocol, .peer = *peer, .ttl = FORWARDED_TTL_START
    };
    list_init(&s->link);
    deadline_init(&s->limit);
    deadline_init(&s->stay);
    deadline_init(&s->answer);
    s->accepted_ms = loop_now_ms();
    s->client = conn_new(fd, on_client_ready, s);
    s->signin = s->client != NULL ? signin_new(s) : NULL;
    if (s->signin != NULL) {
        front_admit(s);
        return s;
    }
    conn_free(&s->client);
    free(s);
    return NULL;
}

/* Before the handshake there is nobody to talk to in TLS; in clear a sentence is due. */
static void refuse_at_the_door(const struct port *port, int fd)
{
    struct buf words;
    buf_init(&words, 256);
    if (port->config->tls != TLS_MODE_IMPLICIT &&
        dialogues[port->protocol]->goodbye("Too many connections, please try again later.", &words)) {
        ssize_t sent UNUSED = send(fd, words.at, words.n, MSG_NOSIGNAL | MSG_DONTWAIT);
        shutdown(fd, SHUT_WR);
    }
    buf_fini(&words);
    close(fd);
}

void session_open(struct port *port, int fd, const struct addr *peer)
{
    if (port->config->proxy_protocol_from.n == 0 && !arrival_may_connect(port, peer)) {
        close(fd);
        return;
    }
    tally.accepted[port->protocol]++;
    if (!front_has_room() || !front_count(peer)) {
        tally.turned_away++;
        refuse_at_the_door(port, fd);
        return;
    }
    struct session *s = session_new(port, fd, peer);
    if (s == NULL) {
        front_uncount(peer);
        return;
    }
    s->counted = true;
    s->signin->hop = *peer;
    trace_opened(s);
    deadline_start(&before_login, &s->limit);
    arrival_begin(s);
}

void session_listen(struct session *s, bool wanted)
{
    conn_watch(s->client, (wanted ? WATCH_READ : 0) | (s->signin->out.n > 0 ? WATCH_WRITE : 0));
}

/* ---- words ---- */

bool session_out_of_memory(struct session *s)
{
    session_close(s, WHY_MEMORY);
    return false;
}

bool session_say(struct session *s, struct span bytes)
{
    trace_said(s, bytes);
    return buf_add(&s->signin->out, bytes) ? arrival_flush(s) : session_out_of_memory(s);
}

/* ---- death ---- */

static void tell_helpers_gone(struct session *s)
{
    if (s->admitted)
        helper_tell(&front.auth, &(struct message){ .type = MSG_SESSION_GONE, .id = s->id });
    if (s->leased)
        helper_tell(
            &front.backends,
            &(struct message){
                .type = MSG_DIAL_OUTCOME, .id = s->id, .dial_outcome = {.stage = STAGE_GONE, .why = SPAN_NONE}
        });
    s->admitted = s->leased = s->signed_in = false;
}

const char *session_state_name(const struct session *s)
{
    return rows[s->state].name;
}

const char *session_link_word(const struct session *s)
{
    const struct site *site = s->site_name != NULL ? front_site(span_of(s->site_name)) : NULL;
    return site != NULL ? security_names[site->config->security] : NULL;
}

void session_log_link(struct log_line *l, const struct session *s)
{
    const struct site *site = s->site_name != NULL ? front_site(span_of(s->site_name)) : NULL;
    if (site == NULL)
        return;
    log_word(l, "link", session_link_word(s));
    if (!s->ipsec)
        return;
    log_number(l, "reqid", site->config->ipsec.reqid);
    log_word(l, "inner_tls", s->site != NULL ? conn_tls_version(s->site) : NULL);
}

static void log_end_line(const struct session *s, enum why why)
{
    struct log_line l;
    char sid[17];
    log_begin(&l, s->signed_in ? LOG_INFO : LOG_DEBUG, "session_end");
    log_word(&l, "sid", session_id_text(s, sid));
    log_word(&l, "proto", protocol_names[s->protocol]);
    log_addr(&l, "peer", &s->peer);
    log_word(&l, "tls",
             s->client != NULL && conn_tls_version(s->client) != NULL ? conn_tls_version(s->client) : "none");
    if (s->mailbox != NULL)
        log_text(&l, "user", span_of(s->mailbox));
    if (s->delegate != NULL)
        log_text(&l, "delegate", span_of(s->delegate));
    if (s->signed_in) {
        log_text(&l, "site", span_of(s->site_name));
        log_addr(&l, "backend", &s->backend);
        session_log_link(&l, s);
    }
    log_word(&l, "state", rows[s->state].name);
    log_word(&l, "closed_by", whys[why].by);
    log_word(&l, "why", whys[why].word);
    log_number(&l, "tls_ms", s->tls_ms);
    log_number(&l, "auth_ms", s->auth_ms);
    log_number(&l, "dial_ms", s->dial_ms);
    log_number(&l, "handin_ms", s->handin_ms);
    log_number(&l, "life_s", (loop_now_ms() - s->accepted_ms) / SECOND);
    log_number(&l, "up_bytes", (int64_t)s->up_bytes);
    log_number(&l, "down_bytes", (int64_t)s->down_bytes);
    if (s->client_name != NULL)
        log_text(&l, "client", span_of(s->client_name));
    log_end(&l);
}

static void leave_queues(struct session *s)
{
    if (session_before_relay(s) || (s->state == S_CLOSING && s->signin != NULL))
        deadline_stop(&before_login, &s->limit);
    if (s->state == S_CLOSING)
        deadline_stop(&closing, &s->stay);
    else
        relay_leave_queues(s);
}

/* ---- IPsec ---- */

void session_unguard(struct session *s)
{
    if (!s->ipsec || s->site == NULL || s->state == S_CLOSING)
        return;
    s->unguarded = true;
    conn_watch(s->site, 0);
    if (!session_before_relay(s))
        relay_pause(s);
}

void session_guarded(struct session *s)
{
    if (!s->unguarded)
        return;
    s->unguarded = false;
    if (session_before_relay(s))
        handin_resume(s);
    else
        relay_resume(s);
}

void session_lose_link(struct session *s)
{
    if (!s->ipsec || s->site == NULL || s->state == S_CLOSING)
        return;
    conn_forsake(s->site);
    if (session_before_relay(s))
        handin_lose_link(s);
    else
        relay_lose_site(s, WHY_IPSEC);
}

/* The site's half of a session; what the client still has to hear is not touched. */
static void drop_site(struct session *s)
{
    if (s->signin != NULL)
        handin_end(s);
    conn_free(&s->site);
}

void session_close(struct session *s, enum why why)
{
    if (s->why == WHY_NONE) {
        s->why = (uint8_t)why;
        log_end_line(s, why);
    }
    trace_closed(s, whys[s->why].word);
    tally.up_bytes += s->up_bytes;
    tally.down_bytes += s->down_bytes;
    leave_queues(s);
    drop_site(s);
    tell_helpers_gone(s);
    if (s->counted)
        front_uncount(&s->signin->hop);
    relay_fini(s);
    signin_free(&s->signin);
    conn_free(&s->client);
    free(s->mailbox);
    free(s->delegate);
    free(s->site_name);
    free(s->client_name);
    front_left(s);
    free(s);
}

void session_cut(struct session *s, enum why why)
{
    conn_end(s->client, true);
    session_close(s, why);
}

void session_finish(struct session *s, enum why why, struct span last_words)
{
    if (s->state == S_CLOSING)
        return;
    bool new_signin = s->signin == NULL;
    if (new_signin)
        s->signin = signin_new(s); /* only for its out */
    if (s->signin == NULL || !buf_add(&s->signin->out, last_words)) {
        session_close(s, why);
        return;
    }
    trace_said(s, last_words);
    s->why = (uint8_t)why;
    log_end_line(s, why);
    relay_leave_queues(s);
    relay_fini(s);
    drop_site(s);
    if (!new_signin)
        signin_abort(s);
    tell_helpers_gone(s);
    session_enter(s, S_CLOSING);
    s->signin->finishing = true;
    deadline_start(&closing, &s->stay);
    arrival_last_words(s);
}

/* Inside a relay only between lines, and never into a compressed stream; before it always, since every answer of ours
 * is whole. */
void session_dismiss(struct session *s, enum why why, const char *reason)
{
    struct buf words;
    if (s->state == S_CLOSING)
        return;
    if (s->state <= S_TLS) {
        session_close(s, why);
        return;
    }
    if (!session_before_relay(s)) {
        relay_dismiss(s, why, reason);
        return;
    }
    buf_init(&words, 512);
    if (!dialogues[s->protocol]->goodbye(reason, &words))
        buf_clear(&words);
    session_finish(s, why, buf_span(&words));
    buf_fini(&words);
}
