/* SASL messages. What can be read can be written, and says the same; the first byte chooses the mechanism. */
#include "proxy/wire/sasl.h"
#include "test/fuzz/fuzz.h"

static struct buf name, again;

void fuzz_start(void)
{
    buf_init(&name, SASL_NAME_MAX);
    buf_init(&again, SIZE_MAX / 4);
}

static bool parse(enum sasl_mechanism m, struct span message, struct sasl_identity *who)
{
    *who = (struct sasl_identity){ 0 };
    if (m == SASL_PLAIN)
        return sasl_plain_parse(message, who);
    if (m == SASL_XOAUTH2)
        return sasl_xoauth2_parse(message, who);
    return sasl_oauthbearer_parse(message, &name, who);
}

static bool write(enum sasl_mechanism m, const struct sasl_identity *who, struct buf *to)
{
    if (m == SASL_PLAIN)
        return sasl_plain_write(to, who->authzid, who->authcid, who->password);
    if (m == SASL_XOAUTH2)
        return sasl_xoauth2_write(to, who->authcid, who->token);
    return sasl_oauthbearer_write(to, who->authcid, who->token);
}

static void read_and_write(enum sasl_mechanism m, struct span message)
{
    struct sasl_identity who, same;
    if (!parse(m, message, &who))
        return;
    FUZZ_REQUIRE(sasl_name_ok(who.authcid) && (who.authzid.n == 0 || sasl_name_ok(who.authzid)));
    FUZZ_REQUIRE(!span_has(who.password, '\0') && !span_has(who.token, '\1') && !span_has(who.token, '\0'));
    FUZZ_REQUIRE((m == SASL_PLAIN) == (who.password.n > 0));
    if (sasl_is_bearer(m) && who.authzid.n > 0)
        return;
    buf_clear(&again);
    bool written = write(m, &who, &again);
    FUZZ_REQUIRE(written || sasl_is_bearer(m));
    struct buf first_name = name; /* the second reading empties it */
    buf_init(&name, SASL_NAME_MAX);
    if (written) {
        FUZZ_REQUIRE(parse(m, buf_span(&again), &same));
        FUZZ_REQUIRE(span_eq(who.authcid, same.authcid) && span_eq(who.authzid, same.authzid));
        FUZZ_REQUIRE(span_eq(who.password, same.password) && span_eq(who.token, same.token));
    }
    buf_fini(&first_name);
}

/* Any three strings: refused, or read as they were given. */
static void write_and_read(enum sasl_mechanism m, struct span input)
{
    struct sasl_identity given = { 0 }, got;
    given.authcid = fuzz_line(&input);
    if (m == SASL_PLAIN)
        given.authzid = fuzz_line(&input);
    *(m == SASL_PLAIN ? &given.password : &given.token) = input;
    buf_clear(&again);
    if (!write(m, &given, &again)) {
        FUZZ_REQUIRE(again.n == 0);
        return;
    }
    FUZZ_REQUIRE(parse(m, buf_span(&again), &got));
    FUZZ_REQUIRE(span_eq(given.authcid, got.authcid) && span_eq(given.authzid, got.authzid));
    FUZZ_REQUIRE(span_eq(given.password, got.password) && span_eq(given.token, got.token));
}

void fuzz_one(struct span input)
{
    static const enum sasl_mechanism mechanisms[] = { SASL_PLAIN, SASL_XOAUTH2, SASL_OAUTHBEARER };
    unsigned choice = fuzz_choice(&input, 6);
    (choice < 3 ? read_and_write : write_and_read)(mechanisms[choice % 3], input);
    buf_fini(&name);
    buf_fini(&again);
}
