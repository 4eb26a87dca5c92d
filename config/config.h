/* The configuration as every role sees it: checked, complete with defaults, constant for the role's whole life.
 *
 * One table of options (config/options.c) says of each its path, kind, bounds, default, help, and which roles it
 * concerns; the loader (config/load.c), `-T`, the manual page and the question "which role must be born again?"
 * are all made from it. Strings are NUL-terminated, never NULL unless said; all memory belongs to the struct config. */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "proxy/base/addr.h"
#include "proxy/base/buf.h"
#include "proxy/base/log.h"

enum protocol { IMAP, POP3, PROTOCOLS };
enum tls_mode { TLS_MODE_IMPLICIT, TLS_MODE_STARTTLS, TLS_MODE_NONE };
enum tls_version { TLS_VERSION_1_0, TLS_VERSION_1_1, TLS_VERSION_1_2, TLS_VERSION_1_3 };
enum log_target { LOG_TO_STDERR, LOG_TO_SYSLOG, LOG_TO_FILE };
enum site_security { SECURITY_TLS, SECURITY_STARTTLS, SECURITY_LOOPBACK, SECURITY_CLEAR, SECURITY_IPSEC };
enum ipsec_mode { IPSEC_TRANSPORT, IPSEC_TUNNEL };
enum ipsec_tls { IPSEC_TLS_IF_OFFERED, IPSEC_TLS_NEVER };
enum ipsec_algorithm {
    IPSEC_AES_GCM,
    IPSEC_AES_CBC_SHA2,
    IPSEC_CHACHA20,
    IPSEC_AES_CBC_SHA1,
    IPSEC_3DES_SHA1,
    IPSEC_ALGORITHMS
};
enum site_mechanism { MECHANISM_AUTO, MECHANISM_LOGIN, MECHANISM_PLAIN };
enum client_info { CLIENT_INFO_AUTO, CLIENT_INFO_OFF, CLIENT_INFO_PROXY2 };
enum affinity { AFFINITY_MAILBOX, AFFINITY_NONE };
enum site_credentials { CREDENTIALS_CLIENT /* the site gets what the client gave */, CREDENTIALS_MASTER };
enum master_form { MASTER_AUTHZID, MASTER_STAR };
enum directory_driver { DIRECTORY_FILE, DIRECTORY_LDAP };
enum verifier_driver {
    VERIFIER_SITE /* the home site judges */,
    VERIFIER_FILE,
    VERIFIER_HTTP,
    VERIFIER_OAUTH,
    VERIFIER_LDAP,
    VERIFIER_DRIVERS
};
/* What users enter into their mail programs; sending is not ours, but they need it as well. */
enum server_protocol { SERVER_IMAP, SERVER_POP3, SERVER_SMTP, SERVER_PROTOCOLS };
enum settings_login { LOGIN_ADDRESS, LOGIN_NAME };
enum ldap_preset { PRESET_NONE, PRESET_OPENLDAP, PRESET_AD };

extern const char *const protocol_names[PROTOCOLS];               /* "imap", "pop3" */
extern const char *const server_names[SERVER_PROTOCOLS];          /* "imap", "pop3", "smtp" */
extern const char *const verifier_driver_names[VERIFIER_DRIVERS]; /* "site", … */
extern const char *const security_names[SECURITY_IPSEC + 1];      /* "tls", … */
extern const char *const ipsec_algorithm_names[IPSEC_ALGORITHMS]; /* "aes-gcm", … */

struct networks {
    struct network *at;
    size_t n;
};
bool networks_have(const struct networks *list, const struct addr *a);

struct strings {
    const char **at;
    size_t n;
    const char *file; /* and line where the list was written, for messages; NULL and 0 when it was not */
    int line;
};

/* An exception from the safe defaults: both must be written out with it. */
struct exception {
    const char *reason; /* "" when there is none */
    const char *until;  /* "2027-06-30", or "" */
    int64_t until_s;    /* end of that day, UTC, in seconds since 1970; 0 when there is none */
};

struct certificate_config {
    const char *chain, *key; /* absolute paths */
};

struct listener_config {
    struct addr address; /* "*" gives two listeners, 0.0.0.0 and [::] */
    bool any;            /* written as "*": a machine without IPv6 goes without the second one */
    enum protocol protocol;
    enum tls_mode tls;
    bool clear_login; /* LOGIN and USER/PASS are allowed before TLS */
    enum tls_version tls_min_version;
    const char *tls_ciphers;             /* OpenSSL's list for TLS 1.2 and below; "" for the default */
    struct exception exception;          /* of tls_min_version and tls_ciphers */
    struct networks networks;            /* who may connect at all; empty: everybody */
    struct networks proxy_protocol_from; /* not empty: a PROXY header is demanded, and only these peers may send it */
    struct networks trusted_proxies;     /* whose word about the client is believed */
    const char *file;                    /* and line of the configuration, for messages; "" and 0 after config_parse */
    int line;
};

