/* Listening sockets that a service manager has opened for us (sd_listen_fds(3)): so that nobody here needs the right to
 * bind a low port. */
#ifndef PROXY_SUPERVISOR_GIVEN_H
#define PROXY_SUPERVISOR_GIVEN_H

/* Before any other descriptor is opened by loops or children; what stands in the environment is taken out of it. */
void given_adopt(void);

#endif
