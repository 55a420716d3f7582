#ifndef MW_MIME_PRIVATE_H
#define MW_MIME_PRIVATE_H

#include "base/buf.h"
#include "mapi/tags.h"
#include "mime/mime.h"

#include <gmime/gmime.h>
#include <stdio.h>

/* Properties that only mail has: [MS-OXCMAIL], [MS-OXCMSG]. */
#define PidTagReplyRecipientNames MAPI_TAG(0x0050, PTYP_STRING)
#define PidTagReplyRecipientEntries MAPI_TAG(0x004F, PTYP_BINARY)
#define PidTagAttachContentLocation MAPI_TAG(0x3713, PTYP_STRING)

#define ATTACH_BY_VALUE 1 /* PidTagAttachMethod, [MS-OXCMSG] 2.2.2.9 */
#define ATTACH_EMBEDDED 5
#define RENDERED_IN_BODY 0x00000004 /* PidTagAttachFlags, 2.2.2.18 */
#define MFREAD 0x00000001
#define UTF8_CODE_PAGE 65001

/* What has no encoding of its own (a message, a multipart), written as it stands when it is met: into one file without
 * a name for all of a message. */
struct mime_spool {
	FILE *file;
	int64_t end;
};

struct mime_parsed {
	struct arena *arena;
	GMimeMessage *source;
	struct mime_spool spool;
	struct mime_message message;
};

/* A list of values that grows in an arena; the first failure stays. */
struct mime_values {
	struct arena *arena;
	struct mapiwire_value *list;
	size_t count, room;
	int error;
};
void mime_add(struct mime_values *v, struct mapiwire_value value);
void mime_add_number(struct mime_values *v, uint32_t tag, int64_t number);
/* A copy, made valid UTF-8; nothing for NULL or "". */
void mime_add_text(struct mime_values *v, uint32_t tag, const char *text);
void mime_add_bytes(struct mime_values *v, uint32_t tag, const void *data, size_t size);
/* A copy in the arena that is valid UTF-8. NULL: out of memory. */
char *mime_clean(struct arena *arena, const char *text);

/* read_headers.c: what stands in the headers of a message. */
MW_NODISCARD int mime_read_headers(struct arena *arena, GMimeMessage *source, struct mime_values *v,
                                   struct mime_message *out);
/* read_parts.c: bodies and attachments. depth: messages around this one. */
MW_NODISCARD int mime_read_parts(struct arena *arena, GMimeMessage *source, struct mime_values *v,
                                 struct mime_message *out, struct mime_spool *spool, int depth);
/* read.c: all of it. */
MW_NODISCARD int mime_read_message(struct arena *arena, GMimeMessage *source, struct mime_message *out,
                                   struct mime_spool *spool, int depth);

/* entry.c: one-off EntryIDs and lists of them, [MS-OXCDATA] 2.2.5.1, 2.3.3. */
MW_NODISCARD int mime_put_one_off(struct buf *out, const char *name, const char *address);
MW_NODISCARD int mime_read_one_off(struct arena *arena, const uint8_t *data, size_t size, char **name, char **address);

/* charset.c: Windows code pages by their names in MIME; 0 and NULL: unknown. */
uint32_t mime_code_page(const char *charset);
const char *mime_charset(uint32_t code_page);

/* rtf.c: [MS-OXRTFCP], [MS-OXRTFEX]. *html: whether it is HTML that was found inside. */
MW_NODISCARD int mime_unpack_rtf(struct arena *arena, const uint8_t *data, size_t size, char **rtf, size_t *rtf_size);
MW_NODISCARD int mime_text_of_rtf(struct arena *arena, const char *rtf, size_t size, bool *html, char **text);

#endif
