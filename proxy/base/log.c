/* The log: lines are built in place, escaped on the way in, sent as one packet. */
#include "proxy/base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static struct {
    int fd;
    bool packets;
    enum log_level level;
    enum log_format format;
    char role[24];
    uint64_t dropped, dropped_told;
} out = { .fd = STDERR_FILENO, .level = LOG_INFO };

static const char *const level_names[] = { "error", "warning", "info", "debug" };

enum {
    TAIL_ROOM = 4,    /* a closing quote, brace and line end always fit */
    QUOTED_LEAST = 64 /* with less room than this a quoted text is left out */
};

void log_open(int fd, const char *role)
{
    int type;
    socklen_t n = sizeof type;
    out.fd = fd;
    out.packets = getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) == 0 && type == SOCK_SEQPACKET;
    snprintf(out.role, sizeof out.role, "%s", role);
}

void log_set(enum log_level level, enum log_format format)
{
    out.level = level;
    out.format = format;
}

void log_set_level(enum log_level level)
{
    out.level = level;
}

bool log_level_find(struct span name, enum log_level *level)
{
    for (size_t i = 0; i < COUNT_OF(level_names); i++)
        if (span_eq(name, span_of(level_names[i]))) {
            *level = (enum log_level)i;
            return true;
        }
    return false;
}

bool log_is_on(enum log_level level)
{
    return level <= out.level;
}

uint64_t log_dropped(void)
{
    return out.dropped;
}

static void put_raw(struct log_line *l, const char *bytes, size_t n)
{
    l->full |= l->n + n + TAIL_ROOM > LOG_LINE_MAX;
    if (l->full)
        return;
    memcpy(l->text + l->n, bytes, n);
    l->n += n;
}

/* A key without its value, or half of one, would spoil the line for whoever reads it. */
static void keep_whole(struct log_line *l, size_t before)
{
    if (l->full)
        l->n = before;
    l->full = false;
}

static void put(struct log_line *l, const char *text)
{
    put_raw(l, text, strlen(text));
}

static void put_key(struct log_line *l, const char *key)
{
    if (out.format == LOG_JSON) {
        put(l, l->n > 1 ? ",\"" : "\"");
        put(l, key);
        put(l, "\":");
    } else {
        if (l->n > 0)
            put(l, " ");
        put(l, key);
        put(l, "=");
    }
}

/* Printable ASCII goes as it is; everything else as \xHH, which survives any terminal and any encoding. In JSON
 * the backslash is doubled, so that both formats carry the same text. */
static void put_escaped(struct log_line *l, struct span text, size_t max)
{
    static const char more[] = "...";
    bool whole = text.n <= max;
    for (size_t i = 0; i < text.n && i < max; i++) {
        unsigned char c = (unsigned char)text.at[i];
        char escaped[8];
        if (c == '"' || c == '\\')
            snprintf(escaped, sizeof escaped, "\\%c", c);
        else if (c >= 0x20 && c < 0x7f)
            snprintf(escaped, sizeof escaped, "%c", c);
        else
            snprintf(escaped, sizeof escaped, out.format == LOG_JSON ? "\\\\x%02x" : "\\x%02x", c);
        whole = l->n + strlen(escaped) + sizeof more + TAIL_ROOM <= LOG_LINE_MAX;
        if (!whole)
            break;
        put(l, escaped);
    }
    if (!whole || text.n > max)
        put(l, more);
}

static void put_quoted(struct log_line *l, struct span text, size_t max)
{
    l->full |= l->n + QUOTED_LEAST > LOG_LINE_MAX;
    if (l->full)
        return;
    put(l, "\"");
    put_escaped(l, text, max);
    l->text[l->n++] = '"'; /* TAIL_ROOM keeps a place for it */
}

static void put_time(struct log_line *l)
{
    struct timespec now;
    struct tm utc;
    char text[40];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + n, sizeof text - n, ".%03ldZ", now.tv_nsec / 1000000);
    log_word(l, "time", text);
}

void log_begin(struct log_line *l, enum log_level level, const char *event)
{
    l->on = log_is_on(level);
    l->n = 0;
    l->full = false;
    if (!l->on)
        return;
    if (out.format == LOG_JSON)
        put(l, "{");
    put_time(l);
    log_word(l, "level", level_names[level]);
    if (out.role[0] != '\0')
        log_text(l, "role", span_of(out.role));
    log_word(l, "event", event);
}

void log_word(struct log_line *l, const char *key, const char *word)
{
    size_t before = l->n;
    if (!l->on || word == NULL)
        return;
    put_key(l, key);
    if (out.format == LOG_JSON)
        put_quoted(l, span_of(word), LOG_TEXT_MAX);
    else
        put(l, word);
    keep_whole(l, before);
}

void log_number(struct log_line *l, const char *key, int64_t number)
{
    char text[24];
    size_t before = l->n;
    if (!l->on)
        return;
    snprintf(text, sizeof text, "%" PRId64, number);
    put_key(l, key);
    put(l, text);
    keep_whole(l, before);
}

void log_addr(struct log_line *l, const char *key, const struct addr *a)
{
    char text[ADDR_TEXT_MAX];
    if (l->on && a->family != AF_UNSPEC)
        log_word(l, key, addr_text(a, text));
}

/* A word that needs no quotes in logfmt stays bare, so that user=anna@example.com reads as it should. */
static bool is_plain(struct span text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c <= 0x20 || c >= 0x7f || c == '"' || c == '\\' || c == '=')
            return false;
    }
    return text.n <= LOG_TEXT_MAX;
}

void log_text(struct log_line *l, const char *key, struct span text)
{
    size_t before = l->n;
    if (!l->on || text.n == 0)
        return;
    put_key(l, key);
    if (out.format == LOG_LOGFMT && is_plain(text))
        put_raw(l, text.at, text.n);
    else
        put_quoted(l, text, LOG_TEXT_MAX);
    keep_whole(l, before);
}

/* When main is gone its end of the channel is closed: what still matters goes to stderr, if that does not block. */
static bool write_line(const char *text, size_t n)
{
    if (out.packets) {
        if (send(out.fd, text, n, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
            return true;
        if (errno != EPIPE && errno != ECONNRESET)
            return false;
        out.fd = STDERR_FILENO;
        out.packets = false;
    }
    struct pollfd writable = { .fd = out.fd, .events = POLLOUT };
    return poll(&writable, 1, 0) == 1 && (writable.revents & POLLOUT) != 0 && write(out.fd, text, n) == (ssize_t)n;
}

static void tell_dropped(void)
{
    struct log_line l;
    uint64_t lost = out.dropped - out.dropped_told;
    out.dropped_told = out.dropped;
    log_begin(&l, LOG_WARNING, "log_dropped");
    log_number(&l, "lines", (int64_t)lost);
    log_end(&l);
}

void log_end(struct log_line *l)
{
    if (!l->on)
        return;
    if (out.format == LOG_JSON)
        l->text[l->n++] = '}';
    l->text[l->n++] = '\n';
    if (!write_line(l->text, l->n))
        out.dropped++;
    else if (out.dropped > out.dropped_told)
        tell_dropped();
}

void log_say(enum log_level level, const char *event, const char *format, ...)
{
    struct log_line l;
    char text[LOG_TEXT_MAX * 4];
    va_list args;
    if (!log_is_on(level))
        return;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0)
        return;
    log_begin(&l, level, event);
    if (l.on) {
        put_key(&l, "text");
        put_quoted(&l, span_of(text), sizeof text); /* a sentence of ours may be longer than what an outsider may say */
    }
    log_end(&l);
}
