/* Where a mailbox lives: while it has a live session on a member of its site, new ones go to the same member; when that
 * member cannot be reached, the sessions that are left there end first. A member is known by its key alone, so that
 * sessions on a member that has left the configuration count too.
 *
 * A dial under way holds a claim; a dial that was granted holds a lease, until its session is over. One claim at a time
 * may choose a new member for a mailbox, the others wait for what comes out. No I/O, no clock, no timers. */
#ifndef BACKENDS_MEMBERS_PLACES_H
#define BACKENDS_MEMBERS_PLACES_H

#include "proxy/base/list.h"
#include "proxy/base/span.h"

struct place;

struct lease {
    struct list in_place;
    struct place *place; /* NULL: holds nothing */
    uint64_t member;
    bool signed_in, revoked;
};

struct claim {
    struct list in_place;
    struct place *place; /* NULL: claims nothing */
    uint64_t to;         /* where it is about to settle */
    bool waiting, settling;
    /* What a claim waited for has happened: look again (or, after places_settle, grant). Called inside other calls of
     * places_*: only make a note of it. */
    void (*turn)(struct claim *c);
};

enum place_says {
    PLACE_GO,     /* it lives on *member: go there */
    PLACE_CHOOSE, /* nobody lives there, or you said that you cannot: you choose, all others wait */
    PLACE_WAIT,   /* somebody else is choosing: turn will be called */
};

/* revoke: that session has to end, since its mailbox had to go to another member; called once for a lease. It must not
 * call places_*. */
void places_open(void (*revoke)(struct lease *l));
void places_close(void); /* after the last claim and lease */

size_t places_count(void);
uint64_t places_at(size_t site, struct span mailbox); /* the member where it lives now, or 0 */

/* site: its number in the configuration; mailbox: copied; turn: see above. False: no memory. */
bool places_claim(struct claim *c, size_t site, struct span mailbox, void (*turn)(struct claim *)) MUST_CHECK;
enum place_says places_look(struct claim *c, uint64_t *member);
enum place_says places_refuse(struct claim *c); /* the member that PLACE_GO named is out of reach: CHOOSE or WAIT */
uint64_t places_home(const struct claim *c);    /* the member where others live now, or 0 */

/* The chooser has reached a member. False: sessions on another member have been revoked; turn is called when the last
 * of them is gone, and who does not want to wait that long may grant all the same. */
bool places_settle(struct claim *c, uint64_t member) MUST_CHECK;

void places_grant(struct claim *c, struct lease *l, uint64_t member); /* the claim becomes a lease */
void places_unclaim(struct claim *c);                                 /* safe at any time, also twice */

void places_signed_in(struct lease *l);
void places_release(struct lease *l); /* safe at any time, also twice */

/* A lease that was granted before this process was born. False: no memory. */
bool places_hold(struct lease *l, size_t site, struct span mailbox, uint64_t member, bool signed_in) MUST_CHECK;

#endif
