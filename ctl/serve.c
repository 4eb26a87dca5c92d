/* homewardctl serve: metrics, health and a status page over HTTP, for Prometheus, load balancers and browsers.
 *
 * A process of its own, so that HTTP is parsed by nobody who holds anything: it is one more visitor of the control
 * socket, with the rights of whoever runs it (a member of run.readers will do). libmicrohttpd does the protocol, with
 * its own poll loop; one thread, one question to Homeward a request, a few connections at a time. */
#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctl/pages.h"

enum { CONNECTIONS_MAX = 16, REQUEST_S = 10, MEMORY_BYTES = 32768, BACKLOG = 16, PAGE_MAX = 16 << 20 };

static const struct page {
    const char *path, *type;
    const char *asks[2];                                                                      /* commands */
    unsigned (*write)(const struct reply *first, const struct reply *second, struct buf *to); /* the HTTP status */
} pages[] = {
    {"/",                                             "text/html; charset=utf-8",                 { "status", "sites" }, page_status    },
    { "/metrics",                                     "text/plain; version=0.0.4; charset=utf-8", { "status", "sites" }, page_metrics   },
    { "/healthz",                                     "text/plain; charset=utf-8",                { "status" },          page_health    },
    { "/readyz",                                      "text/plain; charset=utf-8",                { "status", "sites" }, page_ready     },
    { "/settings",                                    "text/html; charset=utf-8",                 { "settings" },        page_settings  },
    { "/mail/config-v1.1.xml",                        "text/xml; charset=utf-8",                  { "settings" },        page_autoconfig},
    { "/.well-known/autoconfig/mail/config-v1.1.xml", "text/xml; charset=utf-8",                  { "settings" },        page_autoconfig},
};

/* ---- one request ---- */

static enum MHD_Result send_bytes(struct MHD_Connection *c, unsigned status, const char *type, struct span bytes)
{
    struct MHD_Response *r = MHD_create_response_from_buffer(bytes.n, (void *)bytes.at, MHD_RESPMEM_MUST_COPY);
    if (r == NULL)
        return MHD_NO;
    MHD_add_response_header(r, "Content-Type", type);
    MHD_add_response_header(r, "Cache-Control", "no-store");
    MHD_add_response_header(r, "Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'");
    MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
    enum MHD_Result result = MHD_queue_response(c, status, r);
    MHD_destroy_response(r);
    return result;
}

static enum MHD_Result send_page(struct MHD_Connection *c, const struct page *page)
{
    struct reply replies[COUNT_OF(page->asks)], *heard[COUNT_OF(page->asks)] = { NULL };
    struct buf text;
    buf_init(&text, PAGE_MAX);
    for (size_t i = 0; i < COUNT_OF(page->asks) && page->asks[i] != NULL; i++)
        if (ctl_ask(&replies[i], &page->asks[i], 1))
            heard[i] = &replies[i];
    unsigned code = page->write(heard[0], heard[1], &text);
    enum MHD_Result result = send_bytes(c, code, page->type, buf_span(&text));
    buf_fini(&text);
    for (size_t i = 0; i < COUNT_OF(heard); i++)
        if (heard[i] != NULL)
            reply_fini(heard[i]);
    return result;
}

static enum MHD_Result on_request(void *ignored UNUSED, struct MHD_Connection *c, const char *path, const char *method,
                                  const char *version UNUSED, const char *body UNUSED, size_t *body_n, void **seen)
{
    static int mark;
    if (*seen == NULL) { /* the header alone; libmicrohttpd comes again */
        *seen = &mark;
        return MHD_YES;
    }
    if (*body_n > 0) { /* read and forgotten */
        *body_n = 0;
        return MHD_YES;
    }
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return send_bytes(c, MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain", SPAN("GET and HEAD only\n"));
    for (size_t i = 0; i < COUNT_OF(pages); i++)
        if (strcmp(path, pages[i].path) == 0)
            return send_page(c, &pages[i]);
    return send_bytes(c, MHD_HTTP_NOT_FOUND, "text/plain", SPAN("/, /metrics, /healthz, /readyz and /settings\n"));
}

/* ---- the socket ---- */

static int listen_unix(const char *path)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof name.sun_path)
        return -1;
    memcpy(name.sun_path, path, strlen(path));
    unlink(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&name, sizeof name) != 0 || chmod(path, 0660) != 0)
        return -1;
    return fd;
}

/* "127.0.0.1:9143", "[::1]:9143"; other machines have no business here, and nothing here is encrypted. */
static int listen_loopback(const char *text)
{
    const char *colon = strrchr(text, ':');
    struct sockaddr_storage name;
    struct addr address;
    uint64_t port;
    const int on = 1;
    if (colon == NULL || !span_number(span_of(colon + 1), 65535, &port))
        return -1;
    struct span host = span_bytes(text, (size_t)(colon - text));
    if (host.n > 2 && host.at[0] == '[')
        host = span_bytes(host.at + 1, host.n - 2);
    if (!addr_parse(host, (uint16_t)port, &address) || !addr_is_loopback(&address)) {
        errno = EACCES;
        return -1;
    }
    socklen_t n = addr_to_sockaddr(&address, &name);
    int fd = socket(address.family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, (struct sockaddr *)&name, n) != 0)
        return -1;
    return fd;
}

int run_serve(const struct ctl_command *c UNUSED, const struct options *o)
{
    const char *at = o->args[0];
    int fd = at[0] == '/' ? listen_unix(at) : listen_loopback(at);
    if (fd < 0 || listen(fd, BACKLOG) != 0) {
        fprintf(stderr, "homewardctl: %s: %s; expected a loopback address with its port, or the path of a socket\n", at,
                strerror(errno));
        return CTL_NO;
    }
    sigset_t ends;
    int signal_number;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    signal(SIGPIPE, SIG_IGN);
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, on_request, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)REQUEST_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    if (daemon == NULL) {
        fprintf(stderr, "homewardctl: HTTP cannot be served\n");
        return CTL_NO;
    }
    sigwait(&ends, &signal_number);
    MHD_stop_daemon(daemon);
    return CTL_OK;
}
