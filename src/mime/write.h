#ifndef MW_MIME_WRITE_H
#define MW_MIME_WRITE_H

#include "mime/private.h"

/* write.c: a message in GMime's form; depth: messages around it. */
MW_NODISCARD int mime_build(const struct mime_message *m, int depth, GMimeMessage **made);
/* write_parts.c: its bodies and attachments as one part. */
MW_NODISCARD int mime_build_body(const struct mime_message *m, int depth, GMimeObject **made);

#endif
