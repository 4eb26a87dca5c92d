/* The verifier `http`: the protocol of nginx's auth_http, so that a script written for nginx works as it is
 * (https://nginx.org/en/docs/mail/ngx_mail_auth_http_module.html). What nginx would tell the client in the script's
 * words is told by us in one sentence for everybody. */
#include <stdio.h>
#include <stdlib.h>

#include "auth/verifiers/verify_http.h"

enum { ESCAPED_MAX = 3 * SASL_PASSWORD_MAX + 64 };

/* As nginx does it: spaces, "%" and control characters. */
static bool add_escaped(struct buf *to, struct span s)
{
    bool fits = true;
    for (size_t i = 0; i < s.n && fits; i++) {
        unsigned char c = (unsigned char)s.at[i];
        fits = c <= 0x20 || c == '%' ? buf_printf(to, "%%%02X", c) : buf_add_byte(to, s.at[i]);
    }
    return fits;
}

static bool add_secret_value(struct http_question *q, const char *name, struct span value)
{
    struct buf escaped;
    buf_init_secret(&escaped, ESCAPED_MAX);
    bool good = add_escaped(&escaped, value) && http_header(q, name, buf_span(&escaped));
    buf_fini(&escaped);
    return good;
}

static bool add_user(struct http_question *q, const struct verifier *v, const struct attempt *a)
{
    struct buf name;
    buf_init(&name, NAME_BYTES_MAX);
    bool good = name_expand(span_of(v->config->user_format), span_of(a->login), span_of(a->typed), &name) &&
                add_secret_value(q, "Auth-User", buf_span(&name));
    buf_fini(&name);
    return good;
}

bool auth_http_compose(struct http_question *q, const struct verifier *v, const struct attempt *a)
{
    char client[ADDR_TEXT_MAX], number[16];
    snprintf(number, sizeof number, "%u", a->number);
    return http_header(q, "Auth-Method", SPAN("plain")) && add_user(q, v, a) &&
           add_secret_value(q, "Auth-Pass", secret_span(&a->secret)) &&
           http_header(q, "Auth-Protocol", span_of(protocol_names[a->protocol])) &&
           http_header(q, "Auth-Login-Attempt", span_of(number)) &&
           http_header(q, "Client-IP", span_of(addr_host_text(&a->client, client))) &&
           (!a->tls || http_header(q, "Auth-SSL", SPAN("on"))) &&
           (v->config->secret_header[0] == '\0' || http_header(q, v->config->secret_header, secret_span(&v->secret)));
}

/* ---- the answer ---- */

static bool keep(char **to, struct span s)
{
    *to = s.n > 0 && !span_has(s, '\0') ? span_copy(s) : NULL;
    return s.n == 0 || *to != NULL;
}

static bool take_password(const struct http_answer *answer, struct judgement *j)
{
    struct span value = http_answer_header(answer, "Auth-Pass");
    return value.n == 0 || (value.n <= SASL_PASSWORD_MAX && secret_set(&j->password, value));
}

static bool take_home(const struct verifier *v, const struct attempt *a, const struct http_answer *answer,
                      struct judgement *j)
{
    struct span server = http_answer_header(answer, "Auth-Server"), port = http_answer_header(answer, "Auth-Port");
    uint64_t number = 0;
    if (server.n == 0)
        return true;
    if (port.n > 0 && !span_number(port, 65535, &number)) {
        judgement_unclear(j, "its Auth-Port is no port");
        return false;
    }
    const char *site = verifier_site(v, server, a->protocol, (uint16_t)number);
    if (site == NULL) {
        judgement_unclear(j, "its Auth-Server is at none of the sites");
        return false;
    }
    return keep(&j->site, span_of(site));
}

static void take_yes(const struct verifier *v, const struct attempt *a, const struct http_answer *answer,
                     struct judgement *j)
{
    j->is = JUDGED_YES;
    bool good = take_home(v, a, answer, j) && take_password(answer, j) &&
                keep(&j->store_name, http_answer_header(answer, "Auth-User")) &&
                keep(&j->options, http_answer_header(answer, "Homeward-Options"));
    if (!good && j->is != JUDGED_DOWN)
        judgement_down(j, "memory is short, or its answer is too long");
}

/* SMTP's codes tell a passing trouble (4xx) from a refusal; without one any word but OK is a refusal, as in nginx. */
void auth_http_read(const struct verifier *v, const struct attempt *a, const struct http_answer *answer,
                    struct judgement *j)
{
    struct span status = http_answer_header(answer, "Auth-Status");
    struct span code = http_answer_header(answer, "Auth-Error-Code");
    if (answer->status != 200)
        judgement_down(j, "it answers with status %ld", answer->status);
    else if (status.n == 0)
        judgement_down(j, "its answer has no Auth-Status");
    else if (span_eq(status, SPAN("OK")))
        take_yes(v, a, answer, j);
    else if (code.n > 0 && code.at[0] == '4')
        judgement_unclear(j, "it says that it is in trouble (Auth-Error-Code)");
    else
        j->is = JUDGED_NO;
}

static void judge(const struct verifier *v, void *of_thread, const struct attempt *a, struct judgement *j)
{
    struct http_question q;
    struct http_answer answer;
    http_question_init(&q);
    http_answer_init(&answer);
    if (!auth_http_compose(&q, v, a))
        judgement_down(j, "the question does not fit");
    else if (http_ask(v, of_thread, &q, &answer, j))
        auth_http_read(v, a, &answer, j);
    http_answer_fini(&answer);
    http_question_fini(&q);
}

const struct verifier_kind verify_http = {
    .passwords = true, .open = http_open, .close = http_close, .begin = http_begin, .end = http_end, .judge = judge
};
