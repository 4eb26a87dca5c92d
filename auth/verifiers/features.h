/* What this build was made with, beyond what every build needs. */
#ifndef AUTH_VERIFIERS_FEATURES_H
#define AUTH_VERIFIERS_FEATURES_H

#include "proxy/base/buf.h"

/* For --version: a line for each library that may be compiled in: its version, or what is missing without it. */
bool features_tell(struct buf *to) MUST_CHECK;

#endif
