/* The dry run of a login: the very verdict of the auth process, on a map compiled a moment ago, then the very order of
 * members of the backends process, each said in words. What only a running Homeward knows (counts, health, where a
 * mailbox has sessions) is not in it: see homewardctl route. */
#include "proxy/admin/explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "auth/verdict.h"
#include "backends/members/lineup.h"
#include "proxy/admin/answer.h"
#include "proxy/admin/options.h"
#include "proxy/front/outcome.h"
#include "proxy/net/loop.h"
#include "proxy/supervisor/check.h"
#include "proxy/supervisor/tell.h"

struct explanation {
    const struct admin_options *options;
    const struct config *config;
    struct map map;
    struct policy policy;
    struct msg_ask ask;
    struct inquiry inquiry;
    struct msg_verdict verdict;
    const struct site_config *site; /* NULL: none is reached */
    struct answer answer;
};

static const char *const protocol_titles[PROTOCOLS] = { "IMAP4", "POP3" };
static const char *const tls_words[] = {
    [TLS_MODE_IMPLICIT] = "TLS", [TLS_MODE_STARTTLS] = "STARTTLS", [TLS_MODE_NONE] = "no TLS"
};

/* ---- who asks ---- */

static void tell_name(struct explanation *x)
{
    struct span typed = x->ask.name, mailbox = x->verdict.mailbox;
    answer_text(&x->answer, "typed", "typed", typed);
    if (mailbox.n > 0)
        answer_text(&x->answer, "mailbox", "mailbox", mailbox);
    else if (x->verdict.status != VERDICT_DENIED)
        answer_say(&x->answer, "name_problem", "mailbox", "none: this is not a name that a mailbox can have");
}

static void tell_delegate(struct explanation *x)
{
    if (x->verdict.delegate.n > 0)
        answer_text(&x->answer, "delegate", "signs in as", x->verdict.delegate);
}

static bool lets_in(const struct listener_config *l, const struct addr *client)
{
    return l->networks.n == 0 || client->family == AF_UNSPEC || networks_have(&l->networks, client);
}

static size_t tell_listeners(struct explanation *x, const struct protocol_config *protocol)
{
    size_t open = 0;
    answer_list(&x->answer, "listeners");
    for (size_t i = 0; i < protocol->n_listeners; i++) {
        const struct listener_config *l = &protocol->listeners[i];
        char text[ADDR_TEXT_MAX];
        bool open_here = protocol->on && lets_in(l, &x->ask.client);
        open += open_here;
        answer_item(&x->answer, i == 0 ? "connects to" : NULL, "%s, %s%s", addr_text(&l->address, text),
                    tls_words[l->tls], open_here ? "" : ": closed to this client (networks)");
    }
    answer_list_end(&x->answer);
    return open;
}

/* Returns whether the client can connect at all. */
static bool tell_client(struct explanation *x)
{
    const struct protocol_config *protocol = &x->config->protocols[x->ask.protocol];
    char text[ADDR_TEXT_MAX];
    answer_say(&x->answer, "protocol", "protocol", "%s%s", protocol_titles[x->ask.protocol],
               protocol->on ? "" : ": switched off here, nobody can connect");
    if (x->ask.client.family != AF_UNSPEC)
        answer_say(&x->answer, "from", "from", "%s%s", addr_host_text(&x->ask.client, text),
                   policy_exempts(&x->policy, &x->ask.client) ? ", exempt from limits per address" : "");
    return tell_listeners(x, protocol) > 0;
}

/* ---- the map ---- */

/* The line that says this key: the compiled map has lost its number. 0: not found, it may be spelled in another way. */
static unsigned find_line(const char *path, struct span key, char line[MAP_LINE_MAX + 2])
{
    FILE *file = fopen(path, "re");
    unsigned number = 0, found = 0;
    while (file != NULL && found == 0 && fgets(line, MAP_LINE_MAX + 2, file) != NULL) {
        struct span rest = span_trim(span_of(line)), word;
        number++;
        if (span_word(&rest, &word) && span_eq_nocase(word, key))
            found = number;
    }
    if (file != NULL)
        fclose(file);
    return found;
}

static void tell_generation(struct explanation *x)
{
    struct stat is;
    struct tm utc;
    char when[32] = "unknown";
    if (stat(x->config->directory.path, &is) == 0 && gmtime_r(&is.st_mtime, &utc) != NULL)
        strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &utc);
    answer_number(&x->answer, "map_entries", (int64_t)x->map.stats.entries);
    answer_say(&x->answer, "map_written", "map", "%s, written %s, %llu entries", x->config->directory.path, when,
               (unsigned long long)x->map.stats.entries);
}

