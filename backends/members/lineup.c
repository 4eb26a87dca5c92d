/* The order of members, asked without dialling. */
#include "backends/members/lineup.h"

#include "backends/members/choice.h"
#include "backends/members/orders.h"

size_t lineup(const struct site *site, enum protocol protocol, struct span mailbox, uint8_t order[BACKENDS_MAX])
{
    struct choice_member members[BACKENDS_MAX];
    for (size_t i = 0; i < site->n_members; i++) {
        const struct member *m = &site->members[i];
        struct health_view health = member_look(m, protocol);
        members[i] = (struct choice_member){ .name = m->name,
                                             .weight = m->config->weight,
                                             .standby = m->config->standby,
                                             .skip = orders_drain(m),
                                             .avoided = health.state == HEALTH_AVOIDED,
                                             .returns_ms = health.until_ms };
    }
    return choice_order(members, site->n_members, mailbox, order);
}
