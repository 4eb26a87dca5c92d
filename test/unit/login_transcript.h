/* Plays a login against a scripted site: "S…" is one segment from the site, "C…" what we must have said by then, "T"
 * a TLS handshake, "?" our question whether the credential may go, and yes. Every transcript is played whole, byte by
 * byte, and cut at every offset; each call of login_feed gets its input in memory of its own, so that a sanitizer sees
 * whoever keeps a span of it. */
#ifndef TEST_UNIT_LOGIN_TRANSCRIPT_H
#define TEST_UNIT_LOGIN_TRANSCRIPT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "backends/login/login.h"

struct transcript {
    const char *name;
    const char *play[16];
    enum login_outcome outcome;
    const char *why;
    bool sent;
    const char *code, *text, *capabilities, *alerts; /* NULL: nothing */
    const char *left;                                /* what belongs to the session */
    const char *password, *user;                     /* NULL: "geheim", "anna" */
    const char *authzid;                             /* NULL: none */
    enum site_mechanism site;
    enum sasl_mechanism client;
    const char *pop3_capabilities;
    bool starttls, may_forward;
    bool ipsec; /* STARTTLS if it is offered, and the credential must be confirmed */
    const struct forwarded *forwarded;
    const char *client_id;
    bool whole_only; /* what came too early can only be told from what came in time when it comes at once */
};

#define ENDS(end, reason) .outcome = LOGIN_##end, .why = reason
#define SENT .sent = true

enum { WHOLE = -1, BYTES = -2 };

struct player {
    const struct transcript *t;
    struct login *l;
    struct buf in, out;
    enum login_step step;
    long cut, fed; /* cut: an offset in all that the site says, WHOLE or BYTES */
};

static void player_feed(struct player *p, struct span bytes)
{
    assert_true(buf_add(&p->in, bytes));
    if (p->step == LOGIN_DONE)
        return;
    char *copy = malloc(p->in.n + 1);
    assert_non_null(copy);
    if (p->in.n > 0)
        memcpy(copy, p->in.at, p->in.n);
    struct span in = { copy, p->in.n };
    p->step = login_feed(p->l, &in, &p->out);
    if (in.n < p->in.n)
        buf_take(&p->in, p->in.n - in.n);
    free(copy);
}

static void player_site_says(struct player *p, struct span bytes)
{
    while (bytes.n > 0) {
        size_t n = p->cut == BYTES ? 1 : bytes.n;
        if (p->cut > p->fed && p->cut < p->fed + (long)bytes.n)
            n = (size_t)(p->cut - p->fed);
        player_feed(p, span_first(bytes, n));
        p->fed += (long)n;
        bytes = span_after(bytes, n);
    }
}

static void player_expect(struct player *p, const char *what, const char *want, struct span got)
{
    if (span_eq(span_of(want), got))
        return;
    fail_msg("%s (cut %ld): %s is <%.*s>, not <%s>", p->t->name, p->cut, what, SPAN_ARG(got), want ? want : "");
}

static void player_line(struct player *p, const char *line)
{
    if (line[0] == 'S') {
        player_site_says(p, span_of(line + 1));
    } else if (line[0] == '?') {
        player_expect(p, "line", "", buf_span(&p->out));
        if (p->step != LOGIN_CONFIRM || login_credential_sent(p->l))
            fail_msg("%s (cut %ld): no question", p->t->name, p->cut);
        p->step = login_confirmed(p->l, buf_span(&p->in), &p->out);
    } else if (line[0] == 'T') {
        player_expect(p, "line", "", buf_span(&p->out));
        if (p->step != LOGIN_START_TLS)
            fail_msg("%s (cut %ld): no handshake", p->t->name, p->cut);
        p->step = login_protected(p->l, &p->out);
    } else {
        player_expect(p, "line", line + 1, buf_span(&p->out));
        buf_clear(&p->out);
    }
}

static void player_judge(struct player *p)
{
    const struct transcript *t = p->t;
    if (p->step != LOGIN_DONE)
        fail_msg("%s (cut %ld): not done, at %s", t->name, p->cut, login_stage(p->l));
    const struct login_answer *a = login_answer(p->l);
    player_expect(p, "line", "", buf_span(&p->out));
    player_expect(p, "why", t->why, span_of(a->why));
    player_expect(p, "code", t->code, a->code);
    player_expect(p, "text", t->text, a->text);
    player_expect(p, "capabilities", t->capabilities, a->capabilities);
    player_expect(p, "alerts", t->alerts, a->alerts);
    if (t->outcome == LOGIN_IN)
        player_expect(p, "left", t->left, buf_span(&p->in));
    assert_int_equal(a->outcome, t->outcome);
    assert_int_equal(a->credential_sent, t->sent);
    assert_int_equal(login_credential_sent(p->l), t->sent);
    assert_true(t->capabilities != NULL || a->capabilities.at == NULL);
}

