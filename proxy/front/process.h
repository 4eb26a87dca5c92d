/* What the front process has once, for all its sessions. Born in front.c, constant but for counts and TLS contexts. */
#ifndef PROXY_FRONT_PROCESS_H
#define PROXY_FRONT_PROCESS_H

#include "proxy/front/helper.h"
#include "proxy/base/secret.h"
#include "proxy/front/session.h"
#include "proxy/wire/sasl.h"

enum { SCRATCH_BYTES = 65536 };

/* A listener's settings as sessions see them. */
struct port {
    const struct listener_config *config;
    enum protocol protocol;
    struct tls_server *tls; /* NULL: no TLS on this one */
    char *greeting[2];      /* before TLS, under TLS */
    char *capabilities[2];  /* IMAP: the list; POP3: the lines of CAPA */
};

/* A site's settings, with one TLS context for each protocol (ALPN differs). */
struct site {
    const struct site_config *config;
    struct tls_client *tls[PROTOCOLS];
    struct secret master; /* with credentials = "master" */
};

struct front {
    const struct config *config;
    struct ipc *main;
    struct helper auth, backends;
    struct list sessions;
    size_t n_sessions, sessions_max;
    struct port *ports;
    size_t n_ports;
    struct site *sites;
    bool offered[SASL_MECHANISMS]; /* it can succeed at every site; SASL_NONE: LOGIN, or USER and PASS */
    bool taken[SASL_MECHANISMS];   /* at one */
    bool shown[SASL_MECHANISMS];   /* a verifier of auth's looks at the credential */
    unsigned char mark_key[MARK_KEY_BYTES];
    bool has_mark_key;
    uint64_t sid_base;
    bool draining;
    char *scratch; /* SCRATCH_BYTES, for one read at a time; wiped by whoever put secrets into it */
};

extern struct front front;

struct session *front_session(uint64_t id);         /* NULL: it is gone */
struct session *front_session_called(uint64_t sid); /* by the name that it keeps; NULL: it is gone */
bool front_has_room(void);
void front_admit(struct session *s); /* gives it its id and a place; there is room */
void front_left(struct session *s);
void front_air(void); /* memory that is free goes back to the system; walks the heap's free chunks */
/* Another id: what is still under way to the old one finds nobody. Nothing may count the session under the old one. */
void front_rename(struct session *s);

/* Connections before login, per block of addresses. False: too many. */
bool front_count(const struct addr *peer) MUST_CHECK;
void front_uncount(const struct addr *peer);

const struct site *front_site(struct span name);

struct login_order;
/* What the site's settings say of how to sign in there; whose login it is is left out. */
void site_order(const struct site *site, enum protocol protocol, struct login_order *order);

/* ports.c */
bool ports_init(struct span bundle, struct buf *why) MUST_CHECK;
bool ports_reload(struct span bundle, struct buf *why) MUST_CHECK; /* new certificates, or the old ones stay */
struct port *port_find(enum protocol protocol, size_t index);

/* sites.c */
bool sites_init(struct span bundle, struct buf *why) MUST_CHECK;
bool sites_take_secrets(struct span bundle, struct buf *why) MUST_CHECK; /* master passwords */

/* offers.c */
void offers_init(void);
bool site_lists(const struct site_config *site, enum sasl_mechanism m); /* a bearer mechanism */

#endif
