/* The table of options: every fact about an option stands in its row and nowhere else. The order of the rows is the
 * order of the manual, and a row whose default comes from another one stands below it. */
#include "config/options_rows.h"

/* By hand: clang-format 14 dies of these tables. */
/* clang-format off */
static const struct choice log_formats[] = { { "logfmt", LOG_LOGFMT, NULL }, { "json", LOG_JSON, NULL }, { 0 } };
static const struct choice log_levels[] = {
    { "error", LOG_ERROR, NULL }, { "warning", LOG_WARNING, NULL }, { "info", LOG_INFO, NULL },
    { "debug", LOG_DEBUG, NULL }, { 0 }
};
static const struct choice tls_modes[] = {
    { "implicit", TLS_MODE_IMPLICIT, NULL }, { "starttls", TLS_MODE_STARTTLS, NULL }, { "none", TLS_MODE_NONE, NULL },
    { 0 }
};
static const struct choice tls_versions[] = {
    { "1.0", TLS_VERSION_1_0, NULL }, { "1.1", TLS_VERSION_1_1, NULL }, { "1.2", TLS_VERSION_1_2, NULL },
    { "1.3", TLS_VERSION_1_3, NULL }, { 0 }
};
static const struct choice sandboxes[] = {
    { "auto", SANDBOX_MODE_AUTO, NULL }, { "required", SANDBOX_MODE_REQUIRED, NULL }, { "off", SANDBOX_MODE_OFF, NULL },
    { 0 }
};
#define NOT_FOR_ALL "only a listener, a protocol or a site may go below \"1.2\", with its reason and until"
static const struct choice tls_versions_for_all[] = {
    { "1.0", TLS_VERSION_1_0, NOT_FOR_ALL }, { "1.1", TLS_VERSION_1_1, NOT_FOR_ALL }, { "1.2", TLS_VERSION_1_2, NULL },
    { "1.3", TLS_VERSION_1_3, NULL }, { 0 }
};
static const struct choice securities[] = {
    { "tls", SECURITY_TLS, NULL },
    { "starttls", SECURITY_STARTTLS, NULL },
    { "loopback", SECURITY_LOOPBACK, NULL },
    { "clear", SECURITY_CLEAR, NULL },
    { "ipsec", SECURITY_IPSEC, NULL },
    { 0 }
};
static const struct choice ipsec_modes[] = {
    { "transport", IPSEC_TRANSPORT, NULL }, { "tunnel", IPSEC_TUNNEL, NULL }, { 0 }
};
static const struct choice ipsec_tls[] = {
    { "if_offered", IPSEC_TLS_IF_OFFERED, NULL }, { "never", IPSEC_TLS_NEVER, NULL }, { 0 }
};
static const struct choice verifications[] = { { "full", true, NULL }, { "none", false, NULL }, { 0 } };
static const struct choice mechanisms[] = {
    { "auto", MECHANISM_AUTO, NULL }, { "login", MECHANISM_LOGIN, NULL }, { "plain", MECHANISM_PLAIN, NULL }, { 0 }
};
static const struct choice client_infos[] = {
    { "auto", CLIENT_INFO_AUTO, NULL }, { "off", CLIENT_INFO_OFF, NULL }, { "proxy2", CLIENT_INFO_PROXY2, NULL }, { 0 }
};
static const struct choice affinities[] = {
    { "mailbox", AFFINITY_MAILBOX, NULL }, { "none", AFFINITY_NONE, NULL }, { 0 }
};
static const struct choice credentials[] = {
    { "client", CREDENTIALS_CLIENT, NULL }, { "master", CREDENTIALS_MASTER, NULL }, { 0 }
};
static const struct choice master_forms[] = {
    { "authzid", MASTER_AUTHZID, NULL }, { "user*master", MASTER_STAR, NULL }, { 0 }
};

/* --- run, log, tls --- */