static void play_cut(const struct transcript *t, enum protocol protocol, long cut)
{
    struct site_config site = { .mechanism = t->site,
                                .pop3_capabilities = t->pop3_capabilities ? t->pop3_capabilities : "UIDL TOP" };
    struct secret password = { 0 };
    assert_true(secret_set(&password, span_of(t->password ? t->password : "geheim")));
    struct login_order order = { .site = &site,
                                 .protocol = protocol,
                                 .implicit_tls = !t->starttls && !t->ipsec,
                                 .starttls = t->starttls,
                                 .starttls_if_offered = t->ipsec,
                                 .must_confirm = t->ipsec,
                                 .may_forward = t->may_forward,
                                 .client_mechanism = t->client,
                                 .user = span_of(t->user ? t->user : "anna"),
                                 .authzid = span_of(t->authzid),
                                 .credential = &password,
                                 .forwarded = t->forwarded,
                                 .client_id = span_of(t->client_id) };
    struct player p = { .t = t, .l = login_new(&order), .cut = cut };
    assert_non_null(p.l);
    buf_init(&p.in, 1 << 20);
    buf_init_secret(&p.out, 1 << 20);
    player_feed(&p, SPAN_NONE);
    for (size_t i = 0; i < COUNT_OF(t->play) && t->play[i] != NULL; i++)
        player_line(&p, t->play[i]);
    player_judge(&p);
    login_free(&p.l);
    assert_null(p.l);
    buf_fini(&p.in);
    buf_fini(&p.out);
    secret_wipe(&password);
}

static inline void play(const struct transcript *t, enum protocol protocol)
{
    long n = 0;
    for (size_t i = 0; i < COUNT_OF(t->play) && t->play[i] != NULL; i++)
        n += t->play[i][0] == 'S' ? (long)strlen(t->play[i] + 1) : 0;
    play_cut(t, protocol, WHOLE);
    if (t->whole_only)
        return;
    play_cut(t, protocol, BYTES);
    for (long cut = 1; cut < n; cut++)
        play_cut(t, protocol, cut);
}

/* A login with one secret and one site, and what it says. */
struct one {
    struct site_config site;
    struct secret secret;
    struct login_order order;
    struct login *l;
    struct buf out;
};

static inline void one_init(struct one *o, enum protocol protocol, struct span password, enum sasl_mechanism mechanism)
{
    *o = (struct one){ .site = { .pop3_capabilities = "PIPELINING" } };
    assert_true(secret_set(&o->secret, password));
    o->order = (struct login_order){ .site = &o->site,
                                     .protocol = protocol,
                                     .implicit_tls = true,
                                     .client_mechanism = mechanism,
                                     .user = SPAN("anna"),
                                     .credential = &o->secret };
    o->l = login_new(&o->order);
    assert_non_null(o->l);
    buf_init_secret(&o->out, 1 << 20);
}

static inline void one_fini(struct one *o)
{
    login_free(&o->l);
    buf_fini(&o->out);
    secret_wipe(&o->secret);
}

static inline enum login_step one_feed(struct one *o, struct span in)
{
    return login_feed(o->l, &in, &o->out);
}

/* A site that never stops saying the same thing: the login must end within so many times, for that reason. */
static inline void one_flood(struct one *o, const char *line, size_t times, const char *why)
{
    struct buf in;
    buf_init(&in, 1 << 20);
    enum login_step step = LOGIN_MORE;
    for (size_t i = 0; step != LOGIN_DONE; i++) {
        assert_true(i <= times);
        assert_true(buf_add(&in, span_of(line)));
        struct span left = buf_span(&in);
        step = login_feed(o->l, &left, &o->out);
        buf_take(&in, in.n - left.n);
    }
    assert_string_equal(login_answer(o->l)->why, why);
    assert_true(login_answer(o->l)->alerts.n <= 2048);
    assert_false(login_credential_sent(o->l));
    buf_fini(&in);
}

#endif
