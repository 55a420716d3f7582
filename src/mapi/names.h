#ifndef MW_MAPI_NAMES_H
#define MW_MAPI_NAMES_H

#include "mapi/status.h"

/* The tables that tools/names-to-c makes from share/. Not for other folders. */

struct mapi_tag_entry {
	uint32_t tag;
	const char *name;
};

struct mapi_code_entry {
	uint32_t code;
	const char *name;
};

struct mapi_code_table {
	const struct mapi_code_entry *entries;
	unsigned count;
};

/* By id; of several names of one id, the one to prefer first. */
extern const struct mapi_tag_entry mapi_tag_table[];
extern const unsigned mapi_tag_table_size;
/* By family, then by code. */
extern const struct mapi_code_table mapi_code_tables[];

#endif
