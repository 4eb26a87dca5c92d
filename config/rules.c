/* The rules of string options. Strict on purpose: a capability with a line break in it, or a user format without a
 * user, would do its harm at three in the morning and not at `homeward -t`. */
#include "config/rules.h"

#include <time.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

/* 1 to max bytes, each a letter, a digit or one of `more`. */
static bool made_of(struct span s, const char *more, size_t max)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_letter(s.at[i]) && !is_digit(s.at[i]) && !span_has(span_of(more), s.at[i]))
            return false;
    return s.n > 0 && s.n <= max;
}

static bool is_text(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (is_control(s.at[i]))
            return false;
    return s.n <= 1024 && span_is_utf8(s);
}
const struct rule rule_text = { is_text, "one line of UTF-8 text of at most 1024 bytes" };

static bool is_user(struct span s)
{
    return made_of(s, "_.-", 32) && s.at[0] != '-';
}
const struct rule rule_user = { is_user, "the name of a system user" };

static bool is_site_name(struct span s)
{
    return made_of(s, "_.-", 64) && (is_letter(s.at[0]) || is_digit(s.at[0]));
}
const struct rule rule_site_name = { is_site_name,
                                     "1 to 64 letters, digits, \".\", \"-\" and \"_\", a letter or digit first" };

static bool is_label(struct span s)
{
    return made_of(s, "-_", 63) && s.at[0] != '-' && s.at[s.n - 1] != '-';
}

static bool is_host_name(struct span s)
{
    bool numeric = false; /* the last label: 10.0.0.256 is a typing error, not a name */
    if (s.n > 253)
        return false;
    for (struct span rest = s;;) {
        ptrdiff_t dot = span_find(rest, '.');
        struct span label = dot < 0 ? rest : span_first(rest, (size_t)dot);
        uint64_t number;
        if (!is_label(label))
            return false;
        numeric = span_number(label, UINT64_MAX, &number);
        if (dot < 0)
            return !numeric;
        rest = span_after(rest, (size_t)dot + 1);
    }
}

static bool is_host(struct span s)
{
    struct addr literal;
    if (addr_parse(s, 0, &literal))
        return !addr_is_wildcard(&literal);
    return is_host_name(s);
}
const struct rule rule_host = { is_host, "a host name or an IP address" };

const struct rule rule_host_name = { is_host_name, "a host name" };

static bool is_host_or_none(struct span s)
{
    return s.n == 0 || is_host(s);
}
const struct rule rule_host_or_none = { is_host_or_none, "a host name or an IP address" };

static bool is_user_format(struct span s)
{
    bool names_somebody = false;
    for (size_t i = 0; i < s.n; i++) {
        if (is_control(s.at[i]))
            return false;
        if (s.at[i] != '%')
            continue;
        if (++i == s.n || !span_has(SPAN("undt%"), s.at[i]))
            return false;
        names_somebody |= s.at[i] == 'u' || s.at[i] == 'n' || s.at[i] == 't';
    }
    return names_somebody && s.n <= 256 && span_is_utf8(s);
}
const struct rule rule_user_format = {
    is_user_format, "a text with %u, %n or %t in it (%u the canonical name, %n its local part, %d its domain, "
                    "%t as typed, %% a percent sign)"
};

static bool is_hex(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_digit(s.at[i]) && !(s.at[i] >= 'a' && s.at[i] <= 'f') && !(s.at[i] >= 'A' && s.at[i] <= 'F'))
            return false;
    return true;
}

static bool is_pin(struct span s)
{
    if (s.n == 0 || (s.n == 64 && is_hex(s)))
        return true;
    /* 32 bytes are 43 base64 letters, the last of which carries four bits, and one "=" */
    return s.n == 44 && s.at[43] == '=' && made_of(span_first(s, 43), "+/", 43) &&
           span_has(SPAN("AEIMQUYcgkosw048"), s.at[42]);
}
const struct rule rule_pin = { is_pin, "a SHA-256 as 64 hexadecimal digits or 44 letters of base64" };

