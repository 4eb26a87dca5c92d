/* The table of options: who may sign in, by which name, and where home is. */
#include "config/options_rows.h"

#define NOT_IN_THIS_BUILD(library) "this build has none: " library " was not there when it was made"
#ifdef HOMEWARD_HAS_CRYPT
#define FILE_REFUSED NULL
#else
#define FILE_REFUSED NOT_IN_THIS_BUILD("libcrypt")
#endif
#ifdef HOMEWARD_HAS_CURL
#define HTTP_REFUSED NULL
#else
#define HTTP_REFUSED NOT_IN_THIS_BUILD("libcurl")
#endif
#if defined HOMEWARD_HAS_CURL && defined HOMEWARD_HAS_JANSSON
#define OAUTH_REFUSED NULL
#else
#define OAUTH_REFUSED NOT_IN_THIS_BUILD("libcurl or libjansson")
#endif
#ifdef HOMEWARD_HAS_LDAP
#define LDAP_REFUSED NULL
#else
#define LDAP_REFUSED NOT_IN_THIS_BUILD("libldap")
#endif

/* By hand: clang-format 14 dies of these tables. */
/* clang-format off */
static const struct choice directory_drivers[] = {
    { "file", DIRECTORY_FILE, NULL }, { "ldap", DIRECTORY_LDAP, LDAP_REFUSED }, { 0 }
};
static const struct choice verifier_drivers[] = {
    { "site", VERIFIER_SITE, NULL },
    { "file", VERIFIER_FILE, FILE_REFUSED },
    { "http", VERIFIER_HTTP, HTTP_REFUSED },
    { "oauth", VERIFIER_OAUTH, OAUTH_REFUSED },
    { "ldap", VERIFIER_LDAP, LDAP_REFUSED },
    { 0 }
};
static const struct choice presets[] = {
    { "none", PRESET_NONE, NULL }, { "openldap", PRESET_OPENLDAP, NULL }, { "ad", PRESET_AD, NULL }, { 0 }
};

static const struct option value_rows[] = {
    { "value", KIND_STRING, OPTION_REQUIRED, AUTH, FIELD(struct value_config, value), .rule = &rule_text,
      .help = "What the verifier says; * stands for any text, and letters are the same in any case." },
    { "site", KIND_STRING, OPTION_REQUIRED, AUTH, FIELD(struct value_config, site), .rule = &rule_site_name,
      .help = "The site that it means." },
};
static const struct section value_section = { ROWS(value_rows), .item_bytes = sizeof(struct value_config),
                                              .items_max = 1 };

/* What an LDAP directory is asked, by the verifier and by directory.driver. OF(member): where it is kept. */
#define LDAP_ROWS(OF, FOR) \
    { "preset", KIND_CHOICE, 0, AUTH, OF(preset), .normal = "none", .choices = presets, \
      .help = FOR "usual settings of OpenLDAP or Active Directory for what is left out here." }, \
    { "starttls", KIND_BOOL, 0, AUTH, OF(starttls), .normal = "false", \
      .help = FOR "protect ldap:// by StartTLS. Without it only loopback addresses may be asked by ldap://." }, \
    { "bind_dn", KIND_STRING, 0, AUTH, OF(bind_dn), .rule = &rule_text, \
      .help = FOR "who searches; without one, anybody." }, \
    { "base", KIND_STRING, 0, AUTH, OF(base), .rule = &rule_text, .help = FOR "where accounts are." }, \
    { "filter", KIND_STRING, 0, AUTH, OF(filter), .rule = &rule_text, \
      .help = FOR "what finds one account: %u stands for its canonical name, %n for the local part, %d for the " \
              "domain." }, \
    { "name_attribute", KIND_STRING, 0, AUTH, OF(name_attribute), .rule = &rule_word_or_none, \
      .help = FOR "the account's own name, which is used instead of the one that was asked for; of several values the first." }, \
    { "site_attribute", KIND_STRING, 0, AUTH, OF(site_attribute), .rule = &rule_word_or_none, \
      .help = FOR "where the mailbox lives, as sites below says, or by the name of a site or of a host of one." }, \
    { "user_attribute", KIND_STRING, 0, AUTH, OF(user_attribute), .rule = &rule_word_or_none, \
      .help = FOR "the name at the store." }, \
    { "options_attribute", KIND_STRING, 0, AUTH, OF(options_attribute), .rule = &rule_word_or_none, \
      .help = FOR "options of the account as in the directory map, such as protocols=imap." }

