/* The one event loop of a process, and its clock. Everything in Homeward runs on it, in callbacks that never block. */
#ifndef PROXY_NET_LOOP_H
#define PROXY_NET_LOOP_H

#include "proxy/base/list.h"

void loop_init(void);      /* before anything else of proxy/net; aborts when the kernel refuses */
void loop_run(void);       /* until loop_stop */
void loop_stop(void);      /* returns from loop_run after the current callbacks; outside of it: the next one at once */
int64_t loop_now_ms(void); /* monotonic; constant within one turn of the loop */
void loop_refresh(void);   /* after work that took long: read the clock anew */

typedef void loop_signal_fn(int signal);
void loop_on_signal(int signal, loop_signal_fn *fn); /* once per signal */

/* Run fn in this turn of the loop, but outside the caller (once, in the order of asking). The struct is embedded in its
 * owner; zero-initialised memory is one that is not queued. */
struct later {
    struct list link;
    void (*fn)(struct later *l);
};
void loop_later(struct later *l, void (*fn)(struct later *l)); /* no effect when it is already queued */
void loop_never(struct later *l);                              /* safe at any time */

#endif
