/* One walk to one port: steps in a row, each waited for, timed and told. Runs the loop by itself. */
#ifndef PROXY_ADMIN_WALK_H
#define PROXY_ADMIN_WALK_H

#include "backends/ipsec/ipsec_judge.h"
#include "config/config.h"
#include "proxy/base/json.h"

struct walk_order {
    const char *what; /* "site north", "listener" */
    const char *host; /* a name, or an address */
    uint16_t port;
    enum protocol protocol;
    bool implicit_tls, starttls;
    bool announce;  /* a PROXY header is expected first */
    bool verify;    /* else any certificate will do, and what it says is told */
    struct span ca; /* PEM */
    const char *verify_name, *pin_sha256;
    int min_version;
    const char *ciphers;
    struct ipsec_rule ipsec;     /* reqid 0: none. Else inside these associations or not at all */
    const char *user, *password; /* NULL: no login */
    int64_t step_ms;
    bool json; /* a line of JSON, else lines for people */
};

void walk_init(const struct config *config); /* once, before the first */
bool walk(const struct walk_order *order);   /* true: all is well; it has been printed */

/* DNS alone: text says what it came to. */
bool walk_name(const char *host, char text[512]);

#endif
