/* No association yet: an IKE daemon may be negotiating, for the kernel told it that a connection was tried. All dials
 * to one peer of one site wait on one schedule: 0.2, 0.5, 1 and 2 seconds after the first, then each second; and at
 * once when the kernel's associations have changed. How long one waits is its own affair. */
#ifndef BACKENDS_IPSEC_IPSEC_WAIT_H
#define BACKENDS_IPSEC_IPSEC_WAIT_H

#include "proxy/base/addr.h"
#include "proxy/base/list.h"

enum { IPSEC_WAIT_MS = 5000 /* at most, for one member */ };

struct ipsec_schedule;

/* Zero-initialised memory is one that does not wait. */
struct ipsec_wait {
    struct list link;
    struct ipsec_schedule *on;
    /* Try again. It goes on waiting until ipsec_wait_end; it may end others, but not call ipsec_wait_begin. */
    void (*again)(struct ipsec_wait *w);
};

bool ipsec_wait_begin(struct ipsec_wait *w, const void *site, const struct addr *peer,
                      void (*again)(struct ipsec_wait *w)) MUST_CHECK; /* false: no memory */
void ipsec_wait_end(struct ipsec_wait *w);                             /* safe at any time, also twice */

void ipsec_wait_changed(void); /* associations have changed */

#endif
