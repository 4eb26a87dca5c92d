/* Back-off of crash loops. */
#include "proxy/supervisor/backoff.h"

int64_t backoff_wait_ms(struct backoff *b, int64_t lived_ms)
{
    if (lived_ms >= BACKOFF_LONG_LIFE_MS)
        b->next_ms = 0;
    if (lived_ms >= BACKOFF_SHORT_LIFE_MS)
        return 0;
    int64_t wait_ms = b->next_ms > 0 ? b->next_ms : BACKOFF_FIRST_MS;
    b->next_ms = wait_ms * 2 < BACKOFF_MOST_MS ? wait_ms * 2 : BACKOFF_MOST_MS;
    return wait_ms;
}
