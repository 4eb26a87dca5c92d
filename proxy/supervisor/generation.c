/* Generations, in the order of their birth. */
#include "proxy/supervisor/generation.h"

#include <stdlib.h>
#include <unistd.h>

struct list generations = { &generations, &generations };

enum { HURRY_GRACE_MS = 10000 };

static void generation_free(struct generation *g)
{
    list_remove(&g->link);
    settings_unref(&g->settings);
    free(g->fronts);
    free(g);
}

static bool fill(struct generation *g)
{
    for (size_t slot = 0; slot < g->n_slots; slot++) {
        g->fronts[slot] = child_new(ROLE_FRONT, slot, g, g->settings);
        if (g->fronts[slot] == NULL)
            return false;
    }
    return true;
}

static struct generation *generation_empty(struct settings *settings, size_t n_slots)
{
    struct generation *g = calloc(1, sizeof *g);
    struct child **fronts = calloc(n_slots, sizeof *fronts);
    assert(n_slots > 0 && n_slots <= GENERATION_SLOTS_MAX);
    if (g == NULL || fronts == NULL) {
        free(g);
        free(fronts);
        return NULL;
    }
    *g = (struct generation){ .settings = settings_ref(settings), .fronts = fronts, .n_slots = n_slots };
    list_init(&g->link);
    list_add(&generations, &g->link);
    return g;
}

struct generation *generation_new(struct settings *settings)
{
    struct generation *g = generation_empty(settings, (size_t)settings->config->run.workers);
    if (g == NULL || fill(g))
        return g;
    generation_dismiss(g);
    return NULL;
}

bool generation_is_ready(const struct generation *g)
{
    for (size_t slot = 0; slot < g->n_slots; slot++)
        if (g->fronts[slot] == NULL || g->fronts[slot]->state != CHILD_READY)
            return false;
    return true;
}

size_t generations_alive(void)
{
    size_t n = 0;
    LIST_EACH(link, &generations)
        n++;
    return n;
}

size_t generations_staying(void)
{
    size_t n = 0;
    LIST_EACH(link, &generations)
        n += !OWNER_OF(link, struct generation, link)->says_bye;
    return n;
}

static bool is_empty(const struct generation *g)
{
    for (size_t slot = 0; slot < g->n_slots; slot++)
        if (g->fronts[slot] != NULL)
            return false;
    return true;
}

static struct generation *foreign(uint64_t number)
{
    LIST_EACH(link, &generations) {
        struct generation *g = OWNER_OF(link, struct generation, link);
        if (g->settings->number == number)
            return g;
    }
    struct settings *settings = settings_foreign(number);
    struct generation *g = settings != NULL ? generation_empty(settings, GENERATION_SLOTS_MAX) : NULL;
    settings_unref(&settings);
    return g;
}

struct child *generation_adopt(uint64_t number, uint64_t slot, pid_t pid, int channel)
{
    struct generation *g = slot < GENERATION_SLOTS_MAX ? foreign(number) : NULL;
    if (g == NULL || g->fronts[slot] != NULL) {
        close(channel);
        return NULL;
    }
    struct child *front = child_adopt(slot, g, g->settings, pid, channel);
    g->fronts[slot] = front;
    if (is_empty(g))
        generation_free(g);
    return front;
}

static void drain(struct generation *g, const struct msg_drain *how, int64_t kill_after_ms)
{
    for (size_t slot = 0; slot < g->n_slots; slot++)
        if (g->fronts[slot] != NULL)
            child_drain(g->fronts[slot], how, kill_after_ms);
}

void generations_retire(const struct generation *but)
{
    LIST_EACH(link, &generations) {
        struct generation *g = OWNER_OF(link, struct generation, link);
        if (g == but || g->retired)
            continue;
        g->retired = true;
        drain(g, &(struct msg_drain){ .say_bye = 0 }, 0);
    }
}

bool generation_hurry_oldest(int64_t spread_ms)
{
    LIST_EACH(link, &generations) {
        struct generation *g = OWNER_OF(link, struct generation, link);
        if (!g->retired || g->says_bye)
            continue;
        g->says_bye = true;
        drain(g, &(struct msg_drain){ .say_bye = 1, .spread_ms = (uint64_t)spread_ms }, spread_ms + HURRY_GRACE_MS);
        return true;
    }
    return false;
}

void generation_settle(struct generation *g, struct settings *settings)
{
    settings_ref(settings);
    settings_unref(&g->settings);
    g->settings = settings;
    for (size_t slot = 0; slot < g->n_slots; slot++)
        if (g->fronts[slot] != NULL)
            child_settle(g->fronts[slot], settings);
}

void generation_dismiss(struct generation *g)
{
    g->retired = g->says_bye = true;
    size_t n = 0;
    for (size_t slot = 0; slot < g->n_slots; slot++) {
        if (g->fronts[slot] == NULL)
            continue;
        child_dismiss(g->fronts[slot]);
        n++;
    }
    if (n == 0)
        generation_free(g);
}

bool generation_left(struct child *front)
{
    struct generation *g = front->generation;
    g->fronts[front->slot] = NULL;
    front->generation = NULL;
    if (!is_empty(g))
        return false;
    generation_free(g);
    return true;
}
