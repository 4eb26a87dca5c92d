/* Helpers. The asker owns its question; the list here only finds it again. */
#include "proxy/front/helper.h"

#include "proxy/front/hold.h"
#include "proxy/front/process.h"
#include "proxy/front/reserve.h"

enum { ASKED_MOST = 2, MISSED_MS = 1000 };

void helper_init(struct helper *h, enum role_kind kind, struct question *(*find)(uint64_t id, enum message_type answer))
{
    *h = (struct helper){ .kind = kind, .find = find };
    list_init(&h->asked);
}

void question_init(struct question *q)
{
    *q = (struct question){ 0 };
    list_init(&q->link);
}

/* ---- asking ---- */

static void on_missed(struct alarm *a);

static void expect_channel(struct helper *h)
{
    if (h->missed.place == 0 && !alarm_set(&h->missed, MISSED_MS, on_missed))
        on_missed(&h->missed);
}

static void send_question(struct helper *h, struct question *q)
{
    struct message m = { .id = q->id };
    q->on = NULL;
    if (h->now == NULL) {
        expect_channel(h);
        return;
    }
    q->compose(q, &m);
    q->times++;
    if (ipc_send(h->now, &m))
        q->on = h->now;
    else
        expect_channel(h); /* dead, or hopelessly full: what comes next will tell */
}

void helper_ask(struct helper *h, struct question *q)
{
    q->times = 0;
    list_add(&h->asked, &q->link);
    send_question(h, q);
}

bool helper_cancel(struct question *q)
{
    if (list_empty(&q->link))
        return false;
    list_remove(&q->link);
    /* A dead channel has forgotten the question anyway. */
    bool asked = q->on != NULL && ipc_send(q->on, &(struct message){ .type = MSG_CANCEL, .id = q->id });
    q->on = NULL;
    return asked;
}

/* What makes a limit count more must be known before anybody asks again; what gives back, or was counted with the
 * answer, can wait a little. */
static bool may_wait(const struct message *m)
{
    switch (m->type) {
    case MSG_SESSION_GONE:
        return true;
    case MSG_LOGIN_RESULT:
        return m->login_result.result == LOGIN_ACCEPTED;
    case MSG_DIAL_OUTCOME:
        return m->dial_outcome.stage == STAGE_IN || m->dial_outcome.stage == STAGE_GONE;
    default:
        return false;
    }
}

void helper_tell(struct helper *h, const struct message *m)
{
    if (h->now != NULL && !(may_wait(m) ? ipc_report(h->now, m) : ipc_send(h->now, m)))
        return; /* the successor will be told by the list of what is held */
}

/* ---- answers ---- */

static void finish(struct question *q, struct message *m)
{
    list_remove(&q->link);
    q->on = NULL;
    q->answered(q, m); /* may free q */
}

static bool is_answer(enum message_type type, enum role_kind kind)
{
    return kind == ROLE_AUTH ? type == MSG_VERDICT : type == MSG_DIALED || type == MSG_IPSEC_CONFIRMED;
}

/* A predecessor's are of no use any more. */
static void take_spare(const struct helper *h, const struct ipc *from, struct message *m)
{
    if (from == h->now && m->type == MSG_SPARE)
        reserve_take_in(m);
    else if (from == h->now)
        reserve_drop(m->id);
}

static void take_message(struct helper *h, struct ipc *from, struct message *m)
{
    if (m->type == MSG_REVOKE) {
        hold_revoked(m->id, (enum revoke_why)m->revoke.why);
        return;
    }
    if (m->type == MSG_MARK_KEY && h->kind == ROLE_AUTH) {
        hold_mark_key(m->mark_key.key);
        return;
    }
    if (m->type == MSG_IPSEC_GUARDED && from == h->now) {
        hold_guarded(m->id);
        return;
    }
    if ((m->type == MSG_SPARE || m->type == MSG_SPARE_DROP) && h->kind == ROLE_BACKENDS) {
        take_spare(h, from, m);
        return;
    }
    struct question *q = is_answer(m->type, h->kind) ? h->find(m->id, m->type) : NULL;
    if (q != NULL && q->on == from)
        finish(q, m);
    else if (m->type == MSG_DIALED) /* it was cancelled meanwhile: nobody waits, and what it names serves nobody else */
        reserve_drop(m->dialed.spare);
}

