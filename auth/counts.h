/* Who is signed in, and from where: counted from live sessions only. A session is known by its channel and its id; it
 * counts for the block of its client's address from the verdict, for its user and protocol from the site's yes, until
 * it is removed or its channel ends. */
#ifndef AUTH_COUNTS_H
#define AUTH_COUNTS_H

#include "auth/directory/records.h"
#include "config/config.h"

/* Of all channels together. Users and addresses are kept as keyed hashes: 64 bits that no outsider can foresee make a
 * collision among millions unlikely, and no name has to be stored per session. */
struct counts {
    struct records users, addresses;
    size_t sessions;
};

void counts_init(struct counts *c);
void counts_fini(struct counts *c);                                          /* after the live_fini of all its lives */
size_t counts_of_address(const struct counts *c, const struct addr *client); /* sessions of its block */
size_t counts_of_user(const struct counts *c, enum protocol protocol, struct span mailbox); /* signed in */

enum { LIVE_MAX = 1 << 20 /* sessions of one channel: no process has more descriptors (fs.nr_open) */ };

/* The sessions of one channel. */
struct live {
    struct records sessions;
    struct counts *counts;
};

struct live_facts {
    enum protocol protocol;
    struct span mailbox;       /* canonical */
    const struct addr *client; /* NULL: exempt, counts for no address */
    bool full;                 /* the user had too many sessions when the verdict was given */
    uint32_t most;             /* sessions that the user may have; 0: any number */
};

void live_init(struct live *l, struct counts *c);
void live_fini(struct live *l); /* takes all its sessions out of the counts; l is empty and usable again */
bool live_has(const struct live *l, uint64_t id);

/* False: there is one of that id, LIVE_MAX is reached, or no memory; nothing has changed. */
bool live_add(struct live *l, uint64_t id, const struct live_facts *facts) MUST_CHECK;

/* The site said yes: the session counts for its user. *over is set when true is returned: with it the user has more
 * than may be. False: unknown, signed in before, no memory; or the verdict said that the user has too many sessions, so
 * the front says no in spite of the site, and the login is over (removed). */
bool live_sign_in(struct live *l, uint64_t id, bool *over) MUST_CHECK;

/* The site said no, or nothing: the login is over; removed unless it is signed in. */
void live_refused(struct live *l, uint64_t id);

void live_remove(struct live *l, uint64_t id); /* no effect for an unknown one */

#endif
