/* The house, and who talks to whom in it. */
#include "proxy/supervisor/house.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

struct house house = { .lock = { .fd = -1 }, .tables = { [0 ... ROLES - 1] = -1 } };

bool house_belong(const struct child *front, const struct child *helper)
{
    bool is_coming = front->generation != NULL && front->generation == house.coming.fronts;
    return helper == house.now.helpers[helper->kind] && !(is_coming && house.coming.helpers[helper->kind] != NULL);
}

void house_connect(struct child *front, struct child *helper)
{
    struct message to_front = { .type = MSG_CHANNEL, .channel.to = (uint8_t)helper->kind, .n_fds = 1 };
    struct message to_helper = { .type = MSG_CHANNEL, .channel.to = ROLE_FRONT, .n_fds = 1 };
    int pair[2];
    if (!ipc_pair(pair)) {
        log_say(LOG_ERROR, "channel", "%s and %s cannot be connected: %s", front->name, helper->name, strerror(errno));
        return;
    }
    to_front.fds[0] = pair[0];
    to_helper.fds[0] = pair[1];
    child_send(helper, &to_helper);
    child_send(front, &to_front);
    close(pair[0]);
    close(pair[1]);
}