static bool is_ciphers(struct span s)
{
    return s.n == 0 || made_of(s, ":+-!@=_", 1024);
}
const struct rule rule_ciphers = { is_ciphers, "a list of ciphers as OpenSSL writes it, such as "
                                               "\"ECDHE+AESGCM:AES128-SHA\"" };

/* An atom that may stand in a capability list (RFC 9051 section 9, RFC 2449 section 3). */
static bool is_capability(struct span s)
{
    return made_of(s, "=.-_+:/", 64);
}

static bool is_capabilities(struct span s)
{
    struct span word;
    size_t n = s.n;
    while (span_word(&s, &word))
        if (!is_capability(word))
            return false;
    return n <= 1024;
}
const struct rule rule_capabilities = { is_capabilities, "capabilities with a space between them, such as "
                                                         "\"IDLE NAMESPACE UIDPLUS\"" };

static bool is_capability_changes(struct span s)
{
    struct span word;
    size_t n = s.n;
    while (span_word(&s, &word))
        if ((word.at[0] != '+' && word.at[0] != '-') || !is_capability(span_after(word, 1)))
            return false;
    return n <= 1024;
}
const struct rule rule_capability_changes = {
    is_capability_changes, "capabilities with \"+\" or \"-\" before each, such as \"+QUOTA -IDLE\""
};

static bool is_phrase(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (is_control(s.at[i]))
            return false;
    return span_trim(s).n >= 3 && s.n <= 200;
}
const struct rule rule_phrase = { is_phrase, "a phrase of 3 to 200 bytes on one line" };

static bool is_dns_server(struct span s)
{
    struct addr a;
    uint64_t port;
    if (addr_parse(s, 53, &a))
        return !addr_is_wildcard(&a);
    ptrdiff_t colon = span_find_last(s, ':');
    if (colon < 0 || !span_number(span_after(s, (size_t)colon + 1), 65535, &port) || port == 0)
        return false;
    struct span host = span_first(s, (size_t)colon);
    bool brackets = host.n > 2 && host.at[0] == '[' && host.at[host.n - 1] == ']';
    if (brackets)
        host = span_first(span_after(host, 1), host.n - 2);
    return addr_parse(host, (uint16_t)port, &a) && !addr_is_wildcard(&a) && brackets == span_has(host, ':');
}
const struct rule rule_dns_server = { is_dns_server, "an IP address, or one with a port as in \"192.0.2.53:5353\" or "
                                                     "\"[2001:db8::53]:5353\"" };

static bool is_bearer(struct span s)
{
    return span_eq(s, SPAN("XOAUTH2")) || span_eq(s, SPAN("OAUTHBEARER"));
}
const struct rule rule_bearer = { is_bearer, "\"XOAUTH2\" or \"OAUTHBEARER\"" };

/* What a domain of accounts may look like; auth knows exactly what is one. */
static bool is_domain(struct span s)
{
    struct span rest = s;
    if (s.n == 0 || s.n > 253 || !span_is_utf8(s))
        return false;
    for (;;) {
        ptrdiff_t dot = span_find(rest, '.');
        struct span label = dot < 0 ? rest : span_first(rest, (size_t)dot);
        for (size_t i = 0; i < label.n; i++)
            if ((unsigned char)label.at[i] < 0x80 && !is_letter(label.at[i]) && !is_digit(label.at[i]) &&
                label.at[i] != '-' && label.at[i] != '_')
                return false;
        if (label.n == 0 || label.at[0] == '-' || label.at[label.n - 1] == '-')
            return false;
        if (dot < 0)
            return true;
        rest = span_after(rest, (size_t)dot + 1);
    }
}
const struct rule rule_domain = { is_domain, "a domain such as \"example.com\" or \"CORP\"" };

static bool is_domain_or_none(struct span s)
{
    return s.n == 0 || is_domain(s);
}
const struct rule rule_domain_or_none = { is_domain_or_none, "a domain such as \"example.com\"" };