static const struct option run_rows[] = {
    { "workers", KIND_INT, 0, MAIN, FIELD(struct config, run.workers), .most = 256, .normal = "0",
      .help = "How many front processes serve clients. 0: one for each processor that is online." },
    { "user", KIND_STRING, 0, MAIN, FIELD(struct config, run.user), .normal = "homeward", .rule = &rule_user,
      .help = "The user that the processes become when Homeward is started by root. Started by anybody else, it stays "
              "who it is." },
    { "runtime_dir", KIND_PATH, 0, MAIN, FIELD(struct config, run.runtime_dir), .most = 99, .normal = "/run/homeward",
      .help = "Folder of the control socket, which is called control." },
    { "operators", KIND_STRING, 0, MAIN, FIELD(struct config, run.operators), .rule = &rule_text,
      .help = "A group whose members may give all orders of homewardctl(1). root and run.user always may." },
    { "readers", KIND_STRING, 0, MAIN, FIELD(struct config, run.readers), .rule = &rule_text,
      .help = "A group whose members may look with homewardctl(1), but change nothing." },
    { "drain_timeout_s", KIND_INT, 0, MAIN, FIELD(struct config, run.drain_timeout_s), .most = 7 * 86400,
      .normal = "60", .help = "How long sessions may go on after the order to stop, before they are ended." },
    { "drain_spread_s", KIND_INT, 0, MAIN, FIELD(struct config, run.drain_spread_s), .most = 86400, .normal = "30",
      .help = "When sessions must be ended, they are ended over this time and not all at once, so that their clients "
              "do not all come back in one second." },
    { "generations_max", KIND_INT, 0, MAIN, FIELD(struct config, run.generations_max), .least = 1, .most = 16,
      .normal = "3", .help = "How many generations of front processes may be alive after reloads. With one more, the "
                             "oldest ends its sessions." },
    { "sandbox", KIND_CHOICE, 0, FRONT | AUTH | BACKENDS, FIELD(struct config, run.sandbox), .normal = "auto",
      .choices = sandboxes,
      .help = "Fences that the kernel keeps around the processes that meet the network: a list of system calls "
              "(seccomp), and no files and ports but the needed ones (Landlock). auto: as far as this kernel has them; "
              "what it lacks is said at the start and by -t. required: not without both. off: for machines whose "
              "libraries do what Homeward does not expect, which the log then shows as role_died, \"the sandbox stopped "
              "it\"." },
};
static const struct section run_section = { ROWS(run_rows), .help = "The processes." };

static const struct option log_rows[] = {
    { "to", KIND_LOG_TO, 0, MAIN, FIELD(struct config, log.to), WITH(struct config, log.file), .normal = "stderr",
      .help = "Where the log goes." },
    { "format", KIND_CHOICE, 0, EVERYBODY, FIELD(struct config, log.format), .normal = "logfmt", .choices = log_formats,
      .help = "Lines of key=value, or of JSON with the same names." },
    { "level", KIND_CHOICE, 0, EVERYBODY, FIELD(struct config, log.level), .normal = "info", .choices = log_levels,
      .help = "The least important events that are logged." },
};
static const struct section log_section = { ROWS(log_rows), .help = "One line for each event." };

static const struct option certificate_rows[] = {
    { "chain", KIND_PATH, OPTION_REQUIRED, FRONT, FIELD(struct certificate_config, chain),
      .help = "PEM file with the certificate, then the intermediate ones." },
    { "key", KIND_PATH, OPTION_REQUIRED, FRONT, FIELD(struct certificate_config, key),
      .help = "PEM file with its private key, readable by the user who starts Homeward and by nobody else." },
};
static const struct section certificate_section = { ROWS(certificate_rows),
                                                    .item_bytes = sizeof(struct certificate_config), .items_max = 1 };

