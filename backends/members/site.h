/* Sites and their members as this process knows them: the configuration's, with the keys by which members are known
 * elsewhere, their host names, and what happens to their health. Constant for the life of the process. */
#ifndef BACKENDS_MEMBERS_SITE_H
#define BACKENDS_MEMBERS_SITE_H

#include "backends/members/health.h"
#include "backends/ways/hostname.h"
#include "config/config.h"

struct site;

struct member {
    const struct site *site;
    const struct backend_config *config;
    struct hostname *hostname; /* NULL: config->literal */
    uint16_t port[PROTOCOLS];
    struct span name;           /* "host:port", lower case; the port of the first protocol that the site serves */
    uint64_t key;               /* hash_stable of the name: one member is one place for both protocols */
    uint64_t health[PROTOCOLS]; /* its keys in the health table: one protocol may fail alone */
};

struct site {
    const struct site_config *config;
    size_t number; /* in the configuration */
    struct member *members;
    size_t n_members; /* at most BACKENDS_MAX */
};

bool sites_open(const struct config *config) MUST_CHECK; /* config must outlive it; false: no memory */
void sites_close(void);

size_t sites_count(void);
const struct site *sites_at(size_t i);                                   /* i < sites_count() */
const struct site *site_find(struct span name);                          /* NULL: there is none of that name */
const struct member *site_member(const struct site *site, uint64_t key); /* NULL: not, or no longer, one of its */

bool site_is_overdue(
    const struct site *site); /* enforce_until: the day of its weak link is over, and that is to end it */

struct health_view member_look(const struct member *m, enum protocol p);

/* Something happened to it; a change of its state is logged.
 *   stage  the last that it reached: "dial" (not even connected), "connected", "tls", "greeting", "login"
 *   trial  whoever reports it had begun a trial (health.h) */
void member_fault(const struct member *m, enum protocol p, bool trial, const char *stage, struct span why);
void member_success(const struct member *m, enum protocol p);

void sites_log_avoided(void); /* one line for each that is avoided now */

#endif
