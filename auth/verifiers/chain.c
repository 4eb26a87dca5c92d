/* The chain. A verifier that judges by itself does so in its threads; the walk from one to the next is the loop's. */
#include "auth/verifiers/chain.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config/bundle.h"
#include "proxy/base/log.h"
#include "proxy/net/hash.h"

static const struct verifier_kind *const kinds[] = {
    [VERIFIER_SITE] = &verify_site,   [VERIFIER_FILE] = &verify_file, [VERIFIER_HTTP] = &verify_http,
    [VERIFIER_OAUTH] = &verify_oauth, [VERIFIER_LDAP] = &verify_ldap,
};

const struct verifier_kind verify_site = { .passwords = true, .tokens = true };

/* ---- judgements ---- */

void judgement_fini(struct judgement *j)
{
    free(j->name);
    free(j->site);
    free(j->store_name);
    free(j->options);
    secret_wipe(&j->password);
    *j = (struct judgement){ 0 };
}

static void PRINTF_LIKE(3, 0) go_down(struct judgement *j, bool of_account, const char *format, va_list values)
{
    vsnprintf(j->detail, sizeof j->detail, format, values);
    j->is = JUDGED_DOWN;
    j->of_account = of_account;
}

void judgement_down(struct judgement *j, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    go_down(j, false, format, values);
    va_end(values);
}

void judgement_unclear(struct judgement *j, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    go_down(j, true, format, values);
    va_end(values);
}

/* ---- attempts ---- */

static void attempt_fini(struct attempt *a)
{
    free(a->login);
    free(a->typed);
    secret_wipe(&a->secret);
    secret_wipe(&a->known);
}

struct judging *judging_new(struct chain *c, const struct attempt *of, struct span login, struct span typed,
                            struct span secret)
{
    struct judging *q = calloc(1, sizeof *q);
    if (q == NULL)
        return NULL;
    q->chain = c;
    q->attempt = *of;
    q->attempt.login = span_copy(login);
    q->attempt.typed = span_copy(typed);
    q->attempt.secret = q->attempt.known = (struct secret){ 0 };
    list_init(&q->job.link);
    if (q->attempt.login == NULL || q->attempt.typed == NULL || !secret_set(&q->attempt.secret, secret))
        judging_free(&q);
    return q;
}

void judging_free(struct judging **pointer)
{
    struct judging *q = *pointer;
    if (q == NULL)
        return;
    *pointer = NULL;
    q->abandoned = q->asked != NULL && !workers_cancel(q->asked->workers, &q->job);
    if (q->abandoned)
        return; /* its thread still reads it */
    judgement_fini(&q->judgement);
    for (size_t i = 0; i < q->n_places; i++)
        judgement_fini(&q->places[i]);
    attempt_fini(&q->attempt);
    explicit_bzero(q, sizeof *q);
    free(q);
}

/* ---- asking ---- */

static bool can_judge(const struct verifier *v, const struct attempt *a)
{
    return sasl_is_bearer(a->mechanism) ? v->kind->tokens : v->kind->passwords;
}

static bool is_last(const struct judging *q)
{
    for (size_t i = q->at + 1; i < q->chain->n; i++)
        if (can_judge(&q->chain->verifiers[i], &q->attempt))
            return false;
    return true;
}

static void log_who(struct log_line *l, const struct chain *c, const struct verifier *v)
{
    if (v != &c->directory)
        log_number(l, "number", v - c->verifiers + 1);
    log_word(l, "driver", verifier_driver_names[v->config->driver]);
}

static void log_unclear(const struct judging *q, const struct verifier *v, const struct judgement *j)
{
    struct log_line l;
    log_begin(&l, LOG_WARNING, "account_unclear");
    log_who(&l, q->chain, v);
    log_text(&l, "user", span_of(q->attempt.login));
    log_text(&l, "why", span_of(j->detail));
    log_end(&l);
}

