/* The houses in which all worlds happen, one a process: configurations with every kind of port and of site. In the
 * first the home sites judge, in the second auth does, and the master opens the mailboxes of two sites. */
#include <stdio.h>

#include "config/config.h"
#include "proxy/base/log.h"
#include "proxy/base/pack.h"
#include "proxy/front/front.h"
#include "test/sim/sim.h"

/* As config_dump writes it; files are nobody's business here. */
static const char config_text[] =
    "run = { user = \"nobody\"; workers = 1; };\n"
    "log = { level = \"error\"; };\n"
    "imap = { listen = ( { address = \"127.0.0.1\"; port = 993; tls = \"implicit\"; },\n"
    "                    { address = \"127.0.0.1\"; port = 143; tls = \"starttls\"; },\n"
    "                    { address = \"127.0.0.1\"; port = 144; tls = \"none\"; clear_login = true; },\n"
    "                    { address = \"127.0.0.1\"; port = 994; tls = \"implicit\";\n"
    "                      proxy_protocol_from = [ \"192.0.2.250\" ]; } ); };\n"
    "pop3 = { listen = ( { address = \"127.0.0.1\"; port = 995; tls = \"implicit\"; },\n"
    "                    { address = \"127.0.0.1\"; port = 110; tls = \"starttls\"; },\n"
    "                    { address = \"127.0.0.1\"; port = 111; tls = \"none\"; clear_login = true;\n"
    "                      proxy_protocol_from = [ \"192.0.2.250\" ]; } ); };\n"
    "%s"
    "directory = { path = \"/nowhere\"; };\n"
    "limits = { connections_per_address = 16; site_login_timeout_s = 20; held_bytes = 8192; errors = 1000; };\n";

#define TLS_SITE                                                                                                       \
    "{ name = \"north\"; security = \"tls\"; spare = 2; spare_age_s = 1500;\n"                                         \
    "  bearer = ( \"XOAUTH2\", \"OAUTHBEARER\" ); networks = [ \"10.1.0.0/16\", \"2001:db8:1::/48\" ];\n"              \
    "  backends = ( { host = \"north.sim\"; } ); }"
#define STARTTLS_SITE(more)                                                                                            \
    "{ name = \"south\"; security = \"starttls\"; spare = 2; spare_age_s = 1500;" more "\n"                            \
    "  networks = [ \"10.2.0.0/16\", \"2001:db8:2::/48\" ]; backends = ( { host = \"South.Sim\"; } ); }"
#define LOOPBACK_SITE(more)                                                                                            \
    "{ name = \"here\"; security = \"loopback\"; spare = 2; spare_age_s = 1500;" more "\n"                             \
    "  backends = ( { host = \"here.sim\"; } ); }"
#define IPSEC_SITE(more)                                                                                               \
    "{ name = \"sealed\"; security = \"ipsec\"; ipsec = { reqid = 7; };" more "\n"                                     \
    "  backends = ( { host = \"10.0.0.1\"; } ); }"
#define MASTER(form)                                                                                                   \
    " credentials = \"master\"; master_user = \"" MASTER_USER "\"; master_password_file = \"/master\";"                \
    " master_form = \"" form "\";"

static const char *const sites_texts[HOUSES] = {
    "sites = ( " TLS_SITE ",\n" STARTTLS_SITE(" bearer = ( \"XOAUTH2\" );") ",\n" LOOPBACK_SITE("") ",\n" IPSEC_SITE(
        " bearer = ( \"OAUTHBEARER\" );") " );\n",
    "auth = { verifiers = ( { driver = \"file\"; path = \"/accounts\"; }, { driver = \"oauth\"; }, "
    "{ driver = \"site\"; } ); };\n"
    "sites = ( " TLS_SITE
    ",\n" STARTTLS_SITE(MASTER("authzid")) ",\n" LOOPBACK_SITE(MASTER("user*master")) ",\n" IPSEC_SITE("") " );\n"
};

const struct port_fact port_facts[] = {
    {IMAP,  true,  false, false, false},
    { IMAP, false, true,  false, false},
    { IMAP, false, false, true,  false},
    { IMAP, true,  false, false, true },
    { POP3, true,  false, false, false},
    { POP3, false, true,  false, false},
    { POP3, false, false, true,  true },
};
const size_t n_port_facts = COUNT_OF(port_facts);

enum { XOAUTH2 = 1 << SASL_XOAUTH2, OAUTHBEARER = 1 << SASL_OAUTHBEARER };
static const struct site_fact facts[HOUSES][4] = {
    {{ .name = "north", .tls = true, .spare = true, .mechanisms = XOAUTH2 | OAUTHBEARER },
     { .name = "south", .starttls = true, .spare = true, .mechanisms = XOAUTH2 },
     { .name = "here", .spare = true },
     { .name = "sealed", .ipsec = true, .mechanisms = OAUTHBEARER }},
    { { .name = "north", .tls = true, .spare = true, .mechanisms = XOAUTH2 | OAUTHBEARER },
     { .name = "south", .starttls = true, .spare = true, .master = true },
     { .name = "here", .spare = true, .master = true, .star = true },
     { .name = "sealed", .ipsec = true }                           }
};
const struct site_fact *site_facts;
const size_t n_site_facts = COUNT_OF(facts[0]);
const struct config *house_config;
bool house_judges;

/* The files that the configuration names. */
static struct span bundle(void)
{
    static char room[100];
    struct buf b = { .at = room, .room = sizeof room, .max = sizeof room };
    SIM_REQUIRE(pack_string(&b, SPAN("/master")) && pack_string(&b, SPAN(MASTER_PASSWORD "\n")));
    return buf_span(&b);
}

/* The front runs until clock_life returns. */
bool house_open(unsigned number)
{
    struct buf text;
    buf_init(&text, 16384);
    SIM_REQUIRE(buf_printf(&text, config_text, sites_texts[number]));
    struct config *config = config_parse(buf_span(&text));
    SIM_REQUIRE(config != NULL);
    buf_fini(&text);
    house_config = config;
    house_judges = number == 1;
    site_facts = facts[number];
    log_set(LOG_ERROR, LOG_LOGFMT);
    struct role role = {
        .kind = ROLE_FRONT, .config = config, .bundle = bundle(), .state_fd = -1, .main_fd = main_begin()
    };
    main_listens();
    return front_run(&role) == 0;
}
