/* Names of accounts: the one canonical form of what people type, by which everything is verified, denied, counted,
 * looked up and logged, and the name that a store gets.
 *
 *   user   user@domain   DOMAIN\user   DOMAIN/user              one account
 *   DOMAIN/delegate/mailbox   delegate@domain/mailbox@domain    somebody who opens the mailbox of another
 *
 * Canonical is local@domain, or local alone when nothing gives it a domain: the local part as RFC 8265 has it
 * (precis.h), the domain as IDNA has it (domains.h), aliases resolved. */
#ifndef AUTH_NAMES_NAMES_H
#define AUTH_NAMES_NAMES_H

#include "config/config.h"

enum { NAME_BYTES_MAX = 512 /* of a name as typed, and of the name that a store gets */ };

/* How names of this house are spelled: accounts.default_domain and accounts.domains, in canonical form. */
struct name_rules {
    char *default_domain; /* NULL: none */
    struct name_alias {
        char *name, *is;
    } * aliases;
    size_t n_aliases;
};

/* False: a domain of the configuration is none (*wrong: which, as it is written there; NULL: no memory). r is usable
 * then, without that one. */
bool name_rules_init(struct name_rules *r, const struct config *config, const char **wrong) MUST_CHECK;
void name_rules_fini(struct name_rules *r);

/* What was typed, as names: who signs in, and in the delegate forms whose mailbox is meant (else `mailbox` is empty).
 * Both are cleared first. Nothing is trimmed. False: a name in it that nobody can have (see precis_username; and `"`,
 * `(`, `)`, `,`, `:`, `;`, `<`, `>`, `[`, `]`, `*`, `%`, with which stores reach mailboxes by other ways, or a dot at
 * an end), more of one kind of separator than the forms have, over NAME_BYTES_MAX, or no memory. */
bool name_read(const struct name_rules *r, struct span typed, struct buf *login, struct buf *mailbox) MUST_CHECK;

/* The same for one account. A canonical name is its own canonical form. */
bool name_canonical(const struct name_rules *r, struct span typed, struct buf *to) MUST_CHECK;

/* The same for a domain alone, added behind what `to` holds. */
bool name_canonical_domain(const struct name_rules *r, struct span typed, struct buf *to) MUST_CHECK;

struct span name_local(struct span canonical);
struct span name_domain(struct span canonical); /* without '@'; at == NULL when there is none */

/* The formats of user_format and user=…: %u canonical name, %n local part, %d domain, %t as typed, %% a percent. */
bool name_format_is_valid(struct span format);

/* The name at the store. `typed` has been accepted by name_read, `canonical` is what it gave. False: the format is not
 * valid, it asks for the domain of a name without one, the result is empty or over the bound of `to`, or no memory.
 * `to` is cleared first. */
bool name_expand(struct span format, struct span canonical, struct span typed, struct buf *to) MUST_CHECK;

#endif