static const struct option tls_rows[] = {
    { "certificates", KIND_LIST, FIELD(struct config, tls.certificates), WITH(struct config, tls.n_certificates),
      .most = 256, .section = &certificate_section,
      .help = "The names inside decide which one a client gets; the first is for clients that ask for no or for an "
              "unknown name. An RSA and an ECDSA certificate for one name are both used." },
    { "min_version", KIND_CHOICE, 0, FRONT, FIELD(struct config, tls.min_version), .normal = "1.2",
      .choices = tls_versions_for_all, .help = "The oldest version of TLS that clients may use." },
    { "early_greeting", KIND_BOOL, 0, FRONT, FIELD(struct config, tls.early_greeting), .normal = "true",
      .help = "Send the greeting together with the server's first TLS 1.3 messages, which saves a round trip." },
    { "ca_file", KIND_PATH, 0, FRONT | AUTH | BACKENDS, FIELD(struct config, tls.ca_file),
      .normal = "/etc/ssl/certs/ca-certificates.crt",
      .help = "The CAs whose certificates prove a site, where the site names none of its own." },
    { "ticket_key_s", KIND_INT, 0, FRONT, FIELD(struct config, tls.ticket_key_s), .least = 1, .most = 7 * 86400,
      .normal = "43200", .help = "How long one key encrypts session tickets before the next one takes over." },
};
static const struct section tls_section = { ROWS(tls_rows), .help = "TLS towards clients, and trust towards sites." };

/* --- imap, pop3 and their listeners --- */

/* Options that stand in a listener, or in the protocol's group for all of its listeners. */
#define SHARED_ROWS(type, prefix, flag, ...)                                                                           \
    { "clear_login", KIND_BOOL, flag, FRONT, FIELD(type, prefix clear_login), .normal = "false",                       \
      .help = "Allow passwords in clear text before TLS. WEAK." },                                                     \
    { "tls_min_version", KIND_CHOICE, flag, FRONT, FIELD(type, prefix tls_min_version),                                \
      .normally = "that of tls.min_version", .choices = tls_versions, __VA_ARGS__                                      \
      .help = "The oldest version of TLS here. Below \"1.2\" it is WEAK and needs reason and until." },                \
    { "tls_ciphers", KIND_STRING, flag, FRONT, FIELD(type, prefix tls_ciphers), .rule = &rule_ciphers,                 \
      .normally = "ECDHE with AEAD only",                                                                              \
      .help = "Ciphers for TLS 1.2 and older, as OpenSSL writes them. WEAK; needs reason and until." },                \
    { "reason", KIND_STRING, flag, MAIN, FIELD(type, prefix exception.reason), .rule = &rule_text,                     \
      .help = "Why weaker TLS must be offered." },                                                                     \
    { "until", KIND_DATE, flag, MAIN, FIELD(type, prefix exception.until), WITH(type, prefix exception.until_s),       \
      .help = "The last day on which weaker TLS may be offered." },                                                    \
    { "networks", KIND_NETWORKS, flag, FRONT, FIELD(type, prefix networks), .normally = "everybody",                   \
      .help = "Who may connect at all; behind a load balancer, the client that it names." },                                                                             \
    { "proxy_protocol_from", KIND_NETWORKS, flag, FRONT, FIELD(type, prefix proxy_protocol_from),                      \
      .normally = "nobody, and no header is looked for",                                                               \
      .help = "Load balancers in front of this listener. When any are named, each connection must begin with a PROXY " \
              "header, and only these may open one." },                                                                \
    { "trusted_proxies", KIND_NETWORKS, flag, FRONT, FIELD(type, prefix trusted_proxies), .normally = "nobody",        \
      .help = "Other front ends whose word about the real client (ID, XCLIENT) is believed." }

#define INHERITED_VERSION .from_config = true, .from = offsetof(struct config, tls.min_version),

static const struct option listener_rows[] = {
    { "address", KIND_ADDRESS, 0, MAIN | FRONT | BACKENDS, FIELD(struct listener_config, address),
      WITH(struct listener_config, any), .normal = "*",
      .help = "An address of this machine; \"*\" is all of them, IPv4 and, where the machine has it, IPv6." },
    { "port", KIND_INT, 0, MAIN | FRONT | BACKENDS, FIELD(struct listener_config, address.port), .least = 1,
      .most = 65535, .normally = "993 or 995 with \"implicit\" TLS, else 143 or 110", .help = "The TCP port." },
    { "tls", KIND_CHOICE, 0, FRONT, FIELD(struct listener_config, tls), .normal = "implicit", .choices = tls_modes,
      .help = "TLS from the first byte, after STARTTLS or STLS, or not at all, which needs clear_login." },
    SHARED_ROWS(struct listener_config, , OPTION_KEPT, ),
};

