/* The end of the house: sessions may finish for a while, then fronts leave, then their helpers, then main. */
#ifndef PROXY_SUPERVISOR_STOP_H
#define PROXY_SUPERVISOR_STOP_H

/* In order, and, when it is called again, in a hurry: the sessions get no more time. */
void stop_begin(void);

/* Nobody is served yet, or nothing can be saved: kill what there is. */
void stop_at_once(int status);

/* A child has left, and is no longer among the children. */
void stop_left(void);

#endif
