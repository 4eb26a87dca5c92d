/* Opening and removing listening sockets. */
#include "proxy/supervisor/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "proxy/supervisor/occupant.h"
#include "proxy/supervisor/tell.h"

enum { PATIENCE_TURNS = 20, PATIENCE_MS = 50 };

struct list sockets = { &sockets, &sockets };

static const char *const protocol_paths[PROTOCOLS] = { [IMAP] = "imap.listen", [POP3] = "pop3.listen" };

static struct socket *find(const struct addr *address, uint64_t slot)
{
    LIST_EACH(link, &sockets) {
        struct socket *s = OWNER_OF(link, struct socket, link);
        if (s->slot == slot && addr_eq(&s->address, address))
            return s;
    }
    return NULL;
}

void socket_close(struct socket *s)
{
    list_remove(&s->link);
    close(s->fd);
    free(s);
}

/* ---- binding ---- */

/* A descriptor, or -1 and errno. */
static int bound(const struct addr *address, bool shared)
{
    struct sockaddr_storage to;
    socklen_t n = addr_to_sockaddr(address, &to);
    const int on = 1;
    int fd = socket(address->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        (address->family != AF_INET6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0) &&
        (!shared || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0) &&
        bind(fd, (struct sockaddr *)&to, n) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* Is one of ours on that port, at that address or at a wildcard on either side? Then the probe would meet ourselves. */
static bool is_ours(const struct addr *address)
{
    LIST_EACH(link, &sockets) {
        const struct addr *ours = &OWNER_OF(link, struct socket, link)->address;
        if (ours->family == address->family && ours->port == address->port &&
            (addr_same_host(ours, address) || addr_is_wildcard(ours) || addr_is_wildcard(address)))
            return true;
    }
    return false;
}

/* Without SO_REUSEPORT, because with it a second Homeward of the same user would take half of our clients unnoticed. */
static int probe(const struct addr *address)
{
    if (is_ours(address))
        return 0;
    int fd = bound(address, false);
    if (fd < 0)
        return errno;
    close(fd);
    return 0;
}

/* turns: how often in all we may still wait. */
static int probe_patiently(const struct addr *address, int *turns)
{
    int error = probe(address);
    for (; error == EADDRINUSE && *turns > 0; --*turns) {
        nanosleep(&(struct timespec){ .tv_nsec = PATIENCE_MS * 1000 * 1000 }, NULL);
        error = probe(address);
    }
    return error;
}

static bool cannot_bind(const struct listener_config *l, int error, struct buf *errors)
{
    char text[ADDR_TEXT_MAX], who[OCCUPANT_TEXT_MAX];
    const char *path = protocol_paths[l->protocol];
    const char *address = addr_text(&l->address, text);
    switch (error) {
    case EADDRINUSE:
        occupant_text(&l->address, who);
        return complain(errors, "%s is in use by another program%s%s%s; stop it, or change %s", address,
                        who[0] != '\0' ? " (" : "", who, who[0] != '\0' ? ")" : "", path);
    case EACCES:
        return complain(errors, "%s cannot be bound: %s; ports below 1024 are for root: start as root, or change %s",
                        address, strerror(error), path);
    case EADDRNOTAVAIL:
        return complain(errors, "%s cannot be bound: this machine has no such address; change %s", address, path);
    default:
        return complain(errors, "%s cannot be bound: %s (named by %s)", address, strerror(error), path);
    }
}

/* "*" means what the machine has. */
static bool may_go_without(const struct listener_config *l, int error)
{
    return l->any && l->address.family == AF_INET6 && (error == EAFNOSUPPORT || error == EADDRNOTAVAIL);
}

static uint64_t last_number;

static struct socket *keep(int fd, const struct addr *address, uint64_t slot, uint64_t number, enum socket_state state)
{
    struct socket *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    *s = (struct socket){ .number = number, .address = *address, .slot = slot, .fd = fd, .state = state };
    last_number = number > last_number ? number : last_number;
    list_init(&s->link);
    list_init(&s->holds);
    list_add(&sockets, &s->link);
    return s;
}

static const struct socket *find_given(const struct addr *address)
{
    LIST_EACH(link, &sockets) {
        const struct socket *s = OWNER_OF(link, struct socket, link);
        if (s->given && addr_eq(&s->address, address))
            return s;
    }
    return NULL;
}

/* Another descriptor of the same socket: its front shares the queue with the others'. */
static int share(const struct socket *given, uint64_t slot)
{
    int fd = fcntl(given->fd, F_DUPFD_CLOEXEC, 0);
    struct socket *s = fd >= 0 ? keep(fd, &given->address, slot, last_number + 1, SOCKET_OPEN) : NULL;
    if (s == NULL) {
        int error = fd >= 0 ? ENOMEM : errno;
        if (fd >= 0)
            close(fd);
        return error;
    }
    s->given = s->wanted = true;
    return 0;
}

static int add_socket(const struct addr *address, uint64_t slot)
{
    const struct socket *given = find_given(address);
    if (given != NULL)
        return share(given, slot);
    int fd = bound(address, true);
    if (fd < 0)
        return errno;
    if (keep(fd, address, slot, last_number + 1, SOCKET_BOUND) != NULL)
        return 0;
    close(fd);
    return ENOMEM;
}

bool sockets_adopt(int fd, uint64_t slot, uint64_t number, bool given)
{
    struct sockaddr_storage name;
    struct addr address;
    int listens = 0;
    socklen_t n = sizeof listens, name_n = sizeof name;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &n) != 0 || listens == 0 ||
        getsockname(fd, (struct sockaddr *)&name, &name_n) != 0 ||
        !addr_from_sockaddr((struct sockaddr *)&name, &address) || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
        return false;
    struct socket *s = keep(fd, &address, slot, number, SOCKET_OPEN);
    if (s != NULL)
        s->given = given;
    return s != NULL;
}

bool sockets_take_given(int fd)
{
    struct sockaddr_storage name;
    struct addr address;
    socklen_t n = sizeof name;
    uint64_t slot = 0;
    if (getsockname(fd, (struct sockaddr *)&name, &n) != 0 || !addr_from_sockaddr((struct sockaddr *)&name, &address))
        return false;
    while (find(&address, slot) != NULL)
        slot++;
    return sockets_adopt(fd, slot, last_number + 1, true);
}

static int prepare_listener(const struct listener_config *l, uint64_t slots, int *turns)
{
    int error = probe_patiently(&l->address, turns);
    for (uint64_t slot = 0; error == 0 && slot < slots; slot++) {
        struct socket *s = find(&l->address, slot);
        if (s == NULL)
            error = add_socket(&l->address, slot);
        else
            s->wanted = true;
    }
    return error;
}

static bool prepare_protocol(const struct config *config, enum protocol protocol, int *turns, struct buf *errors)
{
    const struct protocol_config *p = &config->protocols[protocol];
    for (size_t i = 0; p->on && i < p->n_listeners; i++) {
        const struct listener_config *l = &p->listeners[i];
        int error = prepare_listener(l, (uint64_t)config->run.workers, turns);
        if (error != 0 && !may_go_without(l, error))
            return cannot_bind(l, error, errors);
    }
    return true;
}

/* The first port that cannot be had is told and no other: they usually belong to the same program. */
bool sockets_prepare(const struct settings *settings, bool patient, struct buf *errors)
{
    int turns = patient ? PATIENCE_TURNS : 0;
    for (enum protocol protocol = 0; protocol < PROTOCOLS; protocol++) {
        if (prepare_protocol(settings->config, protocol, &turns, errors))
            continue;
        sockets_abort();
        return false;
    }
    return true;
}

void sockets_abort(void)
{
    LIST_EACH_SAFE(link, &sockets) {
        struct socket *s = OWNER_OF(link, struct socket, link);
        s->wanted = false;
        if (s->state == SOCKET_BOUND)
            socket_close(s);
    }
}

/* ---- in force ---- */

static void open_socket(struct socket *s)
{
    char text[ADDR_TEXT_MAX];
    if (s->state == SOCKET_BOUND && listen(s->fd, SOMAXCONN) != 0)
        log_say(LOG_ERROR, "listen", "%s: %s", addr_text(&s->address, text), strerror(errno));
    s->state = SOCKET_OPEN;
}

static void remove_socket(struct socket *s)
{
    char text[ADDR_TEXT_MAX];
    if (s->given && s->state == SOCKET_OPEN)
        log_say(LOG_WARNING, "listen", "%s: opened by the service manager, and no listener of the configuration",
                addr_text(&s->address, text));
    s->state = SOCKET_REMOVED;
}

void sockets_commit(const struct settings *settings)
{
    uint64_t listener;
    LIST_EACH(link, &sockets) {
        struct socket *s = OWNER_OF(link, struct socket, link);
        s->wanted = false;
        if (settings_listener(settings, &s->address, &listener))
            open_socket(s);
        else
            remove_socket(s);
    }
}

void sockets_remove_all(void)
{
    LIST_EACH(link, &sockets)
        OWNER_OF(link, struct socket, link)->state = SOCKET_REMOVED;
}
