/* The log of all processes: they write packets to one channel, a thread of main puts the lines where the admin wants
 * them. Whatever that place does (a full disk, a stopped terminal), only the thread waits; lines that find the channel
 * full are dropped and counted by their writers (proxy/base/log.h). */
#ifndef PROXY_SUPERVISOR_LOGGER_H
#define PROXY_SUPERVISOR_LOGGER_H

#include "config/config.h"

/* Starts the thread, which writes to stderr at first. ends: of a predecessor's channel, into which its processes go on
 * writing; -1 for a new one. False and errno. */
bool logger_start(const int ends[2]) MUST_CHECK;

int logger_fd(void);           /* the end that processes write to */
void logger_ends(int ends[2]); /* both, lent */

/* For a moment no line is under way: all are written, or still in the channel. False: its place is stuck. */
bool logger_pause(void) MUST_CHECK;
void logger_go_on(void);

/* Where the configuration wants it: opened now (false and a line in errors when that fails, nothing is changed), in use
 * after logger_commit, forgotten by logger_abort. */
bool logger_prepare(const struct config *config, struct buf *errors) MUST_CHECK;
void logger_commit(void);
void logger_abort(void);

/* Open the file of now by its name again, for whoever rotates logs. A failure is logged and changes nothing. */
void logger_reopen(void);

/* Writes what is left, for two seconds at most, and ends the thread. All writers but main must be gone. */
void logger_stop(void);

/* Pure: at most n bytes as one line: its end is put right, and what a terminal could take as a command becomes '?'. A
 * process that was taken over cannot do more than write nonsense. Returns the length; room for one more byte is needed.
 */
size_t logger_tame(char *line, size_t n);

#endif
