#ifndef MW_STORE_PART_H
#define MW_STORE_PART_H

#include "store/message_private.h"

/* What a message consists of beside its own bag: attachments, and messages in them. */

enum store_copying {
	STORE_BORROW,    /* large values stay the other's */
	STORE_TRANSFER,  /* they become ours */
	STORE_DUPLICATE, /* they are copied */
};

/* All of from in place of what to has: properties, recipients, flags, attachments. */
int store_content_copy(struct store_message *to, struct store_message *from, enum store_copying how);
/* The attachments alone, as copies. */
int store_parts_copy(struct store_message *to, struct store_message *from);
/* An empty attachment, or message in one, of what it is made in. NULL: out of memory. */
struct store_message *store_part_bare(const struct store_message *in, enum store_kind kind, uint32_t number);
/* Room for one more in parts. */
int store_parts_room(struct store_message *msg);
/* More than one message may hold: a message copied into itself again and again would have no end. */
#define STORE_MAX_PARTS (2 * STORE_MAX_RECORD)
bool store_parts_too_heavy(struct store_message *msg);
void store_parts_free(struct store_message *msg);
int store_parts_encode(const struct store_message *msg, struct buf *out);
int store_parts_load(struct store_message *msg, const void *data, size_t size);

/* Every bag of the message, of its attachments and of what is in those. */
typedef int store_bag_visit(void *user, struct store_bag *bag);
int store_bags_visit(struct store_message *msg, store_bag_visit *visit, void *user);
bool store_bags_have(struct store_message *msg, uint64_t value);
bool store_bags_external(struct store_message *msg);
/* In a save's transaction: the message owns exactly these values. */
int store_parts_adopt(struct store_message *msg, uint64_t id, bool had_values);

#endif
