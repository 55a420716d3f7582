#ifndef MW_SERVER_NSPI_VALUES_H
#define MW_SERVER_NSPI_VALUES_H

#include "mapi/property.h"
#include "wire/nspi.h"

/* Between values and the form that NDR gives them: what both transports of the address book need. Strings and bytes are
 * borrowed. MW_E_UNSUPPORTED: a type that the address book has no use for. */
MW_NODISCARD int nspi_put_value(struct arena *arena, const struct mapi_value *in, struct PropertyValue_r *out);
MW_NODISCARD int nspi_get_value(struct arena *arena, const struct PropertyValue_r *in, struct mapi_value *out);
/* [MS-OXNSPI] 3.1.4.1.1: what a NULL tag array asks for. */
extern const uint32_t nspi_default_tags[];
extern const unsigned nspi_default_tag_count;

#endif
