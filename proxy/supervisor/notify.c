/* Notices to the service manager, and the watchdog's pulse, which comes from main's loop: when that hangs, it stops. */
#include "proxy/supervisor/notify.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proxy/base/span.h"
#include "proxy/net/deadline.h"
#include "proxy/net/loop.h"

static struct alarm pulse;
static int64_t pulse_ms;

void notify(const char *words)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    if (path == NULL || path[0] == '\0' || strlen(path) >= sizeof to.sun_path)
        return;
    size_t n = strlen(path);
    memcpy(to.sun_path, path, n);
    if (path[0] == '@') /* the abstract name space */
        to.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    ssize_t sent UNUSED = sendto(fd, words, strlen(words), MSG_NOSIGNAL, (struct sockaddr *)&to,
                                 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
    close(fd);
}

static void beat(struct alarm *a)
{
    notify("WATCHDOG=1");
    if (!alarm_set(a, pulse_ms, beat))
        abort();
}

void notify_watchdog(void)
{
    const char *text = getenv("WATCHDOG_USEC");
    uint64_t us;
    if (text == NULL || !span_number(span_of(text), INT64_MAX, &us) || us < 2000)
        return;
    pulse_ms = (int64_t)(us / 2000);
    beat(&pulse);
}

void notify_stop(void)
{
    alarm_clear(&pulse);
    notify("STOPPING=1");
}
