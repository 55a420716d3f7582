#ifndef MW_SERVER_NSPI_VALUES_H
#define MW_SERVER_NSPI_VALUES_H

#include "mapi/book_value.h"

/* [MS-OXNSPI] 3.1.4.1.1: what a NULL tag array asks for. */
extern const uint32_t nspi_default_tags[];
extern const unsigned nspi_default_tag_count;

#endif
