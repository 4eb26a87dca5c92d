/* Counts per user and address, and the live sessions that they come from. */
#include "auth/counts.h"

#include "auth/names/names.h"
#include "proxy/net/hash.h"

struct session {
    struct record record; /* key: its id */
    uint8_t protocol;
    bool signed_in, full, counts_address;
    uint32_t most;
    uint64_t user, address; /* hashes */
};

static uint64_t user_hash(enum protocol protocol, struct span mailbox)
{
    char bytes[1 + NAME_BYTES_MAX];
    size_t n = mailbox.n < NAME_BYTES_MAX ? mailbox.n : NAME_BYTES_MAX;
    bytes[0] = (char)protocol;
    if (n > 0)
        memcpy(bytes + 1, mailbox.at, n);
    return hash_keyed(span_bytes(bytes, 1 + n));
}

static uint64_t address_hash(const struct addr *client)
{
    struct addr block = addr_block(client);
    unsigned char bytes[1 + sizeof block.bytes] = { block.family };
    /* lint: addr_block gives all of it */
    memcpy(bytes + 1, block.bytes, sizeof block.bytes);
    return hash_keyed(span_bytes(bytes, sizeof bytes));
}

/* Counters are there from 1 on and vanish at 0. */

static bool count_up(struct records *counters, uint64_t key)
{
    struct record *counter = records_find(counters, key);
    if (counter == NULL)
        return records_add(counters, key) != NULL;
    counter->n++;
    return true;
}

static void count_down(struct records *counters, uint64_t key)
{
    struct record *counter = records_find(counters, key);
    assert(counter != NULL);
    if (counter->n == 1)
        records_remove(counters, counter);
    else
        counter->n--;
}

static size_t count_of(const struct records *counters, uint64_t key)
{
    const struct record *counter = records_find(counters, key);
    return counter != NULL ? counter->n : 0;
}

void counts_init(struct counts *c)
{
    c->sessions = 0;
    records_init(&c->users, sizeof(struct record));
    records_init(&c->addresses, sizeof(struct record));
}

void counts_fini(struct counts *c)
{
    records_fini(&c->users);
    records_fini(&c->addresses);
}

size_t counts_of_address(const struct counts *c, const struct addr *client)
{
    return count_of(&c->addresses, address_hash(client));
}

size_t counts_of_user(const struct counts *c, enum protocol protocol, struct span mailbox)
{
    return count_of(&c->users, user_hash(protocol, mailbox));
}

void live_init(struct live *l, struct counts *c)
{
    l->counts = c;
    records_init(&l->sessions, sizeof(struct session));
}

bool live_has(const struct live *l, uint64_t id)
{
    return records_find(&l->sessions, id) != NULL;
}

bool live_add(struct live *l, uint64_t id, const struct live_facts *facts)
{
    uint64_t address = facts->client != NULL ? address_hash(facts->client) : 0;
    if (l->sessions.n >= LIVE_MAX || live_has(l, id))
        return false;
    if (facts->client != NULL && !count_up(&l->counts->addresses, address))
        return false;
    struct session *s = records_add(&l->sessions, id);
    if (s == NULL) {
        if (facts->client != NULL)
            count_down(&l->counts->addresses, address);
        return false;
    }
    s->protocol = (uint8_t)facts->protocol;
    s->full = facts->full;
    s->most = facts->most;
    s->counts_address = facts->client != NULL;
    s->user = user_hash(facts->protocol, facts->mailbox);
    s->address = address;
    l->counts->sessions++;
    return true;
}

/* Out of the counts; its record stays. */
static void uncount(struct counts *c, const struct session *s)
{
    if (s->signed_in)
        count_down(&c->users, s->user);
    if (s->counts_address)
        count_down(&c->addresses, s->address);
    c->sessions--;
}

static void remove_session(struct live *l, struct session *s)
{
    uncount(l->counts, s);
    records_remove(&l->sessions, s);
}

bool live_sign_in(struct live *l, uint64_t id, bool *over)
{
    struct session *s = records_find(&l->sessions, id);
    if (s == NULL || s->signed_in)
        return false;
    if (s->full) {
        remove_session(l, s);
        return false;
    }
    if (!count_up(&l->counts->users, s->user))
        return false;
    s->signed_in = true;
    *over = s->most > 0 && count_of(&l->counts->users, s->user) > s->most;
    return true;
}

void live_refused(struct live *l, uint64_t id)
{
    struct session *s = records_find(&l->sessions, id);
    if (s != NULL && !s->signed_in)
        remove_session(l, s);
}

void live_remove(struct live *l, uint64_t id)
{
    struct session *s = records_find(&l->sessions, id);
    if (s != NULL)
        remove_session(l, s);
}

void live_fini(struct live *l)
{
    for (struct session *s = records_next(&l->sessions, NULL); s != NULL; s = records_next(&l->sessions, s))
        uncount(l->counts, s);
    records_fini(&l->sessions);
}
