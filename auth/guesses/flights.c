/* Flights: a short list of marks for each key. */
#include "auth/guesses/flights.h"

#include <stddef.h>

struct flight {
    struct record record; /* n: the marks in use */
    struct {
        uint16_t mark, n; /* n: how many are judged of that mark */
    } marks[FLIGHTS_MOST];
};

void flights_init(struct flights *f)
{
    records_init(&f->keys, sizeof(struct flight));
}

void flights_fini(struct flights *f)
{
    records_fini(&f->keys);
}

size_t flights_of(const struct flights *f, uint64_t key)
{
    const struct flight *of = records_find(&f->keys, key);
    return of != NULL ? of->record.n : 0;
}

static ptrdiff_t place_of(const struct flight *of, uint16_t mark)
{
    for (uint32_t i = 0; of != NULL && i < of->record.n; i++)
        if (of->marks[i].mark == mark)
            return i;
    return -1;
}

bool flights_have(const struct flights *f, uint64_t key, uint16_t mark)
{
    return mark != 0 && place_of(records_find(&f->keys, key), mark) >= 0;
}

static struct flight *find_or_make(struct flights *f, uint64_t key)
{
    struct flight *of = records_find(&f->keys, key);
    if (of == NULL)
        return records_add(&f->keys, key);
    of->record.n++;
    return of;
}

bool flights_add(struct flights *f, uint64_t key, uint16_t mark)
{
    struct flight *of = records_find(&f->keys, key);
    ptrdiff_t same = mark != 0 ? place_of(of, mark) : -1;
    if (same >= 0 && of->marks[same].n < UINT16_MAX) {
        of->marks[same].n++;
        return true;
    }
    if (same >= 0 || (of != NULL && of->record.n == FLIGHTS_MOST))
        return false;
    of = find_or_make(f, key);
    if (of == NULL)
        return false;
    of->marks[of->record.n - 1].mark = mark;
    of->marks[of->record.n - 1].n = 1;
    return true;
}

void flights_remove(struct flights *f, uint64_t key, uint16_t mark)
{
    struct flight *of = records_find(&f->keys, key);
    ptrdiff_t i = place_of(of, mark);
    if (i < 0 || --of->marks[i].n > 0)
        return;
    of->marks[i] = of->marks[of->record.n - 1];
    if (of->record.n == 1)
        records_remove(&f->keys, of);
    else
        of->record.n--;
}
