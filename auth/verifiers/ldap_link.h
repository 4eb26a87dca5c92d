/* Connections of one thread to a directory: opened when they are needed, proven by TLS before anything is said on
 * them, with an end to every wait. For ldap.c alone, in builds that have libldap. */
#ifndef AUTH_VERIFIERS_LDAP_LINK_H
#define AUTH_VERIFIERS_LDAP_LINK_H

#include <ldap.h>

#include "auth/verifiers/ldap.h"

/* libldap, opened by ldap_open_library. */
extern struct ldap_library {
    __typeof__(&ldap_initialize) initialize;
    __typeof__(&ldap_set_option) set_option;
    __typeof__(&ldap_get_option) get_option;
    __typeof__(&ldap_start_tls_s) start_tls_s;
    __typeof__(&ldap_sasl_bind_s) sasl_bind_s;
    __typeof__(&ldap_search_ext_s) search_ext_s;
    __typeof__(&ldap_first_entry) first_entry;
    __typeof__(&ldap_next_entry) next_entry;
    __typeof__(&ldap_get_dn) get_dn;
    __typeof__(&ldap_memfree) memfree;
    __typeof__(&ldap_get_values_len) get_values_len;
    __typeof__(&ldap_value_free_len) value_free_len;
    __typeof__(&ldap_msgfree) msgfree;
    __typeof__(&ldap_unbind_ext_s) unbind_ext_s;
    __typeof__(&ldap_err2string) err2string;
    __typeof__(&ber_set_option) ber_set_option;
    __typeof__(&ber_sockbuf_add_io) ber_sockbuf_add_io;
    __typeof__(&ber_sockbuf_ctrl) ber_sockbuf_ctrl;
} ldap_lib;

struct ldap_link {
    LDAP *ld; /* NULL: not connected */
    size_t url;
    bool as_service; /* signed in as bind_dn */
    bool proven;     /* an answer has come over it */
};

struct ldap_thread {
    const struct verifier *v;
    struct ldap_link search, bind;
    struct ldap_conncb on_connect;
    int64_t until_ms; /* what is on the wire now must be over */
};

/* Connect, unless it is: to the URL that did well last, or the next ones. False: none can be had, and j is down. */
bool ldap_link_up(struct ldap_thread *t, struct ldap_link *link, struct judgement *j) MUST_CHECK;

void ldap_link_end(struct ldap_link *link);

/* Before each question: how long it may take. */
void ldap_start_clock(struct ldap_thread *t);

/* After each answer. True: the connection is gone, j is down, and the question may be asked again over another. */
bool ldap_link_failed(struct ldap_thread *t, struct ldap_link *link, int result, struct judgement *j) MUST_CHECK;

/* What the library and the server say of a result: j is down. */
void ldap_explain(const struct ldap_thread *t, const struct ldap_link *link, int result, struct judgement *j);

int ldap_bind_as(LDAP *ld, const char *dn, struct span password); /* simple bind: a result of libldap */

#endif
