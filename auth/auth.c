/* The auth process: what main says to it, and its life. It serves from the first good map on; while it has none, and
 * whenever a new one is bad, it goes on with what it has. Without main it serves the fronts that are left. */
#include "auth/auth.h"

#include "auth/channels.h"
#include "auth/control.h"
#include "auth/directory/mapped.h"
#include "auth/verifiers/passwd.h"
#include "auth/directory/sealed.h"
#include "proxy/base/log.h"
#include "proxy/net/deadline.h"
#include "proxy/net/loop.h"
#include "proxy/net/sandbox.h"

enum { LAST_WORDS_MS = 1000 };

struct auth {
    struct ipc *main;
    struct policy policy;
    struct mapped map;
    struct chain chain;
    struct penalties penalties;
    struct cache cache;
    struct span accounts_bytes;
    struct table accounts; /* of the verifier "file" */
    struct channels channels;
    struct alarm leave;
    bool ready;    /* and main has been told so */
    bool draining; /* leave with the last channel */
};

static void leave_when_done(struct auth *auth)
{
    if (auth->draining && auth->channels.n == 0)
        loop_stop();
}

static void on_channel_ended(struct channels *all)
{
    leave_when_done(OWNER_OF(all, struct auth, channels));
}

static void drain(struct auth *auth)
{
    auth->draining = true;
    leave_when_done(auth);
}

/* Without main nobody could send us away at a set time: the last front does. */
static void lose_main(struct auth *auth)
{
    ipc_free(&auth->main);
    drain(auth);
}

static void on_main_closed(void *owner, const char *why UNUSED)
{
    lose_main(owner);
}

static void tell_main(struct auth *auth, const struct message *m)
{
    if (!ipc_send(auth->main, m))
        lose_main(auth);
}

/* What main says. */

static void refuse_map(struct auth *auth, const char *why)
{
    struct log_line l;
    log_begin(&l, LOG_ERROR, "map_refused");
    log_text(&l, "file", span_of(auth->policy.config->directory.path));
    log_text(&l, "why", span_of(why));
    log_end(&l);
    struct message failed = { .type = MSG_FAILED, .text.text = SPAN("the compiled directory map cannot be used") };
    if (!auth->ready)
        tell_main(auth, &failed);
}

static void on_map(struct auth *auth, struct message *m)
{
    const char *why;
    struct log_line l;
    if (!mapped_replace(&auth->map, m->fds[0], &why)) {
        refuse_map(auth, why);
        return;
    }
    loop_refresh(); /* a million entries take their time */
    auth->policy.map = mapped_map(&auth->map);
    log_begin(&l, LOG_INFO, "map");
    log_number(&l, "entries", (int64_t)auth->map.map.stats.entries);
    log_text(&l, "file", span_of(auth->policy.config->directory.path));
    log_end(&l);
    struct message ready = { .type = MSG_READY };
    if (!auth->ready)
        tell_main(auth, &ready);
    auth->ready = true;
}

/* The old ones go first out of the verifier, then out of memory: its threads have copies. */
static void on_accounts(struct auth *auth, struct message *m)
{
    struct span bytes;
    struct table accounts;
    struct log_line l;
    const char *why;
    if (!chain_has(&auth->chain, VERIFIER_FILE))
        return;
    bool mapped = sealed_map(m->fds[0], &bytes, &why);
    if (!mapped || !table_open(&accounts, PASSWD_MAGIC, bytes)) {
        log_say(LOG_ERROR, "accounts_refused", "%s",
                mapped ? "they are not accounts that this version has compiled" : why);
        sealed_unmap(&bytes);
        return;
    }
    loop_refresh();
    sealed_unmap(&auth->accounts_bytes);
    auth->accounts_bytes = bytes;
    auth->accounts = accounts;
    chain_set_accounts(&auth->chain, &auth->accounts);
    cache_clear(&auth->cache);
    log_begin(&l, LOG_INFO, "accounts");
    log_number(&l, "entries", (int64_t)accounts.n);
    log_end(&l);
}

static void on_new_channel(struct auth *auth, struct message *m)
{
    if (auth->draining || m->channel.to != ROLE_FRONT)
        return;
    if (!channels_add(&auth->channels, ipc_take_fd(m, 0)))
        log_say(LOG_ERROR, "no_memory", "a channel to a front could not be taken: memory is short");
}

