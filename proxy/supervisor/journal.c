/* Lines to syslog. */
#include "proxy/supervisor/journal.h"

#include <stdbool.h>
#include <string.h>
#include <syslog.h>

static const struct {
    const char *logfmt, *json;
    int priority;
} levels[] = {
    {"level=error ",    "\"level\":\"error\"",   LOG_ERR    },
    { "level=warning ", "\"level\":\"warning\"", LOG_WARNING},
    { "level=debug ",   "\"level\":\"debug\"",   LOG_DEBUG  },
};

enum { HEAD = 80 /* the level stands at the start, behind the time: what a client wrote is never looked at */ };

static int priority_of(const char *line, size_t n)
{
    size_t head = n < HEAD ? n : HEAD;
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
        if (memmem(line, head, levels[i].logfmt, strlen(levels[i].logfmt)) != NULL ||
            memmem(line, head, levels[i].json, strlen(levels[i].json)) != NULL)
            return levels[i].priority;
    return LOG_INFO;
}

void journal_put(const char *line, size_t n)
{
    static bool is_open; /* only the log's thread comes here */
    if (!is_open)
        openlog("homeward", LOG_PID, LOG_MAIL);
    is_open = true;
    syslog(priority_of(line, n), "%.*s", (int)(n - 1), line);
}
