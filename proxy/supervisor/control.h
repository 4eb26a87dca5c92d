/* The control socket <runtime_dir>/control, homewardctl's peer. Who may ask is told by the kernel (SO_PEERCRED): root
 * and the user that Homeward runs as may do all, members of run.operators too, members of run.readers may look. */
#ifndef PROXY_SUPERVISOR_CONTROL_H
#define PROXY_SUPERVISOR_CONTROL_H

#include "proxy/supervisor/child.h"

/* Opens it in that directory, whose lock we hold. A failure is logged: one can live without. */
void control_open(const char *dir);
void control_close(void); /* takes the socket away and sends visitors home */

/* Events that answers wait for. */
void control_answered(struct child *c, struct message *m);              /* MSG_CONTROLLED of a child */
void control_lost(const struct child *c);                               /* it will not answer any more */
void control_changed(bool good, struct span warnings, struct span why); /* a change has come to its end */

#endif
