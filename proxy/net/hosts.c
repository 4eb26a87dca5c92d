/* hosts(5): lines of an address and its names, "#" to the end of a line is a comment. Searched whole for each question:
 * it is short, and questions are rare. */
#include "proxy/net/hosts.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *read_all(struct buf *to, int fd)
{
    ssize_t n = 1;
    while (n > 0) {
        char *room = buf_space(to, 4096);
        if (room == NULL)
            return to->n + 4096 > HOSTS_BYTES_MAX ? "it is over 4 MiB" : "memory is short";
        n = pread(fd, room, to->room - to->n, (off_t)to->n);
        if (n > 0)
            buf_grew(to, (size_t)n);
    }
    return n < 0 ? strerror(errno) : NULL;
}

const char *hosts_read(struct buf *text, int fd)
{
    struct stat is;
    struct buf news;
    if (fstat(fd, &is) != 0)
        return strerror(errno);
    if (!S_ISREG(is.st_mode))
        return "it is not a file";
    buf_init(&news, HOSTS_BYTES_MAX);
    const char *why = read_all(&news, fd);
    if (why != NULL) {
        buf_fini(&news);
        return why;
    }
    buf_fini(text);
    *text = news;
    return NULL;
}

static struct span next_line(struct span *rest)
{
    ptrdiff_t end = span_find(*rest, '\n');
    struct span line = end < 0 ? *rest : span_first(*rest, (size_t)end);
    *rest = span_after(*rest, line.n + 1);
    ptrdiff_t comment = span_find(line, '#');
    return span_trim(comment < 0 ? line : span_first(line, (size_t)comment));
}

/* The line without its address. */
static bool names_have(struct span names, struct span name)
{
    struct span word;
    while (span_word(&names, &word))
        if (span_eq_nocase(word, name))
            return true;
    return false;
}

static bool is_localhost(struct span name)
{
    static const struct span top = { "localhost", 9 };
    struct span end = span_after(name, name.n > top.n ? name.n - top.n : 0);
    return span_eq_nocase(end, top) && (name.n == top.n || name.at[name.n - top.n - 1] == '.');
}

size_t hosts_find(struct span text, struct span name, int family, struct addr *to, size_t room)
{
    size_t n = 0;
    bool named = false;
    while (text.n > 0) {
        struct span names = next_line(&text), literal;
        struct addr a;
        if (!span_word(&names, &literal) || !names_have(names, name) || !addr_parse(literal, 0, &a))
            continue;
        named = true;
        if (a.family == family && n < room)
            to[n++] = a;
    }
    if (!named && room > 0 && is_localhost(name) &&
        addr_parse(family == AF_INET6 ? SPAN("::1") : SPAN("127.0.0.1"), 0, &to[0]))
        n = 1;
    return n;
}
