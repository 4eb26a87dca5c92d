/* The verdict on one question: may this be who it claims, and where is home? Everything but the judgement of the
 * credential itself, which may take its time between the two halves: who asks, for whom, and is that somebody who never
 * signs in (inquiry_begin); then what the judgement, the map, the switches and the counts of now make of it
 * (inquiry_end). Nothing is counted here. */
#ifndef AUTH_VERDICT_H
#define AUTH_VERDICT_H

#include "auth/counts.h"
#include "auth/deny.h"
#include "auth/map.h"
#include "auth/verifier.h"
#include "proxy/net/messages.h"

struct policy {
    const struct config *config;
    struct name_rules names;
    struct deny deny;
    const struct map *map; /* NULL: none yet */
    struct counts counts;
};

/* Everything but map and counts, from the configuration. False: no memory, or a configuration that accounts_check would
 * have refused. */
bool policy_init(struct policy *policy, const struct config *config) MUST_CHECK;
void policy_fini(struct policy *policy);

/* True for a client that no per-address limit counts. */
bool policy_exempts(const struct policy *policy, const struct addr *client);

/* How many sessions of a protocol this mailbox may have; 0: any number. */
uint32_t policy_sessions_max(const struct policy *policy, enum protocol protocol, struct span mailbox);

/* One question and what has been found out. The spans of the verdict point into it, into the map and into the
 * judgement. */
struct inquiry {
    const struct policy *policy;
    const struct msg_ask *ask; /* borrowed: name, authzid, client, protocol, mechanism */
    struct msg_verdict verdict;
    struct buf login, mailbox, store_name, store_login, names_text;
    bool is_delegate; /* login opens the mailbox of somebody else */
    const struct judgement *judged;
    struct map_entry entry;    /* the mailbox's, if the map has it */
    struct map_entry delegate; /* the login's, if that is another one */
    bool has_entry, has_delegate;
    struct switches said; /* by the verifier, of the login */
    const struct site_config *site;
};

void inquiry_init(struct inquiry *q, const struct policy *policy); /* may be used for one question after the other */
void inquiry_fini(struct inquiry *q);

/* False: the verdict is there already. Else the credential is to be judged: that of q->login. */
bool inquiry_begin(struct inquiry *q, const struct msg_ask *ask) MUST_CHECK;

/* judged: NULL when the home site is to judge. The verdict is there. */
void inquiry_end(struct inquiry *q, const struct judgement *judged);

#endif