/* "*" is two listeners, so that each socket has one family. */
static size_t listener_spread(void *item)
{
    struct listener_config *l = item;
    if (!l->any)
        return 1;
    l[1] = l[0];
    l[1].address.family = AF_INET6;
    return 2;
}

static bool listener_is_spread(const void *item)
{
    const struct listener_config *l = item;
    return l->any && l->address.family == AF_INET6;
}

static const struct section listener_section = { ROWS(listener_rows),
                                                 .item_bytes = sizeof(struct listener_config),
                                                 .line_at = offsetof(struct listener_config, line),
                                                 .file_at = offsetof(struct listener_config, file),
                                                 .items_max = 2,
                                                 .spread = listener_spread,
                                                 .is_spread = listener_is_spread };

#define PROTOCOL_ROWS                                                                                                  \
    SHARED_ROWS(struct protocol_config, common., OPTION_SHARED, INHERITED_VERSION),                                    \
    { "listen", KIND_LIST, OPTION_REQUIRED, FIELD(struct protocol_config, listeners),                                  \
      WITH(struct protocol_config, n_listeners), .least = 1, .most = 64, .section = &listener_section,                 \
      .starts = true, .start = offsetof(struct protocol_config, common), .help = "Where clients connect." }

static const struct option imap_rows[] = {
    { "idle_timeout_s", KIND_INT, 0, FRONT, FIELD(struct protocol_config, idle_timeout_s), .least = 1,
      .most = 7 * 86400, .normal = "1860",
      .help = "How long a session may stay silent after login. RFC 9051 wants 1800 at least." },
    { "capability", KIND_STRING, 0, FRONT, FIELD(struct protocol_config, capability),
      .rule = &rule_capability_changes,
      .help = "Changes to the list of capabilities that is shown before login, such as \"+QUOTA -IDLE\"." },
    PROTOCOL_ROWS,
};
static const struct section imap_section = {
    ROWS(imap_rows), .help = "IMAP4 for clients. Without this group, or with imap = \"off\", there is none."
};

static const struct option pop3_rows[] = {
    { "idle_timeout_s", KIND_INT, 0, FRONT, FIELD(struct protocol_config, idle_timeout_s), .least = 1,
      .most = 7 * 86400, .normal = "660",
      .help = "How long a session may stay silent after login. RFC 1939 wants 600 at least." },
    PROTOCOL_ROWS,
};
static const struct section pop3_section = {
    ROWS(pop3_rows), .help = "POP3 for clients. Without this group, or with pop3 = \"off\", there is none."
};

/* --- sites --- */

static const struct option backend_rows[] = {
    { "host", KIND_HOST, OPTION_REQUIRED, BACKENDS, FIELD(struct backend_config, host),
      WITH(struct backend_config, literal), .rule = &rule_host,
      .help = "Name or IP address. Its certificate must be for this name, unless verify_name says another." },
    { "weight", KIND_INT, 0, BACKENDS, FIELD(struct backend_config, weight), .least = 1, .most = 100, .normal = "1",
      .help = "Its share of the mailboxes, compared with the site's other back ends." },
    { "standby", KIND_BOOL, 0, BACKENDS, FIELD(struct backend_config, standby), .normal = "false",
      .help = "Use it only when no other back end of the site can serve." },
    { "drain", KIND_BOOL, 0, BACKENDS, FIELD(struct backend_config, drain), .normal = "false",
      .help = "Give it no new mailboxes; those with a session there stay until the last one ends." },
    { "imap_port", KIND_INT, 0, BACKENDS, FIELD(struct backend_config, imap_port), .most = 65535, .normal = "0",
      .help = "Its own IMAP port. 0: the site's." },
    { "pop3_port", KIND_INT, 0, BACKENDS, FIELD(struct backend_config, pop3_port), .most = 65535, .normal = "0",
      .help = "Its own POP3 port. 0: the site's." },
};
static const struct section backend_section = { ROWS(backend_rows), .item_bytes = sizeof(struct backend_config),
                                                .items_max = 1 };

