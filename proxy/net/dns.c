/* DNS by c-ares on our loop (RFC 1034, 1035, 3596): its sockets are watched, its timeouts are one alarm.
 *
 * A and AAAA are asked apart, because only so a family that failed can be told from one that has no address. c-ares may
 * call back inside the asking call and cannot cancel one question: so a question lives on until c-ares has answered all
 * its parts, and is delivered, if anybody still wants it, from the loop. */
#include "proxy/net/dns.h"

#include <ares.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "proxy/base/log.h"
#include "proxy/net/deadline.h"
#include "proxy/net/hosts.h"
#include "proxy/net/loop.h"
#include "proxy/net/watch.h"

enum {
    TRY_MS = 2000,
    TRIES = 2,
    SERVERS_BYTES_MAX = 4096,
    NAME_BYTES_MAX = 256,
    TTL_LEAST_MS = 1000,
    TTL_MOST_MS = 24 * 3600 * 1000,
    HOSTS_TTL_MS = 10000 /* /etc/hosts has no TTL; an edit counts soon */
};

enum { HALF_V6, HALF_V4, HALVES };
static const int families[HALVES] = { [HALF_V6] = AF_INET6, [HALF_V4] = AF_INET };

struct half {
    struct dns_wait *wait;
    int status; /* c-ares's */
    struct addr addrs[DNS_ADDRESSES_MAX];
    size_t n;
};

struct dns_wait {
    struct list link;
    struct later later;
    dns_done_fn *done; /* NULL: cancelled */
    void *owner;
    unsigned unanswered; /* questions that c-ares has not finished */
    bool whole;          /* one question for both families */
    int64_t ttl_ms;
    struct half halves[HALVES];
};

struct dns_socket {
    struct list link;
    int fd;
    struct watch *watch;
};

static struct {
    ares_channel channel;
    struct buf hosts; /* the text of /etc/hosts */
    struct list sockets, waits;
    struct alarm timeout;
    bool open;
} dns;

static void on_timeout(struct alarm *a);

static void set_timeout(void)
{
    struct timeval left;
    if (!dns.open || ares_timeout(dns.channel, NULL, &left) == NULL) {
        alarm_clear(&dns.timeout);
        return;
    }
    int64_t ms = (int64_t)left.tv_sec * 1000 + left.tv_usec / 1000 + 1;
    if (!alarm_set(&dns.timeout, ms, on_timeout))
        ares_cancel(dns.channel); /* without a timeout a question could stay for ever */
}

static void on_timeout(struct alarm *a UNUSED)
{
    ares_process_fd(dns.channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    set_timeout();
}

static void on_socket_ready(void *owner, unsigned events)
{
    int fd = ((struct dns_socket *)owner)->fd;
    ares_process_fd(dns.channel, (events & WATCH_READ) != 0 ? fd : ARES_SOCKET_BAD,
                    (events & WATCH_WRITE) != 0 ? fd : ARES_SOCKET_BAD);
    set_timeout();
}

static struct dns_socket *find_socket(int fd)
{
    LIST_EACH(link, &dns.sockets) {
        struct dns_socket *s = OWNER_OF(link, struct dns_socket, link);
        if (s->fd == fd)
            return s;
    }
    return NULL;
}

static struct dns_socket *new_socket(int fd)
{
    struct dns_socket *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->fd = fd;
    s->watch = watch_new(fd, 0, on_socket_ready, s);
    if (s->watch == NULL) {
        free(s);
        return NULL;
    }
    list_add(&dns.sockets, &s->link);
    return s;
}

/* c-ares says what it waits for; neither means that it is about to close the socket. A socket that cannot be watched
 * makes its questions time out. */
static void on_socket_state(void *data UNUSED, ares_socket_t fd, int readable, int writable)
{
    struct dns_socket *s = find_socket(fd);
    if (!readable && !writable) {
        if (s != NULL) {
            watch_free(&s->watch);
            list_remove(&s->link);
            free(s);
        }
        return;
    }
    if (s == NULL)
        s = new_socket(fd);
    if (s != NULL)
        watch_set(s->watch, (readable ? WATCH_READ : 0) | (writable ? WATCH_WRITE : 0));
}

static bool set_servers(const char *const *servers, size_t n)
{
    struct buf csv;
    buf_init(&csv, SERVERS_BYTES_MAX);
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++)
        ok = buf_printf(&csv, "%s%s", i > 0 ? "," : "", servers[i]);
    ok = ok && buf_add_byte(&csv, '\0') && ares_set_servers_ports_csv(dns.channel, csv.at) == ARES_SUCCESS;
    buf_fini(&csv);
    return ok;
}

