/* One dial: from "a connection to this mailbox's member of that site, please" to a connected socket, or to the reason
 * why there is none. It goes to where the mailbox lives, else to the members in the order of choice, one after the
 * other, until one connects or the time is used up. Faults at connecting are told to health here. */
#ifndef BACKENDS_DIAL_H
#define BACKENDS_DIAL_H

#include "backends/members/places.h"
#include "backends/members/site.h"
#include "backends/spares.h"
#include "proxy/net/messages.h"

struct dial_order {
    const struct site *site;
    enum protocol protocol;
    struct span mailbox;        /* copied */
    struct span tried;          /* member keys, 8 bytes each, little endian: not these */
    int64_t ms_left;            /* for all of it */
    int64_t connect_timeout_ms; /* for one member, its host name included */
    struct spares *spares;      /* connections that stand ready at whoever asks; NULL: none */
};

struct dial_result {
    enum dial_status status;
    const char *why;             /* when it failed; static text */
    const struct member *member; /* when it is DIAL_OK, as all below */
    struct addr address;
    int fd; /* connected, not watched, and the receiver's; -1: it is a spare */
    uint64_t spare;
    bool trial; /* health waits for how this one ends: health_fault, health_success or health_end_trial */
};

struct dial;
typedef void dial_done_fn(void *owner, const struct dial_result *result);

/* The time runs from here, the work begins at dial_start. lease: zero-initialised, must outlive the dial; it holds the
 * mailbox's place from DIAL_OK on. NULL: no memory. */
struct dial *dial_new(const struct dial_order *order, struct lease *lease, dial_done_fn *done, void *owner);

/* done is called once, never inside this call, never after dial_free; the dial is to be freed then. */
void dial_start(struct dial *d);

int64_t dial_ms(const struct dial *d); /* since dial_new */

void dial_free(struct dial **d); /* also cancels, at once and without a trace; safe inside done and for NULL */

#endif
