/* The relay. One scratch buffer for the whole process: what is read into it is written from it, and only what the
 * other side would not take is held, while reading from the source stops. OpenSSL's buffers come and go with each
 * record, so a session that waits costs no buffer at all. */
#include "proxy/front/relay.h"

#include <stdlib.h>

#include "proxy/front/dialogue.h"
#include "proxy/front/trace.h"
#include "proxy/net/loop.h"

enum { QUIET_MS = 3 * SECOND, GRACE_MS = 10 * SECOND };

static struct deadline_queue resting, idle[PROTOCOLS], silent, leaving;

static bool explain(struct session *s, enum why why, const char *reason);

/* ---- time ---- */

static size_t rested; /* since the heap was last trimmed */

/* What a burst of sessions needed for its logins lies between what the sessions keep, and malloc would hold on to it
 * until the next airing. Only when the last of a burst has come to rest. */
static void give_back_holes(void)
{
    enum { BURST = 64 };
    if (rested < BURST)
        return;
    rested = 0;
    front_air();
}

static void on_quiet(struct deadline *d)
{
    struct session *s = OWNER_OF(d, struct session, stay);
    session_enter(s, S_IDLE);
    rested++;
    if (resting.n == 0)
        give_back_holes();
    if (s->leaving)
        relay_dismiss(s, (enum why)s->bye_why, s->bye);
}

static void on_idle(struct deadline *d)
{
    session_dismiss(OWNER_OF(d, struct session, limit), WHY_IDLE_TIMEOUT, "You were idle for too long.");
}

/* A command waits, perhaps a QUIT that was to delete mail: what cannot be said must not look like a good end. */
static void on_silent(struct deadline *d)
{
    struct session *s = OWNER_OF(d, struct session, answer);
    if (s->down.held != NULL) /* its answer may stand behind what the client does not take: that is the client's time */
        deadline_start(&silent, d);
    else if (!explain(s, WHY_SITE_SILENT, "Your mailbox does not answer at the moment; please try again later."))
        session_cut(s, WHY_SITE_SILENT);
}

/* No safe point came in time. */
static void on_grace_over(struct deadline *d)
{
    struct session *s = OWNER_OF(d, struct session, answer);
    session_close(s, (enum why)s->bye_why);
}

void relay_init(void)
{
    const struct config *c = front.config;
    deadline_queue_init(&resting, QUIET_MS, on_quiet);
    for (int p = 0; p < PROTOCOLS; p++)
        deadline_queue_init(&idle[p], c->protocols[p].idle_timeout_s * SECOND, on_idle);
    deadline_queue_init(&silent, c->limits.site_silent_timeout_s * SECOND, on_silent);
    deadline_queue_init(&leaving, GRACE_MS, on_grace_over);
}

void relay_leave_queues(struct session *s)
{
    if (s->state != S_RELAY && s->state != S_IDLE)
        return;
    deadline_stop(&resting, &s->stay);
    deadline_stop(&idle[s->protocol], &s->limit);
    deadline_stop(s->leaving ? &leaving : &silent, &s->answer);
}

static void client_progress(struct session *s)
{
    deadline_again(&idle[s->protocol], &s->limit);
}

/* The store has something to answer from the client's last byte on. */
static void expect_answer(struct session *s)
{
    if (s->leaving)
        return;
    if (list_empty(&s->answer.link))
        deadline_start(&silent, &s->answer);
    else
        deadline_again(&silent, &s->answer); /* a long upload is no silence */
}

/* Half an answer is none: a store may fall silent in the middle of a literal. */
static void answer_came(struct session *s)
{
    if (!s->follow.opaque && !follow_is_between_lines(&s->follow))
        expect_answer(s);
    else if (!s->leaving)
        deadline_stop(&silent, &s->answer);
}

static void stir(struct session *s)
{
    if (s->state == S_IDLE) {
        session_enter(s, S_RELAY);
        deadline_start(&resting, &s->stay);
    } else {
        deadline_again(&resting, &s->stay);
    }
}

/* ---- bytes ---- */

