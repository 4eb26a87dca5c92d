/* Who is told what when the reign changes. New clients are never without a front, and fronts never without a helper:
 * the new one is there before the old one hears that it may go. */
#include "proxy/supervisor/swap.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "proxy/net/hosts.h"
#include "proxy/supervisor/assign.h"
#include "proxy/supervisor/blobs.h"
#include "proxy/supervisor/files.h"
#include "proxy/supervisor/house.h"
#include "proxy/supervisor/logger.h"
#include "proxy/supervisor/sockets.h"
#include "proxy/supervisor/tickets.h"

enum {
    LOGIN_MS = 35000 /* longer than any login takes: the predecessor answers what it was asked */,
    GRACE_MS = 10000
};

/* In one go: it answers nobody before all of them have told what they hold. */
static void introduce(struct child *helper)
{
    LIST_EACH(link, &children) {
        struct child *c = OWNER_OF(link, struct child, link);
        if (c->kind == ROLE_FRONT && child_is_there(c))
            house_connect(c, helper);
    }
}

static void replace_helper(enum role_kind kind)
{
    struct child *old = house.now.helpers[kind], *new = house.coming.helpers[kind];
    if (new == NULL) {
        child_settle(old, house.now.settings);
        return;
    }
    house.now.helpers[kind] = new;
    introduce(new);
    if (old != NULL)
        child_drain(old, &(struct msg_drain){ .deadline_ms = LOGIN_MS }, LOGIN_MS + GRACE_MS);
}

static void replace_fronts(void)
{
    if (house.coming.fronts != NULL)
        house.now.fronts = house.coming.fronts;
    else
        generation_settle(house.now.fronts, house.now.settings);
    sockets_commit(house.now.settings);
    assign(house.now.fronts);
    generations_retire(house.now.fronts);
}

static void send_map(void)
{
    child_send_fd(house.now.helpers[ROLE_AUTH], MSG_MAP, house.now.settings->fds[SETTINGS_MAP]);
}

/* Older generations take no new clients, and may know their certificates by other names. */
static void send_accounts(void)
{
    child_send_fd(house.now.helpers[ROLE_AUTH], MSG_ACCOUNTS, house.now.settings->fds[SETTINGS_ACCOUNTS]);
}

static void send_bundle(void)
{
    LIST_EACH(link, &children) {
        struct child *c = OWNER_OF(link, struct child, link);
        if (c->kind == ROLE_FRONT && child_is_there(c) && c->generation == house.now.fronts)
            child_send_fd(c, MSG_BUNDLE, house.now.settings->fds[SETTINGS_FRONT_BUNDLE]);
    }
}

static void send_backends_bundle(void)
{
    child_send_fd(house.now.helpers[ROLE_BACKENDS], MSG_BUNDLE, house.now.settings->fds[SETTINGS_BACKENDS_BUNDLE]);
}

static bool has_new(const struct settings *old, enum settings_part part)
{
    return old != NULL && !blob_same(old->fds[part], house.now.settings->fds[part]);
}

void swap(const struct buf *seen)
{
    struct settings *old = house.now.settings;
    house.now.settings = house.coming.settings;
    bool new_map = house.coming.helpers[ROLE_AUTH] == NULL && has_new(old, SETTINGS_MAP);
    bool new_accounts = house.coming.helpers[ROLE_AUTH] == NULL && has_new(old, SETTINGS_ACCOUNTS);
    bool new_bundle = house.coming.fronts == NULL && has_new(old, SETTINGS_FRONT_BUNDLE);
    bool new_testers = house.coming.helpers[ROLE_BACKENDS] == NULL && has_new(old, SETTINGS_BACKENDS_BUNDLE);
    replace_helper(ROLE_AUTH);
    replace_helper(ROLE_BACKENDS);
    replace_fronts();
    if (new_map)
        send_map();
    if (new_accounts)
        send_accounts();
    if (new_bundle)
        send_bundle();
    if (new_testers)
        send_backends_bundle();
    house.coming = (struct reign){ 0 };
    settings_unref(&old);
    const struct config *config = house.now.settings->config;
    logger_commit();
    log_set(config->log.level, config->log.format);
    tickets_set_period(config->tls.ticket_key_s * SECOND);
    files_watch(buf_span(seen));
}

/* ---- parts ---- */

static bool replace_part(enum settings_part part, int fd)
{
    if (blob_same(house.now.settings->fds[part], fd)) {
        close(fd);
        return false;
    }
    settings_replace(house.now.settings, part, fd);
    return true;
}

bool swap_map(int fd)
{
    bool differs = replace_part(SETTINGS_MAP, fd);
    if (differs)
        send_map();
    return differs;
}

bool swap_accounts(int fd)
{
    bool differs = replace_part(SETTINGS_ACCOUNTS, fd);
    if (differs)
        send_accounts();
    return differs;
}

bool swap_bundle(int fd)
{
    bool differs = replace_part(SETTINGS_FRONT_BUNDLE, fd);
    if (differs)
        send_bundle();
    return differs;
}

bool swap_backends_bundle(int fd)
{
    bool differs = replace_part(SETTINGS_BACKENDS_BUNDLE, fd);
    if (differs)
        send_backends_bundle();
    return differs;
}

void swap_hosts(void)
{
    int fd = open(HOSTS_PATH, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        log_say(LOG_WARNING, "hosts", "%s cannot be opened: %s", HOSTS_PATH, strerror(errno));
        return;
    }
    child_send_fd(house.now.helpers[ROLE_BACKENDS], MSG_HOSTS, fd);
    close(fd);
}
