#ifndef MW_AUTH_KEYTAB_FILE_H
#define MW_AUTH_KEYTAB_FILE_H

#include "base/cursor.h"

#include <krb5.h>

/*
 * A keytab file's bytes, as MIT krb5 describes the format ("The Kerberos keytab binary file format", version 0x0502;
 * its library reads it from files alone). Private to src/auth.
 */

/* Adds its entries to keys and counts them. MW_E_MALFORMED (entries before the damage may have been added), MW_E_NOMEM,
 * MW_E_UNSUPPORTED: another version. */
MW_NODISCARD int keytab_file_read(krb5_context krb5, struct cursor in, krb5_keytab keys, unsigned *count);

#endif