/* Based at one element of the site's ports. */
static const struct option service_rows[] = {
    { "port", KIND_INT, 0, BACKENDS, .at = 0, .bytes = sizeof(uint16_t), .least = 1, .most = 65535,
      .normally = "993 (IMAP4) and 995 (POP3) with \"tls\", else 143 and 110", .help = "The port of its back ends." },
};
static const struct section service_section = { ROWS(service_rows) };

static const struct option ipsec_rows[] = {
    { "reqid", KIND_INT, 0, FRONT | BACKENDS, FIELD(struct ipsec_config, reqid), .most = UINT32_MAX, .normal = "0",
      .help = "The number that the IKE daemon or the admin gives the associations with these back ends; matched exactly, "
              "so it must be pinned there. Must be given for security = \"ipsec\", from 1 on." },
    { "mode", KIND_CHOICE, 0, FRONT | BACKENDS, FIELD(struct ipsec_config, mode), .normal = "transport",
      .choices = ipsec_modes,
      .help = "The mode of the associations. A tunnel must end at the back end itself." },
    { "algorithms", KIND_STRINGS, 0, FRONT | BACKENDS, FIELD(struct ipsec_config, algorithms), .most = IPSEC_ALGORITHMS,
      .rule = &rule_ipsec_algorithm, .normally = "( \"aes-gcm\", \"aes-cbc-sha2\" )",
      .help = "What the associations may encrypt and authenticate with. One that does anything else is not trusted with "
              "a password and ends the site's sessions. \"3des-sha1\", all that Windows 2003 can do, is WEAK." },
    { "tls", KIND_CHOICE, 0, FRONT, FIELD(struct ipsec_config, tls), .normal = "if_offered", .choices = ipsec_tls,
      .help = "Use STARTTLS or STLS inside ESP where the store offers it, with any certificate, since ESP already proves "
              "the machine; or never ask." },
};
static const struct section ipsec_section = { ROWS(ipsec_rows) };