struct protocol_config {
    bool on; /* the group stands in the configuration */
    struct listener_config *listeners;
    size_t n_listeners;
    int64_t idle_timeout_s;
    const char *capability;        /* imap only: "+X -Y" */
    struct listener_config common; /* the loader's own: what each listener starts from (the group's clear_login, …) */
};

/* A word of a verifier's, and what it means here. */
struct value_config {
    const char *value, *site;
};

/* Strings that a driver has no use for are "". */
enum { VERIFIERS_MAX = 16 };

struct verifier_config {
    enum verifier_driver driver;
    const char *path;
    struct strings urls;
    const char *ca_file; /* absolute path; "": tls.ca_file */
    int64_t timeout_ms, threads /* 0: as the driver has it */;
    const char *secret_file;
    const char *user_format, *secret_header;
    const char *client_id, *name_claim, *scope, *audience;
    enum ldap_preset preset;
    bool starttls;
    const char *bind_dn, *base, *filter, *name_attribute, *site_attribute, *user_attribute, *options_attribute;
    struct value_config *sites;
    size_t n_sites;
    const char *file; /* and line of the configuration, for messages; "" and 0 after config_parse */
    int line;
};

struct backend_config {
    const char *host;              /* name or address literal */
    struct addr literal;           /* set when host is an address, else AF_UNSPEC */
    int64_t weight;                /* 1 to 100 */
    bool standby;                  /* only when no other member can serve */
    bool drain;                    /* takes no new mailboxes */
    uint16_t imap_port, pop3_port; /* 0: the site's */
};

/* The associations that may carry a site's clear text. */
struct ipsec_config {
    int64_t reqid; /* 1 to 4294967295; 0 where security is something else */
    enum ipsec_mode mode;
    struct strings algorithms; /* empty: the default set */
    enum ipsec_tls tls;        /* inside ESP */
};
unsigned ipsec_algorithms(const struct ipsec_config *ipsec); /* a set: bit 1 << enum ipsec_algorithm */
bool ipsec_is_weak(const struct ipsec_config *ipsec);        /* one of them is outdated */

enum { SITES_MAX = 1024, BACKENDS_MAX = 64 /* of one site */ };

struct site_config {
    const char *name;
    struct backend_config *backends;
    size_t n_backends;
    enum site_security security;
    bool serves[PROTOCOLS];
    uint16_t port[PROTOCOLS]; /* tls 993/995, else 143/110; 0 where it does not serve */
    struct ipsec_config ipsec;
    const char *ca_file;     /* absolute path; "": tls.ca_file */
    const char *verify_name; /* "": the host name of the back end */
    const char *pin_sha256;  /* hex or base64 of the SHA-256 of the leaf's SubjectPublicKeyInfo; "": none */
    bool verify;             /* false: verify = "none", WEAK */
    const char *user_format; /* %u %n %d %t %% */
    enum site_credentials credentials;
    const char *master_user, *master_password_file;
    enum master_form master_form;
    const char *check_user, *check_password_file; /* the test account; "": none */
    enum site_mechanism mechanism;
    enum client_info client_info;
    enum affinity affinity;
    int64_t spare;                 /* connections that stand ready for each back end and protocol, in each front */
    int64_t spare_age_s;           /* how long one does at most */
    const char *capabilities;      /* IMAP, after login; "" when left out */
    const char *pop3_capabilities; /* "UIDL TOP PIPELINING" by default, "" with ipsec */
    struct strings bearer;         /* "XOAUTH2", "OAUTHBEARER": what its stores list */
    struct strings temporary_texts;
    struct networks networks; /* the addresses that its back ends may have; empty: any */
    enum tls_version tls_min_version;
    const char *tls_ciphers;
    struct exception exception; /* of clear, tls_min_version, tls_ciphers */
    bool enforce_until;
    const char *file; /* and line of the configuration, for messages; "" and 0 after config_parse */
    int line;
};

/* Another name of a domain: a Windows domain's short one, or an alias. */
struct domain_config {
    const char *name, *is;
    const char *file; /* and line of the configuration, for messages; "" and 0 after config_parse */
    int line;
};

struct accounts_config {
    const char *default_domain; /* "": names without a domain stay so */
    struct domain_config *domains;
    size_t n_domains;
    struct strings deny; /* names and patterns that never sign in */
    const char *file;    /* and line of the group, for messages; "" and 0 after config_parse, NULL and 0 without it */
    int line;
};

/* One line of what users enter into their mail programs. */
struct server_config {
    enum server_protocol protocol;
    const char *host;
    uint16_t port;
    enum tls_mode tls; /* never TLS_MODE_NONE */
    bool inside;       /* for those inside the house only */
    const char *file;  /* and line of the configuration, for messages; "" and 0 after config_parse */
    int line;
};