static void on_leave(struct alarm *a UNUSED)
{
    loop_stop();
}

static void on_drain(struct auth *auth, struct message *m)
{
    int64_t most = m->drain.deadline_ms < INT32_MAX ? (int64_t)m->drain.deadline_ms : INT32_MAX;
    if (!alarm_set(&auth->leave, most, on_leave))
        log_say(LOG_WARNING, "no_memory", "the end of draining has no time limit: memory is short");
    drain(auth);
}

static void on_status(struct auth *auth, struct message *m UNUSED)
{
    const struct counts *counts = &auth->policy.counts;
    struct log_line l;
    log_begin(&l, LOG_INFO, "status");
    log_number(&l, "fronts", (int64_t)auth->channels.n);
    log_number(&l, "sessions", (int64_t)counts->sessions);
    log_number(&l, "users", (int64_t)counts->users.n);
    log_number(&l, "addresses", (int64_t)counts->addresses.n);
    log_number(&l, "map_entries", (int64_t)auth->map.map.stats.entries);
    log_end(&l);
}

static void on_control(struct auth *auth, struct message *m)
{
    if (!auth_control(&auth->policy, &auth->penalties, auth->channels.n, auth->main, m))
        lose_main(auth);
}

static void (*const handlers[MSG_TYPES])(struct auth *auth, struct message *m) = {
    [MSG_ACCOUNTS] = on_accounts, [MSG_MAP] = on_map,       [MSG_CHANNEL] = on_new_channel,
    [MSG_DRAIN] = on_drain,       [MSG_STATUS] = on_status, [MSG_CONTROL] = on_control,
};

static void on_main_message(void *owner, struct message *m)
{
    if (handlers[m->type] != NULL)
        handlers[m->type](owner, m);
}

static bool open_penalties(struct auth *auth, const struct role *role)
{
    bool shared;
    if (!penalties_open(&auth->penalties, role->config, role->state_fd, &shared))
        return false;
    if (!shared)
        log_say(LOG_WARNING, "auth", "no shared memory: penalties and known addresses die with this process");
    return true;
}

static bool confine(const struct chain *chain, const struct role *role, struct buf *why)
{
    unsigned needs = chain_has(chain, VERIFIER_FILE) ? SANDBOX_THREADS : 0;
    if (chain_has(chain, VERIFIER_HTTP) || chain_has(chain, VERIFIER_OAUTH) || chain_has(chain, VERIFIER_LDAP) ||
        chain->directory.kind != NULL)
        needs |= SANDBOX_THREADS | SANDBOX_DIALS | SANDBOX_RESOLVES;
    return sandbox_enter(role, needs, why);
}

/* What it cannot do without: main gives the sentence to the admin. */
static bool start(struct auth *auth, struct role *role)
{
    struct buf why;
    buf_init(&why, 1024);
    bool good = open_penalties(auth, role) && policy_init(&auth->policy, role->config) &&
                chain_open(&auth->chain, role->config, &auth->policy.names, role->bundle, &why) &&
                cache_open(&auth->cache, role->config, &auth->chain) && confine(&auth->chain, role, &why) &&
                chain_start(&auth->chain);
    struct message failed = { .type = MSG_FAILED, .text.text = why.n > 0 ? buf_span(&why) : SPAN("memory is short") };
    if (!good && ipc_send(auth->main, &failed))
        ipc_flush(auth->main, LAST_WORDS_MS);
    buf_fini(&why);
    return good;
}

int auth_run(struct role *role)
{
    static const struct ipc_events events = { .message = on_main_message, .closed = on_main_closed };
    static struct auth auth; /* not on the stack: the loop's queues point into it until the process ends */
    loop_init();
    auth.main = ipc_new(role->main_fd, &events, &auth);
    if (auth.main == NULL || !start(&auth, role))
        return 1;
    counts_init(&auth.policy.counts);
    channels_init(&auth.channels, &auth.policy, &auth.chain, &auth.penalties, &auth.cache, on_channel_ended);
    loop_run();
    channels_fini(&auth.channels);
    chain_close(&auth.chain);
    cache_close(&auth.cache);
    ipc_free(&auth.main);
    mapped_drop(&auth.map);
    sealed_unmap(&auth.accounts_bytes);
    counts_fini(&auth.policy.counts);
    policy_fini(&auth.policy);
    penalties_close(&auth.penalties);
    return 0;
}
