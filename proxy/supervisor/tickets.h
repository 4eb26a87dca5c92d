/* Keys of TLS session tickets: drawn by main, shared by all fronts of all generations, so that a client may come back
 * to any of them. A key is published one period before it encrypts and decrypts for one period after. */
#ifndef PROXY_SUPERVISOR_TICKETS_H
#define PROXY_SUPERVISOR_TICKETS_H

#include "proxy/supervisor/child.h"

void tickets_start(int64_t period_ms);      /* draws the keys and sends them around every period */
void tickets_set_period(int64_t period_ms); /* counts from now when it differs */
void tickets_send(struct child *front);     /* the keys of now, to one that has just been born */
void tickets_stop(void);                    /* wipes them */

#endif
