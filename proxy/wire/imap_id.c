/* A legal ID is over 31,000 octets long, and a stranger may send it: what is remembered of it fits IMAP_ID_KEPT_MAX.
 * Early pairs go before late ones; the keys by which a front end tells of its client, and by which a client names
 * itself, go before all others. */
#include "proxy/wire/imap_id.h"

static const char *const precious[] = {
    "name",           "version",          "x-originating-ip", "x-originating-port",
    "x-connected-ip", "x-connected-port", "x-session-id",     "x-proxy-ttl",
};

void imap_id_forget(struct imap_reader *r, size_t at)
{
    if (r->bytes.n <= at)
        return;
    explicit_bzero(r->bytes.at + at, r->bytes.n - at);
    r->bytes.n = at;
}

static bool is_precious(const struct imap_reader *r, const struct imap_word *key)
{
    for (size_t i = 0; i < COUNT_OF(precious); i++)
        if (span_eq_nocase(span_bytes(r->bytes.at + key->at, key->n), span_of(precious[i])))
            return true;
    return false;
}

static size_t pair_size(const struct imap_word *key)
{
    return key[0].n + key[1].n;
}

/* Takes the kept pair whose key is words[i] out of the middle; the new pair stands behind the kept ones. */
static void drop_kept(struct imap_reader *r, size_t i)
{
    size_t at = r->words[i].at, n = pair_size(&r->words[i]);
    size_t end = r->n_words + 2;
    memmove(r->bytes.at + at, r->bytes.at + at + n, r->bytes.n - at - n);
    imap_id_forget(r, r->bytes.n - n);
    for (size_t k = i + 2; k < end; k++) {
        r->words[k - 2] = r->words[k];
        r->words[k - 2].at -= (uint32_t)n;
    }
    r->n_words -= 2;
    r->kept_n -= n;
}

/* Room for a precious pair: the latest ordinary one goes. False when there is none. */
static bool make_room(struct imap_reader *r)
{
    for (size_t i = r->n_words; i > 0; i -= 2) {
        if (!is_precious(r, &r->words[i - 2])) {
            drop_kept(r, i - 2);
            return true;
        }
    }
    return false;
}

static void keep_pair(struct imap_reader *r)
{
    size_t n = pair_size(&r->words[r->n_words]);
    bool keep = true;
    while (keep && r->kept_n + n > IMAP_ID_KEPT_MAX)
        keep = is_precious(r, &r->words[r->n_words]) && make_room(r);
    if (!keep) {
        imap_id_forget(r, r->words[r->n_words].at);
        return;
    }
    r->n_words += 2;
    r->kept_n += n;
}

void imap_id_word(struct imap_reader *r, bool nil)
{
    struct imap_word *word = &r->words[r->n_words + (r->half ? 1 : 0)];
    size_t n = r->bytes.n - r->word_at;
    *word = (struct imap_word){ .at = (uint32_t)r->word_at, .n = (uint32_t)n, .nil = nil };
    if (r->half) {
        r->pairs++;
        keep_pair(r);
    }
    r->half = !r->half;
}