struct way { /* one direction, with its two ends */
    struct session *s;
    struct flow *flow;
    struct conn *source, *sink;
    bool up;
};

static struct way way_of(struct session *s, bool up)
{
    return (struct way){ s, up ? &s->up : &s->down, up ? s->client : s->site, up ? s->site : s->client, up };
}

static bool hold(struct flow *flow, struct span rest)
{
    if (rest.n == 0)
        return true;
    if (flow->held == NULL) {
        flow->held = malloc(sizeof *flow->held);
        if (flow->held == NULL)
            return false;
        buf_init(flow->held, (size_t)front.config->limits.held_bytes + LEFT_MAX); /* fill keeps to held_bytes */
    }
    return buf_add(flow->held, rest);
}

static void let_go(struct flow *flow)
{
    if (flow->held == NULL)
        return;
    buf_fini(flow->held);
    free(flow->held);
    flow->held = NULL;
}

void relay_fini(struct session *s)
{
    let_go(&s->up);
    let_go(&s->down);
}

/* How a session that lost one end is explained. */
static enum why why_of(const struct way *w, bool source_lost, bool cut)
{
    bool client_lost = source_lost == w->up;
    if (w->s->follow.leaving)
        return WHY_LOGOUT;
    if (client_lost)
        return cut ? WHY_CLIENT_CUT : WHY_CLIENT_EOF;
    return cut ? WHY_SITE_CUT : WHY_SITE_EOF;
}

/* Write what the sink takes. -1: the sink is broken. */
static ssize_t push(const struct way *w, struct span bytes)
{
    bool last = w->flow->ended && !w->up; /* the store's end is the session's */
    size_t done = 0;
    while (done < bytes.n) {
        ssize_t n = (last ? conn_write_last : conn_write)(w->sink, bytes.at + done, bytes.n - done);
        if (n == CONN_AGAIN)
            break;
        if (n < 0)
            return -1;
        done += (size_t)n;
    }
    if (done > 0 && !w->up)
        client_progress(w->s);
    return (ssize_t)done;
}

/* True: everything that was held has gone. */
static bool push_held(const struct way *w, bool *broken)
{
    struct buf *held = w->flow->held;
    if (held == NULL)
        return true;
    ssize_t n = push(w, buf_span(held));
    *broken = n < 0;
    if (n < 0)
        return false;
    buf_take(held, (size_t)n);
    if (held->n > 0)
        return false;
    let_go(w->flow);
    return true;
}

static void account(const struct way *w, struct span bytes)
{
    struct session *s = w->s;
    if (bytes.n == 0)
        return;
    if (w->up) {
        trace_relay(s, true, bytes);
        follow_up(&s->follow, bytes);
        client_progress(s);
        expect_answer(s);
    } else {
        trace_relay(s, false, bytes);
        follow_down(&s->follow, bytes);
        answer_came(s);
    }
    stir(s);
}

/* Fill the scratch from the source, behind the n bytes that it has; what it has then. */
static size_t fill(const struct way *w, size_t n)
{
    size_t most = SCRATCH_BYTES < (size_t)front.config->limits.held_bytes ? SCRATCH_BYTES
                                                                          : (size_t)front.config->limits.held_bytes;
    while (n < most) {
        ssize_t got = conn_read(w->source, front.scratch + n, most - n);
        if (got == CONN_AGAIN)
            break;
        if (got < 0) {
            w->flow->ended = true;
            w->flow->cut = got != CONN_EOF;
            w->flow->broken = got == CONN_BROKEN;
            break;
        }
        n += (size_t)got;
        if (!conn_has_more(w->source))
            break; /* a read that only fetches EAGAIN is one system call of five */
    }
    return n;
}

/* What has come, accounted for: one pass a wake-up, so that nobody starves. With a store's good-bye its end mostly has
 * come as well. */