struct settings_config {
    const char *title, *words, *help; /* "" when left out */
    struct strings domains;
    enum settings_login login;
    struct server_config *servers;
    size_t n_servers;
};

enum sandbox_mode { SANDBOX_MODE_OFF, SANDBOX_MODE_AUTO, SANDBOX_MODE_REQUIRED };

struct config {
    struct {
        int64_t workers; /* never 0 here: "one per core" has been counted */
        const char *user, *runtime_dir;
        const char *operators, *readers; /* groups that may use the control socket; "": none */
        int64_t drain_timeout_s, drain_spread_s, generations_max;
        enum sandbox_mode sandbox; /* of fronts, auth and backends */
    } run;
    struct {
        enum log_target to;
        const char *file; /* absolute path, when to is a file */
        enum log_format format;
        enum log_level level;
    } log;
    struct {
        struct certificate_config *certificates;
        size_t n_certificates;
        enum tls_version min_version;
        bool early_greeting;
        const char *ca_file;  /* default trust for sites: /etc/ssl/certs/ca-certificates.crt */
        int64_t ticket_key_s; /* how long one ticket key encrypts */
    } tls;
    struct protocol_config protocols[PROTOCOLS];
    struct site_config *sites;
    size_t n_sites;
    struct {
        enum directory_driver driver;
        const char *path; /* absolute; "" only when no protocol is on, and with DIRECTORY_LDAP */
        int64_t max_loss_percent;
        struct verifier_config ldap; /* DIRECTORY_LDAP: whom to ask, as VERIFIER_LDAP has it */
    } directory;
    struct {
        struct verifier_config *verifiers; /* at least one */
        size_t n_verifiers;
        int64_t failure_step_ms;
        int64_t free_failures, delay_points_max;
        int64_t guesses_per_account, guesses_per_address; /* an hour; 0: any number */
        int64_t known_address_days;                       /* 0: none is known */
        int64_t cache_s;                                  /* 0: no cache */
    } auth;
    struct accounts_config accounts;
    struct {
        int64_t sessions_per_user[PROTOCOLS];
        int64_t sessions_per_address;
        int64_t sessions;                /* of all fronts together; 0: what RLIMIT_NOFILE allows */
        int64_t connections_per_address; /* before login, of one front */
        int64_t login_timeout_s;
        int64_t sasl_bytes;
        int64_t errors;        /* unusable commands of one connection before login */
        int64_t failed_logins; /* of one connection */
        int64_t connect_timeout_ms, greeting_timeout_ms, site_login_timeout_s;
        int64_t site_silent_timeout_s; /* after the login: how long a store may leave a command without a word */
        int64_t check_interval_s;      /* 0: back ends are not checked */
        int64_t recovery_logins;       /* a second, at a site that has just lost a member; 0: any */
        int64_t held_bytes;            /* what one direction of a session may hold for a slow reader */
        struct networks exempt;        /* peers that no per-address limit counts */
    } limits;
    struct settings_config settings; /* what users look up */
    struct {
        struct strings servers; /* "192.0.2.53", "[2001:db8::53]:5353"; empty: the system's */
    } dns;
    struct config_block *memory; /* everything above points into these blocks */
};

/* Options are of interest to: */
enum config_role { FOR_MAIN = 1, FOR_FRONT = 2, FOR_AUTH = 4, FOR_BACKENDS = 8 };

/* Read and check FILE. Every error goes to `errors` as one line, "FILE:12: what was found and what was expected\n"
 * (libconfig stops at the first error of syntax; errors of meaning are all listed). NULL when there was any. `warnings`
 * gets lines that do not stop anything (WEAK links, a certificate about to expire). Opens no other file than FILE and
 * what it includes. */
struct config *config_load(const char *file, struct buf *errors, struct buf *warnings);

/* The same from bytes that config_dump made; no line numbers, no files. NULL only if they are not such bytes. */
struct config *config_parse(struct span dumped);

void config_free(struct config **config);

/* The effective configuration with all defaults, as text that libconfig reads again; all paths absolute.
 * roles: only options that concern one of these (for "has anything changed for the fronts?"), or ~0 for all. */
bool config_dump(const struct config *config, unsigned roles, struct buf *to) MUST_CHECK;

/* The options as the body of a manual page (roff). */
bool config_manual(struct buf *to) MUST_CHECK;

bool config_has_ipsec(const struct config *config); /* a site with security = "ipsec" */

/* Site by name, or -1. */
ptrdiff_t config_site(const struct config *config, struct span name);

/* The CAs that prove its back ends: its own file, or the common one. */
const char *site_ca_file(const struct config *config, const struct site_config *site);

#endif