static const struct option site_rows[] = {
    { "name", KIND_STRING, OPTION_REQUIRED, FRONT | AUTH | BACKENDS, FIELD(struct site_config, name),
      .rule = &rule_site_name, .help = "What the directory map and the log call it." },
    { "backends", KIND_LIST, OPTION_REQUIRED, FIELD(struct site_config, backends),
      WITH(struct site_config, n_backends), .least = 1, .most = BACKENDS_MAX, .section = &backend_section,
      .help = "The machines that serve it." },
    { "security", KIND_CHOICE, 0, FRONT | BACKENDS, FIELD(struct site_config, security), .normal = "tls",
      .choices = securities,
      .help = "How its back ends are reached: TLS at once; TLS after STARTTLS or STLS, and never without; in clear text "
              "on this machine (\"loopback\": only hosts inside 127.0.0.0/8, ::1 or localhost); in clear text inside "
              "IPsec that this machine's kernel enforces on each connection (\"ipsec\", see homeward-ipsec(7)); or in "
              "clear text over a network (\"clear\": WEAK, needs networks, reason and until). Nothing else can change "
              "it." },
    { "ipsec", KIND_GROUP, .at = offsetof(struct site_config, ipsec), .section = &ipsec_section,
      .help = "For security = \"ipsec\": the associations that may carry its connections." },
    { "imap", KIND_SWITCH, .at = offsetof(struct site_config, port[IMAP]), WITH(struct site_config, serves[IMAP]),
      .roles = FRONT | AUTH | BACKENDS, .normal = "on", .section = &service_section,
      .help = "Its IMAP4 service, or \"off\" where it has none." },
    { "pop3", KIND_SWITCH, .at = offsetof(struct site_config, port[POP3]), WITH(struct site_config, serves[POP3]),
      .roles = FRONT | AUTH | BACKENDS, .normal = "on", .section = &service_section,
      .help = "Its POP3 service, or \"off\" where it has none." },
    { "networks", KIND_NETWORKS, 0, BACKENDS, FIELD(struct site_config, networks), .normally = "any",
      .help = "The addresses that its back ends may have, whatever DNS says; another one is never connected to." },
    { "ca_file", KIND_PATH, 0, FRONT | BACKENDS, FIELD(struct site_config, ca_file), .normally = "that of tls.ca_file",
      .help = "The CAs whose certificates prove its back ends." },
    { "verify_name", KIND_STRING, 0, FRONT | BACKENDS, FIELD(struct site_config, verify_name), .rule = &rule_host_or_none,
      .normally = "the host of the back end", .help = "The name that must stand in their certificates." },
    { "pin_sha256", KIND_STRING, 0, FRONT | BACKENDS, FIELD(struct site_config, pin_sha256), .rule = &rule_pin,
      .help = "The SHA-256 of their public key (SubjectPublicKeyInfo), instead of CA and name." },
    { "verify", KIND_CHOICE, 0, FRONT | BACKENDS, FIELD(struct site_config, verify), .normal = "full", .choices = verifications,
      .help = "\"none\" believes any certificate. WEAK: whoever can redirect a connection reads the passwords." },
    { "tls_min_version", KIND_CHOICE, 0, FRONT | BACKENDS, FIELD(struct site_config, tls_min_version), .normal = "1.2",
      .choices = tls_versions,
      .help = "The oldest version of TLS towards it. Below \"1.2\" it is WEAK and needs reason and until." },
    { "tls_ciphers", KIND_STRING, 0, FRONT | BACKENDS, FIELD(struct site_config, tls_ciphers), .rule = &rule_ciphers,
      .normally = "OpenSSL's own",
      .help = "Ciphers for TLS 1.2 and older, as OpenSSL writes them. WEAK; needs reason and until." },
    { "reason", KIND_STRING, 0, MAIN, FIELD(struct site_config, exception.reason), .rule = &rule_text,
      .help = "Why the site must be reached in a weak way." },
    { "until", KIND_DATE, 0, MAIN | BACKENDS, FIELD(struct site_config, exception.until),
      WITH(struct site_config, exception.until_s),
      .help = "The last day on which it may be. Later the configuration fails its check." },
    { "enforce_until", KIND_BOOL, 0, MAIN | BACKENDS, FIELD(struct site_config, enforce_until), .normal = "false",
      .help = "After that day also stop connecting to the site. Otherwise a service that is running goes on." },
    { "user_format", KIND_STRING, 0, AUTH, FIELD(struct site_config, user_format), .normal = "%u",
      .rule = &rule_user_format,
      .help = "The name that the store gets: %u the canonical name, %n its local part, %d its domain, %t as typed, %% a "
              "percent sign. user= in the directory map goes before it." },
    { "credentials", KIND_CHOICE, 0, FRONT | AUTH, FIELD(struct site_config, credentials), .normal = "client",
      .choices = credentials,
      .help = "Homeward signs in at the store with what the client gave; or with a master password that opens every "
              "mailbox there, which needs a verifier that judges the client." },
    { "master_user", KIND_STRING, 0, FRONT, FIELD(struct site_config, master_user), .rule = &rule_login_or_none,
      .help = "With credentials = \"master\": whose password that is." },
    { "master_password_file", KIND_PATH, 0, FRONT, FIELD(struct site_config, master_password_file),
      .help = "The file whose first line is the master password." },
    { "master_form", KIND_CHOICE, 0, FRONT, FIELD(struct site_config, master_form), .normal = "authzid",
      .choices = master_forms,
      .help = "How the store is told whose mailbox is meant: by the authorization identity of SASL PLAIN, or by a "
              "user name of both, such as anna@example.com*homeward." },
    { "mechanism", KIND_CHOICE, 0, FRONT | BACKENDS, FIELD(struct site_config, mechanism), .normal = "auto",
      .choices = mechanisms,
      .help = "How a password is handed over: LOGIN or USER and PASS, SASL PLAIN, or what the store offers." },
    { "bearer", KIND_STRINGS, 0, FRONT, FIELD(struct site_config, bearer), .most = 2, .rule = &rule_bearer,
      .help = "The token mechanisms that its stores take." },
    { "client_info", KIND_CHOICE, 0, FRONT | BACKENDS, FIELD(struct site_config, client_info), .normal = "auto",
      .choices = client_infos,
      .help = "How the store learns the client's address: ID or XCLIENT where it offers them on a protected link, "
              "not at all, or a PROXY v2 header, which every back end of the site must then expect." },
    { "check_user", KIND_STRING, 0, BACKENDS, FIELD(struct site_config, check_user), .rule = &rule_login_or_none,
      .help = "A mailbox of no importance at its stores, by its name there: checks of its back ends sign in with it, "
              "and so does \"homeward probe\". Without it a check ends at the greeting." },
    { "check_password_file", KIND_PATH, 0, BACKENDS, FIELD(struct site_config, check_password_file),
      .help = "The file whose first line is its password." },
    { "affinity", KIND_CHOICE, 0, BACKENDS, FIELD(struct site_config, affinity), .normal = "mailbox",
      .choices = affinities, .help = "Whether a mailbox keeps to one back end, or each session goes to any." },
    { "spare", KIND_INT, 0, FRONT | BACKENDS, FIELD(struct site_config, spare), .most = 64, .normal = "0",
      .help = "How many connections each front process keeps ready for each of its back ends and each protocol: connected, "
              "TLS done, greeting read, nobody signed in. A login that finds one costs a far site one round trip. Each "
              "serves one login and is replaced; standby and drained back ends get none. Not with \"ipsec\", nor with "
              "client_info = \"proxy2\", which says at once whose a connection is." },
    { "spare_age_s", KIND_INT, 0, FRONT | BACKENDS, FIELD(struct site_config, spare_age_s), .least = 2, .most = 1500,
      .normal = "45",
      .help = "How long one of these stands at most before a new one takes its place: well below the time that the stores "
              "give a client for its login. A store that ends them earlier is learned from." },
    { "capabilities", KIND_STRING, 0, FRONT, FIELD(struct site_config, capabilities), .rule = &rule_capabilities,
      .help = "What its stores can do after an IMAP4 login. What every site can do is shown to clients before it." },
    { "pop3_capabilities", KIND_STRING, 0, FRONT, FIELD(struct site_config, pop3_capabilities),
      .normally = "\"UIDL TOP PIPELINING\"; none with \"ipsec\"", .rule = &rule_capabilities,
      .help = "The same for POP3." },
    { "temporary_texts", KIND_STRINGS, 0, FRONT | BACKENDS, FIELD(struct site_config, temporary_texts), .most = 64,
      .rule = &rule_phrase,
      .help = "Phrases in a refused login by which its stores announce trouble of their own and not a wrong password." },
};
static const struct section site_section = { ROWS(site_rows),
                                             .item_bytes = sizeof(struct site_config),
                                             .line_at = offsetof(struct site_config, line),
                                             .file_at = offsetof(struct site_config, file),
                                             .items_max = 1 };

