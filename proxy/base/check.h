/* Marks that the compiler checks for us. */
#ifndef PROXY_BASE_CHECK_H
#define PROXY_BASE_CHECK_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_at, first) __attribute__((format(printf, format_at, first)))
#define UNUSED __attribute__((unused))
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* The struct that holds `member`, from the member's address. */
#define OWNER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#define SECOND 1000LL /* all times are milliseconds */
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)

#endif
