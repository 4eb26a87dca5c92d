/* Optional libraries, in the order in which the manual mentions them. */
#include "auth/verifiers/features.h"

#include "auth/names/domains.h"
#include "auth/verifiers/http.h"
#include "auth/verifiers/ldap.h"
#include "auth/verifiers/passwd.h"
#include "auth/names/precis.h"

static const struct feature {
    const char *library, *what;
    const char *(*version)(void); /* "": not compiled in */
} features[] = {
    {"libunistring", "user names beyond ASCII",  precis_library_version},
    { "libidn2",     "domains beyond ASCII",     domain_library_version},
    { "libxcrypt",   "verifier file",            passwd_library_version},
    { "libcurl",     "verifiers http and oauth", http_library_version  },
    { "libldap",     "verifier ldap",            ldap_library_version  },
};

bool features_tell(struct buf *to)
{
    bool fits = true;
    for (size_t i = 0; fits && i < COUNT_OF(features); i++) {
        const struct feature *f = &features[i];
        const char *version = f->version();
        fits = version[0] != '\0' ? buf_printf(to, "%s %s (%s)\n", f->library, version, f->what)
                                  : buf_printf(to, "without %s (no %s)\n", f->library, f->what);
    }
    return fits;
}
