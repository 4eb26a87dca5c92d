/* What may be dialled. A listener on all addresses is reached by each address of this machine; the kernel knows which
 * those are: a socket can be bound to none but them. Where that is not so (ip_nonlocal_bind, which fail-over pairs
 * need), the next best question is whether the kernel would talk to the address from the address itself. */
#include "backends/ways/reach.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

const char reach_own_listener[] = "own_listener";

static struct {
    const struct config *config;
    bool binds_anything; /* ip_nonlocal_bind */
} reach;

static bool can_bind(int fd, const struct addr *a)
{
    struct sockaddr_storage at;
    socklen_t n = addr_to_sockaddr(a, &at);
    return bind(fd, (struct sockaddr *)&at, n) == 0;
}

static bool talks_to_itself(int fd, const struct addr *a)
{
    struct sockaddr_storage at;
    struct addr from;
    socklen_t n = addr_to_sockaddr(a, &at);
    if (connect(fd, (struct sockaddr *)&at, n) < 0)
        return false;
    n = sizeof at;
    return getsockname(fd, (struct sockaddr *)&at, &n) == 0 && addr_from_sockaddr((struct sockaddr *)&at, &from) &&
           addr_same_host(a, &from);
}

/* Without a descriptor to ask with, an address counts as foreign: the loop would be found by its TTL. */
static bool ask_kernel(const struct addr *a, bool (*question)(int fd, const struct addr *a))
{
    int fd = socket(a->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool answer = question(fd, a);
    close(fd);
    return answer;
}

static bool is_local(const struct addr *a)
{
    struct addr any_port = *a;
    if (addr_is_loopback(a))
        return true;
    any_port.port = 0;
    if (!reach.binds_anything)
        return ask_kernel(&any_port, can_bind);
    any_port.port = 9; /* a datagram socket that is connected sends nothing */
    return ask_kernel(&any_port, talks_to_itself);
}

void reach_open(const struct config *config)
{
    struct addr documentation; /* RFC 5737: nobody has it */
    reach.config = config;
    reach.binds_anything = addr_parse(SPAN("192.0.2.1"), 0, &documentation) && ask_kernel(&documentation, can_bind);
}

static bool is_own_listener(const struct addr *a)
{
    for (int p = 0; p < PROTOCOLS; p++) {
        const struct protocol_config *protocol = &reach.config->protocols[p];
        for (size_t i = 0; i < protocol->n_listeners; i++) {
            const struct addr *listener = &protocol->listeners[i].address;
            if (listener->port != a->port || listener->family != a->family)
                continue;
            if (addr_same_host(listener, a) || (addr_is_wildcard(listener) && is_local(a)))
                return true;
        }
    }
    return false;
}

/* The unspecified address means this machine, multicast and broadcast mean everybody: no back end has such. */
static bool is_bad(const struct addr *a)
{
    return addr_is_wildcard(a) || (a->family == AF_INET && (a->bytes[0] == 0 || a->bytes[0] >= 224)) ||
           (a->family == AF_INET6 && a->bytes[0] == 0xff);
}

const char *reach_refuses(const struct site_config *site, const struct addr *a)
{
    if (is_bad(a))
        return "bad_address";
    if (site->security == SECURITY_LOOPBACK && !addr_is_loopback(a))
        return "not_loopback";
    if (site->networks.n > 0 && !networks_have(&site->networks, a))
        return "outside_networks";
    return is_own_listener(a) ? reach_own_listener : NULL;
}

size_t reach_allowed(const struct site_config *site, const struct addr *addrs, size_t n, uint16_t port, struct addr *to,
                     size_t room, const char **why)
{
    size_t n_allowed = 0;
    for (size_t i = 0; i < n && n_allowed < room; i++) {
        to[n_allowed] = addrs[i];
        to[n_allowed].port = port;
        const char *refused = reach_refuses(site, &to[n_allowed]);
        if (refused == NULL)
            n_allowed++;
        else if (*why != reach_own_listener)
            *why = refused;
    }
    return n_allowed;
}
