/* Writes arguments of IMAP commands (RFC 9051 4.3, RFC 7888): quoted where that is beyond doubt, else as a literal. */
#include "proxy/wire/imap_command.h"

#include <stdio.h>

enum { QUOTED_MAX = 1000 };

bool imap_fits_quoted(struct span argument)
{
    if (argument.n > QUOTED_MAX)
        return false;
    for (size_t i = 0; i < argument.n; i++) {
        unsigned char c = (unsigned char)argument.at[i];
        if (c == '\0' || c == '\r' || c == '\n' || c >= 0x80)
            return false;
    }
    return true;
}

static enum imap_written write_quoted(struct buf *out, struct span argument)
{
    size_t n = argument.n + 2;
    for (size_t i = 0; i < argument.n; i++)
        if (argument.at[i] == '"' || argument.at[i] == '\\')
            n++;
    char *to = buf_space(out, n);
    if (to == NULL)
        return IMAP_UNWRITABLE;
    *to++ = '"';
    for (size_t i = 0; i < argument.n; i++) {
        if (argument.at[i] == '"' || argument.at[i] == '\\')
            *to++ = '\\';
        *to++ = argument.at[i];
    }
    *to = '"';
    buf_grew(out, n);
    return IMAP_WRITTEN;
}

enum imap_written imap_write_argument(struct buf *out, struct span argument, enum imap_literals literals)
{
    char head[32];
    if (span_has(argument, '\0'))
        return IMAP_UNWRITABLE;
    if (imap_fits_quoted(argument))
        return write_quoted(out, argument);
    bool non_sync =
        literals == IMAP_LITERAL_PLUS || (literals == IMAP_LITERALS_TO_4096 && argument.n <= IMAP_LITERAL_MINUS);
    int head_n = snprintf(head, sizeof head, non_sync ? "{%zu+}\r\n" : "{%zu}\r\n", argument.n);
    size_t n = (size_t)head_n + (non_sync ? argument.n : 0);
    char *to = buf_space(out, n);
    if (to == NULL)
        return IMAP_UNWRITABLE;
    memcpy(to, head, (size_t)head_n);
    if (non_sync)
        memcpy(to + head_n, argument.at, argument.n);
    buf_grew(out, n);
    return non_sync ? IMAP_WRITTEN : IMAP_WAIT;
}
