#ifndef MW_MAPI_ENTRY_ID_H
#define MW_MAPI_ENTRY_ID_H

#include "base/buf.h"

/* Whom entry ids of the address book name: PermanentEntryID, [MS-OXCDATA] 2.2.5.2, [MS-OXNSPI] 2.2.9.3. */

/* muidEMSAB, the address book's GUID in entry ids. */
extern const uint8_t mapi_address_book_guid[16];
/* Appends that of a mail user with that DN. */
MW_NODISCARD int mapi_user_entry_id(struct buf *out, const char *dn);
/* The DN inside; NULL: no such entry id. */
const char *mapi_entry_id_dn(const uint8_t *id, size_t size);

#endif
