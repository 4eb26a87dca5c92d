/* The main process: reads nothing that came from the network, starts and watches the others. */
#ifndef PROXY_SUPERVISOR_SUPERVISOR_H
#define PROXY_SUPERVISOR_SUPERVISOR_H

/* Runs until a signal ends it. file: the configuration. The exit status; 1 when it could not start, which it has said
 * on stderr. */
int supervisor_run(const char *file);

#endif
