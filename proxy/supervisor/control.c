/* The control socket: visitors with one question each at a time. The question goes to the processes whom it concerns,
 * each with a piece of memory to write its lines into; what comes back is handed on unread. */
#include "proxy/supervisor/control.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "proxy/base/log.h"
#include "proxy/net/hash.h"
#include "proxy/net/watch.h"
#include "proxy/supervisor/blobs.h"
#include "proxy/supervisor/house.h"
#include "proxy/supervisor/visitors.h"

enum { VISITORS_MAX = 16, PATIENCE_MS = 5000, GROUPS_MAX = 1024 };

struct awaited {
    struct list link;
    const struct child *child;
    int fd; /* its lines */
};

static struct {
    int fd;
    struct watch *watch;
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    struct list visitors;
    size_t n;
    uint64_t last_id;
} control = {
    .fd = -1, .visitors = {&control.visitors, &control.visitors}
};

/* ---- answers ---- */

static void visitor_free(struct visitor *v);

static void send_answer(struct visitor *v, const struct message *m)
{
    if (v->channel != NULL && !ipc_send(v->channel, m))
        v->busy = false; /* it is gone; its channel says so soon */
}

void visitor_tell(struct visitor *v, enum control_status status, const struct buf *lines, const char *text)
{
    struct message m = { .type = MSG_CONTROLLED, .id = v->id };
    int fd = lines != NULL ? blob_make("lines", buf_span(lines)) : -1;
    m.controlled = (struct msg_controlled){
        .status = (uint8_t)status, .more = 1, .who = span_of(role_names[ROLE_MAIN]), .text = span_of(text)
    };
    if (fd >= 0)
        m.fds[m.n_fds++] = fd;
    send_answer(v, &m);
    if (fd >= 0)
        close(fd);
}

static void forget(struct awaited *a)
{
    list_remove(&a->link);
    close(a->fd);
    free(a);
}

void visitor_end(struct visitor *v, enum control_status status, const char *text)
{
    struct message m = { .type = MSG_CONTROLLED, .id = v->id };
    m.controlled = (struct msg_controlled){ .status = (uint8_t)status, .text = span_of(text) };
    while (!list_empty(&v->awaited))
        forget(OWNER_OF(v->awaited.next, struct awaited, link));
    alarm_clear(&v->patience);
    v->busy = v->awaits_change = false;
    send_answer(v, &m);
}

static void end_if_answered(struct visitor *v)
{
    if (v->busy && !v->awaits_change && list_empty(&v->awaited))
        visitor_end(v, CONTROL_OK, "");
}

static struct visitor *visitor_of(uint64_t id)
{
    LIST_EACH(link, &control.visitors) {
        struct visitor *v = OWNER_OF(link, struct visitor, link);
        if (v->busy && v->id == id)
            return v;
    }
    return NULL;
}

static struct awaited *awaited_of(const struct visitor *v, const struct child *c)
{
    LIST_EACH(link, &v->awaited) {
        struct awaited *a = OWNER_OF(link, struct awaited, link);
        if (a->child == c)
            return a;
    }
    return NULL;
}

void control_answered(struct child *c, struct message *m)
{
    struct visitor *v = visitor_of(m->id);
    struct awaited *a = v != NULL ? awaited_of(v, c) : NULL;
    if (a == NULL)
        return; /* the visitor has left, or was told that this process is late */
    struct message answer = { .type = MSG_CONTROLLED, .id = m->id, .controlled = m->controlled };
    answer.controlled.more = 1;
    answer.controlled.who = span_of(c->name);
    answer.fds[answer.n_fds++] = a->fd;
    send_answer(v, &answer);
    forget(a);
    end_if_answered(v);
}

void control_lost(const struct child *c)
{
    LIST_EACH(link, &control.visitors) {
        struct visitor *v = OWNER_OF(link, struct visitor, link);
        struct awaited *a = awaited_of(v, c);
        if (a == NULL)
            continue;
        forget(a);
        end_if_answered(v);
    }
}

static void on_late(struct alarm *alarm)
{
    struct visitor *v = OWNER_OF(alarm, struct visitor, patience);
    visitor_end(v, CONTROL_NO, "not every process has answered in time");
}

