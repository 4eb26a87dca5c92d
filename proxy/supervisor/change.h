/* A change of what is in force, from the check to the moment when everybody serves: the start is the first one, every
 * SIGHUP is another. It happens whole or not at all. */
#ifndef PROXY_SUPERVISOR_CHANGE_H
#define PROXY_SUPERVISOR_CHANGE_H

#include "proxy/base/json.h"
#include "proxy/supervisor/child.h"

/* Check the configuration anew and bring it into force if it is good. While one is under way one more is remembered. */
void change_begin(void);
bool change_is_under_way(void);

/* What came of the last one, as a member "reload" of an object. */
void change_tell(struct json *j);

/* Events that may matter to it. */
void change_ready(void);                   /* a child is */
bool change_fallen(const struct child *c); /* true: c was a part of it; it is over now, and c has been dismissed */
void change_room(void);                    /* a generation has left */

void change_cancel(void); /* without a word: main stops */

#endif
