/* The names of the kinds of process, in logs, in ps and in argv. */
#include "proxy/net/role.h"

const char *const role_names[ROLES] = { [ROLE_MAIN] = "main",
                                        [ROLE_CHECK] = "check",
                                        [ROLE_AUTH] = "auth",
                                        [ROLE_BACKENDS] = "backends",
                                        [ROLE_FRONT] = "front" };
