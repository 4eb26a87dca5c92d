/* SASL messages: taken apart without copying, put together so that they come apart the same way. */
#include "proxy/wire/sasl.h"

static const char *const names[SASL_MECHANISMS] = {
    [SASL_NONE] = "",
    [SASL_PLAIN] = "PLAIN",
    [SASL_LOGIN] = "LOGIN",
    [SASL_XOAUTH2] = "XOAUTH2",
    [SASL_OAUTHBEARER] = "OAUTHBEARER",
};

enum { SEPARATOR = 0x01 }; /* between and behind the fields of a bearer message */

const char *sasl_name(enum sasl_mechanism m)
{
    return names[m];
}

enum sasl_mechanism sasl_find(struct span name)
{
    for (enum sasl_mechanism m = SASL_PLAIN; m < SASL_MECHANISMS; m++)
        if (span_eq_nocase(name, span_of(names[m])))
            return m;
    return SASL_NONE;
}

bool sasl_is_bearer(enum sasl_mechanism m)
{
    return m == SASL_XOAUTH2 || m == SASL_OAUTHBEARER;
}

/* Parts */

static bool has_line_end_or_nul(struct span s)
{
    return span_has(s, '\0') || span_has(s, '\r') || span_has(s, '\n');
}

bool sasl_name_ok(struct span name)
{
    return name.n > 0 && name.n <= SASL_NAME_MAX && !has_line_end_or_nul(name);
}

static bool authzid_ok(struct span authzid)
{
    return authzid.n == 0 || sasl_name_ok(authzid);
}

/* RFC 4616 has no empty password; one that is empty would be an anonymous bind to some directories. */
static bool password_ok(struct span password)
{
    return password.n > 0 && password.n <= SASL_PASSWORD_MAX && !span_has(password, '\0');
}

/* RFC 6750's b64token, and whatever else is printable: the issuer knows best. */
static bool token_ok(struct span token)
{
    for (size_t i = 0; i < token.n; i++)
        if (token.at[i] <= ' ' || token.at[i] >= 0x7f)
            return false;
    return token.n > 0;
}

/* Takes what stands before the next c, and c itself. */
static bool take_until(struct span *rest, char c, struct span *part)
{
    ptrdiff_t at = span_find(*rest, c);
    if (at < 0)
        return false;
    *part = span_first(*rest, (size_t)at);
    *rest = span_after(*rest, (size_t)at + 1);
    return true;
}

/* PLAIN: [authzid] NUL authcid NUL password */

bool sasl_plain_parse(struct span message, struct sasl_identity *who)
{
    *who = (struct sasl_identity){ 0 };
    if (!take_until(&message, '\0', &who->authzid) || !take_until(&message, '\0', &who->authcid))
        return false;
    who->password = message;
    return authzid_ok(who->authzid) && sasl_name_ok(who->authcid) && password_ok(who->password);
}

bool sasl_plain_write(struct buf *to, struct span authzid, struct span authcid, struct span password)
{
    if (!authzid_ok(authzid) || !sasl_name_ok(authcid) || !password_ok(password))
        return false;
    if (buf_space(to, authzid.n + authcid.n + password.n + 2) == NULL)
        return false;
    return buf_add(to, authzid) && buf_add_byte(to, '\0') && buf_add(to, authcid) && buf_add_byte(to, '\0') &&
           buf_add(to, password);
}

/* Bearer messages: key=value ^A … ^A. Keys are compared without case, so that "USER=" cannot be a second user to a
 * reader behind us. */

static bool take_bearer(struct span value, struct span *token)
{
    if (!span_starts_nocase(value, SPAN("Bearer ")))
        return false;
    value = span_after(value, 7);
    while (value.n > 0 && value.at[0] == ' ')
        value = span_after(value, 1);
    *token = value;
    return token_ok(value);
}

