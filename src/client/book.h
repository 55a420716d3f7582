#ifndef MW_CLIENT_BOOK_H
#define MW_CLIENT_BOOK_H

#include "client/private.h"
#include "wire/nspi.h"

/* A row of the address book as one outside. The values are in the order of the tags that were asked for. */
MW_NODISCARD int client_book_row(struct mapiwire *m, struct arena *arena, const struct PropertyRow_r *row,
                                 size_t columns, struct mapiwire_value *out);

#endif