#define VERIFIER(member) FIELD(struct verifier_config, member)
static const struct option verifier_rows[] = {
    { "driver", KIND_CHOICE, 0, FRONT | AUTH, VERIFIER(driver), .normal = "site", .choices = verifier_drivers,
      .help = "site: the home site of the mailbox judges; must be the last. file: a file of hashes (path). http: a web "
              "server, asked as nginx's auth_http asks (urls). oauth: a server that knows tokens, RFC 7662 (urls); "
              "judges XOAUTH2 and OAUTHBEARER and nothing else. ldap: a directory (urls, base, filter)." },
    { "path", KIND_PATH, 0, AUTH, VERIFIER(path), .help = "file: the accounts." },
    { "urls", KIND_STRINGS, 0, AUTH, VERIFIER(urls), .most = 16, .rule = &rule_url,
      .help = "http, oauth, ldap: whom to ask. The first that answers is asked again next time." },
    { "ca_file", KIND_PATH, 0, AUTH, VERIFIER(ca_file), .normally = "that of tls.ca_file",
      .help = "The CAs whose certificates prove it." },
    { "timeout_ms", KIND_INT, 0, AUTH, VERIFIER(timeout_ms), .least = 10, .most = 60000, .normal = "5000",
      .help = "How long one question may take; then it is down." },
    { "threads", KIND_INT, 0, AUTH, VERIFIER(threads), .most = 64,
      .normally = "8; for file, one for each processor", .help = "Questions at the same time." },
    { "secret_file", KIND_PATH, 0, AUTH, VERIFIER(secret_file),
      .help = "The file whose first line is the secret that goes with secret_header, client_id or bind_dn." },
    { "user_format", KIND_STRING, 0, AUTH, VERIFIER(user_format), .normal = "%u", .rule = &rule_user_format,
      .help = "http: the name that is sent." },
    { "secret_header", KIND_STRING, 0, AUTH, VERIFIER(secret_header), .rule = &rule_header_or_none,
      .help = "http: a header in which the secret is sent, as with nginx's auth_http_header." },
    { "client_id", KIND_STRING, 0, AUTH, VERIFIER(client_id), .rule = &rule_text,
      .help = "oauth: who asks, by HTTP Basic authentication." },
    { "name_claim", KIND_STRING, 0, AUTH, VERIFIER(name_claim), .normal = "username", .rule = &rule_word,
      .help = "oauth: the member of the answer that names the account." },
    { "scope", KIND_STRING, 0, AUTH, VERIFIER(scope), .rule = &rule_text,
      .help = "oauth: words that the token's scope must have." },
    { "audience", KIND_STRING, 0, AUTH, VERIFIER(audience), .rule = &rule_text,
      .help = "oauth: what the token must be meant for (aud)." },
    LDAP_ROWS(VERIFIER, "ldap: "),
    { "sites", KIND_LIST, VERIFIER(sites), WITH(struct verifier_config, n_sites), .most = 4096,
      .section = &value_section,
      .help = "http, ldap: what its words for a home (Auth-Server, site_attribute) mean here." },
};
static const struct section verifier_section = { ROWS(verifier_rows),
                                                 .item_bytes = sizeof(struct verifier_config),
                                                 .line_at = offsetof(struct verifier_config, line),
                                                 .file_at = offsetof(struct verifier_config, file),
                                                 .items_max = 1 };

#define DIRECTORY(member) FIELD(struct config, directory.ldap.member)
static const struct option directory_rows[] = {
    { "driver", KIND_CHOICE, 0, AUTH, FIELD(struct config, directory.driver), .normal = "file",
      .choices = directory_drivers,
      .help = "file: a text file (path). ldap: a directory that is asked at each login (urls, base, filter); a verifier "
              "ldap that finds the home with the account asks once for both." },
    { "path", KIND_PATH, 0, AUTH, FIELD(struct config, directory.path),
      .normally = "none; needed by imap and pop3 with driver = \"file\"", .help = "file: the map." },
    { "max_loss_percent", KIND_INT, 0, AUTH, FIELD(struct config, directory.max_loss_percent), .most = 100,
      .normal = "10", .help = "file: a changed map that has lost more of its entries than this is not taken." },
    { "urls", KIND_STRINGS, 0, AUTH, DIRECTORY(urls), .most = 16, .rule = &rule_url, .help = "ldap: whom to ask." },
    { "ca_file", KIND_PATH, 0, AUTH, DIRECTORY(ca_file), .normally = "that of tls.ca_file",
      .help = "ldap: the CAs whose certificates prove it." },
    { "timeout_ms", KIND_INT, 0, AUTH, DIRECTORY(timeout_ms), .least = 10, .most = 60000, .normal = "5000",
      .help = "ldap: how long one step may take; then it is down." },
    { "threads", KIND_INT, 0, AUTH, DIRECTORY(threads), .most = 64, .normally = "8",
      .help = "ldap: questions at the same time." },
    { "secret_file", KIND_PATH, 0, AUTH, DIRECTORY(secret_file),
      .help = "ldap: the file whose first line is the password of bind_dn." },
    LDAP_ROWS(DIRECTORY, "ldap: "),
    { "sites", KIND_LIST, DIRECTORY(sites), WITH(struct config, directory.ldap.n_sites), .most = 4096,
      .section = &value_section, .help = "ldap: what the values of site_attribute mean here." },
};
const struct section directory_section = { ROWS(directory_rows),
                                           .line_at = offsetof(struct config, directory.ldap.line),
                                           .file_at = offsetof(struct config, directory.ldap.file),
                                           .help = "Which mailbox lives at which site." };

