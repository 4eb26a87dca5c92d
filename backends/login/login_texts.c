/* What a site says when it refuses, and what of it may be repeated: outcome by response code (RFC 5530, RFC 2221;
 * RFC 2449, RFC 3206), else by phrase, else the password was wrong. Nothing is repeated that holds the credential. */
#include "backends/login/login_machine.h"

const struct login_refusal login_imap_refusals[] = {
    {"AUTHENTICATIONFAILED", LOGIN_WRONG,      "refused"        },
    { "AUTHORIZATIONFAILED", LOGIN_WRONG,      "refused"        },
    { "EXPIRED",             LOGIN_SAYS,       "says"           },
    { "LIMIT",               LOGIN_SAYS,       "says"           },
    { "INUSE",               LOGIN_SAYS,       "says"           },
    { "CONTACTADMIN",        LOGIN_SAYS,       "says"           },
    { "ALERT",               LOGIN_SAYS,       "says"           },
    { "UNAVAILABLE",         LOGIN_TEMPORARY,  "unavailable"    },
    { "SERVERBUG",           LOGIN_TEMPORARY,  "unavailable"    },
    { "PRIVACYREQUIRED",     LOGIN_SITE_FAULT, "privacyrequired"},
    { "REFERRAL",            LOGIN_SITE_FAULT, "referral"       },
    { NULL,                  LOGIN_WRONG,      NULL             },
};

const struct login_refusal login_pop3_refusals[] = {
    {"AUTH",         LOGIN_WRONG,      "refused"    },
    { "IN-USE",      LOGIN_SAYS,       "says"       },
    { "LOGIN-DELAY", LOGIN_SAYS,       "says"       },
    { "EXPIRE",      LOGIN_SAYS,       "says"       },
    { "EXPIRED",     LOGIN_SAYS,       "says"       },
    { "SYS/PERM",    LOGIN_SAYS,       "says"       },
    { "SYS/TEMP",    LOGIN_TEMPORARY,  "unavailable"},
    { "REFERRAL",    LOGIN_SITE_FAULT, "referral"   },
    { NULL,          LOGIN_WRONG,      NULL         },
};

const char *const login_temporary_phrases[] = {
    "Server Unavailable. ",                        /* Exchange: "Server Unavailable. 15" (IMAP), 21 (POP3) */
    "User is authenticated but not connected",     /* Exchange: the mailbox's own server is away */
    "Temporary problem",                           /* Courier: "Temporary problem, please try again later" */
    "try again later",                             /* Courier, Yahoo and others */
    "generic failure",                             /* Cyrus SASL when its saslauthd or database is away */
    "remote authentication server unavailable",    /* Cyrus SASL */
    "transient failure",                           /* Cyrus SASL */
    "no memory available",                         /* Cyrus SASL */
    "no mechanism available",                      /* Cyrus SASL: a plug-in is missing */
    "Server(s) unavailable to complete operation", /* Cyrus Murder */
    "System I/O error",                            /* Cyrus */
    "Can't get lock",                              /* UW ipop3d: "Can't get lock.  Mailbox in use" */
    "Unable to open user's INBOX",                 /* UW ipop3d */
    "Temporary authentication failure",            /* Dovecot */
    "Internal authentication failure",             /* Dovecot */
    "Internal login failure",                      /* Dovecot */
    "Internal error occurred",                     /* Dovecot */
    "Account is temporarily unavailable",          /* Dovecot as a proxy */
    "Maximum number of connections from user+IP",  /* Dovecot 1, which has no code for it */
    NULL,
};

bool login_text_is_temporary(struct span text, const struct site_config *site)
{
    for (size_t i = 0; login_temporary_phrases[i] != NULL; i++)
        if (span_contains_nocase(text, span_of(login_temporary_phrases[i])))
            return true;
    for (size_t i = 0; i < site->temporary_texts.n; i++) {
        struct span phrase = span_of(site->temporary_texts.at[i]);
        if (phrase.n > 0 && span_contains_nocase(text, phrase))
            return true;
    }
    return false;
}

bool login_code_is(struct span code, const char *name)
{
    struct span prefix = span_of(name);
    return span_starts_nocase(code, prefix) &&
           (code.n == prefix.n || code.at[prefix.n] == ' ' || code.at[prefix.n] == '/');
}

/* A code that is not in the table tells us nothing; the words may. */
static struct login_refusal judge(const struct login *l, const struct login_refusal *table, struct span code,
                                  struct span text)
{
    for (; table->code != NULL; table++)
        if (login_code_is(code, table->code))
            return *table;
    if (login_text_is_temporary(text, l->order->site))
        return (struct login_refusal){ NULL, LOGIN_TEMPORARY, "phrase" };
    return (struct login_refusal){ NULL, LOGIN_WRONG, "refused" };
}

