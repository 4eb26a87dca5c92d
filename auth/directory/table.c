/* Tables. What is sorted carries the first eight bytes of its key as a number, and most comparisons need no more. */
#include "auth/directory/table.h"

#include <stdlib.h>

#include "proxy/base/pack.h"

enum { HEADER_BYTES = 24, HEAD_BYTES = 6, INDEX_BYTES = 8 };

struct table_draft {
    uint64_t head;
    uint64_t at;
    uint64_t line;
};

static uint64_t number(const unsigned char *p, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value |= (uint64_t)p[i] << (8 * i);
    return value;
}

/* ---- writing ---- */

void table_writer_init(struct table_writer *w, size_t bytes_max)
{
    *w = (struct table_writer){ 0 };
    buf_init(&w->packed, bytes_max);
    w->packed.secret = true; /* values may be hashes */
}

void table_writer_fini(struct table_writer *w)
{
    buf_fini(&w->packed);
    free(w->drafts);
    *w = (struct table_writer){ 0 };
}

static uint64_t head_of(struct span key)
{
    uint64_t head = 0;
    for (size_t i = 0; i < 8; i++)
        head = head << 8 | (i < key.n ? (unsigned char)key.at[i] : 0);
    return head;
}

bool table_writer_add(struct table_writer *w, struct span key, struct span value, size_t line)
{
    if (w->n == w->room) {
        size_t room = w->room > 0 ? 2 * w->room : 1024;
        struct table_draft *drafts = reallocarray(w->drafts, room, sizeof *drafts);
        if (drafts == NULL)
            return false;
        w->drafts = drafts;
        w->room = room;
    }
    w->drafts[w->n] = (struct table_draft){ head_of(key), w->packed.n, line };
    if (key.n > UINT16_MAX || value.n > UINT32_MAX || !pack_number(&w->packed, key.n, 2) ||
        !pack_number(&w->packed, value.n, 4) || !buf_add(&w->packed, key) || !buf_add(&w->packed, value))
        return false;
    w->n++;
    return true;
}

static struct span entry_key(const char *entry)
{
    return span_bytes(entry + HEAD_BYTES, number((const unsigned char *)entry, 2));
}

static struct span entry_value(const char *entry)
{
    struct span key = entry_key(entry);
    return span_bytes(key.at + key.n, number((const unsigned char *)entry + 2, 4));
}

static struct span draft_key(const struct table_writer *w, const struct table_draft *d)
{
    return entry_key(w->packed.at + d->at);
}

static int compare(const void *left, const void *right, void *writer)
{
    const struct table_draft *a = left, *b = right;
    if (a->head != b->head)
        return a->head < b->head ? -1 : 1;
    int order = span_compare(draft_key(writer, a), draft_key(writer, b));
    if (order != 0)
        return order;
    return a->line < b->line ? -1 : a->line > b->line;
}

void table_writer_sort(struct table_writer *w)
{
    if (w->n > 0)
        qsort_r(w->drafts, w->n, sizeof *w->drafts, compare, w);
}

bool table_writer_double(const struct table_writer *w, size_t *at, struct span *key, size_t *first, size_t *again)
{
    for (; *at + 1 < w->n; ++*at) {
        const struct table_draft *a = &w->drafts[*at], *b = a + 1;
        if (a->head != b->head || !span_eq(draft_key(w, a), draft_key(w, b)))
            continue;
        *key = draft_key(w, b);
        *first = a->line;
        *again = b->line;
        ++*at;
        return true;
    }
    return false;
}

/* After the sort an offset in `packed` is not needed any more: each draft's becomes the one in `to`. */
static bool write_entries(struct table_writer *w, struct buf *to)
{
    for (size_t i = 0; i < w->n; i++) {
        struct table_draft *d = &w->drafts[i];
        const char *entry = w->packed.at + d->at;
        struct span value = entry_value(entry);
        d->at = to->n;
        if (!buf_add(to, span_bytes(entry, (size_t)(value.at + value.n - entry))))
            return false;
    }
    return true;
}

bool table_writer_write(struct table_writer *w, struct span magic, struct buf *to)
{
    struct buf header;
    char room[HEADER_BYTES];
    assert(magic.n == TABLE_MAGIC_BYTES);
    buf_clear(to);
    if (buf_space(to, HEADER_BYTES) == NULL)
        return false;
    buf_grew(to, HEADER_BYTES);
    bool good = write_entries(w, to);
    for (size_t i = 0; good && i < w->n; i++)
        good = pack_number(to, w->drafts[i].at, INDEX_BYTES);
    header = (struct buf){ .at = room, .room = sizeof room, .max = sizeof room };
    good = good && buf_add(&header, magic) && pack_number(&header, to->n, 8) && pack_number(&header, w->n, 8);
    if (good)
        memcpy(to->at, header.at, HEADER_BYTES);
    return good;
}

/* ---- reading ---- */

static const char *entry_at(const struct table *t, size_t i)
{
    return t->bytes.at + number(t->index + i * INDEX_BYTES, INDEX_BYTES);
}

/* They fill their part without a gap, in ascending order. */
static bool check_entries(const struct table *t, size_t end)
{
    size_t at = HEADER_BYTES;
    struct span last = SPAN_NONE;
    for (size_t i = 0; i < t->n; i++) {
        if (number(t->index + i * INDEX_BYTES, INDEX_BYTES) != at || end - at < HEAD_BYTES)
            return false;
        const unsigned char *p = (const unsigned char *)t->bytes.at + at;
        size_t bytes = HEAD_BYTES + number(p, 2) + number(p + 2, 4);
        if (bytes > end - at)
            return false;
        struct span key = entry_key((const char *)p);
        if (key.n == 0 || span_compare(last, key) >= 0)
            return false;
        at += bytes;
        last = key;
    }
    return at == end;
}

bool table_open(struct table *t, struct span magic, struct span bytes)
{
    const unsigned char *p = (const unsigned char *)bytes.at;
    if (bytes.n < HEADER_BYTES || !span_starts(bytes, magic) || number(p + 8, 8) != bytes.n)
        return false;
    uint64_t n = number(p + 16, 8);
    if (n > (bytes.n - HEADER_BYTES) / INDEX_BYTES)
        return false;
    size_t end = bytes.n - n * INDEX_BYTES;
    *t = (struct table){ .bytes = bytes, .index = p + end, .n = n };
    return check_entries(t, end);
}

struct span table_value(const struct table *t, size_t i)
{
    return entry_value(entry_at(t, i));
}

bool table_find(const struct table *t, struct span key, struct span *value)
{
    size_t low = 0, high = t->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const char *entry = entry_at(t, middle);
        int order = span_compare(key, entry_key(entry));
        if (order == 0) {
            *value = entry_value(entry);
            return true;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}