/* --- limits, dns --- */

#define LIMIT(member) FIELD(struct config, limits.member)
static const struct option limits_rows[] = {
    { "imap_sessions_per_user", KIND_INT, 0, AUTH, LIMIT(sessions_per_user[IMAP]), .least = 1, .most = 1000000,
      .normal = "50", .help = "IMAP4 sessions of one mailbox." },
    { "pop3_sessions_per_user", KIND_INT, 0, AUTH, LIMIT(sessions_per_user[POP3]), .least = 1, .most = 1000000,
      .normal = "8", .help = "POP3 sessions of one mailbox." },
    { "sessions_per_address", KIND_INT, 0, AUTH, LIMIT(sessions_per_address), .least = 1, .most = 1000000,
      .normal = "500", .help = "Sessions from one IPv4 address or one IPv6 /64." },
    { "sessions", KIND_INT, 0, FRONT, LIMIT(sessions), .most = 10000000, .normal = "0",
      .help = "Sessions in all. 0: what the limit of open files allows." },
    { "connections_per_address", KIND_INT, 0, FRONT, LIMIT(connections_per_address), .least = 1, .most = 1000000,
      .normal = "100",
      .help = "Connections before login from one IPv4 address or one IPv6 /64, counted by each front process." },
    { "login_timeout_s", KIND_INT, 0, FRONT, LIMIT(login_timeout_s), .least = 1, .most = 3600, .normal = "60",
      .help = "How long a client may take from its connection to its login." },
    { "sasl_bytes", KIND_INT, 0, FRONT, LIMIT(sasl_bytes), .least = 1024, .most = 65536, .normal = "65536",
      .help = "The longest AUTHENTICATE or AUTH line and SASL answer." },
    { "errors", KIND_INT, 0, FRONT, LIMIT(errors), .least = 1, .most = 1000, .normal = "10",
      .help = "Commands of one connection before login that make no sense, until it is closed." },
    { "failed_logins", KIND_INT, 0, FRONT, LIMIT(failed_logins), .least = 1, .most = 1000, .normal = "10",
      .help = "Refused logins of one connection, until it is closed." },
    { "connect_timeout_ms", KIND_INT, 0, BACKENDS, LIMIT(connect_timeout_ms), .least = 10, .most = 60000,
      .normal = "3000", .help = "How long a back end may take to accept a connection." },
    { "greeting_timeout_ms", KIND_INT, 0, FRONT, LIMIT(greeting_timeout_ms), .least = 10, .most = 60000,
      .normal = "5000", .help = "How long it may then take for TLS and its greeting." },
    { "site_login_timeout_s", KIND_INT, 0, FRONT | BACKENDS, LIMIT(site_login_timeout_s), .least = 1, .most = 600,
      .normal = "30", .help = "How long a login may take at the site, all back ends that are tried together." },
    { "site_silent_timeout_s", KIND_INT, 0, FRONT, LIMIT(site_silent_timeout_s), .least = 1, .most = 86400,
      .normal = "900", .help = "How long a store may leave a command without a word, until its session is ended." },
    { "check_interval_s", KIND_INT, 0, BACKENDS, LIMIT(check_interval_s), .most = 3600, .normal = "10",
      .help = "How often each back end is looked at: connect, TLS where that comes first, greeting. 0: never; then "
              "a login finds out that one is dead, and another that it is back." },
    { "recovery_logins", KIND_INT, 0, BACKENDS, LIMIT(recovery_logins), .most = 100000, .normal = "50",
      .help = "How many logins a second a site is given in the half minute after it has lost a back end, so that those "
              "who come back all at once do not take the others down too. 0: no limit." },
    { "held_bytes", KIND_INT, 0, FRONT, LIMIT(held_bytes), .least = 4096, .most = 16777216, .normal = "262144",
      .help = "What one direction of a session may hold for a receiver that is slow." },
    { "exempt", KIND_NETWORKS, 0, FRONT | AUTH, LIMIT(exempt), .normally = "nobody",
      .help = "Peers that no limit per address counts, such as a web mailer." },
};
static const struct section limits_section = { ROWS(limits_rows), .help = "What one client, and all, may take." };

