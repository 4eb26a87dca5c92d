/* Open addressing with linear probing: a record stands at its own place or behind an unbroken run that begins there.
 * Removing moves later ones of the run up, so nothing is ever marked as deleted. */
#include "auth/directory/records.h"

#include <stdlib.h>
#include <string.h>

#include "proxy/net/hash.h"

enum { ROOM_LEAST = 16 };

/* Full at seven eighths, then half as large again: a record costs 1.1 to 1.7 times its own size, at the price of
 * longer runs, which lie in few cache lines. */
static bool is_full(const struct records *t)
{
    return 8 * (t->n + 1) > 7 * t->room;
}

static struct record *record_at(const struct records *t, size_t place)
{
    return (struct record *)(t->at + place * t->record_bytes);
}

/* Room is no power of two: the product's upper half is a fraction of it. */
static size_t own_place(const struct records *t, uint64_t key)
{
    return (size_t)((unsigned __int128)(key * t->mixer) * t->room >> 64);
}

static size_t next_place(const struct records *t, size_t place)
{
    return place + 1 < t->room ? place + 1 : 0;
}

void records_init(struct records *t, size_t record_bytes)
{
    assert(record_bytes >= sizeof(struct record) && record_bytes % _Alignof(struct record) == 0);
    *t = (struct records){ .record_bytes = record_bytes };
    random_bytes(&t->mixer, sizeof t->mixer);
    t->mixer |= 1;
}

void records_fini(struct records *t)
{
    free(t->at);
    t->at = NULL;
    t->room = t->n = 0;
}

/* The place of the key, or the free one where it would go; the table is never full. */
static struct record *seek(const struct records *t, uint64_t key)
{
    size_t place = own_place(t, key);
    while (record_at(t, place)->n != 0 && record_at(t, place)->key != key)
        place = next_place(t, place);
    return record_at(t, place);
}

static bool resize(struct records *t, size_t room)
{
    struct records new = *t;
    new.room = room;
    new.at = calloc(room, t->record_bytes);
    if (new.at == NULL)
        return false;
    for (struct record *r = records_next(t, NULL); r != NULL; r = records_next(t, r))
        memcpy(seek(&new, r->key), r, t->record_bytes);
    free(t->at);
    *t = new;
    return true;
}

void *records_find(const struct records *t, uint64_t key)
{
    if (t->room == 0)
        return NULL;
    struct record *r = seek(t, key);
    return r->n != 0 ? r : NULL;
}

void *records_add(struct records *t, uint64_t key)
{
    assert(records_find(t, key) == NULL);
    if (is_full(t) && !resize(t, t->room > 0 ? t->room + t->room / 2 : ROOM_LEAST))
        return NULL;
    struct record *r = seek(t, key);
    r->key = key;
    r->n = 1;
    t->n++;
    return r;
}

static size_t distance(const struct records *t, size_t from, size_t to)
{
    return from <= to ? to - from : t->room - from + to;
}

/* Does the record at `place` belong behind the hole? Then it stays: before its own place it would never be found. */
static bool is_behind(const struct records *t, size_t own, size_t hole, size_t place)
{
    return distance(t, own, place) < distance(t, hole, place);
}

void records_remove(struct records *t, void *record)
{
    size_t hole = (size_t)((char *)record - t->at) / t->record_bytes;
    for (size_t place = next_place(t, hole); record_at(t, place)->n != 0; place = next_place(t, place)) {
        if (is_behind(t, own_place(t, record_at(t, place)->key), hole, place))
            continue;
        memcpy(record_at(t, hole), record_at(t, place), t->record_bytes);
        hole = place;
    }
    memset(record_at(t, hole), 0, t->record_bytes);
    t->n--;
    if (t->room >= 2 * ROOM_LEAST && 4 * t->n < t->room && !resize(t, t->room / 2))
        return; /* without memory for a smaller table the larger one serves */
}

void *records_next(const struct records *t, const void *record)
{
    size_t place = record == NULL ? 0 : (size_t)((const char *)record - t->at) / t->record_bytes + 1;
    for (; place < t->room; place++)
        if (record_at(t, place)->n != 0)
            return record_at(t, place);
    return NULL;
}
