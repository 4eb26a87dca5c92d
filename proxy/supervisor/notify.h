/* What a service manager wants to hear (sd_notify(3), spoken by hand: it is one datagram). Nothing happens when nobody
 * listens. */
#ifndef PROXY_SUPERVISOR_NOTIFY_H
#define PROXY_SUPERVISOR_NOTIFY_H

/* "READY=1", "STOPPING=1", "STATUS=…", one or more lines. */
void notify(const char *words);

/* From now on, as often as the manager's watchdog wants it. */
void notify_watchdog(void);
void notify_stop(void);

#endif
