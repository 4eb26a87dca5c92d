/* The words of nginx's auth_http: the headers of a question, and what answers mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "auth/verifiers/verify_http.h"

static struct backend_config backends[] = {
    {.host = "imap1.north.test"},
    { .host = "10.1.2.3",         .imap_port = 9143 }
};
static struct site_config sites[] = {
    {.name = "north",  .backends = backends,                        .n_backends = 2, .port = { 143, 110 }},
    { .name = "south",
     .backends = &(struct backend_config){ .host = "2001:db8::7" },
     .n_backends = 1,
     .port = { 993, 995 }                                                                                },
};
static struct value_config values[] = {
    {"old-*", "south"}
};
static struct config house = { .sites = sites, .n_sites = COUNT_OF(sites) };
static struct verifier_config settings = {
    .user_format = "%n!%t", .secret_header = "X-Key", .sites = values, .n_sites = 1
};
static struct verifier v = { .config = &settings, .house = &house };

/* ---- questions ---- */

static struct attempt attempt(const char *login, const char *typed, const char *password)
{
    struct attempt a = { .protocol = POP3,
                         .mechanism = SASL_PLAIN,
                         .tls = true,
                         .number = 3,
                         .login = (char *)login,
                         .typed = (char *)typed };
    assert_true(addr_parse(SPAN("2001:db8::1"), 4711, &a.client));
    assert_true(secret_set(&a.secret, span_of(password)));
    return a;
}

/* Lines, with a NUL behind each. */
static bool has_line(const struct http_question *q, const char *line)
{
    for (struct span rest = buf_span(&q->headers); rest.n > 0; rest = span_after(rest, strlen(rest.at) + 1))
        if (strcmp(rest.at, line) == 0)
            return true;
    return false;
}

static void questions_are_those_of_nginx(void **state UNUSED)
{
    struct http_question q;
    struct attempt a = attempt("anna@x.test", "X\\Anna B", "p %\"\xc3\xa4+\x01\r\nEvil: 1");
    assert_true(secret_set(&v.secret, SPAN("k3y")));
    http_question_init(&q);
    assert_true(auth_http_compose(&q, &v, &a));
    static const char *const lines[] = { "Auth-Method: plain",
                                         "Auth-User: anna!X\\Anna%20B",
                                         "Auth-Pass: p%20%25\"\xc3\xa4+%01%0D%0AEvil:%201",
                                         "Auth-Protocol: pop3",
                                         "Auth-Login-Attempt: 3",
                                         "Client-IP: 2001:db8::1",
                                         "Auth-SSL: on",
                                         "X-Key: k3y" };
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        assert_true(has_line(&q, lines[i]));
    http_question_fini(&q);
    http_question_init(&q);
    a.tls = false;
    assert_true(auth_http_compose(&q, &v, &a));
    assert_false(has_line(&q, "Auth-SSL: on"));
    http_question_fini(&q);
    secret_wipe(&a.secret);
    secret_wipe(&v.secret);
}

static void a_header_holds_no_line_end(void **state UNUSED)
{
    static const struct span bad[] = {
        {"a\rb",  3},
        { "a\nb", 3},
        { "a\0b", 3}
    };
    struct http_question q;
    http_question_init(&q);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(http_header(&q, "X", bad[i]));
    assert_int_equal(q.headers.n, 0);
    http_question_fini(&q);
}

/* ---- answers ---- */

