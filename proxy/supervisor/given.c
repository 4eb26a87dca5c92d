/* LISTEN_PID says whom they are for, LISTEN_FDS how many there are, from descriptor 3 on. Two of one address
 * (ReusePort=) are for two fronts; one alone is shared by all (sockets.c). */
#include "proxy/supervisor/given.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "proxy/base/log.h"
#include "proxy/supervisor/sockets.h"

enum { FIRST_FD = 3, GIVEN_MAX = 4096 };

static uint64_t number_in(const char *variable, uint64_t most)
{
    const char *text = getenv(variable);
    uint64_t number;
    return text != NULL && span_number(span_of(text), most, &number) ? number : 0;
}

static void adopt(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 || !sockets_take_given(fd))
        log_say(LOG_WARNING, "given", "descriptor %d is no listening TCP socket", fd);
}

void given_adopt(void)
{
    bool ours = number_in("LISTEN_PID", INT32_MAX) == (uint64_t)getpid();
    int n = ours ? (int)number_in("LISTEN_FDS", GIVEN_MAX) : 0;
    for (int fd = FIRST_FD; fd < FIRST_FD + n; fd++)
        adopt(fd);
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
}
