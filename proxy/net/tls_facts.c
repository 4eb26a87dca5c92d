/* Reading a certificate for people. */
#include "proxy/net/tls_facts.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "proxy/net/tls_ssl.h"

static bool add_name(struct buf *names, const ASN1_STRING *name)
{
    struct span text = span_bytes(ASN1_STRING_get0_data(name), (size_t)ASN1_STRING_length(name));
    return (names->n == 0 || buf_add_byte(names, ' ')) && buf_add(names, text);
}

static void list_names(X509 *leaf, struct buf *names)
{
    GENERAL_NAMES *all = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    bool room = true;
    for (int i = 0; room && i < sk_GENERAL_NAME_num(all); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(all, i);
        if (name->type == GEN_DNS)
            room = add_name(names, name->d.dNSName);
    }
    GENERAL_NAMES_free(all);
}

bool tls_leaf_facts(X509 *leaf, int64_t *ends_s, struct buf *names)
{
    struct tm end = { 0 };
    buf_clear(names);
    if (leaf == NULL || ASN1_TIME_to_tm(X509_get0_notAfter(leaf), &end) != 1)
        return false;
    *ends_s = (int64_t)timegm(&end);
    list_names(leaf, names);
    return true;
}

bool tls_certificate_facts(struct span pem, int64_t *ends_s, struct buf *names)
{
    BIO *bytes = BIO_new_mem_buf(pem.at != NULL ? pem.at : "", (int)pem.n);
    X509 *leaf = bytes != NULL ? PEM_read_bio_X509_AUX(bytes, NULL, NULL, NULL) : NULL;
    bool good = tls_leaf_facts(leaf, ends_s, names);
    ERR_clear_error();
    X509_free(leaf);
    BIO_free(bytes);
    return good;
}