static const struct option dns_rows[] = {
    { "servers", KIND_STRINGS, 0, BACKENDS, FIELD(struct config, dns.servers), .most = 8, .rule = &rule_dns_server,
      .normally = "the system's", .help = "Servers to ask for the addresses of back ends." },
};
static const struct section dns_section = { ROWS(dns_rows), .help = "Names of back ends." };

static const struct option config_rows[] = {
    { "run", KIND_GROUP, .section = &run_section },
    { "log", KIND_GROUP, .section = &log_section },
    { "tls", KIND_GROUP, .section = &tls_section },
    { "imap", KIND_SWITCH, .at = offsetof(struct config, protocols[IMAP]), WITH(struct config, protocols[IMAP].on),
      .normal = "off", .section = &imap_section },
    { "pop3", KIND_SWITCH, .at = offsetof(struct config, protocols[POP3]), WITH(struct config, protocols[POP3].on),
      .normal = "off", .section = &pop3_section },
    { "sites", KIND_LIST, FIELD(struct config, sites), WITH(struct config, n_sites), .most = SITES_MAX,
      .section = &site_section, .help = "The places where mailboxes live." },
    { "directory", KIND_GROUP, .section = &directory_section },
    { "auth", KIND_GROUP, .section = &auth_section },
    { "accounts", KIND_GROUP, .section = &accounts_section },
    { "limits", KIND_GROUP, .section = &limits_section },
    { "dns", KIND_GROUP, .section = &dns_section },
    { "settings", KIND_GROUP, .section = &settings_section },
};
const struct section config_section = { ROWS(config_rows) };
