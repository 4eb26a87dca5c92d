/* Bytes that we own. Growth doubles, so adding is linear over a buffer's life. */
#include "proxy/base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { FIRST_BYTES = 256, READ_BYTES = 4096 };

void buf_init(struct buf *b, size_t max_bytes)
{
    *b = (struct buf){ .max = max_bytes };
}

void buf_init_secret(struct buf *b, size_t max_bytes)
{
    *b = (struct buf){ .max = max_bytes, .secret = true };
}

void buf_fini(struct buf *b)
{
    if (b->secret && b->at != NULL)
        explicit_bzero(b->at, b->room);
    free(b->at);
    b->at = NULL;
    b->n = b->room = 0;
}

/* malloc and copy instead of realloc: realloc may leave the old bytes behind unwiped. */
static bool grow(struct buf *b, size_t room)
{
    char *at = malloc(room);
    if (at == NULL)
        return false;
    if (b->n > 0)
        /* lint: where bytes are held there is memory */
        memcpy(at, b->at, b->n);
    if (b->secret && b->at != NULL)
        explicit_bzero(b->at, b->room);
    free(b->at);
    b->at = at;
    b->room = room;
    return true;
}

char *buf_space(struct buf *b, size_t n)
{
    if (n > b->max || b->n > b->max - n)
        return NULL;
    if (b->room - b->n >= n && b->at != NULL)
        return b->at + b->n;
    size_t room = b->room > 0 ? b->room : FIRST_BYTES;
    while (room < b->n + n)
        room *= 2;
    if (room > b->max)
        room = b->max;
    return grow(b, room > 0 ? room : 1) ? b->at + b->n : NULL;
}

void buf_grew(struct buf *b, size_t n)
{
    assert(n <= b->room - b->n);
    b->n += n;
}

bool buf_add(struct buf *b, struct span s)
{
    if (s.n == 0)
        return true;
    char *space = buf_space(b, s.n);
    if (space == NULL)
        return false;
    memcpy(space, s.at, s.n);
    b->n += s.n;
    return true;
}

bool buf_add_byte(struct buf *b, char c)
{
    return buf_add(b, (struct span){ &c, 1 });
}

bool buf_add_text(struct buf *b, const char *text)
{
    return buf_add(b, span_of(text));
}

bool buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *space = n >= 0 ? buf_space(b, (size_t)n + 1) : NULL; /* vsnprintf's NUL needs a place too */
    if (space == NULL)
        return false;
    va_start(args, format);
    vsnprintf(space, (size_t)n + 1, format, args);
    va_end(args);
    b->n += (size_t)n;
    return true;
}

bool buf_read(struct buf *b, int fd)
{
    for (;;) {
        char *space = buf_space(b, READ_BYTES);
        if (space == NULL) {
            errno = b->max - b->n < READ_BYTES ? EFBIG : ENOMEM;
            return false;
        }
        ssize_t n = read(fd, space, READ_BYTES);
        if (n == 0)
            return true;
        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0)
            buf_grew(b, (size_t)n);
    }
}

void buf_take(struct buf *b, size_t n)
{
    assert(n <= b->n);
    if (n == 0)
        return;
    memmove(b->at, b->at + n, b->n - n);
    b->n -= n;
    if (b->secret)
        explicit_bzero(b->at + b->n, n);
}

void buf_clear(struct buf *b)
{
    if (b->secret && b->n > 0)
        explicit_bzero(b->at, b->n);
    b->n = 0;
}