static const struct option auth_rows[] = {
    { "verifiers", KIND_LIST, FIELD(struct config, auth.verifiers), WITH(struct config, auth.n_verifiers), .least = 1,
      .most = VERIFIERS_MAX, .normally = "( { driver = \"site\"; } )", .section = &verifier_section, 
      .help = "Who judges passwords and tokens: asked in this order, the first that knows the account decides." },
    { "failure_step_ms", KIND_INT, 0, FRONT, FIELD(struct config, auth.failure_step_ms), .least = 1, .most = 60000,
      .normal = "3000",
      .help = "Refusals are answered at multiples of this time, so that their delay tells nothing." },
    { "free_failures", KIND_INT, 0, AUTH, FIELD(struct config, auth.free_failures), .most = 100, .normal = "3",
      .help = "So many distinct failures of an account cost nothing, and four times as many of an address, which several "
              "people may share: a typing error, the old password. The same wrong password said again counts once." },
    { "delay_points_max", KIND_INT, 0, AUTH, FIELD(struct config, auth.delay_points_max), .most = 100, .normal = "8",
      .help = "From then on a refusal is told later: by 1, 2, 4, 8 times failure_step_ms and so on, and by no more than "
              "this many. 0: never later." },
    { "guesses_per_account", KIND_INT, 0, AUTH, FIELD(struct config, auth.guesses_per_account), .most = 1000,
      .normal = "60",
      .help = "How many distinct passwords for one account are judged in an hour, from addresses from which it has not "
              "signed in before; half of them may come at once. More are refused unseen. An address from which it has "
              "signed in has as many for itself. 0: any number." },
    { "guesses_per_address", KIND_INT, 0, AUTH, FIELD(struct config, auth.guesses_per_address), .most = 1000,
      .normal = "120",
      .help = "The same for one address (IPv6: the first 64 bits), over all accounts that have not signed in from there. "
              "Those in limits.exempt are not counted. 0: any number." },
    { "known_address_days", KIND_INT, 0, AUTH, FIELD(struct config, auth.known_address_days), .most = 3650,
      .normal = "30",
      .help = "For how long an address stays known to an account that has signed in from there. 0: none is known." },
    { "cache_s", KIND_INT, 0, AUTH, FIELD(struct config, auth.cache_s), .most = 86400, .normal = "0",
      .help = "For so long a verifier's yes to a password is good for the same question (account, password, protocol, "
              "mechanism, client's address), also while the verifier is down; a changed password may work as long. A "
              "refusal by a back end ends it. Tokens, and what only the home site can judge, are asked for each time. 0: "
              "every question is asked." },
};
const struct section auth_section = { ROWS(auth_rows), .help = "Who may sign in." };

static const struct option domain_rows[] = {
    { "name", KIND_STRING, OPTION_REQUIRED, AUTH, FIELD(struct domain_config, name), .rule = &rule_domain,
      .help = "The other name, as clients type it." },
    { "is", KIND_STRING, OPTION_REQUIRED, AUTH, FIELD(struct domain_config, is), .rule = &rule_domain,
      .help = "The domain that it means." },
};
static const struct section domain_section = { ROWS(domain_rows),
                                               .item_bytes = sizeof(struct domain_config),
                                               .line_at = offsetof(struct domain_config, line),
                                               .file_at = offsetof(struct domain_config, file),
                                               .items_max = 1 };

static const struct option accounts_rows[] = {
    { "default_domain", KIND_STRING, 0, AUTH, FIELD(struct config, accounts.default_domain), .rule = &rule_domain_or_none,
      .help = "The domain of a name that is typed without one." },
    { "domains", KIND_LIST, FIELD(struct config, accounts.domains), WITH(struct config, accounts.n_domains), .most = 4096,
      .section = &domain_section,
      .help = "Other names of domains: the short ones of Windows, as in CORP\\anna and CORP/anna, and aliases." },
    { "deny", KIND_STRINGS, 0, AUTH, FIELD(struct config, accounts.deny), .most = 4096, .rule = &rule_account_pattern,
      .normal = "anonymous guest administrator", .normally = "( \"anonymous\", \"guest\", \"administrator\" )",
      .help = "Accounts that never sign in by IMAP4 or POP3, neither as themselves nor as the mailbox that a delegate "
              "opens, even with the right password; the answer is that of a wrong one. A name without a domain means "
              "that name in every domain, also with a detail behind \"+\". * stands for any text, ? for one character. "
              "A list here replaces the default one." },
};
const struct section accounts_section = { ROWS(accounts_rows), .line_at = offsetof(struct config, accounts.line),
                                                 .file_at = offsetof(struct config, accounts.file),
                                                 .help = "Names of accounts, and which of them are for nobody." };
