/* Certificates and the map, replaced on disk under a running Homeward: looked at by the checker, then handed to those
 * who need them. What is broken leaves the old in force and is logged once. */
#ifndef PROXY_SUPERVISOR_REFRESH_H
#define PROXY_SUPERVISOR_REFRESH_H

/* For files_start: kinds is a mask of enum files_kind. */
void refresh(unsigned kinds);

#endif
