/* The verifier `file`: crypt(3) hashes in a file. The account is looked up in the loop, in a table that may be replaced
 * between two questions; the hash is computed in a thread. */
#include <stdlib.h>

#include "auth/verifiers/passwd.h"
#include "auth/verifiers/verifier.h"

/* Of nobody: what an unknown account costs where the file has no hash to compare with. */
static const char nobody[] = "$y$j9T$EzPs52/U4mLG10j6rJYtf0$aMJRMo0BixmxdE/UxQid2oZzW32neXmz8Aquh6RJeQC";

/* The hash that is computed for who has none: of the same kind and cost as the others in the file. */
static struct span any_hash(const struct table *accounts)
{
    struct span hash = passwd_any_hash(accounts);
    return hash.n > 0 ? hash : span_of(nobody);
}

static bool keep(char **to, struct span s)
{
    *to = s.n > 0 ? span_copy(s) : NULL;
    return s.n == 0 || *to != NULL;
}

static bool prepare(struct verifier *v, struct attempt *a, bool last, struct judgement *j)
{
    struct passwd_entry e = { .hash = SPAN_NONE };
    if (v->state == NULL) {
        judgement_down(j, "its accounts have not been read");
        return false;
    }
    bool known = passwd_find(v->state, span_of(a->login), &e);
    if (!known && !last) {
        j->is = JUDGED_UNKNOWN;
        return false;
    }
    j->is = !known ? JUDGED_UNKNOWN : e.hash.n == 0 ? JUDGED_NO : JUDGED_YES; /* if the hash is right */
    if (keep(&j->options, e.options) && secret_set(&a->known, e.hash.n > 0 ? e.hash : any_hash(v->state)))
        return true;
    judgement_down(j, "memory is short");
    return false;
}

/* The same work for everybody, known or not, locked or not. */
static void judge(const struct verifier *v UNUSED, void *of_thread UNUSED, const struct attempt *a, struct judgement *j)
{
    char *hash = span_copy(secret_span(&a->known));
    bool right = hash != NULL && passwd_matches(secret_span(&a->secret), hash);
    if (hash == NULL)
        judgement_down(j, "memory is short");
    else if (j->is == JUDGED_YES && !right)
        j->is = JUDGED_NO;
    if (hash != NULL)
        explicit_bzero(hash, a->known.n);
    free(hash);
}

const struct verifier_kind verify_file = {
    .passwords = true, .by_account = true, .niceness = 15, .prepare = prepare, .judge = judge
};
