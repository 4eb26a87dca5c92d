/* The house in which all worlds happen: one configuration, with every kind of port and of site. */
#include <stdio.h>

#include "config/config.h"
#include "proxy/base/log.h"
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
    "sites = ( { name = \"north\"; security = \"tls\"; spare = 2; spare_age_s = 1500;\n"
    "            networks = [ \"10.1.0.0/16\", \"2001:db8:1::/48\" ]; backends = ( { host = \"north.sim\"; } ); },\n"
    "          { name = \"south\"; security = \"starttls\"; spare = 2; spare_age_s = 1500;\n"
    "            networks = [ \"10.2.0.0/16\", \"2001:db8:2::/48\" ]; backends = ( { host = \"South.Sim\"; } ); },\n"
    "          { name = \"here\"; security = \"loopback\"; spare = 2; spare_age_s = 1500;\n"
    "            backends = ( { host = \"here.sim\"; } ); },\n"
    "          { name = \"sealed\"; security = \"ipsec\"; ipsec = { reqid = 7; };\n"
    "            backends = ( { host = \"10.0.0.1\"; } ); } );\n"
    "directory = { path = \"/nowhere\"; };\n"
    "limits = { connections_per_address = 16; site_login_timeout_s = 20; held_bytes = 8192; errors = 1000; };\n";

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

const struct site_fact site_facts[] = {
    {"north",   true,  false, false, true },
    { "south",  false, true,  false, true },
    { "here",   false, false, false, true },
    { "sealed", false, false, true,  false},
};
const size_t n_site_facts = COUNT_OF(site_facts);

const struct config *house_config;

/* The front runs until clock_life returns. */
bool house_open(void)
{
    struct config *config = config_parse(span_of(config_text));
    SIM_REQUIRE(config != NULL);
    house_config = config;
    log_set(LOG_ERROR, LOG_LOGFMT);
    struct role role = { .kind = ROLE_FRONT, .config = config, .state_fd = -1, .main_fd = main_begin() };
    main_listen();
    return front_run(&role) == 0;
}
