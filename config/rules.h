/* What the text of string options must look like, so that nothing that a configuration says can break a protocol line,
 * a map or a log later. */
#ifndef CONFIG_RULES_H
#define CONFIG_RULES_H

#include "config/options.h"

extern const struct rule rule_text;               /* one line of UTF-8 */
extern const struct rule rule_user;               /* of the system */
extern const struct rule rule_site_name;          /* as it stands in maps and logs */
extern const struct rule rule_host;               /* DNS name or address literal */
extern const struct rule rule_host_name;          /* DNS name */
extern const struct rule rule_host_or_none;       /* the same, or "" */
extern const struct rule rule_user_format;        /* %u %n %d %t %% */
extern const struct rule rule_pin;                /* SHA-256 in hex or base64, or "" */
extern const struct rule rule_ciphers;            /* OpenSSL's list syntax, or "" */
extern const struct rule rule_capabilities;       /* RFC 9051 and RFC 2449 words */
extern const struct rule rule_capability_changes; /* the same with + or - before each */
extern const struct rule rule_phrase;             /* a bit of a store's answer */
extern const struct rule rule_dns_server;         /* literal, with or without port */
extern const struct rule rule_domain;             /* of accounts, short or long */
extern const struct rule rule_domain_or_none;     /* the same, or "" */
extern const struct rule rule_account_pattern;    /* a name with * and ? */
extern const struct rule rule_url;                /* http, https, ldap, ldaps */
extern const struct rule rule_page_or_none;       /* http, https, or "" */
extern const struct rule rule_header_or_none;     /* the name of an HTTP header, or "" */
extern const struct rule rule_word;               /* of letters, digits, "-", "_", "." and ";" */
extern const struct rule rule_word_or_none;       /* the same, or "" */
extern const struct rule rule_login_or_none;      /* a user name for a store, or "" */
extern const struct rule rule_bearer;             /* XOAUTH2 or OAUTHBEARER */
extern const struct rule rule_ipsec_algorithm;    /* one of ipsec_algorithm_names */

/* "2027-06-30": seconds since 1970 at the end of that day, UTC; false when there is no such day. */
bool date_end(struct span text, int64_t *end_s);

#endif