static bool is_waited_for(const struct helper *h, const struct ipc *channel)
{
    LIST_EACH(link, &h->asked)
        if (OWNER_OF(link, struct question, link)->on == channel)
            return true;
    return false;
}

/* The predecessor is let go when it has answered everything. */
static void release_before(struct helper *h)
{
    if (h->before != NULL && !is_waited_for(h, h->before))
        ipc_free(&h->before);
}

static void on_message_now(void *owner, struct message *m)
{
    struct helper *h = owner;
    take_message(h, h->now, m);
}

/* What the predecessor granted, the successor must count too. */
static void on_message_before(void *owner, struct message *m)
{
    struct helper *h = owner;
    uint64_t id = m->id;
    bool granted = m->type == MSG_VERDICT || m->type == MSG_DIALED;
    take_message(h, h->before, m);
    if (granted)
        hold_tell(h, id);
    release_before(h);
}

/* ---- channels ---- */

/* A helper that lives may have closed its end, or a packet may have been lost for want of memory: main knows whether
 * there is one to be connected to. Where there is none, its successor is introduced anyway. */
static void ask_for_channel(const struct helper *h)
{
    struct message m = { .type = MSG_UNCONNECTED, .channel.to = (uint8_t)h->kind };
    if (h->now == NULL && front.main != NULL && !ipc_send(front.main, &m))
        return; /* main is gone, and whoever follows it brings helpers of its own */
}

static void on_missed(struct alarm *a)
{
    struct helper *h = OWNER_OF(a, struct helper, missed);
    struct list failed;
    list_init(&failed);
    LIST_EACH_SAFE(link, &h->asked)
        if (OWNER_OF(link, struct question, link)->on == NULL) {
            list_remove(link);
            list_add(&failed, link);
        }
    while (!list_empty(&failed))
        finish(OWNER_OF(failed.next, struct question, link), NULL);
    ask_for_channel(h);
}

/* Who connected them is not asked any more. */
static void forget_reserve(const struct helper *h)
{
    if (h->kind == ROLE_BACKENDS)
        reserve_forget();
}

static void forget_channel(struct helper *h, const struct ipc *channel)
{
    LIST_EACH(link, &h->asked) {
        struct question *q = OWNER_OF(link, struct question, link);
        if (q->on == channel)
            q->on = NULL;
    }
}

static void ask_again(struct helper *h)
{
    struct list waiting;
    list_init(&waiting);
    LIST_EACH_SAFE(link, &h->asked)
        if (OWNER_OF(link, struct question, link)->on == NULL) {
            list_remove(link);
            list_add(&waiting, link);
        }
    while (!list_empty(&waiting)) {
        struct question *q = OWNER_OF(waiting.next, struct question, link);
        if (q->times >= ASKED_MOST) {
            finish(q, NULL);
            continue;
        }
        list_remove(&q->link);
        list_add(&h->asked, &q->link);
        send_question(h, q);
    }
}

static void on_closed_now(void *owner, const char *why)
{
    struct helper *h = owner;
    (void)why; /* main logs the death of a role */
    forget_channel(h, h->now);
    ipc_free(&h->now);
    hold_lost(h);
    forget_reserve(h);
    expect_channel(h);
}

static void on_closed_before(void *owner, const char *why)
{
    struct helper *h = owner;
    (void)why;
    forget_channel(h, h->before);
    ipc_free(&h->before);
    ask_again(h);
}

void helper_connect(struct helper *h, int fd)
{
    static const struct ipc_events now = { on_message_now, on_closed_now };
    static const struct ipc_events before = { on_message_before, on_closed_before };
    struct ipc *channel = ipc_new(fd, &now, h);
    if (channel == NULL)
        return;
    if (h->before != NULL) {
        forget_channel(h, h->before);
        ipc_free(&h->before);
    }
    forget_reserve(h);
    h->before = h->now;
    if (h->before != NULL)
        ipc_set_events(h->before, &before);
    h->now = channel;
    alarm_clear(&h->missed);
    hold_tell_all(h);
    ask_again(h);
    release_before(h);
}
