/* A policy is a struct of the kernel with one template behind it. The selector is empty: the socket is the selector.
 * The masks of algorithms are all ones, for they do not keep null encryption out; the judge does. */
#include "backends/ipsec/ipsec_policy.h"

#include <errno.h>
#include <linux/in6.h>
#include <linux/xfrm.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef IP_XFRM_POLICY
#define IP_XFRM_POLICY 17 /* linux/in.h, which contradicts netinet/in.h */
#endif
#ifndef IPV6_XFRM_POLICY
#define IPV6_XFRM_POLICY 35
#endif

struct policy {
    struct xfrm_userpolicy_info info;
    struct xfrm_user_tmpl must;
};

static void put_address(xfrm_address_t *to, const struct addr *a)
{
    memcpy(to, a->bytes, a->family == AF_INET ? 4 : 16);
}

static struct policy policy_of(const struct ipsec_rule *rule, const struct addr *peer, uint8_t direction)
{
    struct policy p = {
        .info = {.sel.family = peer->family, .dir = direction,       .action = XFRM_POLICY_ALLOW},
        .must = { .id.proto = IPPROTO_ESP,   .family = peer->family, .reqid = rule->reqid       }
    };
    p.info.lft.soft_byte_limit = p.info.lft.hard_byte_limit = XFRM_INF;
    p.info.lft.soft_packet_limit = p.info.lft.hard_packet_limit = XFRM_INF;
    p.must.mode = rule->mode == IPSEC_TUNNEL ? XFRM_MODE_TUNNEL : XFRM_MODE_TRANSPORT;
    p.must.optional = 0;
    p.must.aalgos = p.must.ealgos = p.must.calgos = UINT32_MAX;
    if (rule->mode == IPSEC_TUNNEL) /* which ends at the peer itself */
        put_address(direction == XFRM_POLICY_OUT ? &p.must.id.daddr : &p.must.saddr, peer);
    return p;
}

/* A socket that was closed speaks on without us: it acknowledges, or resets what comes late. Its policies hold for that
 * as long as it is a whole socket, and the kernel makes it less than that at once unless it is told to linger. */
static void stay_whole(int fd)
{
    int seconds = 120; /* of which it is whole for 60; not more than the kernel takes */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_LINGER2, &seconds, sizeof seconds);
}

bool ipsec_policy_set(int fd, const struct ipsec_rule *rule, const struct addr *peer)
{
    static const uint8_t directions[] = { XFRM_POLICY_OUT, XFRM_POLICY_IN };
    int level = peer->family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
    int name = peer->family == AF_INET ? IP_XFRM_POLICY : IPV6_XFRM_POLICY;
    if (rule->reqid == 0 || (peer->family != AF_INET && peer->family != AF_INET6)) {
        errno = EINVAL;
        return false;
    }
    for (size_t i = 0; i < COUNT_OF(directions); i++) {
        struct policy p = policy_of(rule, peer, directions[i]);
        if (setsockopt(fd, level, name, &p, sizeof p) != 0)
            return false;
    }
    stay_whole(fd);
    return true;
}

const char *ipsec_policy_cannot(void)
{
    static const struct ipsec_rule rule = { .reqid = 1, .mode = IPSEC_TRANSPORT };
    static const struct addr peer = { .family = AF_INET };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return "no socket can be opened to try an IPsec policy on";
    bool can = ipsec_policy_set(fd, &rule, &peer);
    int error = errno;
    close(fd);
    if (can)
        return NULL;
    return error == EPERM
               ? "a site has security = \"ipsec\", which needs CAP_NET_ADMIN; this process does not have it (start "
                 "homeward as root, or give it AmbientCapabilities=CAP_NET_ADMIN)"
               : "a site has security = \"ipsec\", but this kernel has no IPsec policies (CONFIG_XFRM_USER)";
}
