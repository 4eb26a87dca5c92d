/* Answers to an admin. Which sessions are meant is said in words "name=value", all of which must fit. */
#include "proxy/front/control.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "proxy/front/process.h"
#include "proxy/front/tally.h"
#include "proxy/front/trace.h"
#include "proxy/net/control.h"
#include "proxy/net/loop.h"

enum { PATTERN_MAX = 320, KICKS_MAX = 16, REASON_MAX = 200, KICKS_A_STEP_MS = 50, SPREAD_MAX_S = 3600 };

/* ---- which sessions ---- */

struct filter {
    char user[PATTERN_MAX], site[PATTERN_MAX], client[PATTERN_MAX], sid[PATTERN_MAX]; /* shell patterns; "": any */
    struct network network;
    bool has_network;
    int protocol;  /* -1: any */
    bool admitted; /* only those who are signed in, or about to be: auth has let them through */
};

static bool read_pattern(const struct control *c, const char *name, char to[PATTERN_MAX])
{
    struct span value = control_option(c, name);
    if (value.n >= PATTERN_MAX)
        return false;
    snprintf(to, PATTERN_MAX, "%.*s", SPAN_ARG(value));
    return true;
}

static bool read_protocol(const struct control *c, int *protocol)
{
    struct span value = control_option(c, "proto");
    *protocol = -1;
    for (int p = 0; value.at != NULL && p < PROTOCOLS; p++)
        if (span_eq(value, span_of(protocol_names[p])))
            *protocol = p;
    return value.at == NULL || *protocol >= 0;
}

static bool read_filter(const struct control *c, struct filter *f)
{
    struct span network = control_option(c, "net");
    *f = (struct filter){ .has_network = network.at != NULL };
    return read_pattern(c, "user", f->user) && read_pattern(c, "site", f->site) &&
           read_pattern(c, "client", f->client) && read_pattern(c, "sid", f->sid) && read_protocol(c, &f->protocol) &&
           (!f->has_network || network_parse(network, &f->network));
}

static bool like(const char *pattern, const char *text)
{
    return pattern[0] == '\0' || (text != NULL && fnmatch(pattern, text, FNM_CASEFOLD) == 0);
}

static bool fits(const struct filter *f, const struct session *s)
{
    char sid[17];
    if (s->state == S_CLOSING || (f->admitted && !s->admitted))
        return false;
    return like(f->user, s->mailbox) && like(f->site, s->site_name) && like(f->client, s->client_name) &&
           like(f->sid, session_id_text(s, sid)) && (f->protocol < 0 || f->protocol == s->protocol) &&
           (!f->has_network || network_has(&f->network, &s->peer));
}

/* ---- status ---- */

static enum control_status write_status(struct json *j)
{
    size_t states[SESSION_STATES] = { 0 }, protocols[PROTOCOLS] = { 0 };
    LIST_EACH(link, &front.sessions) {
        const struct session *s = OWNER_OF(link, struct session, link);
        states[s->state]++;
        protocols[s->protocol] += s->signed_in;
    }
    json_open(j, NULL);
    json_word(j, "process", "front");
    json_number(j, "sessions", (int64_t)front.n_sessions);
    json_number(j, "sessions_max", (int64_t)front.sessions_max);
    json_number(j, "imap", (int64_t)protocols[IMAP]);
    json_number(j, "pop3", (int64_t)protocols[POP3]);
    json_number(j, "idle", (int64_t)states[S_IDLE]);
    json_number(j, "pid", getpid());
    json_flag(j, "draining", front.draining);
    tally_write(j);
    json_number(j, "log_dropped", (int64_t)log_dropped());
    json_close(j);
    json_end_line(j);
    return CONTROL_OK;
}

/* ---- who ---- */

static void write_session(const struct session *s, struct json *j)
{
    char sid[17];
    json_open(j, NULL);
    json_word(j, "sid", session_id_text(s, sid));
    json_word(j, "proto", protocol_names[s->protocol]);
    json_word(j, "state", session_state_name(s));
    json_word(j, "user", s->mailbox);
    json_addr(j, "peer", &s->peer);
    json_word(j, "tls", conn_tls_version(s->client));
    json_word(j, "site", s->site_name);
    if (s->signed_in)
        json_addr(j, "backend", &s->backend);
    json_word(j, "link", session_link_word(s));
    if (s->ipsec)
        json_number(j, "reqid", front_site(span_of(s->site_name))->config->ipsec.reqid);
    json_number(j, "age_s", (loop_now_ms() - s->accepted_ms) / SECOND);
    json_number(j, "up_bytes", (int64_t)s->up_bytes);
    json_number(j, "down_bytes", (int64_t)s->down_bytes);
    json_word(j, "client", s->client_name);
    json_close(j);
    json_end_line(j);
}