static struct span take(const struct way *w)
{
    size_t n = fill(w, 0);
    account(w, span_bytes(front.scratch, n));
    if (n > 0 && !w->up && w->s->follow.leaving && !w->flow->ended) {
        size_t all = fill(w, n);
        account(w, span_bytes(front.scratch + n, all - n));
        n = all;
    }
    *(w->up ? &w->s->up_bytes : &w->s->down_bytes) += n;
    return span_bytes(front.scratch, n);
}

/* ---- ends ---- */

static void lost_site(struct session *s, enum why why);

/* The source has ended and everything of it has gone: the sink is told. Down, that is the end of the session. */
static bool pass_end_on(const struct way *w)
{
    struct session *s = w->s;
    if (!w->flow->ended || w->flow->end_told)
        return true;
    bool cut = w->flow->cut && !s->follow.leaving;
    if (!w->up) {
        lost_site(s, why_of(w, true, cut));
        return false;
    }
    if (conn_end(w->sink, cut) == CONN_AGAIN)
        return true;
    w->flow->end_told = true;
    expect_answer(s); /* a store that does not end its side either is not waited for without end */
    return true;
}

/* The session ends with words of ours, where a line may be put in. False: it may not, and nothing has happened. */
static bool explain(struct session *s, enum why why, const char *reason)
{
    struct buf words;
    buf_init(&words, 256);
    bool spoken = follow_is_between_lines(&s->follow) && dialogues[s->protocol]->goodbye(reason, &words);
    if (spoken)
        session_finish(s, why, buf_span(&words));
    buf_fini(&words);
    return spoken;
}

/* What the client hears when the store has gone: its own good-bye if it said one, else ours where a line may be put in.
 * A cut that cannot be explained stays a cut: no close_notify makes it look like an end. */
static void lost_site(struct session *s, enum why why)
{
    bool waits = s->protocol == IMAP || !list_empty(&s->answer.link); /* for a line from us */
    if (s->follow.leaving)
        session_finish(s, why, SPAN_NONE);
    else if (waits && explain(s, why, "The connection to your mailbox was lost; please try again later."))
        return;
    else if (why == WHY_SITE_EOF)
        session_finish(s, why, SPAN_NONE);
    else
        session_cut(s, why);
}

/* ---- one direction at a time ---- */

static void watch_both(struct session *s)
{
    if (s->unguarded) {
        relay_pause(s);
        return;
    }
    bool up_held = s->up.held != NULL || (s->up.ended && !s->up.end_told);
    bool down_held = s->down.held != NULL;
    conn_watch(s->client, (s->up.held == NULL && !s->up.ended ? WATCH_READ : 0) | (down_held ? WATCH_WRITE : 0));
    conn_watch(s->site, (s->down.held == NULL && !s->down.ended ? WATCH_READ : 0) | (up_held ? WATCH_WRITE : 0));
}

/* A client that takes no more is gone. A store that takes no more may have said much before, which is still on its way:
 * that is passed on first, and the end behind it ends the session. False: it is gone. */
static bool sink_broken(const struct way *w)
{
    if (!w->up) {
        session_close(w->s, why_of(w, false, true));
        return false;
    }
    let_go(w->flow);
    w->flow->ended = w->flow->end_told = true;
    expect_answer(w->s);
    return true;
}

/* Read and pass on. False: the session is gone. */
static bool carry(const struct way *w)
{
    struct span bytes = take(w);
    if (w->up && w->flow->broken) {
        session_close(w->s, why_of(w, true, true));
        return false;
    }
    if (bytes.n > 0) {
        ssize_t gone = push(w, bytes);
        if (gone < 0)
            return sink_broken(w);
        if (!hold(w->flow, span_after(bytes, (size_t)gone))) {
            session_close(w->s, WHY_MEMORY);
            return false;
        }
    }
    return w->flow->held != NULL || pass_end_on(w);
}

/* The sink takes more. False: the session is gone. */
static bool drain(const struct way *w)
{
    bool broken = false;
    if (push_held(w, &broken))
        return pass_end_on(w);
    return broken ? sink_broken(w) : true;
}

