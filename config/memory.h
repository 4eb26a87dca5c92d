/* The memory of one configuration: blocks that all go together with it. */
#ifndef CONFIG_MEMORY_H
#define CONFIG_MEMORY_H

#include "config/config.h"

/* All zero but for what no option says (which listeners are whose). NULL when memory is short. */
struct config *config_new(void);

/* Zeroed, freed with the configuration. NULL when memory is short. */
void *config_alloc(struct config *config, size_t n, size_t item_bytes);
const char *config_string(struct config *config, struct span s);

#endif
