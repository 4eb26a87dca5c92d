/* The login dialogue with a store that is not on our side. The first byte chooses the protocol and the security, the
 * next ones how the store's bytes are cut. At most one credential is written, and none before the protection that the
 * site demands, nor before it was confirmed where it has to be. */
#include "backends/login/login.h"

#include <stdlib.h>

#include "test/fuzz/fuzz.h"

static const char password[] = "Geheim7", encoded[] = "AGFubmEAR2VoZWltNw=="; /* \0anna\0Geheim7 */

void fuzz_start(void)
{
}

static size_t count(struct span text, const char *what)
{
    size_t n = 0;
    while (text.n > 0) {
        n += span_starts(text, span_of(what));
        text = span_after(text, 1);
    }
    return n;
}

struct play {
    struct login *l;
    bool must_protect, must_confirm;
    struct buf in, out;
};

static size_t credentials(const struct play *p)
{
    return count(buf_span(&p->out), password) + count(buf_span(&p->out), encoded);
}

static enum login_step answer(struct play *p, enum login_step step)
{
    FUZZ_REQUIRE(!p->must_protect || credentials(p) == 0);
    if (step == LOGIN_START_TLS) {
        p->must_protect = false;
        step = login_protected(p->l, &p->out);
    }
    FUZZ_REQUIRE(!p->must_confirm || credentials(p) == 0);
    if (step == LOGIN_CONFIRM) {
        p->must_confirm = false;
        step = login_confirmed(p->l, buf_span(&p->in), &p->out);
    }
    FUZZ_REQUIRE(credentials(p) == login_credential_sent(p->l));
    return step;
}

static enum login_step feed(struct play *p, struct span part)
{
    FUZZ_REQUIRE(buf_add(&p->in, part));
    char *exact = fuzz_exact(buf_span(&p->in));
    struct span rest = span_bytes(exact, p->in.n);
    enum login_step step = login_feed(p->l, &rest, &p->out);
    buf_take(&p->in, p->in.n - rest.n);
    free(exact);
    return answer(p, step);
}

static void judge(const struct play *p)
{
    const struct login_answer *a = login_answer(p->l);
    FUZZ_REQUIRE(a->why != NULL && (a->outcome != LOGIN_IN || a->credential_sent));
    FUZZ_REQUIRE(a->credential_sent == login_credential_sent(p->l) && a->text.n <= 400);
    FUZZ_REQUIRE(!span_has(a->text, '\r') && !span_has(a->text, '\n') && !span_has(a->code, '\n'));
    FUZZ_REQUIRE(count(a->text, password) == 0 && count(a->alerts, password) == 0);
    if (count(buf_span(&p->out), encoded) > 0) /* else it can be no echo */
        FUZZ_REQUIRE(count(a->text, encoded) == 0);
}

static void play(const struct login_order *order, struct span input)
{
    struct play p = { .l = login_new(order), .must_protect = order->starttls, .must_confirm = order->must_confirm };
    FUZZ_REQUIRE(p.l != NULL);
    buf_init(&p.in, 1 << 24);
    buf_init_secret(&p.out, 1 << 24);
    enum login_step step = feed(&p, SPAN_NONE);
    while (input.n > 0 && step != LOGIN_DONE) {
        struct span part = span_first(input, 1 + fuzz_choice(&input, 64));
        input = span_after(input, part.n);
        step = feed(&p, part);
    }
    if (step == LOGIN_DONE)
        judge(&p);
    login_free(&p.l);
    buf_fini(&p.in);
    buf_fini(&p.out);
}

void fuzz_one(struct span input)
{
    const struct site_config site = { .pop3_capabilities = "UIDL TOP" };
    struct secret secret = { 0 };
    unsigned how = fuzz_choice(&input, 64);
    FUZZ_REQUIRE(secret_set(&secret, span_of(password)));
    play(&(struct login_order){ .site = &site,
                                .protocol = how & 1 ? POP3 : IMAP,
                                .implicit_tls = (how & 6) == 0,
                                .starttls = (how & 6) == 2,
                                .starttls_if_offered = (how & 6) == 4,
                                .must_confirm = (how & 6) == 4,
                                .may_forward = how & 8,
                                .client_mechanism = SASL_PLAIN,
                                .user = SPAN("anna"),
                                .credential = &secret,
                                .client_id = how & 16 ? SPAN("\"name\" \"mutt\"") : SPAN_NONE },
         input);
    secret_wipe(&secret);
}
