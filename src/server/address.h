#ifndef MW_SERVER_ADDRESS_H
#define MW_SERVER_ADDRESS_H

#include "base/buf.h"
#include "directory/directory.h"
#include "mapi/property.h"

/* A directory user as messages and address books name him. */

/* "EX:" and the DN in capitals, with its NUL: [MS-OXOABK] 2.2.3.5. */
int address_search_key(struct buf *out, const char *dn);

/* The six properties by which messages name a sender or receiver. Ids of PTYP_STRING and PTYP_BINARY tags. */
struct address_tags {
	uint32_t name, type, email, smtp, entry_id, search_key;
};
extern const struct address_tags address_sender, address_sent_representing, address_received_by,
        address_received_representing;
#define ADDRESS_VALUES 6
/* Fills ADDRESS_VALUES values, in the arena. MW_E_NOMEM. */
MW_NODISCARD int address_put(struct arena *arena, const struct directory_user *u, const struct address_tags *tags,
                             struct mapi_value *values);

#endif
