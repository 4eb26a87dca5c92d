/* homeward explain: what would happen if this user signed in, from the configuration and the map alone. No network, no
 * password, no running Homeward is needed. */
#ifndef PROXY_ADMIN_EXPLAIN_H
#define PROXY_ADMIN_EXPLAIN_H

/* argv[0] is "explain". The exit status: 0 the login would go to a store, 1 it would not, 2 usage. */
int explain_run(int argc, char **argv);

#endif
