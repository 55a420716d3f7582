#ifndef MW_MAPI_BOOK_VALUE_H
#define MW_MAPI_BOOK_VALUE_H

#include "mapi/property.h"
#include "wire/nspi.h"

/*
 * Between values and the form that NDR gives them in the address book ([MS-OXNSPI] 2.2.2.3): what server and client
 * need where its methods travel as MAPI over HTTP. Strings and bytes are borrowed. MW_E_UNSUPPORTED: a type that the
 * address book has no use for. MW_E_MALFORMED: a text or GUID that is not there.
 */
MW_NODISCARD int mapi_book_put_value(struct arena *arena, const struct mapi_value *in, struct PropertyValue_r *out);
MW_NODISCARD int mapi_book_get_value(struct arena *arena, const struct PropertyValue_r *in, struct mapi_value *out);

#endif
