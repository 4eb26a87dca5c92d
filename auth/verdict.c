/* The verdict: steps that each either end the question or let it pass to the next. What depends on the client's address
 * comes first, so that a full address learns nothing about mailboxes. */
#include "auth/verdict.h"

struct question {
    const struct policy *policy;
    const struct msg_ask *ask;
    struct verdict_bytes *bytes;
    struct msg_verdict *verdict;
    struct map_entry entry;
    const struct site_config *site;
};

void verdict_bytes_init(struct verdict_bytes *bytes)
{
    buf_init(&bytes->mailbox, NAME_BYTES_MAX);
    buf_init(&bytes->authzid, NAME_BYTES_MAX);
    buf_init(&bytes->store_name, NAME_BYTES_MAX);
}

void verdict_bytes_fini(struct verdict_bytes *bytes)
{
    buf_fini(&bytes->mailbox);
    buf_fini(&bytes->authzid);
    buf_fini(&bytes->store_name);
}

/* Ends the question. */
static bool end(struct question *q, enum verdict_status status, const char *why)
{
    q->verdict->status = status;
    q->verdict->why = span_of(why);
    return false;
}

bool policy_exempts(const struct policy *policy, const struct addr *client)
{
    return networks_have(&policy->config->limits.exempt, client);
}

static bool check_address(struct question *q)
{
    const struct addr *client = &q->ask->client;
    int64_t most = q->policy->config->limits.sessions_per_address;
    if (most <= 0 || policy_exempts(q->policy, client))
        return true;
    if (counts_of_address(&q->policy->counts, client) < (uint64_t)most)
        return true;
    return end(q, VERDICT_ADDRESS_FULL, "address_full");
}

static bool check_name(struct question *q)
{
    if (!name_canonical(q->ask->name, &q->bytes->mailbox))
        return end(q, VERDICT_REFUSED, "name");
    q->verdict->mailbox = buf_span(&q->bytes->mailbox);
    return true;
}

/* RFC 4616: an authzid asks to act as somebody; clients often name themselves there. */
static bool check_authzid(struct question *q)
{
    if (q->ask->authzid.n == 0)
        return true;
    if (name_canonical(q->ask->authzid, &q->bytes->authzid) &&
        span_eq(buf_span(&q->bytes->authzid), q->verdict->mailbox))
        return true;
    return end(q, VERDICT_REFUSED, "delegate");
}

static bool find_entry(struct question *q)
{
    if (q->policy->map == NULL)
        return end(q, VERDICT_UNAVAILABLE, "no_map");
    if (!map_find(q->policy->map, q->verdict->mailbox, &q->entry))
        return end(q, VERDICT_REFUSED, "unknown");
    if (!q->entry.serves[q->ask->protocol])
        return end(q, VERDICT_REFUSED, "protocol_off");
    return true;
}

/* The map names its sites: it may be older or newer than this configuration. */
static bool find_site(struct question *q)
{
    ptrdiff_t i = config_site(q->policy->config, q->entry.site);
    if (i < 0)
        return end(q, VERDICT_UNAVAILABLE, "no_site");
    q->site = &q->policy->config->sites[i];
    if (!q->site->serves[q->ask->protocol])
        return end(q, VERDICT_REFUSED, "protocol_off");
    q->verdict->site = span_of(q->site->name);
    return true;
}

static bool make_store_name(struct question *q)
{
    struct span format = q->entry.user.at != NULL ? q->entry.user : span_of(q->site->user_format);
    if (!name_expand(format, q->verdict->mailbox, q->ask->name, &q->bytes->store_name))
        return end(q, VERDICT_REFUSED, "name");
    q->verdict->store_name = buf_span(&q->bytes->store_name);
    return true;
}

bool policy_over_user_limit(const struct policy *policy, enum protocol protocol, size_t sessions)
{
    int64_t most = policy->config->limits.sessions_per_user[protocol];
    return most > 0 && sessions > (uint64_t)most;
}

/* Never ends the question: who has not proved to be this user must not learn how busy the user is. */
static bool look_at_user(struct question *q)
{
    enum protocol protocol = q->ask->protocol;
    int64_t most = q->policy->config->limits.sessions_per_user[protocol];
    size_t sessions = counts_of_user(&q->policy->counts, protocol, q->verdict->mailbox);
    q->verdict->sessions_max = most > 0 ? (uint64_t)most : 0;
    q->verdict->user_full = policy_over_user_limit(q->policy, protocol, sessions + 1);
    return true;
}

void verdict_decide(const struct policy *policy, const struct msg_ask *ask, struct verdict_bytes *bytes,
                    struct msg_verdict *verdict)
{
    static bool (*const steps[])(struct question *) = {
        check_address, check_name, check_authzid, find_entry, find_site, make_store_name, look_at_user,
    };
    struct question q = { .policy = policy, .ask = ask, .bytes = bytes, .verdict = verdict };
    *verdict = (struct msg_verdict){ .status = VERDICT_OK };
    for (size_t i = 0; i < COUNT_OF(steps) && steps[i](&q); i++)
        continue;
    if (verdict->status == VERDICT_OK)
        return;
    verdict->site = verdict->store_name = SPAN_NONE;
}