static bool is_account_pattern(struct span s)
{
    size_t at_signs = 0;
    for (size_t i = 0; i < s.n; i++) {
        at_signs += s.at[i] == '@';
        if (is_control(s.at[i]) || strchr(" \"(),:;<>[]\\/%", s.at[i]) != NULL)
            return false;
    }
    return s.n > 0 && s.n <= 320 && at_signs <= 1 && s.at[0] != '@' && s.at[s.n - 1] != '@' && span_is_utf8(s);
}
const struct rule rule_account_pattern = { is_account_pattern,
                                           "a name such as \"guest\", \"*-test\" or \"*@old.example.com\"" };

static bool is_ipsec_algorithm(struct span s)
{
    for (size_t i = 0; i < IPSEC_ALGORITHMS; i++)
        if (span_eq(s, span_of(ipsec_algorithm_names[i])))
            return true;
    return false;
}
const struct rule rule_ipsec_algorithm = {
    is_ipsec_algorithm, "\"aes-gcm\", \"aes-cbc-sha2\", \"chacha20-poly1305\", \"aes-cbc-sha1\" or \"3des-sha1\""
};

static bool is_url(struct span s)
{
    static const char *const schemes[] = { "http://", "https://", "ldap://", "ldaps://" };
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.at[i] <= 0x20 || (unsigned char)s.at[i] >= 0x7f)
            return false;
    for (size_t i = 0; i < COUNT_OF(schemes); i++) {
        struct span host = span_after(s, strlen(schemes[i]));
        ptrdiff_t slash = span_find(host, '/');
        if (span_starts(s, span_of(schemes[i])))
            return host.n > 0 && slash != 0 && s.n <= 1024 &&
                   !span_has(slash < 0 ? host : span_first(host, (size_t)slash), '@'); /* no secrets here */
    }
    return false;
}
const struct rule rule_url = { is_url,
                               "a URL that begins with \"http://\", \"https://\", \"ldap://\" or \"ldaps://\"" };

static bool is_page_or_none(struct span s)
{
    return s.n == 0 || (is_url(s) && span_starts(s, SPAN("http")));
}
const struct rule rule_page_or_none = { is_page_or_none, "a URL that begins with \"http://\" or \"https://\"" };

static bool is_header_or_none(struct span s)
{
    return s.n == 0 || made_of(s, "-_", 64);
}
const struct rule rule_header_or_none = { is_header_or_none, "the name of an HTTP header, such as \"X-Auth-Key\"" };

static bool is_word(struct span s)
{
    return made_of(s, "-_.;", 128);
}
const struct rule rule_word = { is_word, "a name of letters, digits, \"-\", \"_\", \".\" and \";\"" };

static bool is_word_or_none(struct span s)
{
    return s.n == 0 || is_word(s);
}
const struct rule rule_word_or_none = { is_word_or_none, "the name of an attribute" };

static bool is_login_or_none(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (is_control(s.at[i]))
            return false;
    return s.n <= 128;
}
const struct rule rule_login_or_none = { is_login_or_none, "a user name of at most 128 bytes" };

/* Digits at an offset of a date. */
static int part(struct span text, size_t at, size_t n)
{
    uint64_t number;
    return span_number(span_first(span_after(text, at), n), 9999, &number) ? (int)number : -1;
}

bool date_end(struct span text, int64_t *end_s)
{
    if (text.n != 10 || text.at[4] != '-' || text.at[7] != '-')
        return false;
    struct tm day = { .tm_year = part(text, 0, 4) - 1900, .tm_mon = part(text, 5, 2) - 1, .tm_mday = part(text, 8, 2) };
    struct tm real = day;
    if (day.tm_year < 70 || day.tm_mon < 0 || day.tm_mday < 1)
        return false;
    time_t start = timegm(&real);
    if (real.tm_mon != day.tm_mon || real.tm_mday != day.tm_mday) /* 2027-02-30 came back as 2027-03-02 */
        return false;
    *end_s = (int64_t)start + 24 * HOUR / SECOND;
    return true;
}