static enum control_status who(const struct control *c, struct json *j, uint64_t *number)
{
    struct filter f;
    if (!read_filter(c, &f))
        return CONTROL_USAGE;
    LIST_EACH(link, &front.sessions) {
        const struct session *s = OWNER_OF(link, struct session, link);
        if (!fits(&f, s))
            continue;
        write_session(s, j);
        ++*number;
    }
    return CONTROL_OK;
}

/* ---- kick ---- */

/* One order to end sessions, spread over time: who is somebody else by then, after a login that failed, is not meant
 * any more. Logins under way are meant too, or whoever was just coming in would stay through a maintenance. Its reason
 * is borrowed by the sessions that have been told and wait for a safe point, so kicks live in a ring, and an old one is
 * only used again when it has long ended. */
struct kick {
    struct alarm next;
    int64_t until_ms;
    struct filter whom;
    uint64_t *sids;
    size_t n, done;
    char reason[REASON_MAX];
};
static struct kick kicks[KICKS_MAX];
static size_t last_kick;

static void kick_step(struct alarm *a)
{
    struct kick *k = OWNER_OF(a, struct kick, next);
    int64_t left_ms = k->until_ms - loop_now_ms(), wait_ms = KICKS_A_STEP_MS;
    size_t steps = left_ms > 0 ? (size_t)(left_ms / KICKS_A_STEP_MS) + 1 : 1, rest = k->n - k->done;
    for (size_t most = rest > steps ? (rest + steps - 1) / steps : 1; most > 0 && k->done < k->n; most--) {
        struct session *s = front_session_called(k->sids[k->done++]);
        if (s != NULL && fits(&k->whom, s))
            session_dismiss(s, WHY_KICK, k->reason);
    }
    rest = k->n - k->done;
    if (rest > 0 && left_ms / (int64_t)rest > wait_ms)
        wait_ms = left_ms / (int64_t)rest;
    if (rest > 0 && alarm_set(&k->next, wait_ms, kick_step))
        return;
    free(k->sids);
    k->sids = NULL;
}

/* A line of ours goes into somebody's session: printable ASCII, and nothing else. */
static void read_reason(const struct control *c, char reason[REASON_MAX])
{
    struct span text = control_option(c, "reason");
    if (text.n == 0)
        text = SPAN("Your session was ended by the administrator; please connect again.");
    snprintf(reason, REASON_MAX, "%.*s", SPAN_ARG(text));
    for (char *at = reason; *at != '\0'; at++)
        if (*at < 0x20 || *at > 0x7e)
            *at = '?';
}

static enum control_status kick(const struct control *c, uint64_t *number)
{
    struct filter f;
    struct span spread = control_option(c, "spread");
    uint64_t spread_s = 0;
    struct kick *k = &kicks[++last_kick % KICKS_MAX];
    if (!read_filter(c, &f) || (spread.at != NULL && !span_number(spread, SPREAD_MAX_S, &spread_s)))
        return CONTROL_USAGE;
    uint64_t *sids = k->sids == NULL ? calloc(front.n_sessions + 1, sizeof *sids) : NULL;
    if (sids == NULL)
        return CONTROL_NO; /* too many kicks are under way, or no memory */
    f.admitted = control_option(c, "all").at == NULL;
    *k = (struct kick){ .sids = sids, .whom = f, .until_ms = loop_now_ms() + (int64_t)spread_s * SECOND };
    read_reason(c, k->reason);
    LIST_EACH(link, &front.sessions) {
        const struct session *s = OWNER_OF(link, struct session, link);
        if (fits(&f, s))
            sids[k->n++] = s->sid;
    }
    *number = k->n;
    kick_step(&k->next);
    return CONTROL_OK;
}

void front_control(struct message *m)
{
    struct control c;
    uint64_t number = 0;
    enum control_status status = CONTROL_OK;
    if (!control_begin(&c, m))
        return;
    if (control_is(&c, "status"))
        status = write_status(&c.json);
    else if (control_is(&c, "who"))
        status = who(&c, &c.json, &number);
    else if (control_is(&c, "kick"))
        status = kick(&c, &number);
    else if (control_is(&c, "trace"))
        status = trace_start(&c);
    else if (!control_common(&c))
        status = CONTROL_USAGE;
    if (!control_end(&c, front.main, status, number, ""))
        log_say(LOG_DEBUG, "admin", "main does not take an answer");
}
