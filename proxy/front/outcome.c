/* The sentences. RFC 5530, 3206 and 2449 define the codes; clients decide by them whether to ask for a new password. */
#include "proxy/front/outcome.h"

#include <inttypes.h>

const char *const outcome_results[OUTCOMES] = {
    "refused", "denied", "site_says", "unavailable", "too_many", "tls_first"
};

static const struct {
    const char *code[PROTOCOLS], *text;
} sentences[OUTCOMES] = {
    [OUTCOME_REFUSED] = {{ "AUTHENTICATIONFAILED", "AUTH" },  "Authentication failed."},
    [OUTCOME_DENIED] = { { "AUTHENTICATIONFAILED", "AUTH" }, "Authentication failed."},
    [OUTCOME_UNAVAILABLE] = { { "UNAVAILABLE", "SYS/TEMP" },
                         "Your mailbox cannot be reached at the moment. Your password was not the problem; "
                              "please try again later."                               },
    [OUTCOME_TLS_FIRST] = { { "PRIVACYREQUIRED", "SYS/PERM" },  "TLS is required first."},
    [OUTCOME_TOO_MANY] = { { "UNAVAILABLE", "IN-USE" },        NULL                    },
};

static bool write_line(enum protocol protocol, struct span code, struct span text, struct buf *to)
{
    return buf_add_text(to, protocol == IMAP ? "NO [" : "-ERR [") && buf_add(to, code) && buf_add_text(to, "] ") &&
           buf_add(to, text);
}

bool outcome_write(const struct outcome *o, enum protocol protocol, struct buf *to)
{
    if (o->kind == OUTCOME_SAYS)
        return write_line(protocol, o->code, o->text.n > 0 ? o->text : SPAN("The mail server says no."), to);
    struct span code = span_of(sentences[o->kind].code[protocol]);
    if (o->kind != OUTCOME_TOO_MANY)
        return write_line(protocol, code, span_of(sentences[o->kind].text), to);
    return write_line(protocol, code, SPAN("Too many mail programs are connected ("), to) &&
           buf_printf(to, "%" PRIu64 "). Your password is right; close one and try again.", o->sessions_max);
}
