#ifndef MW_BASE_BASE64_H
#define MW_BASE_BASE64_H

#include "base/buf.h"

/* RFC 4648 4. Appends without line breaks. */
int base64_put(struct buf *out, const void *data, size_t len);
/* Appends what the text stands for. MW_E_MALFORMED: a byte that does not belong there, padding missing or in the wrong
 * place, bits left over; the buffer is then as it was. */
MW_NODISCARD int base64_decode(struct buf *out, const char *text, size_t len);

#endif
