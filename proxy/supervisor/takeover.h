/* A new program takes over from the one that runs (SIGUSR2, a package upgrade): main checks it, then becomes it in
 * place, with the listening sockets in its hands. No connection is refused, because no socket is closed; no session
 * ends: the fronts of the old program become a generation of the new one's, as after a reload. They still count, are
 * seen by homewardctl, and hear of new helpers. The process id stays. */
#ifndef PROXY_SUPERVISOR_TAKEOVER_H
#define PROXY_SUPERVISOR_TAKEOVER_H

/* At the very start: remember where the program is, for the file may be replaced. */
void takeover_init(void);

/* Returns only when it cannot be done, which has been logged; nothing has changed then. */
void takeover(void);

#endif
