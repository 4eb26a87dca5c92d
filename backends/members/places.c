/* Places: one for each mailbox that has a claim or a lease, found by site and mailbox. */
#include "backends/members/places.h"

#include <stdlib.h>

#include "backends/members/table.h"
#include "proxy/base/buf.h"
#include "proxy/net/hash.h"

struct place {
    struct table_entry entry;
    size_t site;
    uint64_t member; /* where it lives, while there are leases */
    struct claim *chooser;
    struct list claims, leases;
    size_t mailbox_n;
    char mailbox[];
};

static struct table table;
static void (*revoke_fn)(struct lease *l);

void places_open(void (*revoke)(struct lease *l))
{
    revoke_fn = revoke;
}

void places_close(void)
{
    table_fini(&table);
}

size_t places_count(void)
{
    return table.n;
}

/* The site's number in front, then the mailbox: no two pairs give the same bytes. */
static bool hash_of(size_t site, struct span mailbox, uint64_t *hash)
{
    struct buf key;
    buf_init(&key, 65536);
    uint64_t number = site;
    bool ok = buf_add(&key, span_bytes(&number, sizeof number)) && buf_add(&key, mailbox);
    if (ok)
        *hash = hash_keyed(buf_span(&key));
    buf_fini(&key);
    return ok;
}

static struct place *find(size_t site, struct span mailbox, uint64_t hash)
{
    for (struct table_entry *e = table_first(&table, hash); e != NULL; e = table_next(e)) {
        struct place *p = OWNER_OF(e, struct place, entry);
        if (p->site == site && span_eq(span_bytes(p->mailbox, p->mailbox_n), mailbox))
            return p;
    }
    return NULL;
}

uint64_t places_at(size_t site, struct span mailbox)
{
    uint64_t hash;
    const struct place *p = hash_of(site, mailbox, &hash) ? find(site, mailbox, hash) : NULL;
    return p == NULL || list_empty(&p->leases) ? 0 : p->member;
}

static struct place *find_or_make(size_t site, struct span mailbox)
{
    uint64_t hash;
    if (!hash_of(site, mailbox, &hash))
        return NULL;
    struct place *p = find(site, mailbox, hash);
    if (p != NULL)
        return p;
    p = calloc(1, sizeof *p + mailbox.n);
    if (p == NULL || !table_add(&table, &p->entry, hash)) {
        free(p);
        return NULL;
    }
    p->site = site;
    p->mailbox_n = mailbox.n;
    if (mailbox.n > 0)
        memcpy(p->mailbox, mailbox.at, mailbox.n);
    list_init(&p->claims);
    list_init(&p->leases);
    return p;
}

static void free_if_empty(struct place *p)
{
    if (!list_empty(&p->claims) || !list_empty(&p->leases))
        return;
    table_remove(&table, &p->entry);
    free(p);
}

bool places_claim(struct claim *c, size_t site, struct span mailbox, void (*turn)(struct claim *))
{
    struct place *p = find_or_make(site, mailbox);
    *c = (struct claim){ .place = p, .turn = turn };
    list_init(&c->in_place);
    if (p != NULL)
        list_add(&p->claims, &c->in_place);
    return p != NULL;
}

static enum place_says choose_or_wait(struct claim *c)
{
    struct place *p = c->place;
    if (p->chooser == NULL)
        p->chooser = c;
    c->waiting = p->chooser != c;
    return c->waiting ? PLACE_WAIT : PLACE_CHOOSE;
}

enum place_says places_look(struct claim *c, uint64_t *member)
{
    struct place *p = c->place;
    if (p->chooser != NULL || list_empty(&p->leases))
        return choose_or_wait(c);
    c->waiting = false;
    *member = p->member;
    return PLACE_GO;
}

enum place_says places_refuse(struct claim *c)
{
    return choose_or_wait(c);
}

uint64_t places_home(const struct claim *c)
{
    return c->place == NULL || list_empty(&c->place->leases) ? 0 : c->place->member;
}

static bool has_to_go(const struct lease *l, uint64_t member)
{
    return l->signed_in && l->member != member;
}

static size_t count_to_go(const struct place *p, uint64_t member)
{
    size_t n = 0;
    LIST_EACH(link, &p->leases)
        n += has_to_go(OWNER_OF(link, struct lease, in_place), member);
    return n;
}

static void revoke(struct lease *l)
{
    if (l->revoked)
        return;
    l->revoked = true;
    revoke_fn(l);
}

bool places_settle(struct claim *c, uint64_t member)
{
    struct place *p = c->place;
    assert(p->chooser == c);
    c->to = member;
    c->settling = count_to_go(p, member) > 0;
    LIST_EACH(link, &p->leases) {
        struct lease *l = OWNER_OF(link, struct lease, in_place);
        if (has_to_go(l, member))
            revoke(l);
    }
    return !c->settling;
}

/* Who chose is done, in one way or the other: all who waited look again. */
static void end_claim(struct claim *c)
{
    struct place *p = c->place;
    bool chose = p->chooser == c;
    list_remove(&c->in_place);
    c->place = NULL;
    c->waiting = c->settling = false;
    if (!chose)
        return;
    p->chooser = NULL;
    LIST_EACH(link, &p->claims) {
        struct claim *other = OWNER_OF(link, struct claim, in_place);
        if (other->waiting) {
            other->waiting = false;
            other->turn(other);
        }
    }
}

static void add_lease(struct place *p, struct lease *l, uint64_t member)
{
    *l = (struct lease){ .place = p, .member = member };
    list_init(&l->in_place);
    list_add(&p->leases, &l->in_place);
}

void places_grant(struct claim *c, struct lease *l, uint64_t member)
{
    struct place *p = c->place;
    if (p->chooser == c || list_empty(&p->leases))
        p->member = member;
    add_lease(p, l, member);
    end_claim(c);
}

void places_unclaim(struct claim *c)
{
    struct place *p = c->place;
    if (p == NULL)
        return;
    end_claim(c);
    free_if_empty(p);
}

/* A session that was still signing in when its mailbox moved has to go as soon as it is in. */
static void leave_if_moved(struct lease *l)
{
    const struct place *p = l->place;
    uint64_t member = p->chooser != NULL && p->chooser->settling ? p->chooser->to : p->member;
    if (has_to_go(l, member))
        revoke(l);
}

void places_signed_in(struct lease *l)
{
    l->signed_in = true;
    if (l->place != NULL)
        leave_if_moved(l);
}

void places_release(struct lease *l)
{
    struct place *p = l->place;
    if (p == NULL)
        return;
    list_remove(&l->in_place);
    l->place = NULL;
    struct claim *chooser = p->chooser;
    if (chooser != NULL && chooser->settling && count_to_go(p, chooser->to) == 0) {
        chooser->settling = false;
        chooser->turn(chooser);
    }
    free_if_empty(p);
}

bool places_hold(struct lease *l, size_t site, struct span mailbox, uint64_t member, bool signed_in)
{
    struct place *p = find_or_make(site, mailbox);
    if (p == NULL)
        return false;
    if (list_empty(&p->leases))
        p->member = member;
    add_lease(p, l, member);
    l->signed_in = signed_in;
    leave_if_moved(l);
    return true;
}