void control_changed(bool good, struct span warnings, struct span why)
{
    LIST_EACH(link, &control.visitors) {
        struct visitor *v = OWNER_OF(link, struct visitor, link);
        struct buf text;
        if (!v->awaits_change)
            continue;
        if (v->skips_change) {
            v->skips_change = false;
            continue;
        }
        buf_init(&text, 8000);
        bool fits = buf_add(&text, span_first(good ? warnings : why, 7900)) && buf_add_byte(&text, '\0');
        visitor_end(v, good ? CONTROL_OK : CONTROL_NO, fits ? text.at : "");
        buf_fini(&text);
    }
}

/* ---- questions ---- */

static bool is_asked(const struct command *command, const struct child *c)
{
    bool current = c->kind == ROLE_FRONT || house.now.helpers[c->kind] == c;
    return (command->asks >> c->kind & 1) != 0 && current && child_is_there(c) && c->state != CHILD_BORN;
}

static bool ask_child(struct visitor *v, struct child *c, struct span words, int stream)
{
    struct awaited *a = malloc(sizeof *a);
    struct message m = { .type = MSG_CONTROL, .id = v->id, .control.words = words, .n_fds = 1 };
    int fd = memfd_create("lines", MFD_CLOEXEC);
    if (a == NULL || fd < 0) {
        free(a);
        if (fd >= 0)
            close(fd);
        return false;
    }
    *a = (struct awaited){ .child = c, .fd = fd };
    list_init(&a->link);
    list_add(&v->awaited, &a->link);
    m.fds[0] = stream >= 0 ? stream : fd;
    child_send(c, &m);
    return true;
}

static bool ask_all(struct visitor *v, const struct command *command, struct span words, int stream)
{
    bool good = true;
    LIST_EACH(link, &children) {
        struct child *c = OWNER_OF(link, struct child, link);
        if (good && is_asked(command, c))
            good = ask_child(v, c, words, stream);
    }
    return good;
}

/* The reading end goes to the visitor: when the visitor goes, the writers find out by themselves. */
static bool ask_for_stream(struct visitor *v, const struct command *command, struct span words)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return false;
    struct message m = { .type = MSG_CONTROLLED, .id = v->id, .fds = { ends[0] }, .n_fds = 1 };
    m.controlled.more = 1;
    m.controlled.who = span_of(role_names[ROLE_MAIN]);
    bool good = ask_all(v, command, words, ends[1]);
    send_answer(v, &m);
    close(ends[0]);
    close(ends[1]);
    return good;
}

static void log_admin(const struct visitor *v, const struct span *words, size_t n)
{
    struct log_line l;
    struct buf text;
    buf_init(&text, LOG_TEXT_MAX);
    bool fits = true;
    for (size_t i = 0; fits && i < n; i++)
        fits = (i == 0 || buf_add_byte(&text, ' ')) && buf_add(&text, words[i]);
    log_begin(&l, LOG_INFO, "admin");
    log_number(&l, "uid", v->uid);
    log_text(&l, "command", buf_span(&text));
    log_end(&l);
    buf_fini(&text);
}

static void answer(struct visitor *v, const struct command *command, struct span packed, const struct span *words,
                   size_t n)
{
    if (command->operates)
        log_admin(v, words, n);
    if (!alarm_set(&v->patience, PATIENCE_MS, on_late)) {
        visitor_end(v, CONTROL_NO, "memory is short");
        return;
    }
    bool good = command->streams ? ask_for_stream(v, command, packed) : ask_all(v, command, packed, -1);
    if (good && command->run != NULL)
        command->run(v, words, n);
    if (good)
        end_if_answered(v);
    else
        visitor_end(v, CONTROL_NO, "memory or descriptors are short");
}

static void on_message(void *owner, struct message *m)
{
    struct visitor *v = owner;
    struct span words[CONTROL_WORDS_MAX];
    size_t n;
    if (m->type != MSG_CONTROL || v->busy || !control_unpack(m->control.words, words, &n)) {
        visitor_free(v);
        return;
    }
    const struct command *command = command_find(words[0]);
    v->busy = true;
    if (control.last_id == 0) /* fronts of a predecessor may still answer its questions */
        random_bytes(&control.last_id, sizeof control.last_id);
    v->id = ++control.last_id;
    if (command == NULL)
        visitor_end(v, CONTROL_USAGE, "this Homeward does not know that command");
    else if (command->operates && !v->operates)
        visitor_end(v, CONTROL_NO, "you may look, but not change anything (run.operators)");
    else
        answer(v, command, m->control.words, words, n);
}

