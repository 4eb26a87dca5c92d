/* The table of options: what users look up to set their mail programs up. */
#include "config/options_rows.h"

/* By hand: clang-format 14 dies of these tables. */
/* clang-format off */
static const struct choice server_protocols[] = {
    { "imap", SERVER_IMAP, NULL }, { "pop3", SERVER_POP3, NULL }, { "smtp", SERVER_SMTP, NULL }, { 0 }
};
static const struct choice protections[] = {
    { "implicit", TLS_MODE_IMPLICIT, NULL }, { "starttls", TLS_MODE_STARTTLS, NULL }, { 0 }
};
static const struct choice logins[] = { { "address", LOGIN_ADDRESS, NULL }, { "name", LOGIN_NAME, NULL }, { 0 } };

static const struct option server_rows[] = {
    { "protocol", KIND_CHOICE, 0, MAIN, FIELD(struct server_config, protocol), .normal = "imap",
      .choices = server_protocols,
      .help = "imap and pop3 are shown while that protocol is switched on. smtp is the server for sending." },
    { "host", KIND_STRING, OPTION_REQUIRED, MAIN, FIELD(struct server_config, host), .rule = &rule_host_name,
      .help = "The name that mail programs connect to." },
    { "port", KIND_INT, 0, MAIN, FIELD(struct server_config, port), .least = 1, .most = 65535,
      .normally = "993, 995 or 465 with \"implicit\" TLS, else 143, 110 or 587", .help = "The port as seen from there." },
    { "tls", KIND_CHOICE, 0, MAIN, FIELD(struct server_config, tls), .normal = "implicit", .choices = protections,
      .help = "TLS from the first byte, or after STARTTLS." },
    { "inside", KIND_BOOL, 0, MAIN, FIELD(struct server_config, inside), .normal = "false",
      .help = "For those inside the house only; the others are for everybody." },
};
static const struct section server_section = { ROWS(server_rows),
                                               .item_bytes = sizeof(struct server_config),
                                               .line_at = offsetof(struct server_config, line),
                                               .file_at = offsetof(struct server_config, file),
                                               .items_max = 1 };

static const struct option settings_rows[] = {
    { "title", KIND_STRING, 0, MAIN, FIELD(struct config, settings.title), .rule = &rule_text,
      .help = "Whose mail this is, as users call it." },
    { "words", KIND_STRING, 0, MAIN, FIELD(struct config, settings.words), .rule = &rule_text,
      .help = "A sentence or two for users, above the table." },
    { "help", KIND_STRING, 0, MAIN, FIELD(struct config, settings.help), .rule = &rule_page_or_none,
      .help = "A page with more help." },
    { "domains", KIND_STRINGS, 0, MAIN, FIELD(struct config, settings.domains), .most = 256, .rule = &rule_domain,
      .normally = "accounts.default_domain", .help = "Addresses of these domains have these settings." },
    { "login", KIND_CHOICE, 0, MAIN, FIELD(struct config, settings.login), .normal = "address", .choices = logins,
      .help = "What users enter as their user name: the whole address, or what stands before the @." },
    { "servers", KIND_LIST, FIELD(struct config, settings.servers), WITH(struct config, settings.n_servers), .most = 32,
      .section = &server_section, .help = "The lines of the table." },
};
const struct section settings_section = { ROWS(settings_rows),
                                          .help = "What users look up: homewardctl settings, and the pages /settings "
                                                  "and /mail/config-v1.1.xml of homewardctl serve." };
