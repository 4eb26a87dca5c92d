/* The verdict: steps that each either end the question or let it pass to the next. What depends on the client's address
 * comes first, so that a full address learns nothing about mailboxes. */
#include "auth/verdict.h"

struct question {
    const struct policy *policy;
    const struct msg_ask *ask;
    struct verdict_bytes *bytes;
    struct msg_verdict *verdict;
    struct map_entry entry;    /* the mailbox's */
    struct map_entry delegate; /* of who signs in for it; only if that is somebody else */
    bool is_delegate;
    const struct site_config *site;
};

bool policy_init(struct policy *policy, const struct config *config)
{
    const char *wrong;
    policy->config = config;
    return name_rules_init(&policy->names, config, &wrong) && deny_init(&policy->deny, &policy->names, config, &wrong);
}

void policy_fini(struct policy *policy)
{
    name_rules_fini(&policy->names);
    deny_fini(&policy->deny);
}

void verdict_bytes_init(struct verdict_bytes *bytes)
{
    buf_init(&bytes->login, NAME_BYTES_MAX);
    buf_init(&bytes->mailbox, NAME_BYTES_MAX);
    buf_init(&bytes->store_name, NAME_BYTES_MAX);
    buf_init(&bytes->store_login, NAME_BYTES_MAX);
}

void verdict_bytes_fini(struct verdict_bytes *bytes)
{
    buf_fini(&bytes->login);
    buf_fini(&bytes->mailbox);
    buf_fini(&bytes->store_name);
    buf_fini(&bytes->store_login);
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

/* Whose mailbox is meant: the name itself may say so, or the authzid (RFC 4616), in which clients often name
 * themselves. Both at once must agree. */
static bool read_mailbox(struct question *q)
{
    const struct name_rules *names = &q->policy->names;
    struct buf *login = &q->bytes->login, *mailbox = &q->bytes->mailbox;
    struct buf authzid;
    if (!name_read(names, q->ask->name, login, mailbox))
        return false;
    if (mailbox->n == 0 && q->ask->authzid.n == 0)
        return buf_add(mailbox, buf_span(login));
    if (q->ask->authzid.n == 0)
        return true;
    if (mailbox->n == 0)
        return name_canonical(names, q->ask->authzid, mailbox);
    buf_init(&authzid, NAME_BYTES_MAX);
    bool good = name_canonical(names, q->ask->authzid, &authzid) && span_eq(buf_span(&authzid), buf_span(mailbox));
    buf_fini(&authzid);
    return good;
}

static bool check_name(struct question *q)
{
    if (!read_mailbox(q))
        return end(q, VERDICT_REFUSED, "name");
    q->verdict->mailbox = buf_span(&q->bytes->mailbox);
    q->is_delegate = !span_eq(q->verdict->mailbox, buf_span(&q->bytes->login));
    if (q->is_delegate)
        q->verdict->delegate = buf_span(&q->bytes->login);
    return true;
}

static bool check_denied(struct question *q)
{
    if (deny_has(&q->policy->deny, buf_span(&q->bytes->login)) ||
        deny_has(&q->policy->deny, buf_span(&q->bytes->mailbox)))
        return end(q, VERDICT_DENIED, "denied");
    return true;
}

static bool find_entry(struct question *q)
{
    const struct map *map = q->policy->map;
    if (map == NULL)
        return end(q, VERDICT_UNAVAILABLE, "no_map");
    if (!map_find(map, q->verdict->mailbox, &q->entry))
        return end(q, VERDICT_REFUSED, "unknown");
    return true;
}

/* Who opens the mailbox of another must be somebody here, and be granted it. */
static bool check_delegate(struct question *q)
{
    if (!q->is_delegate)
        return true;
    if (!map_find(q->policy->map, q->verdict->delegate, &q->delegate))
        return end(q, VERDICT_REFUSED, "unknown");
    if (!switches_grant(&q->entry.switches, q->verdict->delegate))
        return end(q, VERDICT_REFUSED, "delegate");
    return true;
}

static bool check_switches_of(struct question *q, const struct switches *switches)
{
    if (!switches_serve(switches, q->ask->protocol))
        return end(q, VERDICT_REFUSED, "protocol_off");
    if (!switches_allow(switches, &q->ask->client))
        return end(q, VERDICT_REFUSED, "network");
    return true;
}

static bool check_switches(struct question *q)
{
    return check_switches_of(q, &q->entry.switches) && (!q->is_delegate || check_switches_of(q, &q->delegate.switches));
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

static bool expand(struct question *q, const struct map_entry *entry, struct span canonical, struct buf *to)
{
    struct span own = entry->switches.user;
    struct span format = own.at != NULL ? own : span_of(q->site->user_format);
    bool typed_alone = !q->is_delegate && q->ask->name.n > 0;
    return name_expand(format, canonical, typed_alone ? q->ask->name : canonical, to) ||
           end(q, VERDICT_REFUSED, "name");
}

static bool make_store_name(struct question *q)
{
    if (!expand(q, &q->entry, q->verdict->mailbox, &q->bytes->store_name))
        return false;
    q->verdict->store_name = buf_span(&q->bytes->store_name);
    return true;
}

/* A name of the delegate's own at the store counts only at the delegate's own site. */
static bool make_store_login(struct question *q)
{
    struct map_entry here = q->delegate;
    if (!q->is_delegate)
        return true;
    if (!span_eq(q->delegate.site, q->entry.site))
        here.switches.user = SPAN_NONE;
    if (!expand(q, &here, q->verdict->delegate, &q->bytes->store_login))
        return false;
    q->verdict->store_login = buf_span(&q->bytes->store_login);
    return true;
}

static uint32_t sessions_max(const struct policy *policy, enum protocol protocol, const struct map_entry *entry)
{
    int64_t most = policy->config->limits.sessions_per_user[protocol];
    if (entry->switches.sessions > 0)
        return entry->switches.sessions;
    return most <= 0 ? 0 : most < UINT32_MAX ? (uint32_t)most : UINT32_MAX;
}

uint32_t policy_sessions_max(const struct policy *policy, enum protocol protocol, struct span mailbox)
{
    struct map_entry entry;
    if (policy->map == NULL || !map_find(policy->map, mailbox, &entry))
        entry = (struct map_entry){ .key = SPAN_NONE };
    return sessions_max(policy, protocol, &entry);
}

/* Never ends the question: who has not proved to be this user must not learn how busy the user is. */
static bool look_at_user(struct question *q)
{
    enum protocol protocol = q->ask->protocol;
    uint32_t most = sessions_max(q->policy, protocol, &q->entry);
    q->verdict->sessions_max = most;
    q->verdict->user_full = most > 0 && counts_of_user(&q->policy->counts, protocol, q->verdict->mailbox) >= most;
    return true;
}

void verdict_decide(const struct policy *policy, const struct msg_ask *ask, struct verdict_bytes *bytes,
                    struct msg_verdict *verdict)
{
    static bool (*const steps[])(struct question *) = {
        check_address,  check_name, check_denied,    find_entry,       check_delegate,
        check_switches, find_site,  make_store_name, make_store_login, look_at_user,
    };
    struct question q = { .policy = policy, .ask = ask, .bytes = bytes, .verdict = verdict };
    *verdict = (struct msg_verdict){ .status = VERDICT_OK };
    for (size_t i = 0; i < COUNT_OF(steps) && steps[i](&q); i++)
        continue;
    if (verdict->status == VERDICT_OK)
        return;
    verdict->site = verdict->store_name = verdict->store_login = SPAN_NONE;
}
