/* One checked configuration with everything that it names: what a generation of processes is born with. */
#ifndef PROXY_SUPERVISOR_SETTINGS_H
#define PROXY_SUPERVISOR_SETTINGS_H

#include "config/config.h"

enum settings_part {
    SETTINGS_CONFIG,       /* the effective configuration, as config_dump writes it */
    SETTINGS_FRONT_BUNDLE, /* certificates, keys, CAs */
    SETTINGS_AUTH_BUNDLE,
    SETTINGS_BACKENDS_BUNDLE,
    SETTINGS_MAP,      /* compiled */
    SETTINGS_ACCOUNTS, /* those of the verifier "file", compiled; empty when there is none */
    SETTINGS_PARTS
};

struct settings {
    unsigned refs;
    uint64_t
        number; /* from 1, one more for each settings of this process's life: the generation of what is born with it */
    struct config *config;   /* NULL: those of another program */
    int fds[SETTINGS_PARTS]; /* blobs; certificates and map are replaced while the configuration stays */
};

/* Owns the descriptors from now on, whatever is returned. NULL: the configuration is not one, or no memory. */
struct settings *settings_new(const int fds[SETTINGS_PARTS]);
/* Those of a predecessor's generation, of which nothing is known but the number; ours go on from there. NULL: no
 * memory. */
struct settings *settings_foreign(uint64_t number);
struct settings *settings_ref(struct settings *s);
void settings_unref(struct settings **s);

void settings_replace(struct settings *s, enum settings_part part, int fd); /* owns fd */

/* Do they differ in an option that concerns one of these roles? Out of memory counts as different. */
bool settings_differ(const struct settings *a, const struct settings *b, unsigned roles);

/* The listener with that address and port: protocol in bit 16, its index below. False: there is none. */
bool settings_listener(const struct settings *s, const struct addr *address, uint64_t *listener);

/* "POP3: off, IMAP4: 0.0.0.0:993 (implicit TLS), 0.0.0.0:143 (STARTTLS)" */
bool settings_tell(const struct config *config, struct buf *to) MUST_CHECK;

#endif
