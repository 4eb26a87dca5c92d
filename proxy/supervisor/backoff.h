/* How long a place stays empty after its process died: not at all, unless it dies again and again. */
#ifndef PROXY_SUPERVISOR_BACKOFF_H
#define PROXY_SUPERVISOR_BACKOFF_H

#include "proxy/base/check.h"

enum { BACKOFF_SHORT_LIFE_MS = 10000, BACKOFF_LONG_LIFE_MS = 60000, BACKOFF_FIRST_MS = 200, BACKOFF_MOST_MS = 10000 };

struct backoff {
    int64_t next_ms; /* 0: no short life so far */
};

/* The time to wait before the next birth, after a life of lived_ms: 0 after 10 s or more; else 0.2, 0.4, 0.8 … 10 s. A
 * life of 60 s starts the row anew. */
int64_t backoff_wait_ms(struct backoff *b, int64_t lived_ms);

#endif
