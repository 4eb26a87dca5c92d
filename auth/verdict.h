/* The verdict on one question: may this be who it claims, and where is home? A pure function of the configuration, the
 * map and the counts of now. */
#ifndef AUTH_VERDICT_H
#define AUTH_VERDICT_H

#include "auth/counts.h"
#include "auth/deny.h"
#include "auth/map.h"
#include "auth/names.h"
#include "proxy/net/messages.h"

struct policy {
    const struct config *config;
    struct name_rules names;
    struct deny deny;
    const struct map *map; /* NULL: none yet */
    struct counts counts;
};

/* The bytes that a verdict's spans point into, beside the map and static text. Used again for every question. */
struct verdict_bytes {
    struct buf login, mailbox, store_name, store_login;
};
void verdict_bytes_init(struct verdict_bytes *bytes);
void verdict_bytes_fini(struct verdict_bytes *bytes);

/* Everything but map and counts, from the configuration. False: no memory, or a configuration that accounts_check would
 * have refused. */
bool policy_init(struct policy *policy, const struct config *config) MUST_CHECK;
void policy_fini(struct policy *policy);

/* True for a client that no per-address limit counts. */
bool policy_exempts(const struct policy *policy, const struct addr *client);

/* How many sessions of a protocol this mailbox may have; 0: any number. */
uint32_t policy_sessions_max(const struct policy *policy, enum protocol protocol, struct span mailbox);

/* Fills *verdict; its spans are valid until the map or `bytes` change. Counts nothing. */
void verdict_decide(const struct policy *policy, const struct msg_ask *ask, struct verdict_bytes *bytes,
                    struct msg_verdict *verdict);

#endif
