/* syslog(3). A door of its own, because <syslog.h> and proxy/base/log.h both own the names LOG_INFO and LOG_DEBUG. */
#ifndef PROXY_SUPERVISOR_JOURNAL_H
#define PROXY_SUPERVISOR_JOURNAL_H

#include <stddef.h>

/* One line that ends in '\n'; its level=… (or "level":"…") becomes the priority. May block. */
void journal_put(const char *line, size_t n);

#endif