static void tell_entry(struct explanation *x)
{
    char line[MAP_LINE_MAX + 2];
    struct map_entry entry;
    if (x->config->directory.driver == DIRECTORY_LDAP) {
        answer_say(&x->answer, "map_written", "directory", "%s; this dry run does not ask it",
                   x->config->directory.ldap.urls.at[0]);
        return;
    }
    tell_generation(x);
    if (x->verdict.mailbox.n == 0 || !map_find(&x->map, x->verdict.mailbox, &entry)) {
        answer_say(&x->answer, "entry_problem", "map entry", "none: no line for this mailbox, its domain, or \"*\"");
        return;
    }
    unsigned number = find_line(x->config->directory.path, entry.key, line);
    answer_text(&x->answer, "entry", "map entry", entry.key);
    if (number == 0)
        return;
    answer_number(&x->answer, "entry_line", number);
    answer_say(&x->answer, "entry_text", NULL, "line %u: %.*s", number, SPAN_ARG(span_trim(span_of(line))));
}

/* ---- the site ---- */

static const char *link_text(const struct site_config *site, char text[512])
{
    const char *name = site->verify_name[0] != '\0' ? site->verify_name : "the host's own";
    const char *how = site->security == SECURITY_STARTTLS ? "STARTTLS" : "TLS";
    switch (site->security) {
    case SECURITY_TLS:
    case SECURITY_STARTTLS:
        if (site->pin_sha256[0] != '\0')
            snprintf(text, 512, "%s, its public key pinned", how);
        else if (!site->verify)
            snprintf(text, 512, "%s, but any certificate is believed: WEAK", how);
        else
            snprintf(text, 512, "%s, certificate verified for the name: %s", how, name);
        return text;
    case SECURITY_LOOPBACK:
        return "clear text, on this machine only";
    case SECURITY_CLEAR:
        snprintf(text, 512, "clear text over a network: WEAK, until %s, because: %s", site->exception.until,
                 site->exception.reason);
        return text;
    case SECURITY_IPSEC:
        snprintf(text, 512, "clear text inside IPsec, which the kernel enforces: ESP, %s, reqid %lld%s%s",
                 site->ipsec.mode == IPSEC_TUNNEL ? "tunnel" : "transport", (long long)site->ipsec.reqid,
                 ipsec_is_weak(&site->ipsec) ? ", perhaps with 3DES: WEAK" : "",
                 site->ipsec.tls == IPSEC_TLS_NEVER ? "" : "; TLS too where the store offers it");
        return text;
    }
    return "unknown";
}

static void tell_members(struct explanation *x)
{
    uint8_t order[BACKENDS_MAX];
    const struct site *site = site_find(span_of(x->site->name));
    bool keeps = x->site->affinity == AFFINITY_MAILBOX;
    size_t n = lineup(site, x->ask.protocol, keeps ? x->verdict.mailbox : SPAN_NONE, order);
    answer_list(&x->answer, "members");
    for (size_t i = 0; i < n; i++) {
        const struct member *m = &site->members[order[i]];
        answer_item(&x->answer, i == 0 ? (keeps ? "members" : "any member") : NULL, "%s port %u%s", m->config->host,
                    m->port[x->ask.protocol], m->config->standby ? ", standby" : "");
    }
    answer_list_end(&x->answer);
    if (n == 0)
        answer_say(&x->answer, "members_problem", "members", "none takes new mailboxes: all have drain = true");
}

static void tell_sign_in(struct explanation *x)
{
    static const char *const how[PROTOCOLS][3] = {
        [IMAP] = {"LOGIN or AUTHENTICATE PLAIN, as the store offers", "LOGIN",         "AUTHENTICATE PLAIN"},
        [POP3] = { "USER and PASS, or AUTH PLAIN",                    "USER and PASS", "AUTH PLAIN"        },
    };
    answer_text(&x->answer, "store_name", "store's name", x->verdict.store_name);
    if (x->site->credentials == CREDENTIALS_MASTER)
        answer_say(&x->answer, "mechanism", "signs in by", "the master password of %s (%s)", x->site->master_user,
                   x->site->master_form == MASTER_STAR ? "user*master" : "SASL PLAIN");
    else
        answer_say(&x->answer, "mechanism", "signs in by", "%s, with what the client gave",
                   how[x->ask.protocol][x->site->mechanism]);
}

static void tell_site(struct explanation *x)
{
    char text[512];
    ptrdiff_t i = config_site(x->config, x->verdict.site);
    if (i < 0)
        return;
    x->site = &x->config->sites[i];
    answer_say(&x->answer, "site", "site", "%s", x->site->name);
    answer_say(&x->answer, "link", "link", "%s", link_text(x->site, text));
    tell_members(x);
    tell_sign_in(x);
}

/* ---- the end ---- */

/* Why, in words; the closed set of auth/verdict.c. A word that is not here is shown as it is. */
static const struct {
    const char *why, *text;
} reasons[] = {
    {"network",              "networks= in the map does not let this mailbox in from there (say from where with --from)"},
    { "name",                "the name cannot be a mailbox, or the store's name cannot be made of it"                   },
    { "unknown",             "the map has no such mailbox"                                                              },
    { "protocol_off",        "this protocol is switched off for the mailbox, or its site does not serve it"             },
    { "no_site",             "the map names a site that the configuration does not have"                                },
    { "no_map",              "there is no map"                                                                          },
    { "delegate",            "one account asks for the mailbox of another"                                              },
    { "denied",              "accounts.deny names this account: it never signs in"                                      },
    { "address_full",        "too many sessions from this address"                                                      },
    { "directory_not_asked", "where this mailbox lives is known to the directory, which this command does not ask"      },
};