static bool take_field(struct span field, struct sasl_identity *who, bool user_allowed)
{
    struct span key;
    if (!take_until(&field, '=', &key) || key.n == 0)
        return false;
    if (span_eq_nocase(key, SPAN("user"))) {
        if (!user_allowed || who->authcid.at != NULL)
            return false;
        who->authcid = field;
        return sasl_name_ok(field);
    }
    if (span_eq_nocase(key, SPAN("auth")))
        return who->token.at == NULL && take_bearer(field, &who->token);
    return true; /* host, port and what others may add */
}

static bool take_fields(struct span rest, struct sasl_identity *who, bool user_allowed)
{
    struct span field;
    if (span_has(rest, '\0'))
        return false;
    for (;;) {
        if (!take_until(&rest, SEPARATOR, &field))
            return false;
        if (field.n == 0)
            return rest.n == 0 && who->token.at != NULL;
        if (!take_field(field, who, user_allowed))
            return false;
    }
}

static bool write_field(struct buf *to, const char *start, struct span value)
{
    return buf_add_text(to, start) && buf_add(to, value) && buf_add_byte(to, SEPARATOR);
}

/* Undoes a message of which a part did not fit. */
static bool written(struct buf *to, size_t before, bool whole)
{
    if (!whole && to->n > before) {
        explicit_bzero(to->at + before, to->n - before);
        to->n = before;
    }
    return whole;
}

bool sasl_xoauth2_parse(struct span message, struct sasl_identity *who)
{
    *who = (struct sasl_identity){ 0 };
    return take_fields(message, who, true) && who->authcid.at != NULL;
}

bool sasl_xoauth2_write(struct buf *to, struct span user, struct span token)
{
    size_t before = to->n;
    if (!sasl_name_ok(user) || span_has(user, SEPARATOR) || !token_ok(token))
        return false;
    return written(to, before,
                   write_field(to, "user=", user) && write_field(to, "auth=Bearer ", token) &&
                       buf_add_byte(to, SEPARATOR));
}

/* OAUTHBEARER (RFC 7628 3.1): a GS2 header before the fields, in which the user's name stands as RFC 5801's saslname.
 */

static bool decode_saslname(struct span coded, struct buf *name)
{
    while (coded.n > 0) {
        size_t n = 1;
        char c = coded.at[0];
        if (c == '=') {
            bool comma = span_starts_nocase(coded, SPAN("=2C"));
            if (!comma && !span_starts_nocase(coded, SPAN("=3D")))
                return false;
            c = comma ? ',' : '=';
            n = 3;
        }
        if (!buf_add_byte(name, c))
            return false;
        coded = span_after(coded, n);
    }
    return true;
}

static bool encode_saslname(struct span name, struct buf *to)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.at[i];
        if (!(c == ',' ? buf_add_text(to, "=2C") : c == '=' ? buf_add_text(to, "=3D") : buf_add_byte(to, c)))
            return false;
    }
    return true;
}

bool sasl_oauthbearer_parse(struct span message, struct buf *name, struct sasl_identity *who)
{
    struct span binding, user, behind;
    *who = (struct sasl_identity){ 0 };
    buf_clear(name);
    if (!take_until(&message, ',', &binding) || !take_until(&message, ',', &user) ||
        !take_until(&message, SEPARATOR, &behind) || behind.n != 0)
        return false;
    if (!span_eq(binding, SPAN("n")) && !span_eq(binding, SPAN("y"))) /* "p=…" demands a channel binding */
        return false;
    if (!span_starts(user, SPAN("a=")) || span_has(user, SEPARATOR) || !decode_saslname(span_after(user, 2), name))
        return false;
    who->authcid = buf_span(name);
    return sasl_name_ok(who->authcid) && take_fields(message, who, false);
}

bool sasl_oauthbearer_write(struct buf *to, struct span user, struct span token)
{
    size_t before = to->n;
    if (!sasl_name_ok(user) || span_has(user, SEPARATOR) || !token_ok(token))
        return false;
    return written(to, before,
                   buf_add_text(to, "n,a=") && encode_saslname(user, to) && buf_add_text(to, ",\001") &&
                       write_field(to, "auth=Bearer ", token) && buf_add_byte(to, SEPARATOR));
}
