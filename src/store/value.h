#ifndef MW_STORE_VALUE_H
#define MW_STORE_VALUE_H

#include "store/private.h"

/*
 * Values too large for a record, in chunks of STORE_CHUNK_SIZE bytes. A new one is nobody's until a save adopts it;
 * what is nobody's is swept when the mailbox is opened. A chunk that is not there is zeros. Each call is a
 * transaction of its own unless one is open.
 */
int store_value_new(struct store_mailbox *m, uint64_t *value);
/* The chunk's bytes, the rest of out zeroed. */
int store_value_read(struct store_mailbox *m, uint64_t value, uint64_t chunk, uint8_t out[STORE_CHUNK_SIZE]);
int store_value_write(struct store_mailbox *m, uint64_t value, uint64_t chunk, const uint8_t *data, size_t size);
/* Drops the chunks from that one on. */
int store_value_cut(struct store_mailbox *m, uint64_t value, uint64_t chunk);
int store_value_copy(struct store_mailbox *m, uint64_t from, uint64_t to);
int store_value_delete(struct store_mailbox *m, uint64_t value);
/* A new value with these bytes. */
int store_value_of(struct store_mailbox *m, const uint8_t *data, size_t size, uint64_t *value);
/* In a save's transaction: what is fresh in the bag is now the message's. */
struct store_bag;
int store_values_adopt(struct store_mailbox *m, uint64_t message, const struct store_bag *bag);
/* Deletes what a message owns but for what is kept; NULL: all. */
typedef bool store_value_kept(void *user, uint64_t value);
int store_values_drop(struct store_mailbox *m, uint64_t message, store_value_kept *kept, void *user);

#endif
