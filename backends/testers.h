/* Test accounts: the mailbox that checks of a site's members sign in with, and the trust that it takes to show them a
 * password. Renewed when the files change that the configuration names. */
#ifndef BACKENDS_TESTERS_H
#define BACKENDS_TESTERS_H

#include "backends/members/site.h"
#include "proxy/base/secret.h"
#include "proxy/net/tls.h"

struct tester {
    struct secret password;
    struct tls_client *tls[PROTOCOLS]; /* NULL: the site is reached in clear text, or does not serve that */
};

/* All of them, from the files of the bundle (config/bundle.h); no check may use the old ones any more. False: a line in
 * why, and the old ones stay. config must outlive testers_close. */
bool testers_take(const struct config *config, struct span bundle, struct buf *why) MUST_CHECK;
void testers_close(void);

const struct tester *tester_of(const struct site *site); /* NULL: the site has none */

#endif
