/* IPsec as the rest of this process sees it: connections that must stay inside ESP are judged when they are dialled,
 * before the credential, and again at every change of the kernel's associations. Counts for each site. */
#ifndef BACKENDS_IPSEC_IPSEC_H
#define BACKENDS_IPSEC_IPSEC_H

#include "backends/ipsec/ipsec_judge.h"
#include "backends/members/site.h"
#include "proxy/base/list.h"

/* A connection that a front holds. Zero-initialised memory is one that is not watched. */
struct ipsec_link {
    struct list link;
    const struct site *site; /* for the counts; NULL: one that the configuration no longer has */
    struct ipsec_rule rule;  /* as it was when the connection was made */
    struct ipsec_pair pair;
    void (*bad)(struct ipsec_link *l); /* it must end; called from the loop, once; must free no link */
};

/* Opens the kernel's door only if a site needs it. False: why says it in one sentence for the admin. */
bool ipsec_open(const struct config *config, const char **why) MUST_CHECK;
void ipsec_close(void); /* after the last link */

/* Look at the kernel's associations now. */
enum ipsec_verdict ipsec_look(const struct ipsec_rule *rule, const struct ipsec_pair *pair);
/* The same, and what is not good is logged with the association to blame. site: NULL when it is not known. */
enum ipsec_verdict ipsec_report(const struct site *site, const struct ipsec_rule *rule, const struct ipsec_pair *pair);

void ipsec_watch(struct ipsec_link *l);   /* all but `link` is set */
void ipsec_unwatch(struct ipsec_link *l); /* safe at any time, also twice */

/* The two ends of a connected socket; of a peer that no socket is connected to, with the address that the kernel would
 * choose for us (or none). */
struct ipsec_pair ipsec_pair_of(int fd, const struct addr *peer);
struct ipsec_pair ipsec_pair_to(const struct addr *peer);

/* What logins came to: they waited for an association, waited in vain, were refused, or were ended later. */
enum ipsec_count { IPSEC_WAITED, IPSEC_WAITED_IN_VAIN, IPSEC_REFUSED, IPSEC_ENDED, IPSEC_COUNTS };
void ipsec_count(const struct site *site, enum ipsec_count which);
uint64_t ipsec_counted(const struct site_config *site, enum ipsec_count which);
extern const char *const ipsec_count_names[IPSEC_COUNTS]; /* "ipsec_waits", … */

/* " ipsec_waits=3 …": into a line about this site; nothing for a site without IPsec. */
void ipsec_log_counts(struct log_line *l, const struct site_config *site);
void ipsec_log_status(void); /* one line for each site with IPsec */

#endif
