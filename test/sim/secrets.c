/* The secrets of sessions in all the forms in which they may be seen on a wire, and the search for them: four bytes of
 * each form stand in a table, so that what holds none is looked through once, whoever's secrets there are. */
#include <stdio.h>

#include "proxy/wire/sasl.h"
#include "test/sim/sim.h"

enum { HASH_BITS = 12, LOOKED_AT = 4 };

static uint16_t table[1 << HASH_BITS];

static unsigned hash(const char *at)
{
    uint32_t word;
    memcpy(&word, at, sizeof word);
    return word * 2654435761U >> (32 - HASH_BITS);
}

/* ---- forms ---- */

static void keep(struct plan *p, enum form form, struct span text)
{
    SIM_REQUIRE(text.n >= LOOKED_AT && text.n < sizeof p->forms[form]);
    memcpy(p->forms[form], text.at, text.n);
    p->forms[form][text.n] = '\0';
    p->form_n[form] = text.n;
}

static void keep_base64(struct plan *p, enum form form, struct span bytes)
{
    char room[200];
    struct buf text = { .at = room, .room = sizeof room, .max = sizeof room };
    SIM_REQUIRE(base64_encode(bytes, &text));
    keep(p, form, buf_span(&text));
}

static void keep_sasl(struct plan *p, enum form form, enum sasl_mechanism m, const char *authzid, const char *user,
                      enum form secret)
{
    char room[200];
    struct buf message = { .at = room, .room = sizeof room, .max = sizeof room };
    struct span name = span_of(user), bytes = span_of(p->forms[secret]);
    SIM_REQUIRE(m == SASL_XOAUTH2       ? sasl_xoauth2_write(&message, name, bytes)
                : m == SASL_OAUTHBEARER ? sasl_oauthbearer_write(&message, name, bytes)
                                        : sasl_plain_write(&message, span_of(authzid), name, bytes));
    keep_base64(p, form, buf_span(&message));
}

/* How the master opens a mailbox: as itself for another one, or by a name of both. */
static void keep_master(struct plan *p)
{
    char both[60];
    const struct site_fact *site = &site_facts[p->site];
    keep(p, FORM_MASTER, SPAN(MASTER_PASSWORD));
    if (!site->master)
        return;
    for (int other = 0; other < 2; other++) {
        const char *name = other ? p->other : p->name;
        snprintf(both, sizeof both, "%s*" MASTER_USER, name);
        keep_sasl(p, other ? FORM_MASTER_SASL_OTHER : FORM_MASTER_SASL, SASL_PLAIN, site->star ? "" : name,
                  site->star ? both : MASTER_USER, FORM_MASTER);
    }
}

static void keep_given(struct plan *p, struct span given)
{
    keep(p, FORM_GIVEN, given);
    keep_sasl(p, FORM_GIVEN_SASL, SASL_PLAIN, "", p->name, FORM_GIVEN);
    keep_sasl(p, FORM_GIVEN_SASL_OTHER, SASL_PLAIN, "", p->other, FORM_GIVEN);
}

void secrets_draw(struct plan *p, bool given)
{
    static const char letters[] = "%{}+abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ";
    static const char initials[] = { 'p', 'w', 'g' };
    enum sasl_mechanism m = p->mechanism;
    char words[COUNT_OF(initials)][40];
    for (size_t i = 0; i < COUNT_OF(initials); i++) {
        random_text(words[i], 9 + random_below(25), m == SASL_PLAIN ? letters : letters + 4);
        for (char *at = words[i]; m != SASL_PLAIN && *at != '\0'; at++)
            *at = *at == ' ' ? '.' : *at; /* a token has none */
        words[i][0] = initials[i];
    }
    keep(p, FORM_PASSWORD, span_of(words[0]));
    keep(p, FORM_WRONG, span_of(words[1]));
    keep_base64(p, FORM_BASE64, span_of(words[0]));
    keep_sasl(p, FORM_SASL, m, "", p->name, FORM_PASSWORD);
    keep_sasl(p, FORM_SASL_WRONG, m, "", p->name, FORM_WRONG);
    keep_sasl(p, FORM_SASL_OTHER, m, "", p->other, FORM_PASSWORD);
    if (given)
        keep_given(p, span_of(words[2]));
    keep_master(p);
}

/* ---- the search ---- */

static void enlist(const struct plan *p, int n)
{
    for (size_t i = 0; i < FORMS; i++)
        if (p->form_n[i] > 0)
            table[hash(p->forms[i])] = (uint16_t)(table[hash(p->forms[i])] + n);
}

void secrets_known(const struct plan *p)
{
    enlist(p, 1);
}

void secrets_over(const struct plan *p)
{
    enlist(p, -1);
}

static unsigned match(const struct plan *p, struct span bytes)
{
    unsigned found = 0;
    for (size_t i = 0; i < FORMS; i++)
        if (p->form_n[i] > 0 && bytes.n >= p->form_n[i] && memcmp(bytes.at, p->forms[i], p->form_n[i]) == 0)
            found |= 1U << i;
    return found;
}

static unsigned match_any(struct span bytes)
{
    unsigned found = 0;
    for (size_t i = 0; i < SLOTS; i++)
        found |= slots[i].used ? match(&slots[i].plan, bytes) : 0;
    return found;
}

unsigned secrets_in(const struct plan *p, struct span bytes)
{
    unsigned found = 0;
    for (size_t i = 0; i + LOOKED_AT <= bytes.n; i++)
        if (table[hash(bytes.at + i)] > 0)
            found |= p != NULL ? match(p, span_after(bytes, i)) : match_any(span_after(bytes, i));
    return found;
}
