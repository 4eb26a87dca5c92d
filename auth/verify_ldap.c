/* The verifier `ldap`: one search finds the account with all that is to be known of it, one bind tries its password. */
#include <stdlib.h>

#include "auth/ldap.h"

enum { FILTER_MAX = 4096, OPTIONS_MAX = 8192, ACCOUNT_DISABLED = 2 };
enum { NAME, SITE, USER, OPTIONS, CONTROL, SID }; /* attributes, in the order in which they are asked for */

/* ---- the filter ---- */

/* RFC 4515: what could end or widen an assertion goes as \xx. */
static bool add_escaped(struct buf *to, struct span s)
{
    bool fits = true;
    for (size_t i = 0; i < s.n && fits; i++) {
        unsigned char c = (unsigned char)s.at[i];
        bool special = c < 0x20 || c == '(' || c == ')' || c == '*' || c == '\\' || c == 0x7f;
        fits = special ? buf_printf(to, "\\%02x", c) : buf_add_byte(to, s.at[i]);
    }
    return fits;
}

static bool make_filter(struct buf *to, struct span pattern, struct span login)
{
    bool fits = true;
    while (pattern.n > 0 && fits) {
        char c = pattern.n > 1 && pattern.at[0] == '%' ? pattern.at[1] : '\0';
        if (c == 'u')
            fits = add_escaped(to, login);
        else if (c == 'n')
            fits = add_escaped(to, name_local(login));
        else if (c == 'd')
            fits = add_escaped(to, name_domain(login));
        else
            fits = buf_add_byte(to, pattern.at[0]);
        pattern = span_after(pattern, c == '\0' ? 1 : 2);
    }
    return fits && buf_add_byte(to, '\0');
}

/* ---- what was found ---- */

static struct span value(const struct ldap_found *f, size_t attribute)
{
    return f->n[attribute] > 0 ? buf_span(&f->values[attribute][0]) : SPAN_NONE;
}

static bool keep(char **to, struct span s)
{
    *to = s.n > 0 && !span_has(s, '\0') ? span_copy(s) : NULL;
    return s.n == 0 || *to != NULL;
}

/* Of several names the first one: whoever signs in by another is still one account. */
static bool take_name(const struct verifier *v, const struct ldap_found *f, const char *login, struct judgement *j)
{
    struct buf name;
    buf_init(&name, NAME_BYTES_MAX);
    bool same = f->n[NAME] == 0 ||
                (name_canonical(v->names, value(f, NAME), &name) && span_eq(buf_span(&name), span_of(login)));
    buf_fini(&name);
    return same || keep(&j->name, value(f, NAME));
}

static bool take_site(const struct verifier *v, const struct ldap_found *f, const struct attempt *a,
                      struct judgement *j)
{
    const char *site = NULL;
    for (size_t i = 0; i < f->n[SITE] && site == NULL; i++)
        site = verifier_site(v, buf_span(&f->values[SITE][i]), a->protocol, 0);
    return site == NULL || keep(&j->site, span_of(site)); /* what means nothing here leaves it to the map */
}

static bool take_options(const struct ldap_found *f, struct judgement *j)
{
    struct buf words;
    buf_init(&words, OPTIONS_MAX);
    bool good = true;
    for (size_t i = 0; i < f->n[OPTIONS] && good; i++)
        good = (i == 0 || buf_add_byte(&words, ' ')) && buf_add(&words, buf_span(&f->values[OPTIONS][i]));
    good = good && keep(&j->options, buf_span(&words));
    buf_fini(&words);
    return good;
}

/* ---- Active Directory ---- */

static bool is_disabled(const struct ldap_found *f)
{
    uint64_t control;
    return span_number(value(f, CONTROL), UINT32_MAX, &control) && (control & ACCOUNT_DISABLED) != 0;
}

/* The last part of a security identifier: 500 is the administrator, 501 the guest, whatever they are called now. */
static uint32_t relative_id(struct span sid)
{
    const unsigned char *p = (const unsigned char *)sid.at;
    if (sid.n < 12 || sid.n != 8 + 4 * (size_t)p[1])
        return 0;
    p += sid.n - 4;
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static bool is_built_in(const struct ldap_found *f)
{
    uint32_t id = relative_id(value(f, SID));
    return id == 500 || id == 501;
}

/* ---- the judgement ---- */

static void judge_found(const struct verifier *v, void *of_thread, const struct attempt *a, const struct ldap_found *f,
                        struct judgement *j)
{
    if (!take_name(v, f, a->login, j) || !take_site(v, f, a, j) || !keep(&j->store_name, value(f, USER)) ||
        !take_options(f, j)) {
        judgement_down(j, "an attribute of the account cannot be used");
        return;
    }
    enum ldap_outcome tried = ldap_try(v, of_thread, f->dn, secret_span(&a->secret), j);
    if (is_built_in(f))
        j->is = JUDGED_DENIED;
    else if (tried != LDAP_FAILED)
        j->is = tried == LDAP_DONE && !is_disabled(f) ? JUDGED_YES : JUDGED_NO;
}

static void judge(const struct verifier *v, void *of_thread, const struct attempt *a, struct judgement *j)
{
    bool ad = v->config->preset == PRESET_AD;
    const char *const attributes[LDAP_ATTRIBUTES_MAX] = {
        [NAME] = v->config->name_attribute,           [SITE] = v->config->site_attribute,
        [USER] = v->config->user_attribute,           [OPTIONS] = v->config->options_attribute,
        [CONTROL] = ad ? "userAccountControl" : NULL, [SID] = ad ? "objectSid" : NULL,
    };
    struct ldap_found found = { 0 };
    struct buf filter;
    buf_init(&filter, FILTER_MAX);
    if (!make_filter(&filter, span_of(v->config->filter), span_of(a->login)))
        judgement_down(j, "the filter does not fit");
    else {
        enum ldap_outcome outcome = ldap_find(v, of_thread, filter.at, attributes, &found, j);
        if (outcome == LDAP_NONE)
            j->is = JUDGED_UNKNOWN;
        if (outcome == LDAP_DONE)
            judge_found(v, of_thread, a, &found, j);
    }
    ldap_found_fini(&found);
    buf_fini(&filter);
}

const struct verifier_kind verify_ldap = { .passwords = true,
                                           .open = ldap_open_library,
                                           .close = ldap_close_library,
                                           .begin = ldap_begin,
                                           .end = ldap_end,
                                           .judge = judge };
