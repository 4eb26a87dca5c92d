/* SASL exchanges. After any end but EXCHANGE_CHALLENGE nothing of the exchange is left: a second mechanism starts
 * clean. */
#include "proxy/front/exchange.h"

enum { MESSAGE_MAX = 96 * 1024 };

static const char user_name_challenge[] = "VXNlcm5hbWU6"; /* "Username:" */
static const char password_challenge[] = "UGFzc3dvcmQ6";  /* "Password:" */

bool credentials_set(struct credentials *c, enum sasl_mechanism m, struct span name, struct span authzid,
                     struct span secret)
{
    credentials_wipe(c);
    if (!sasl_name_ok(name) || (authzid.n > 0 && !sasl_name_ok(authzid)) || !secret_set(&c->secret, secret))
        return false;
    c->mechanism = m;
    memcpy(c->name, name.at, name.n);
    if (authzid.n > 0)
        memcpy(c->authzid, authzid.at, authzid.n);
    return true;
}

void credentials_wipe(struct credentials *c)
{
    secret_wipe(&c->secret);
    explicit_bzero(c, sizeof *c);
}

void exchange_end(struct exchange *x)
{
    secret_wipe(&x->name);
    *x = (struct exchange){ 0 };
}

static bool parse(enum sasl_mechanism m, struct span message, struct buf *name, struct sasl_identity *who)
{
    if (m == SASL_PLAIN)
        return sasl_plain_parse(message, who);
    if (m == SASL_XOAUTH2)
        return sasl_xoauth2_parse(message, who);
    return sasl_oauthbearer_parse(message, name, who);
}

static enum exchange_step take_message(struct exchange *x, struct span message, struct credentials *to)
{
    struct sasl_identity who = { 0 };
    struct buf name;
    enum sasl_mechanism m = x->mechanism;
    buf_init_secret(&name, SASL_NAME_MAX);
    bool good = parse(m, message, &name, &who) &&
                credentials_set(to, m, who.authcid, who.authzid, sasl_is_bearer(m) ? who.token : who.password);
    buf_fini(&name);
    exchange_end(x);
    return good ? EXCHANGE_DONE : EXCHANGE_BAD;
}

/* LOGIN: the name, then the password, each an answer of its own. */
static enum exchange_step take_login(struct exchange *x, struct span answer, struct credentials *to,
                                     const char **challenge)
{
    if (!x->has_name) {
        x->has_name = secret_set(&x->name, answer);
        *challenge = password_challenge;
        if (x->has_name)
            return EXCHANGE_CHALLENGE;
        exchange_end(x);
        return EXCHANGE_BAD;
    }
    bool good = !span_has(answer, '\0') && credentials_set(to, SASL_LOGIN, secret_span(&x->name), SPAN_NONE, answer);
    exchange_end(x);
    return good ? EXCHANGE_DONE : EXCHANGE_BAD;
}

static enum exchange_step take(struct exchange *x, struct span text, struct credentials *to, const char **challenge)
{
    struct buf message;
    enum exchange_step step = EXCHANGE_BAD;
    buf_init_secret(&message, MESSAGE_MAX);
    if (!base64_decode(text, &message))
        exchange_end(x);
    else if (x->mechanism == SASL_LOGIN)
        step = take_login(x, buf_span(&message), to, challenge);
    else
        step = take_message(x, buf_span(&message), to);
    buf_fini(&message);
    return step;
}

enum exchange_step exchange_begin(struct exchange *x, enum sasl_mechanism m, struct span initial,
                                  struct credentials *to, const char **challenge)
{
    exchange_end(x);
    x->mechanism = m;
    if (initial.at != NULL)
        return take(x, span_eq(initial, SPAN("=")) ? SPAN_NONE : initial, to, challenge);
    *challenge = m == SASL_LOGIN ? user_name_challenge : "";
    return EXCHANGE_CHALLENGE;
}

enum exchange_step exchange_line(struct exchange *x, struct span line, struct credentials *to, const char **challenge)
{
    bool refused = x->refused, cancelled = span_eq(line, SPAN("*"));
    if (!refused && !cancelled)
        return take(x, line, to, challenge);
    exchange_end(x);
    return refused ? EXCHANGE_REFUSED : EXCHANGE_CANCELLED;
}

const char *exchange_refuse(struct exchange *x, enum sasl_mechanism m)
{
    x->mechanism = m;
    x->refused = true;
    if (m == SASL_XOAUTH2) /* {"status":"401","schemes":"bearer","scope":"mail"} */
        return "eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIiwic2NvcGUiOiJtYWlsIn0=";
    return "eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0="; /* {"status":"invalid_token"} */
}
