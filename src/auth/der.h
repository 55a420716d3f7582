#ifndef MW_AUTH_DER_H
#define MW_AUTH_DER_H

#include "base/cursor.h"

/*
 * Reading DER (X.690): tag, length, content. Definite lengths of at most 4
 * bytes and tags of one byte alone. Private to src/auth. MW_E_TRUNCATED,
 * MW_E_MALFORMED; the cursor moves behind the element only on success.
 */
MW_NODISCARD int der_take(struct cursor *c, uint8_t *tag, struct cursor *content);
/* MW_E_MALFORMED when the next element has another tag. */
MW_NODISCARD int der_take_tagged(struct cursor *c, uint8_t wanted, struct cursor *content);

#endif
