/* The health table: sets of eight entries, found by the key's low bits; a full set forgets the entry that was used
 * least recently, which makes that member up again. Predecessor and successor may map it at the same time: every field
 * stands for itself, so the worst that a race can do is one trial too many. */
#include "backends/members/health.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SETS = 512, WAYS = 8 };

struct entry {
    uint64_t key; /* 0: free */
    int64_t avoided_until_ms, trial_until_ms, used_ms;
    uint32_t failures;
    char why[HEALTH_WHY_MAX];
};

static const char magic[16] = "homeward health";
enum { VERSION = 1 };

struct health_table {
    char magic[16];
    uint64_t version, bytes;
    struct entry sets[SETS][WAYS];
};

static struct health_table *table;

static bool is_ours(const struct health_table *t)
{
    return memcmp(t->magic, magic, sizeof magic) == 0 && t->version == VERSION && t->bytes == sizeof *t;
}

static void *map_fd(int fd)
{
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return MAP_FAILED;
    if (st.st_size < (off_t)sizeof *table && ftruncate(fd, sizeof *table) < 0)
        return MAP_FAILED;
    return mmap(NULL, sizeof *table, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

bool health_open(int fd)
{
    void *memory = map_fd(fd);
    bool shared = memory != MAP_FAILED;
    if (!shared)
        memory = mmap(NULL, sizeof *table, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    table = memory == MAP_FAILED ? NULL : memory;
    if (table == NULL || is_ours(table))
        return shared;
    memset(table, 0, sizeof *table);
    table->version = VERSION;
    table->bytes = sizeof *table;
    memcpy(table->magic, magic, sizeof magic);
    return shared;
}

void health_close(void)
{
    if (table != NULL)
        munmap(table, sizeof *table);
    table = NULL;
}

static uint64_t real_key(uint64_t key)
{
    return key == 0 ? 1 : key;
}

static struct entry *find(uint64_t key)
{
    if (table == NULL)
        return NULL;
    struct entry *set = table->sets[real_key(key) % SETS];
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].key == real_key(key))
            return &set[i];
    }
    return NULL;
}

/* Times that nobody can have written make an entry worthless: better to try a member than to avoid it for a year. */
static struct entry *find_sane(uint64_t key, int64_t now_ms)
{
    struct entry *e = find(key);
    if (e == NULL)
        return NULL;
    if (e->failures == 0 || e->avoided_until_ms > now_ms + HEALTH_LONGEST_MS ||
        e->trial_until_ms > now_ms + HEALTH_TRIAL_MS) {
        *e = (struct entry){ 0 };
        return NULL;
    }
    e->used_ms = now_ms;
    return e;
}

static struct entry *find_or_make(uint64_t key, int64_t now_ms)
{
    struct entry *e = find_sane(key, now_ms);
    if (e != NULL || table == NULL)
        return e;
    struct entry *set = table->sets[real_key(key) % SETS];
    e = &set[0];
    for (size_t i = 1; i < WAYS && e->key != 0; i++) {
        if (set[i].key == 0 || set[i].used_ms < e->used_ms)
            e = &set[i];
    }
    *e = (struct entry){ .key = real_key(key), .used_ms = now_ms };
    return e;
}

static enum health_state state_of(const struct entry *e, int64_t now_ms)
{
    if (e->failures == 0)
        return HEALTH_UP;
    return now_ms < e->avoided_until_ms || now_ms < e->trial_until_ms ? HEALTH_AVOIDED : HEALTH_DUE;
}

struct health_view health_look(uint64_t key, int64_t now_ms)
{
    struct health_view view = { .state = HEALTH_UP };
    struct entry *e = find_sane(key, now_ms);
    if (e == NULL)
        return view;
    view.state = state_of(e, now_ms);
    view.until_ms = e->avoided_until_ms > e->trial_until_ms ? e->avoided_until_ms : e->trial_until_ms;
    view.failures = e->failures;
    snprintf(view.why, sizeof view.why, "%.*s", (int)sizeof e->why - 1, e->why);
    return view;
}

bool health_begin_trial(uint64_t key, int64_t now_ms)
{
    struct entry *e = find_sane(key, now_ms);
    if (e == NULL || state_of(e, now_ms) != HEALTH_DUE)
        return false;
    e->trial_until_ms = now_ms + HEALTH_TRIAL_MS; /* a trial whose owner crashes ends by itself */
    return true;
}

void health_end_trial(uint64_t key)
{
    struct entry *e = find(key);
    if (e != NULL)
        e->trial_until_ms = 0;
}

static int64_t stay_ms(uint32_t failures)
{
    int64_t ms = HEALTH_FIRST_MS;
    for (uint32_t i = 1; i < failures && ms < HEALTH_LONGEST_MS; i++)
        ms *= 2;
    return ms < HEALTH_LONGEST_MS ? ms : HEALTH_LONGEST_MS;
}

bool health_fault(uint64_t key, bool trial, const char *why, int64_t now_ms)
{
    struct entry *e = find_or_make(key, now_ms);
    if (e == NULL)
        return false;
    /* The hundred logins that were under way when it died are one fault, not a hundred. */
    if (!trial && state_of(e, now_ms) == HEALTH_AVOIDED)
        return false;
    bool was_up = e->failures == 0;
    if (e->failures < UINT32_MAX)
        e->failures++;
    e->avoided_until_ms = now_ms + stay_ms(e->failures);
    e->trial_until_ms = 0;
    snprintf(e->why, sizeof e->why, "%s", why);
    return was_up;
}

bool health_success(uint64_t key)
{
    struct entry *e = find(key);
    if (e == NULL)
        return false;
    *e = (struct entry){ 0 };
    return true;
}
