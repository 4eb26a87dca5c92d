/* Two sockets: one that listens for changes and is never read for its content, one for dumps. A dump is made by the
 * kernel inside our own calls, so reading it to its end waits for nobody. */
#include "backends/ipsec/associations.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/xfrm.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "proxy/net/watch.h"

enum { TRIES = 3, NEWS_BYTES = 64, DUMP_BYTES = 32768, ASSOCIATIONS_MAX = 1 << 20 };

static struct {
    struct mnl_socket *news, *dump;
    struct watch *watch;
    void (*changed)(void);
    struct association *all;
    size_t n, room;
    unsigned sequence;
} self;

/* ---- news ---- */

/* The bytes stay in the kernel: a message that is cut is as good as a whole one, and has no key in it. */
static void on_news(void *owner UNUSED, unsigned events UNUSED)
{
    char start[NEWS_BYTES];
    bool any = false;
    ssize_t n;
    do {
        n = recv(mnl_socket_get_fd(self.news), start, sizeof start, MSG_DONTWAIT);
        any = any || n >= 0 || errno == ENOBUFS;
    } while (n >= 0 || errno == ENOBUFS || errno == EINTR);
    explicit_bzero(start, sizeof start);
    if (any)
        self.changed();
}

static struct mnl_socket *open_socket(unsigned groups)
{
    struct mnl_socket *s = mnl_socket_open2(NETLINK_XFRM, SOCK_CLOEXEC);
    if (s != NULL && mnl_socket_bind(s, groups, MNL_SOCKET_AUTOPID) == 0)
        return s;
    if (s != NULL)
        mnl_socket_close(s);
    return NULL;
}

bool associations_open(void (*changed)(void), const char **why)
{
    const struct association *all;
    size_t n;
    self.changed = changed;
    self.news = open_socket(XFRMGRP_SA | XFRMGRP_EXPIRE);
    self.dump = self.news != NULL ? open_socket(0) : NULL;
    self.watch = self.dump != NULL ? watch_new(mnl_socket_get_fd(self.news), WATCH_READ, on_news, NULL) : NULL;
    if (self.watch != NULL && associations_read(&all, &n))
        return true;
    *why = "a site has security = \"ipsec\", but the kernel does not tell its security associations (NETLINK_XFRM)";
    associations_close();
    return false;
}

void associations_close(void)
{
    watch_free(&self.watch);
    if (self.news != NULL)
        mnl_socket_close(self.news);
    if (self.dump != NULL)
        mnl_socket_close(self.dump);
    free(self.all);
    memset(&self, 0, sizeof self);
}

/* ---- one association ---- */

static struct addr address_of(const xfrm_address_t *from, uint16_t family)
{
    struct addr a = { .family = (uint8_t)family };
    memcpy(a.bytes, from, family == AF_INET ? 4 : 16);
    return a;
}

/* The name of an algorithm; the key that follows it is not looked at. */
static void take_name(char to[64], const struct nlattr *attr, size_t least)
{
    static_assert(offsetof(struct xfrm_algo, alg_name) == 0 && offsetof(struct xfrm_algo_auth, alg_name) == 0 &&
                      offsetof(struct xfrm_algo_aead, alg_name) == 0,
                  "names come first");
    if (mnl_attr_get_payload_len(attr) < least)
        memcpy(to, "?", 2); /* nothing that we know: refused */
    else
        memcpy(to, mnl_attr_get_payload(attr), 63);
    to[63] = '\0';
}

static int take_attribute(const struct nlattr *attr, void *owner)
{
    struct association *a = owner;
    switch (mnl_attr_get_type(attr)) {
    case XFRMA_ALG_AEAD:
        take_name(a->combined, attr, sizeof(struct xfrm_algo_aead));
        if (a->combined[0] != '?')
            a->combined_icv_bits = ((const struct xfrm_algo_aead *)mnl_attr_get_payload(attr))->alg_icv_len;
        break;
    case XFRMA_ALG_CRYPT:
        take_name(a->cipher, attr, sizeof(struct xfrm_algo));
        break;
    case XFRMA_ALG_AUTH: /* the older form, which cannot say how much of the digest is sent; XFRMA_ALG_AUTH_TRUNC can */
        take_name(a->integrity, attr, sizeof(struct xfrm_algo));
        break;
    case XFRMA_ALG_AUTH_TRUNC:
        take_name(a->integrity, attr, sizeof(struct xfrm_algo_auth));
        if (a->integrity[0] != '?')
            a->integrity_icv_bits = ((const struct xfrm_algo_auth *)mnl_attr_get_payload(attr))->alg_trunc_len;
        break;
    default:
        break;
    }
    return MNL_CB_OK;
}

