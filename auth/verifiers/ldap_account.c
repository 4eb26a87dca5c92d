/* What a directory says of an account. */
#include "auth/verifiers/ldap_account.h"

#include <stdlib.h>

enum { FILTER_MAX = 4096, OPTIONS_MAX = 8192, ACCOUNT_DISABLED = 2 };

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

bool ldap_account_filter(struct span pattern, struct span login, struct buf *to)
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
static bool take_name(const struct verifier *v, const struct ldap_found *f, struct span login, struct judgement *j)
{
    struct buf name;
    struct span own = value(f, ACCOUNT_NAME);
    if (f->n[ACCOUNT_NAME] == 0)
        return true;
    buf_init(&name, NAME_BYTES_MAX);
    bool good = name_canonical(v->names, own, &name);
    bool same = good && span_eq(buf_span(&name), login);
    buf_fini(&name);
    return good && (same || keep(&j->name, own));
}

static const char *find_site(const struct verifier *v, const struct ldap_found *f, size_t attribute,
                             enum protocol protocol)
{
    const char *site = NULL;
    for (size_t i = 0; i < f->n[attribute] && site == NULL; i++)
        site = verifier_site(v, buf_span(&f->values[attribute][i]), protocol, 0);
    return site;
}

/* What means nothing here leaves it to the map. */
static bool take_site(const struct verifier *v, const struct ldap_found *f, enum protocol protocol, struct judgement *j)
{
    const char *site = find_site(v, f, ACCOUNT_SITE, protocol);
    if (site == NULL)
        site = find_site(v, f, ACCOUNT_SITE_TOO, protocol);
    return site == NULL || keep(&j->site, span_of(site));
}

static bool take_options(const struct ldap_found *f, struct judgement *j)
{
    struct buf words;
    buf_init(&words, OPTIONS_MAX);
    bool good = true;
    for (size_t i = 0; i < f->n[ACCOUNT_OPTIONS] && good; i++)
        good = (i == 0 || buf_add_byte(&words, ' ')) && buf_add(&words, buf_span(&f->values[ACCOUNT_OPTIONS][i]));
    good = good && keep(&j->options, buf_span(&words));
    buf_fini(&words);
    return good;
}

/* ---- Active Directory ---- */

/* The last part of a security identifier: 500 is the administrator, 501 the guest, whatever they are called now. */
static bool relative_id(struct span sid, uint32_t *id)
{
    const unsigned char *p = (const unsigned char *)sid.at;
    if (sid.n < 12 || sid.n != 8 + 4 * (size_t)p[1])
        return false;
    p += sid.n - 4;
    *id = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    return true;
}

/* Both must be there and readable: a service that may not see them would let in whom they keep out. */
static enum judged standing(const struct ldap_found *f)
{
    uint64_t control;
    uint32_t id;
    if (!span_number(value(f, ACCOUNT_CONTROL), UINT32_MAX, &control) || !relative_id(value(f, ACCOUNT_SID), &id))
        return JUDGED_DOWN;
    if (id == 500 || id == 501)
        return JUDGED_DENIED;
    return (control & ACCOUNT_DISABLED) != 0 ? JUDGED_NO : JUDGED_YES;
}

/* ---- all of it ---- */

enum ldap_outcome ldap_account_find(const struct verifier *v, void *of_thread, struct span login,
                                    struct ldap_found *found, struct judgement *j)
{
    const struct verifier_config *c = v->config;
    bool ad = c->preset == PRESET_AD;
    const char *const attributes[LDAP_ATTRIBUTES_MAX] = {
        [ACCOUNT_NAME] = c->name_attribute,         [ACCOUNT_SITE] = c->site_attribute,
        [ACCOUNT_SITE_TOO] = ad ? "homeMDB" : NULL, [ACCOUNT_USER] = c->user_attribute,
        [ACCOUNT_OPTIONS] = c->options_attribute,   [ACCOUNT_CONTROL] = ad ? "userAccountControl" : NULL,
        [ACCOUNT_SID] = ad ? "objectSid" : NULL,
    };
    struct buf filter;
    enum ldap_outcome outcome = LDAP_FAILED;
    buf_init(&filter, FILTER_MAX);
    if (ldap_account_filter(span_of(c->filter), login, &filter))
        outcome = ldap_find(v, of_thread, filter.at, attributes, found, j);
    else
        judgement_down(j, "the filter does not fit");
    buf_fini(&filter);
    return outcome;
}

void ldap_account_read(const struct verifier *v, enum protocol protocol, struct span login, const struct ldap_found *f,
                       struct judgement *j)
{
    enum judged is = v->config->preset == PRESET_AD ? standing(f) : JUDGED_YES;
    if (is == JUDGED_DOWN)
        judgement_unclear(j, "no userAccountControl or objectSid: may bind_dn read them?");
    else if (!take_name(v, f, login, j) || !take_site(v, f, protocol, j) ||
             !keep(&j->store_name, value(f, ACCOUNT_USER)) || !take_options(f, j))
        judgement_unclear(j, "an attribute of the account cannot be used");
    else
        j->is = is;
}
