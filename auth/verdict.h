/* The verdict on one question: may this be who it claims, and where is home? Everything but what takes its time in
 * between: who asks, for whom, and is that somebody who never signs in (inquiry_begin); what is made of the judgement
 * of the credential, and of the directory's words where one is asked (inquiry_hears); and of the map, the switches and
 * the counts of now (inquiry_end). Nothing is counted here. */
#ifndef AUTH_VERDICT_H
#define AUTH_VERDICT_H

#include "auth/counts.h"
#include "auth/names/deny.h"
#include "auth/directory/map.h"
#include "auth/verifiers/verifier.h"
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

/* Names of which a directory may have to be asked, in this order. */
enum place { OF_MAILBOX, OF_DELEGATE, PLACES };

/* One question and what has been found out. The spans of the verdict point into it, into the map and into the
 * judgements. */
struct inquiry {
    const struct policy *policy;
    const struct msg_ask *ask; /* borrowed: name, authzid, client, protocol, mechanism */
    struct msg_verdict verdict;
    struct buf login, mailbox, store_name, store_login, names_text[1 + PLACES];
    bool is_delegate; /* login opens the mailbox of somebody else */
    size_t heard;     /* the credential, then names */
    bool ended;       /* the verdict is there */
    const struct judgement *judged;
    const struct judgement *placed[PLACES]; /* what the directory said; NULL: it was not asked */
    struct map_entry entry;                 /* the mailbox's, if the map or the directory has it */
    struct map_entry delegate;              /* the login's, if that is another one */
    bool has_entry, has_delegate;
    struct switches said; /* by the verifier, of the login */
    const struct site_config *site;
};

void inquiry_init(struct inquiry *q, const struct policy *policy); /* may be used for one question after the other */
void inquiry_fini(struct inquiry *q);

/* False: the verdict is there already. Else the credential is to be judged: that of q->login. */
bool inquiry_begin(struct inquiry *q, const struct msg_ask *ask) MUST_CHECK;

/* What has been said: of the credential first, then of each name that this gave, by the directory (driver "ldap").
 * Gives the canonical name of which the directory is to be asked next; at == NULL: none, inquiry_end is to come. */
struct span inquiry_hears(struct inquiry *q, const struct judgement *said) MUST_CHECK;

/* judged: of the credential; NULL or JUDGED_BY_SITE when the home site is to judge. The verdict is there. */
void inquiry_end(struct inquiry *q, const struct judgement *judged);

#endif
