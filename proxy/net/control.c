/* Questions and answers. */
#include "proxy/net/control.h"

#include <errno.h>
#include <unistd.h>

#include "proxy/base/log.h"
#include "proxy/base/pack.h"

bool control_pack(const struct span *words, size_t n, struct buf *to)
{
    bool good = n > 0 && n <= CONTROL_WORDS_MAX;
    for (size_t i = 0; good && i < n; i++)
        good = words[i].n <= CONTROL_WORD_MAX && pack_string(to, words[i]);
    return good;
}

bool control_unpack(struct span packed, struct span words[CONTROL_WORDS_MAX], size_t *n)
{
    struct unpack from = { .rest = packed };
    for (*n = 0; from.rest.n > 0 && !from.bad; ++*n) {
        if (*n == CONTROL_WORDS_MAX)
            return false;
        words[*n] = unpack_string(&from, CONTROL_WORD_MAX);
    }
    return !from.bad && *n > 0;
}

bool control_begin(struct control *c, struct message *m)
{
    *c = (struct control){ .id = m->id, .fd = -1 };
    if (!control_unpack(m->control.words, c->words, &c->n))
        return false;
    c->fd = ipc_take_fd(m, 0);
    buf_init(&c->lines, CONTROL_LINES_MAX);
    json_init(&c->json, &c->lines);
    return true;
}

bool control_is(const struct control *c, const char *command)
{
    return span_eq(c->words[0], span_of(command));
}

struct span control_word(const struct control *c, size_t i)
{
    return i < c->n ? c->words[i] : SPAN_NONE;
}

struct span control_option(const struct control *c, const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 1; i < c->n; i++)
        if (c->words[i].n > n && c->words[i].at[n] == '=' && span_eq(span_first(c->words[i], n), span_of(name)))
            return span_after(c->words[i], n + 1);
    return SPAN_NONE;
}

bool control_common(const struct control *c)
{
    enum log_level level;
    if (!control_is(c, "loglevel"))
        return false;
    if (log_level_find(control_word(c, 1), &level))
        log_set_level(level);
    return true;
}

int control_take_fd(struct control *c)
{
    int fd = c->fd;
    c->fd = -1;
    return fd;
}

/* Into memory, so this does not wait for anybody. */
static bool write_lines(int fd, struct span lines)
{
    while (lines.n > 0) {
        ssize_t n = write(fd, lines.at, lines.n);
        if (n < 0 && errno != EINTR)
            return false;
        lines = span_after(lines, n > 0 ? (size_t)n : 0);
    }
    return true;
}

bool control_end(struct control *c, struct ipc *channel, enum control_status status, uint64_t number, const char *text)
{
    bool written = c->fd < 0 || (!c->json.failed && write_lines(c->fd, buf_span(&c->lines)));
    struct message m = { .type = MSG_CONTROLLED, .id = c->id };
    m.controlled.status = (uint8_t)(written ? status : CONTROL_NO);
    m.controlled.number = number;
    m.controlled.text = written ? span_of(text) : SPAN("the answer could not be written: memory is short");
    if (c->fd >= 0)
        close(c->fd);
    buf_fini(&c->lines);
    return ipc_send(channel, &m);
}
