#ifndef MW_STORE_ATTACHMENT_H
#define MW_STORE_ATTACHMENT_H

#include "store/message.h"
#include "store/table.h"

/*
 * An attachment is opened as a struct store_message, so that its properties and streams are those of message.h and
 * stream.h; it has no recipients, and it is saved by store_attachment_save into the message that was opened
 * ([MS-OXCMSG] 3.2.5.15), which then saves it to disk. In it may be a message of its own, which store_message_save
 * saves into the attachment. Each is closed before what it was opened on.
 */
#define STORE_MAX_ATTACHMENTS 4096u
#define STORE_MAX_EMBEDDED 16 /* messages in messages */

size_t store_attachment_count(const struct store_message *msg);
/* MW_E_STATE: the message was opened for reading. */
MW_NODISCARD int store_attachment_create(struct store_message *msg, int64_t now, struct store_message **out);
MW_NODISCARD int store_attachment_open(struct store_message *msg, uint32_t number, bool writable,
                                       struct store_message **out);
/* index < count */
uint32_t store_attachment_number_at(const struct store_message *msg, size_t index);
uint32_t store_attachment_number(const struct store_message *attachment);
MW_NODISCARD int store_attachment_save(struct store_message *attachment, int64_t now);
MW_NODISCARD int store_attachment_delete(struct store_message *msg, uint32_t number);
/* The message in the attachment. create: a new one in place of what is there; else MW_E_NOTFOUND when there is none. */
MW_NODISCARD int store_attachment_message(struct store_message *attachment, bool create, bool writable, int64_t now,
                                          struct store_message **out);
/* The attachments as they are saved in the message; the message is closed after it. */
MW_NODISCARD int store_attachment_table(struct store_message *msg, struct store_table **out);

#endif
