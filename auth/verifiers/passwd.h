/* The accounts of the verifier `file`: text in the style of passwd(5), checked and compiled by the checker into one
 * sealed table, as the directory map is.
 *
 *   name:hash[:uid[:gid[:gecos[:home[:shell[:options]]]]]]
 *
 * hash: as crypt(5) has it, of a kind that libxcrypt calls strong (yescrypt, bcrypt, scrypt, SHA-512, SHA-256), perhaps
 * behind a scheme such as {CRYPT}; "!" or "*" before it locks the account. options: words as in switches.h. What stands
 * between is not looked at. */
#ifndef AUTH_VERIFIERS_PASSWD_H
#define AUTH_VERIFIERS_PASSWD_H

#include "auth/names/names.h"
#include "auth/directory/table.h"

enum { PASSWD_LINE_MAX = 8192, PASSWD_HASH_MAX = 384, PASSWD_ERRORS_MAX = 20 };
#define PASSWD_MAGIC SPAN("HWPASS1\n")

/* Every error is a line "PATH:12: what was found, what was expected\n" in errors; no hash is ever shown. */
bool passwd_compile(const struct config *config, const char *path, struct span text, struct buf *to,
                    struct buf *errors) MUST_CHECK;

struct passwd_entry {
    struct span hash;    /* empty: locked */
    struct span options; /* words */
};
bool passwd_find(const struct table *accounts, struct span login, struct passwd_entry *entry); /* canonical */

struct span passwd_any_hash(const struct table *accounts); /* somebody's; empty: nobody has one */

/* True: crypt(3) of this build makes hashes of this kind, and good ones. */
bool passwd_hash_is_usable(const char *hash);

/* The password's hash by the settings of another one; true when they are the same. Takes as long as its author meant;
 * for threads. */
bool passwd_matches(struct span password, const char *hash);

const char *passwd_library_version(void); /* "": not compiled in */

#endif