static const char *reason_text(struct span why)
{
    for (size_t i = 0; i < COUNT_OF(reasons); i++)
        if (span_eq(why, span_of(reasons[i].why)))
            return reasons[i].text;
    return NULL;
}

static void tell_client_sees(struct explanation *x, bool can_connect)
{
    struct outcome o = { .kind = x->verdict.status == VERDICT_UNAVAILABLE ? OUTCOME_UNAVAILABLE : OUTCOME_REFUSED };
    struct buf words;
    buf_init(&words, 1024);
    if (!can_connect)
        answer_say(&x->answer, "client_sees", "client sees", "no connection");
    else if (span_eq(x->verdict.why, SPAN("directory_not_asked")))
        answer_say(&x->answer, "client_sees", "client sees", "what directory and store say");
    else if (x->verdict.status == VERDICT_OK)
        answer_say(&x->answer, "client_sees", "client sees", "what the %s to the password",
                   x->config->auth.verifiers[0].driver == VERIFIER_SITE ? "store says" : "verifiers say");
    else if (outcome_write(&o, x->ask.protocol, &words))
        answer_text(&x->answer, "client_sees", "client sees", buf_span(&words));
    buf_fini(&words);
}

static bool tell_verdict(struct explanation *x, bool can_connect)
{
    bool good = x->verdict.status == VERDICT_OK && can_connect;
    const char *reason = reason_text(x->verdict.why);
    answer_flag(&x->answer, "ok", good);
    if (x->verdict.status == VERDICT_OK)
        answer_say(&x->answer, "verdict", "verdict", "%s",
                   can_connect ? "goes to the store" : "the client cannot connect");
    else if (reason != NULL)
        answer_say(&x->answer, "verdict", "verdict", "refused: %s (%.*s)", reason, SPAN_ARG(x->verdict.why));
    else
        answer_say(&x->answer, "verdict", "verdict", "refused: %.*s", SPAN_ARG(x->verdict.why));
    tell_client_sees(x, can_connect);
    return good;
}

/* As if the credential had been found right: that is not the question here. */
static void decide(struct explanation *x)
{
    static const struct judgement right = { .is = JUDGED_YES };
    if (inquiry_begin(&x->inquiry, &x->ask))
        inquiry_end(&x->inquiry, &right);
    x->verdict = x->inquiry.verdict;
}

/* The rule; what there was of failures a running Homeward knows (homewardctl route). */
static void tell_guessing(struct explanation *x)
{
    int64_t most = x->config->auth.guesses_per_account;
    if (most == 0)
        answer_say(&x->answer, "guessing", "guessing", "any number of passwords is judged");
    else
        answer_say(&x->answer, "guessing", "guessing",
                   "%lld wrong passwords an hour are judged, of each address from which it has signed in and of all "
                   "others together",
                   (long long)most);
}

static int explain(struct explanation *x)
{
    answer_begin(&x->answer, x->options->json);
    decide(x);
    tell_name(x);
    tell_delegate(x);
    bool can_connect = tell_client(x);
    tell_guessing(x);
    tell_entry(x);
    tell_site(x);
    bool good = tell_verdict(x, can_connect);
    return answer_end(&x->answer) && good ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int explain_with(const struct admin_options *options, const struct check_result *checked)
{
    struct explanation x = { .options = options };
    struct config *config = config_parse(buf_span(&checked->config));
    int status = EXIT_FAILURE;
    x.config = config;
    x.ask.protocol = (uint8_t)options->protocol;
    x.ask.client = options->from;
    x.ask.name = span_of(options->word);
    counts_init(&x.policy.counts);
    inquiry_init(&x.inquiry, &x.policy);
    loop_init(); /* for the clock that members are judged by */
    bool ready = config != NULL && policy_init(&x.policy, config);
    x.policy.map = &x.map;
    if (ready && map_open(&x.map, buf_span(&checked->map)) && sites_open(config)) {
        status = explain(&x);
        sites_close();
    }
    inquiry_fini(&x.inquiry);
    counts_fini(&x.policy.counts);
    policy_fini(&x.policy);
    config_free(&config);
    return status;
}

int explain_run(int argc, char **argv)
{
    struct admin_options options;
    struct check_result checked;
    if (!admin_options_read(&options, argc, argv, "USER [--proto imap|pop3] [--from IP] [--json] [-c FILE]", true))
        return options.status;
    struct check_order order = { .parts = CHECK_CONFIG | CHECK_MAP, .file = options.file };
    bool good = check_run(&order, &checked);
    int status = EXIT_FAILURE;
    if (good)
        status = explain_with(&options, &checked);
    else
        tell_stderr(buf_span(&checked.errors));
    check_fini(&checked);
    return status;
}