static void log_judgement(const struct judging *q, struct verifier *v, const struct judgement *j)
{
    bool unclear = j->is == JUDGED_DOWN && j->of_account, down = j->is == JUDGED_DOWN && !unclear;
    struct log_line l;
    if (unclear)
        log_unclear(q, v, j);
    if (down == v->is_down)
        return;
    v->is_down = down;
    log_begin(&l, down ? LOG_ERROR : LOG_INFO, v != &q->chain->directory ? "verifier" : "directory");
    log_who(&l, q->chain, v);
    log_word(&l, "state", down ? "down" : "up");
    if (down)
        log_text(&l, "why", span_of(j->detail));
    log_end(&l);
}

static void walk_on(struct judging *q);
static void look_further(struct judging *q);

static void on_judged(struct job *job)
{
    struct judging *q = OWNER_OF(job, struct judging, job);
    struct verifier *asked = q->asked;
    q->asked = NULL;
    if (q->abandoned) {
        judging_free(&q);
        return;
    }
    log_judgement(q, asked, q->answer);
    if (asked == &q->chain->directory || q->judgement.is != JUDGED_UNKNOWN) {
        look_further(q);
    } else {
        q->at++;
        walk_on(q);
    }
}

static void work(struct job *job, void *of_thread)
{
    struct judging *q = OWNER_OF(job, struct judging, job);
    q->asked->kind->judge(q->asked, of_thread, &q->attempt, q->answer);
}

/* Where the judgement costs an account's worth of work, its lane is the account; else any thread will do. */
static uint64_t lane_of(const struct judging *q, const struct verifier *v)
{
    struct span login = span_of(q->attempt.login);
    uintptr_t own = (uintptr_t)q;
    return v->kind->by_account ? hash_keyed(login) : (uint64_t)own;
}

/* True: its threads have it. */
static bool ask(struct judging *q, struct verifier *v, struct judgement *answer)
{
    judgement_fini(answer);
    if (v->kind->prepare != NULL && !v->kind->prepare(v, &q->attempt, is_last(q), answer))
        return false;
    q->job.work = work;
    q->job.done = on_judged;
    q->asked = v;
    q->answer = answer;
    if (workers_give(v->workers, lane_of(q, v), &q->job))
        return true;
    q->asked = NULL;
    judgement_down(answer, "too many wait for it");
    return false;
}

/* ---- after the judgement ---- */

/* The directory sees a name, and no credential. */
static bool ask_directory(struct judging *q, struct span name)
{
    struct judgement *answer = &q->places[q->n_places++];
    struct verifier *directory = &q->chain->directory;
    secret_wipe(&q->attempt.secret);
    free(q->attempt.login);
    q->attempt.login = span_copy(name);
    if (q->attempt.login == NULL)
        judgement_down(answer, "memory is short");
    else if (ask(q, directory, answer))
        return true;
    log_judgement(q, directory, answer);
    return false;
}

static void look_further(struct judging *q)
{
    bool asks = q->next != NULL && q->chain->directory.kind != NULL;
    for (;;) {
        const struct judgement *said = q->n_places > 0 ? &q->places[q->n_places - 1] : &q->judgement;
        struct span name = asks ? q->next(q, said) : SPAN_NONE;
        if (name.at == NULL || q->n_places == PLACES_MAX)
            break;
        if (ask_directory(q, name))
            return;
    }
    q->done(q);
}

/* ---- the walk ---- */

static void walk_on(struct judging *q)
{
    struct chain *c = q->chain;
    for (; q->at < c->n; q->at++) {
        struct verifier *v = &c->verifiers[q->at];
        if (!can_judge(v, &q->attempt))
            continue;
        if (v->workers == NULL) {
            q->judgement.is = JUDGED_BY_SITE;
            break;
        }
        if (ask(q, v, &q->judgement))
            return;
        log_judgement(q, v, &q->judgement);
        if (q->judgement.is != JUDGED_UNKNOWN)
            break;
    }
    look_further(q);
}