/* Whoever is leaving hears the store's last answer, and no good-bye of ours between that and its BYE. */
static bool is_safe(const struct session *s)
{
    if (s->down.held != NULL || s->state == S_CLOSING || s->follow.leaving)
        return false;
    return s->protocol == IMAP ? follow_is_between_lines(&s->follow)
                               : s->state == S_IDLE && follow_is_between_lines(&s->follow);
}

static void say_bye(struct session *s)
{
    struct buf words;
    enum why why = (enum why)s->bye_why;
    if (s->down.held != NULL) {
        session_cut(s, why);
        return;
    }
    buf_init(&words, 512);
    relay_leave_queues(s);
    s->leaving = false;
    bool spoken = s->protocol == IMAP && !s->follow.opaque && dialogues[IMAP]->goodbye(s->bye, &words);
    session_finish(s, why, spoken ? buf_span(&words) : SPAN_NONE);
    buf_fini(&words);
}

static void after(struct session *s)
{
    if (s->leaving && is_safe(s))
        say_bye(s);
    else
        watch_both(s);
}

void relay_client_ready(struct session *s, unsigned events)
{
    struct way up = way_of(s, true), down = way_of(s, false);
    if (s->unguarded)
        return;
    if ((events & WATCH_WRITE) && s->down.held != NULL && !drain(&down))
        return;
    if ((events & WATCH_READ) && s->up.held == NULL && !s->up.ended && !carry(&up))
        return;
    after(s);
}

void relay_site_ready(struct session *s, unsigned events)
{
    struct way up = way_of(s, true), down = way_of(s, false);
    if (s->state == S_CLOSING || s->unguarded)
        return;
    if ((events & WATCH_WRITE) && (s->up.held != NULL || s->up.ended) && !drain(&up))
        return;
    if ((events & WATCH_READ) && s->down.held == NULL && !s->down.ended && !carry(&down))
        return;
    after(s);
}

void relay_pause(struct session *s)
{
    conn_watch(s->client, 0);
    conn_watch(s->site, 0);
}

void relay_resume(struct session *s)
{
    watch_both(s);
}

/* Behind what the client has not taken there is no place for a line of ours, nor for an end that looks like one. */
void relay_lose_site(struct session *s, enum why why)
{
    if (s->down.held != NULL)
        session_cut(s, why);
    else
        lost_site(s, why);
}

/* ---- the first bytes and the last ---- */

/* Bytes that came before the relay stood are its first: each exactly once, in order. */
static bool begin_with(const struct way *w, struct buf *first)
{
    if (first->n == 0)
        return true;
    account(w, buf_span(first));
    ssize_t gone = w->flow->held == NULL ? push(w, buf_span(first)) : 0;
    if (gone < 0)
        return sink_broken(w);
    buf_take(first, (size_t)gone);
    if (hold(w->flow, buf_span(first)))
        return true;
    session_close(w->s, WHY_MEMORY);
    return false;
}

void relay_begin(struct session *s)
{
    struct signin *in = s->signin;
    struct way up = way_of(s, true), down = way_of(s, false);
    session_enter(s, S_RELAY);
    follow_init(&s->follow, s->protocol == IMAP);
    deadline_start(&resting, &s->stay);
    deadline_start(&idle[s->protocol], &s->limit);
    conn_login_over(s->client);
    conn_login_over(s->site);
    s->up.ended = in->client_ended;
    if (!hold(&s->down, buf_span(&in->out))) {
        session_close(s, WHY_MEMORY);
        return;
    }
    if (!begin_with(&up, &in->in))
        return;
    if (!begin_with(&down, &in->from_site))
        return;
    signin_free(&s->signin);
    if (s->up.held != NULL || pass_end_on(&up))
        watch_both(s);
}

void relay_dismiss(struct session *s, enum why why, const char *reason)
{
    s->bye = reason;
    s->bye_why = (uint8_t)why;
    if (is_safe(s) || s->follow.opaque) {
        say_bye(s);
        return;
    }
    if (s->leaving)
        return;
    deadline_stop(&silent, &s->answer);
    s->leaving = true;
    deadline_start(&leaving, &s->answer);
}
