/* Orders: a short table of hashed names, searched from its start. It is nearly always empty. */
#include "backends/members/orders.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include "proxy/net/hash.h"

enum { ORDERS_MAX = 1024, ORDERS_AT = 512 * 1024 /* behind the health table */, KEY_BYTES_MAX = 1024 };

const char *const order_names[] = { "ready", "drain", "maint" };

struct entry {
    uint64_t key; /* 0: free */
    uint64_t order;
};

static struct entry local[ORDERS_MAX], *entries = local;

void orders_open(int fd)
{
    struct stat st;
    size_t bytes = sizeof local;
    if (fd < 0 || fstat(fd, &st) != 0 || st.st_size < (off_t)(ORDERS_AT + bytes))
        return;
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, ORDERS_AT);
    entries = at != MAP_FAILED ? at : local;
}

void orders_close(void)
{
    if (entries != local)
        munmap(entries, sizeof local);
    entries = local;
}

static uint64_t key_of(struct span site, struct span member)
{
    struct buf text;
    buf_init(&text, KEY_BYTES_MAX);
    bool fits = buf_printf(&text, "%.*s|%.*s", SPAN_ARG(site), SPAN_ARG(member));
    uint64_t key = fits ? hash_stable(buf_span(&text)) : 0;
    buf_fini(&text);
    return key != 0 ? key : 1;
}

static enum order find(uint64_t key)
{
    for (size_t i = 0; i < ORDERS_MAX && entries[i].key != 0; i++)
        if (entries[i].key == key && entries[i].order <= ORDER_MAINT)
            return (enum order)entries[i].order;
    return ORDER_NONE;
}

/* An entry stays when its order is taken back: there are never many names. */
static bool set(uint64_t key, enum order order)
{
    for (size_t i = 0; i < ORDERS_MAX; i++) {
        if (entries[i].key != 0 && entries[i].key != key)
            continue;
        entries[i].order = order;
        entries[i].key = key;
        return true;
    }
    return false;
}

enum order orders_of_site(const struct site *site)
{
    return entries[0].key == 0 ? ORDER_NONE : find(key_of(span_of(site->config->name), SPAN_NONE));
}

enum order orders_of_member(const struct member *m)
{
    return entries[0].key == 0 ? ORDER_NONE : find(key_of(span_of(m->site->config->name), m->name));
}

bool orders_drain(const struct member *m)
{
    return m->config->drain || orders_of_member(m) != ORDER_NONE || orders_of_site(m->site) != ORDER_NONE;
}

bool orders_set_site(const struct site *site, enum order order)
{
    return set(key_of(span_of(site->config->name), SPAN_NONE), order);
}

bool orders_set_member(const struct member *m, enum order order)
{
    return set(key_of(span_of(m->site->config->name), m->name), order);
}