void chain_judge(struct judging *q)
{
    q->at = 0;
    q->judgement.is = JUDGED_UNKNOWN;
    walk_on(q);
}

void chain_go_on(struct judging *q)
{
    look_further(q);
}

/* ---- life ---- */

static size_t threads_of(const struct verifier_config *config)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t n = config->threads > 0 ? (size_t)config->threads : config->driver != VERIFIER_FILE ? 8 : (size_t)processors;
    return n < 1 ? 1 : n > WORKERS_MAX ? WORKERS_MAX : n;
}

static bool take_secret(struct verifier *v)
{
    if (v->config->secret_file[0] == '\0')
        return true;
    return secret_set(&v->secret, secret_of_file(bundle_find(v->bundle, v->config->secret_file)));
}

static bool open_verifier(struct verifier *v, struct buf *why)
{
    return v->kind->judge == NULL || (take_secret(v) && (v->kind->open == NULL || v->kind->open(v, why)));
}

static bool start_verifier(struct verifier *v, const char *name)
{
    struct workers_order order = { .name = name, .owner = v, .begin = v->kind->begin, .end = v->kind->end };
    if (v->kind->judge == NULL)
        return true;
    order.threads = threads_of(v->config);
    order.niceness = v->kind->niceness;
    v->workers = workers_new(&order);
    return v->workers != NULL;
}

static bool open_directory(struct chain *c, const struct verifier *like, struct buf *why)
{
    const struct config *config = like->house;
    if (config->directory.driver != DIRECTORY_LDAP)
        return true;
    c->directory = *like;
    c->directory.kind = &find_ldap;
    c->directory.config = &config->directory.ldap;
    return open_verifier(&c->directory, why);
}

static bool open_verifiers(struct chain *c, const struct verifier *like, struct buf *why)
{
    const struct config *config = like->house;
    bool good = true;
    for (size_t i = 0; good && i < config->auth.n_verifiers; i++) {
        struct verifier *v = &c->verifiers[c->n++];
        *v = *like;
        v->config = &config->auth.verifiers[i];
        v->kind = kinds[v->config->driver];
        c->judges = c->judges || v->config->driver != VERIFIER_SITE;
        good = open_verifier(v, why);
    }
    return good;
}

bool chain_open(struct chain *c, const struct config *config, const struct name_rules *names, struct span bundle,
                struct buf *why)
{
    const struct verifier like = { .house = config, .names = names, .bundle = bundle };
    *c = (struct chain){ .verifiers = calloc(config->auth.n_verifiers + 1, sizeof *c->verifiers) };
    bool good = c->verifiers != NULL && open_verifiers(c, &like, why) && open_directory(c, &like, why);
    c->site_alone = !c->judges && c->directory.kind == NULL;
    if (!good && why->n == 0 && !buf_add_text(why, "memory is short"))
        return false;
    return good;
}

bool chain_start(struct chain *c)
{
    bool good = true;
    for (size_t i = 0; good && i < c->n; i++)
        good = start_verifier(&c->verifiers[i], "verifier");
    return good && (c->directory.kind == NULL || start_verifier(&c->directory, "directory"));
}

bool chain_has(const struct chain *c, enum verifier_driver driver)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->verifiers[i].config->driver == driver)
            return true;
    return false;
}

void chain_set_accounts(struct chain *c, const struct table *accounts)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->verifiers[i].config->driver == VERIFIER_FILE)
            c->verifiers[i].state = (void *)accounts;
}

static void close_verifier(struct verifier *v)
{
    workers_free(&v->workers);
    if (v->kind != NULL && v->kind->close != NULL)
        v->kind->close(v);
    secret_wipe(&v->secret);
}

void chain_close(struct chain *c)
{
    for (size_t i = 0; i < c->n; i++)
        close_verifier(&c->verifiers[i]);
    close_verifier(&c->directory);
    free(c->verifiers);
    *c = (struct chain){ 0 };
}