void login_refused(struct login *l, const struct login_refusal *table, bool looked_at, struct span code,
                   struct span text)
{
    struct login_refusal refusal = judge(l, table, code, text);
    if (refusal.outcome == LOGIN_WRONG && !looked_at)
        refusal = (struct login_refusal){ NULL, LOGIN_SITE_FAULT, "refused_early" };
    if (refusal.outcome == LOGIN_SAYS || refusal.outcome == LOGIN_TEMPORARY) {
        l->answer.code = span_of(refusal.code); /* ours: what the site added behind the name stays here */
        login_keep_text(l, text);
    }
    login_end(l, refusal.outcome, refusal.why);
}

static char folded(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static size_t skip_backslashes(struct span s, size_t i)
{
    while (i < s.n && s.at[i] == '\\')
        i++;
    return i;
}

/* Does text start with needle? Case and backslashes are ignored, because a site may repeat the quoted form. */
static bool starts_loosely(struct span text, struct span needle)
{
    size_t t = skip_backslashes(text, 0), i = skip_backslashes(needle, 0);
    while (i < needle.n && t < text.n && folded(text.at[t]) == folded(needle.at[i])) {
        t = skip_backslashes(text, t + 1);
        i = skip_backslashes(needle, i + 1);
    }
    return i == needle.n;
}

static bool holds(struct span text, struct span needle)
{
    if (needle.n == 0)
        return false;
    for (size_t i = 0; i < text.n; i++)
        if (starts_loosely(span_after(text, i), needle))
            return true;
    return false;
}

static bool holds_credential(const struct login *l, struct span text)
{
    return holds(text, login_credential(l)) || holds(text, buf_span(&l->response));
}

/* The UTF-8 sequence at the front of s, empty for none. */
static struct span sequence(struct span s)
{
    for (size_t n = 1; n <= 4 && n <= s.n; n++)
        if (span_is_utf8(span_first(s, n)))
            return span_first(s, n);
    return span_first(s, 0);
}

/* C0, DEL, C1 (U+0080 to 9F) and the marks that turn the direction of text (U+202A to 202E, 2066 to 2069). */
static bool is_printable(struct span c)
{
    const unsigned char *p = (const unsigned char *)c.at;
    if (c.n == 1)
        return p[0] >= 0x20 && p[0] != 0x7f;
    if (c.n == 2)
        return !(p[0] == 0xc2 && p[1] < 0xa0);
    if (c.n == 3 && p[0] == 0xe2)
        return !(p[1] == 0x80 && p[2] >= 0xaa && p[2] <= 0xae) && !(p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9);
    return c.n > 0;
}

/* At most max bytes of text, cut between characters. A "[" in front would be read as a code. False: memory. */
static bool add_printable(struct buf *to, struct span text, size_t max)
{
    while (text.n > 0 && (text.at[0] == '[' || text.at[0] == ' '))
        text = span_after(text, 1);
    for (size_t n = 0; text.n > 0;) {
        struct span c = sequence(text);
        text = span_after(text, c.n > 0 ? c.n : 1);
        if (!is_printable(c))
            c = SPAN("?");
        if (n + c.n > max)
            return true;
        if (!buf_add(to, c))
            return false;
        n += c.n;
    }
    return true;
}

void login_keep_text(struct login *l, struct span text)
{
    buf_clear(&l->text);
    if (holds_credential(l, text))
        return;
    if (!add_printable(&l->text, span_trim(text), LOGIN_TEXT_MAX))
        buf_clear(&l->text); /* words are worth less than the login */
}

void login_keep_alert(struct login *l, struct span text)
{
    size_t before = l->alerts.n;
    if (text.n == 0 || holds_credential(l, text))
        return;
    if (!buf_add(&l->alerts, SPAN("* OK [ALERT] ")) || !add_printable(&l->alerts, span_trim(text), LOGIN_TEXT_MAX) ||
        !buf_add(&l->alerts, SPAN("\r\n")))
        l->alerts.n = before; /* full: whole lines or none */
}

/* An atom that may stand inside "[CAPABILITY …]" in a line of ours. */
static bool is_capability(struct span word)
{
    for (size_t i = 0; i < word.n; i++)
        if (word.at[i] <= 0x20 || word.at[i] == 0x7f || strchr("()[]{}%*\"\\", word.at[i]) != NULL)
            return false;
    return true;
}

void login_keep_list(struct login *l, struct buf *list, struct span words)
{
    struct span word;
    buf_clear(list);
    while (span_word(&words, &word)) {
        if (!is_capability(word))
            continue;
        if ((list->n > 0 && !buf_add_byte(list, ' ')) || !buf_add(list, word)) {
            login_fault(l, "too_much");
            return;
        }
    }
}