/* clang-format off */
static const struct {
    long status;
    const char *headers;
    enum judged is;
    const char *site, *store_name, *password, *options;
} answers[] = {
    { 200, "Auth-Status: OK\r\n", JUDGED_YES, NULL, NULL, NULL, NULL },
    { 200, "HTTP/1.1 200 fine\r\nauth-status:OK\r\nAUTH-SERVER:  10.1.2.3\t\r\nAuth-Port: 9143\r\n\r\n", JUDGED_YES, "north", NULL, NULL, NULL },
    { 200, "Auth-Status: OK\r\nAuth-Server: IMAP1.north.test\r\nAuth-Port: 143\r\n", JUDGED_YES, "north", NULL, NULL, NULL },
    { 200, "Auth-Status: OK\r\nAuth-Server: imap1.north.test\r\n", JUDGED_YES, "north", NULL, NULL, NULL },
    { 200, "Auth-Status: OK\r\nAuth-Server: south\r\nAuth-Port: 1\r\n", JUDGED_YES, "south", NULL, NULL, NULL },
    { 200, "Auth-Status: OK\r\nAuth-Server: old-7\r\nAuth-Port: 143\r\n", JUDGED_YES, "south", NULL, NULL, NULL },
    { 200, "Auth-Status: OK\r\nAuth-User: anna-7\r\nAuth-Pass: of the store\r\nHomeward-Options: protocols=imap\r\n", JUDGED_YES, NULL, "anna-7",
      "of the store", "protocols=imap" },
    { 200, "Auth-Status: OK\r\nAuth-Wait: 3\r\nX: Auth-User: not-me\r\n", JUDGED_YES, NULL, NULL, NULL, NULL },
    { 200, "Auth-Status: OK\r\nAuth-Server: imap1.north.test\r\nAuth-Port: 99\r\n", JUDGED_DOWN, NULL, NULL, NULL, NULL },
    { 200, "Auth-Status: OK\r\nAuth-Server: 198.51.100.7\r\nAuth-Port: 143\r\n", JUDGED_DOWN, NULL, NULL, NULL, NULL },
    { 200, "Auth-Status: OK\r\nAuth-Server: south\r\nAuth-Port: 65536\r\n", JUDGED_DOWN, NULL, NULL, NULL, NULL },
    { 200, "Auth-Status: OK\r\nAuth-Server: south\r\nAuth-Port: x\r\n", JUDGED_DOWN, NULL, NULL, NULL, NULL },
    { 200, "Auth-Status: Invalid login or password\r\nAuth-Wait: 3\r\n", JUDGED_NO, NULL, NULL, NULL, NULL },
    { 200, "Auth-Status: ok\r\nAuth-Server: south\r\n", JUDGED_NO, NULL, NULL, NULL, NULL },
    { 200, "Auth-Status: Mailbox disabled\r\nAuth-Error-Code: 535 5.7.8\r\n", JUDGED_NO, NULL, NULL, NULL, NULL },
    { 200, "Auth-Status: Try later\r\nAuth-Error-Code: 451 4.3.0\r\n", JUDGED_DOWN, NULL, NULL, NULL, NULL },
    { 200, "Auth-Status:\r\n", JUDGED_DOWN, NULL, NULL, NULL, NULL },
    { 200, "", JUDGED_DOWN, NULL, NULL, NULL, NULL },
    { 200, ": OK\r\nAuth-Status", JUDGED_DOWN, NULL, NULL, NULL, NULL },
    { 302, "Auth-Status: OK\r\nLocation: http://elsewhere.test/\r\n", JUDGED_DOWN, NULL, NULL, NULL, NULL },
    { 403, "Auth-Status: OK\r\n", JUDGED_DOWN, NULL, NULL, NULL, NULL },
    { 500, "Auth-Status: Invalid login or password\r\n", JUDGED_DOWN, NULL, NULL, NULL, NULL },
};
/* clang-format on */

static void check_text(const char *found, const char *want)
{
    if (want == NULL)
        assert_null(found);
    else
        assert_string_equal(found, want);
}

static void answers_mean(void **state UNUSED)
{
    struct attempt a = attempt("anna@x.test", "anna", "x");
    a.protocol = IMAP;
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        struct http_answer answer;
        struct judgement j = { 0 };
        http_answer_init(&answer);
        answer.status = answers[i].status;
        assert_true(buf_add_text(&answer.headers, answers[i].headers));
        auth_http_read(&v, &a, &answer, &j);
        assert_int_equal(j.is, answers[i].is);
        if (j.is == JUDGED_YES) {
            check_text(j.site, answers[i].site);
            check_text(j.store_name, answers[i].store_name);
            check_text(j.options, answers[i].options);
            assert_true(span_eq(secret_span(&j.password), span_of(answers[i].password)));
        }
        assert_true((j.is == JUDGED_DOWN) == (j.detail[0] != '\0'));
        judgement_fini(&j);
        http_answer_fini(&answer);
    }
    secret_wipe(&a.secret);
}

static void a_name_with_a_nul_is_none(void **state UNUSED)
{
    struct attempt a = attempt("anna@x.test", "anna", "x");
    struct http_answer answer;
    struct judgement j = { 0 };
    http_answer_init(&answer);
    answer.status = 200;
    assert_true(buf_add(&answer.headers, SPAN("Auth-Status: OK\r\nAuth-User: root\0@x\r\n")));
    auth_http_read(&v, &a, &answer, &j);
    assert_int_equal(j.is, JUDGED_DOWN);
    judgement_fini(&j);
    http_answer_fini(&answer);
    secret_wipe(&a.secret);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(questions_are_those_of_nginx),
        cmocka_unit_test(a_header_holds_no_line_end),
        cmocka_unit_test(answers_mean),
        cmocka_unit_test(a_name_with_a_nul_is_none),
    };
    for (size_t i = 0; i < COUNT_OF(sites); i++)
        for (size_t k = 0; k < sites[i].n_backends; k++)
            if (!addr_parse(span_of(sites[i].backends[k].host), 0, &sites[i].backends[k].literal))
                sites[i].backends[k].literal.family = AF_UNSPEC;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
