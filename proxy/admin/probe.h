/* homeward probe: goes the way of a login by itself and says how far it came, step by step, with times. To the back
 * ends of a site (of all), or with --front to one's own listeners; with --user, whose password is read from standard
 * input, up to the mailbox and out again. */
#ifndef PROXY_ADMIN_PROBE_H
#define PROXY_ADMIN_PROBE_H

/* argv[0] is "probe". The exit status: 0 everything is well, 1 something is broken, 2 usage. */
int probe_run(int argc, char **argv);

#endif
