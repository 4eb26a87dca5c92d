/* Bytes that we own, with a limit. A buf of secrets is wiped whenever its memory moves or goes. */
#ifndef PROXY_BASE_BUF_H
#define PROXY_BASE_BUF_H

#include "proxy/base/span.h"

struct buf {
    char *at;
    size_t n;    /* bytes held */
    size_t room; /* bytes allocated */
    size_t max;  /* never more than this */
    bool secret; /* wipe before every free */
};

/* Nothing is allocated before the first byte. */
void buf_init(struct buf *b, size_t max_bytes);
void buf_init_secret(struct buf *b, size_t max_bytes);
void buf_fini(struct buf *b); /* gives all memory back; b is empty and usable again */

/* False, and b unchanged, when max would be passed or memory is short. */
bool buf_add(struct buf *b, struct span s) MUST_CHECK;
bool buf_add_byte(struct buf *b, char c) MUST_CHECK;
bool buf_add_text(struct buf *b, const char *text) MUST_CHECK;
bool buf_printf(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3) MUST_CHECK;

/* All that can be read, up to the end. False: errno says why; EFBIG: max does not allow it. What came stays. */
bool buf_read(struct buf *b, int fd) MUST_CHECK;

/* At least `n` writable bytes behind the held ones, or NULL. Then fill them and say buf_grew. */
char *buf_space(struct buf *b, size_t n);
void buf_grew(struct buf *b, size_t n);

void buf_take(struct buf *b, size_t n); /* drop the first n bytes */
void buf_clear(struct buf *b);          /* drop all, keep the memory (wiped if secret) */

static inline struct span buf_span(const struct buf *b)
{
    return (struct span){ b->at, b->n };
}

#endif