void dns_take_hosts(int fd)
{
    const char *why = fd >= 0 ? hosts_read(&dns.hosts, fd) : strerror(EBADF);
    if (why != NULL)
        log_say(LOG_WARNING, "hosts", "%s is not read: %s", HOSTS_PATH, why);
}

static void open_hosts(void)
{
    int fd = open(HOSTS_PATH, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    buf_init(&dns.hosts, HOSTS_BYTES_MAX);
    if (fd < 0 && errno == ENOENT)
        return;
    dns_take_hosts(fd);
    if (fd >= 0)
        close(fd);
}

/* Files are looked up by us ("b" is for DNS alone): c-ares would open /etc/hosts for every name. */
bool dns_open(const char *const *servers, size_t n, const char **reason)
{
    static char dns_alone[] = "b";
    struct ares_options options = { .flags = ARES_FLAG_NOALIASES, /* $HOSTALIASES is not for a service */
                                    .timeout = TRY_MS,
                                    .tries = TRIES,
                                    .lookups = dns_alone,
                                    .sock_state_cb = on_socket_state };
    int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB;
    list_init(&dns.sockets);
    list_init(&dns.waits);
    int status = ares_library_init(ARES_LIB_INIT_ALL);
    if (status == ARES_SUCCESS)
        status = ares_init_options(&dns.channel, &options, mask);
    if (status != ARES_SUCCESS) {
        *reason = ares_strerror(status);
        return false;
    }
    dns.open = true;
    open_hosts();
    if (n > 0 && !set_servers(servers, n)) {
        *reason = "dns.servers are not addresses with an optional port";
        dns_close();
        return false;
    }
    return true;
}

static void wait_free(struct dns_wait *w)
{
    loop_never(&w->later);
    list_remove(&w->link);
    free(w);
}

void dns_close(void)
{
    if (!dns.open)
        return;
    LIST_EACH(link, &dns.waits)
        OWNER_OF(link, struct dns_wait, link)->done = NULL;
    dns.open = false;
    ares_destroy(dns.channel); /* answers every open question */
    alarm_clear(&dns.timeout);
    LIST_EACH_SAFE(link, &dns.waits)
        wait_free(OWNER_OF(link, struct dns_wait, link));
    buf_fini(&dns.hosts);
    ares_library_cleanup();
}

static bool has_no_address(int status)
{
    return status == ARES_ENOTFOUND || status == ARES_ENODATA || status == ARES_EBADNAME;
}

static bool is_answer(int status)
{
    return status == ARES_SUCCESS || has_no_address(status);
}

static const char *reason_of(int status)
{
    switch (status) {
    case ARES_ENOTFOUND:
        return "NXDOMAIN";
    case ARES_ENODATA:
        return "no_address";
    case ARES_EBADNAME:
        return "bad_name";
    case ARES_ESERVFAIL:
        return "SERVFAIL";
    case ARES_EREFUSED:
        return "REFUSED";
    case ARES_ENOTIMP:
    case ARES_EFORMERR:
    case ARES_EBADRESP:
        return "bad_answer";
    case ARES_ETIMEOUT:
        return "timeout";
    case ARES_ECONNREFUSED: /* also when each of them said SERVFAIL or REFUSED: c-ares went on to the next */
        return "servers_fail";
    case ARES_ENOMEM:
        return "no_memory";
    default:
        return "dns_error";
    }
}

/* IPv6 and IPv4 in turn, so that trying one address after the other soon meets both families. */
static void interleave(const struct dns_wait *w, struct dns_answer *answer)
{
    for (size_t i = 0; i < DNS_ADDRESSES_MAX; i++) {
        for (size_t half = 0; half < HALVES; half++) {
            if (i < w->halves[half].n && answer->n < DNS_ADDRESSES_MAX)
                answer->addrs[answer->n++] = w->halves[half].addrs[i];
        }
    }
}

static void judge(const struct dns_wait *w, struct dns_answer *answer)
{
    int v6 = w->halves[HALF_V6].status, v4 = w->halves[HALF_V4].status;
    interleave(w, answer);
    answer->ttl_ms = w->ttl_ms < TTL_LEAST_MS ? TTL_LEAST_MS : w->ttl_ms;
    if (answer->n > 0) {
        answer->status = DNS_OK;
        answer->reason = "ok";
        answer->partial = !is_answer(v6) || !is_answer(v4);
    } else if (is_answer(v6) && is_answer(v4)) {
        answer->status = DNS_NO_NAME;
        answer->reason = reason_of(has_no_address(v4) ? v4 : ARES_ENODATA);
    } else {
        answer->status = DNS_TRY_LATER;
        answer->reason = reason_of(is_answer(v4) ? v6 : v4);
    }
}

static void deliver(struct later *l)
{
    struct dns_wait *w = OWNER_OF(l, struct dns_wait, later);
    struct dns_answer answer = { 0 };
    dns_done_fn *done = w->done;
    void *owner = w->owner;
    judge(w, &answer);
    wait_free(w);
    if (done != NULL)
        done(owner, &answer);
}

static void add_address(struct dns_wait *w, const struct sockaddr *from)
{
    struct addr a;
    if (!addr_from_sockaddr(from, &a))
        return;
    a.port = 0;
    struct half *half = &w->halves[a.family == AF_INET6 ? HALF_V6 : HALF_V4];
    if (half->n < DNS_ADDRESSES_MAX)
        half->addrs[half->n++] = a;
}

static void note_ttl(struct dns_wait *w, int64_t seconds)
{
    if (seconds >= 0 && seconds * 1000 < w->ttl_ms)
        w->ttl_ms = seconds * 1000;
}

static void on_answer(void *arg, int status, int timeouts UNUSED, struct ares_addrinfo *found)
{
    struct half *half = arg;
    struct dns_wait *w = half->wait;
    half->status = status;
    if (w->whole)
        w->halves[HALF_V6].status = status;
    for (struct ares_addrinfo_node *node = found != NULL ? found->nodes : NULL; node != NULL; node = node->ai_next) {
        add_address(w, node->ai_addr);
        note_ttl(w, node->ai_ttl);
    }
    for (struct ares_addrinfo_cname *alias = found != NULL ? found->cnames : NULL; alias != NULL; alias = alias->next)
        note_ttl(w, alias->ttl);
    if (found != NULL)
        ares_freeaddrinfo(found);
    if (--w->unanswered == 0 && dns.open)
        loop_later(&w->later, deliver);
}

static bool in_hosts_file(struct dns_wait *w, const char *name)
{
    for (size_t half = 0; half < HALVES; half++)
        w->halves[half].n =
            hosts_find(buf_span(&dns.hosts), span_of(name), families[half], w->halves[half].addrs, DNS_ADDRESSES_MAX);
    if (w->halves[HALF_V6].n + w->halves[HALF_V4].n == 0)
        return false;
    w->ttl_ms = HOSTS_TTL_MS;
    return true;
}

static void ask_family(struct dns_wait *w, const char *name, int family)
{
    struct ares_addrinfo_hints hints = { .ai_flags = ARES_AI_NOSORT, .ai_family = family, .ai_socktype = SOCK_STREAM };
    struct half *half = &w->halves[family == AF_INET6 ? HALF_V6 : HALF_V4];
    ares_getaddrinfo(dns.channel, name, NULL, &hints, on_answer, half);
}

/* A final dot keeps c-ares from trying the search list, where a wildcard might answer for a name that it does not
 * own. The search list is for names without a dot, and only the whole question for both families stops at the first
 * domain that has either. */
static void ask_servers(struct dns_wait *w, const char *name)
{
    char rooted[NAME_BYTES_MAX + 2];
    size_t n = strlen(name);
    w->whole = strchr(name, '.') == NULL;
    w->unanswered = w->whole ? 1 : HALVES;
    if (w->whole) {
        ask_family(w, name, AF_UNSPEC);
        return;
    }
    memcpy(rooted, name, n);
    if (name[n - 1] != '.')
        rooted[n++] = '.';
    rooted[n] = '\0';
    for (size_t half = 0; half < HALVES; half++)
        ask_family(w, rooted, families[half]);
}

struct dns_wait *dns_ask(const char *name, dns_done_fn *done, void *owner)
{
    struct dns_wait *w = calloc(1, sizeof *w);
    if (w == NULL)
        return NULL;
    w->done = done;
    w->owner = owner;
    w->ttl_ms = TTL_MOST_MS;
    list_add(&dns.waits, &w->link);
    for (size_t half = 0; half < HALVES; half++)
        w->halves[half].wait = w;
    if (name[0] == '\0' || strlen(name) > NAME_BYTES_MAX) {
        w->halves[HALF_V4].status = w->halves[HALF_V6].status = ARES_EBADNAME;
        loop_later(&w->later, deliver);
    } else if (in_hosts_file(w, name)) {
        loop_later(&w->later, deliver);
    } else {
        ask_servers(w, name);
        set_timeout();
    }
    return w;
}

void dns_cancel(struct dns_wait **wait)
{
    struct dns_wait *w = *wait;
    *wait = NULL;
    if (w == NULL)
        return;
    w->done = NULL;
    if (w->unanswered == 0)
        wait_free(w);
}