static void on_closed(void *owner, const char *why UNUSED)
{
    visitor_free(owner);
}

/* ---- who comes ---- */

static bool has_group(int fd, gid_t own, const char *name)
{
    const struct group *group = name[0] != '\0' ? getgrnam(name) : NULL;
    gid_t groups[GROUPS_MAX];
    socklen_t bytes = sizeof groups;
    if (group == NULL)
        return false;
    if (own == group->gr_gid)
        return true;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &bytes) != 0)
        return false;
    for (size_t i = 0; i < bytes / sizeof *groups; i++)
        if (groups[i] == group->gr_gid)
            return true;
    return false;
}

static bool is_service(uid_t uid, const struct config *config)
{
    const struct passwd *user = geteuid() == 0 ? getpwnam(config->run.user) : NULL;
    return uid == 0 || uid == geteuid() || (user != NULL && user->pw_uid == uid);
}

/* False: a stranger. */
static bool look_at(int fd, struct visitor *v)
{
    const struct config *config = house.now.settings->config;
    struct ucred peer;
    socklen_t bytes = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) != 0)
        return false;
    v->uid = peer.uid;
    v->operates = is_service(peer.uid, config) || has_group(fd, peer.gid, config->run.operators);
    return v->operates || has_group(fd, peer.gid, config->run.readers);
}

static void refuse(int fd, const struct visitor *v)
{
    log_say(LOG_WARNING, "admin", "uid %u may not use the control socket", v->uid);
    close(fd);
}

static void visitor_free(struct visitor *v)
{
    while (!list_empty(&v->awaited))
        forget(OWNER_OF(v->awaited.next, struct awaited, link));
    alarm_clear(&v->patience);
    ipc_free(&v->channel);
    list_remove(&v->link);
    control.n--;
    free(v);
}

static void admit(int fd)
{
    static const struct ipc_events events = { on_message, on_closed };
    struct visitor *v = control.n < VISITORS_MAX ? calloc(1, sizeof *v) : NULL;
    if (v == NULL) {
        close(fd);
        return;
    }
    list_init(&v->link);
    list_init(&v->awaited);
    if (!look_at(fd, v)) {
        refuse(fd, v);
        free(v);
        return;
    }
    list_add(&control.visitors, &v->link);
    control.n++;
    v->channel = ipc_new(fd, &events, v);
    if (v->channel == NULL)
        visitor_free(v);
}

static void on_visitor(void *owner UNUSED, unsigned events UNUSED)
{
    int fd = accept4(control.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0)
        admit(fd);
}

/* ---- the socket ---- */

static bool listen_at(const struct sockaddr_un *name)
{
    control.fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    unlink(name->sun_path); /* we hold the lock of the directory: whoever left this behind is gone */
    if (control.fd < 0 || bind(control.fd, (const struct sockaddr *)name, sizeof *name) != 0)
        return false;
    /* Anybody may knock: who is let in is decided by who it is. */
    if (chmod(name->sun_path, 0666) != 0 || listen(control.fd, VISITORS_MAX) != 0)
        return false;
    control.watch = watch_new(control.fd, WATCH_READ, on_visitor, NULL);
    return control.watch != NULL;
}

void control_open(const char *dir)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    control_close();
    int n = snprintf(name.sun_path, sizeof name.sun_path, "%s/control", dir);
    if (n < 0 || (size_t)n >= sizeof name.sun_path) {
        log_say(LOG_WARNING, "admin", "%s: too long for a control socket; homewardctl cannot be used", dir);
        return;
    }
    if (listen_at(&name)) {
        memcpy(control.path, name.sun_path, sizeof control.path);
        return;
    }
    log_say(LOG_WARNING, "admin", "%s: %s; homewardctl cannot be used", name.sun_path, strerror(errno));
    control_close();
}

void control_close(void)
{
    while (!list_empty(&control.visitors)) {
        struct visitor *v = OWNER_OF(control.visitors.next, struct visitor, link);
        ipc_flush(v->channel, 0);
        visitor_free(v);
    }
    watch_free(&control.watch);
    if (control.fd >= 0)
        close(control.fd);
    if (control.path[0] != '\0')
        unlink(control.path);
    control.fd = -1;
    control.path[0] = '\0';
}
