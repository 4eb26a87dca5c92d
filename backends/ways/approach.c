/* The way to one member. */
#include "backends/ways/approach.h"

#include "backends/ways/reach.h"

static void on_connected(struct connecting *c, int fd, const struct addr *address)
{
    struct approach *a = OWNER_OF(c, struct approach, connecting);
    a->ours = c->ours || c->n == 0; /* without an address there is nothing to find out: that is logged by names */
    a->done(a, fd, address);
}

static void on_name(struct hostname_wait *w)
{
    static const struct ipsec_rule open_air;
    struct approach *a = OWNER_OF(w, struct approach, name);
    const struct member *m = a->member;
    const struct addr *addrs = &m->config->literal;
    struct addr to[CONNECTING_ADDRS_MAX];
    const char *why = NULL; /* logged where names are */
    size_t n = 1;
    if (m->hostname != NULL)
        addrs = hostname_addrs(m->hostname, &n, &why);
    n = reach_allowed(m->site->config, addrs, n, m->port[a->protocol], to, CONNECTING_ADDRS_MAX, &why);
    connecting_start(&a->connecting, &open_air, to, n, on_connected);
}

void approach_start(struct approach *a, const struct member *m, enum protocol protocol,
                    void (*done)(struct approach *a, int fd, const struct addr *address))
{
    a->member = m;
    a->protocol = protocol;
    a->done = done;
    if (m->hostname == NULL || hostname_ask(m->hostname, &a->name, on_name))
        on_name(&a->name);
}

void approach_stop(struct approach *a)
{
    hostname_cancel(&a->name);
    connecting_stop(&a->connecting);
}