static struct association *new_association(void)
{
    if (self.n == self.room) {
        size_t room = self.room == 0 ? 64 : 2 * self.room;
        struct association *more = room <= ASSOCIATIONS_MAX ? realloc(self.all, room * sizeof *more) : NULL;
        if (more == NULL)
            return NULL;
        self.all = more;
        self.room = room;
    }
    struct association *a = &self.all[self.n++];
    memset(a, 0, sizeof *a);
    return a;
}

static int on_association(const struct nlmsghdr *message, void *owner UNUSED)
{
    struct xfrm_usersa_info info; /* netlink aligns to 4, the struct wants 8 */
    if (message->nlmsg_type != XFRM_MSG_NEWSA || mnl_nlmsg_get_payload_len(message) < sizeof info)
        return MNL_CB_OK;
    memcpy(&info, mnl_nlmsg_get_payload(message), sizeof info);
    if (info.family != AF_INET && info.family != AF_INET6)
        return MNL_CB_OK;
    struct association *a = new_association();
    if (a == NULL)
        return MNL_CB_ERROR;
    a->from = address_of(&info.saddr, info.family);
    a->to = address_of(&info.id.daddr, info.family);
    a->spi = ntohl(info.id.spi);
    a->reqid = info.reqid;
    a->protocol = info.id.proto;
    a->mode = info.mode;
    return mnl_attr_parse(message, sizeof info, take_attribute, a);
}

/* ---- all of them ---- */

/* libmnl takes a length over INT_MAX for a negative one, which is below every bound. */
static bool are_whole(const char *bytes, size_t n)
{
    struct nlmsghdr head;
    for (size_t at = 0; n - at >= sizeof head; at += MNL_ALIGN(head.nlmsg_len)) {
        memcpy(&head, bytes + at, sizeof head);
        if (head.nlmsg_len < sizeof head || head.nlmsg_len > n - at)
            return false;
        if (n - at <= MNL_ALIGN(head.nlmsg_len))
            break;
    }
    return true;
}

static int take_answer(const char *bytes, size_t n, unsigned sequence, unsigned port)
{
    return are_whole(bytes, n) ? mnl_cb_run(bytes, n, sequence, port, on_association, NULL) : MNL_CB_ERROR;
}

static bool ask(unsigned *sequence)
{
    char bytes[MNL_ALIGN(sizeof(struct nlmsghdr))];
    struct nlmsghdr *question = mnl_nlmsg_put_header(bytes);
    question->nlmsg_type = XFRM_MSG_GETSA;
    question->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    question->nlmsg_seq = *sequence = ++self.sequence;
    return mnl_socket_sendto(self.dump, question, question->nlmsg_len) > 0;
}

static bool read_once(void)
{
    static char bytes[DUMP_BYTES] __attribute__((aligned(8)));
    unsigned sequence, port = mnl_socket_get_portid(self.dump);
    int more = MNL_CB_OK;
    self.n = 0;
    if (!ask(&sequence))
        return false;
    while (more == MNL_CB_OK) {
        ssize_t n = mnl_socket_recvfrom(self.dump, bytes, sizeof bytes);
        more = n > 0 ? take_answer(bytes, (size_t)n, sequence, port) : MNL_CB_ERROR;
        explicit_bzero(bytes, sizeof bytes);
    }
    return more == MNL_CB_STOP;
}

/* A dump may be interrupted by a change; what is left of it must not answer the next question. */
static bool read_afresh(void)
{
    if (self.dump == NULL)
        self.dump = open_socket(0);
    if (self.dump == NULL)
        return false;
    if (read_once())
        return true;
    mnl_socket_close(self.dump);
    self.dump = NULL;
    return false;
}

bool associations_read(const struct association **all, size_t *n)
{
    bool good = false;
    for (int i = 0; i < TRIES && self.news != NULL && !good; i++)
        good = read_afresh();
    *all = self.all;
    *n = good ? self.n : 0;
    return good;
}
