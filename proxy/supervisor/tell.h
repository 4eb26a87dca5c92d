/* Sentences for the admin. */
#ifndef PROXY_SUPERVISOR_TELL_H
#define PROXY_SUPERVISOR_TELL_H

#include "proxy/base/buf.h"
#include "proxy/base/log.h"

/* One line of the log for each line of text, more when it is long. result: NULL for none. */
void tell_log(struct span lines, enum log_level level, const char *event, const char *result);

/* The same on stderr, as "homeward: …". */
void tell_stderr(struct span lines);

/* One sentence more, as a line of its own; always false, so that a function that fails can end with it. When memory is
 * short the sentence is lost: the result must do. */
bool complain(struct buf *to, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
