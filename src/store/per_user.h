#ifndef MW_STORE_PER_USER_H
#define MW_STORE_PER_USER_H

#include "store/store.h"

/*
 * What the owner has read of folders elsewhere ([MS-OXCSTOR] 2.2.1.10 to 2.2.1.13): bytes of the client's own a folder,
 * by its long-term id, with the replica that they are about.
 */
#define STORE_PER_USER_MAX 1024u /* folders */
#define STORE_PER_USER_SIZE (1u << 20)

struct store_per_user {
	struct guid database; /* the long-term id */
	uint8_t counter[6];
	struct guid replica;
	const uint8_t *data;
	size_t size;
};

/* In place of what is there; without data it goes. MW_E_LIMIT. */
MW_NODISCARD int store_per_user_put(struct store_mailbox *m, const struct store_per_user *p, uint64_t *ticket);
/* database and counter are given; data in the arena. MW_E_NOTFOUND. */
MW_NODISCARD int store_per_user_get(struct store_mailbox *m, struct arena *arena, struct store_per_user *p);
/* The folders of a replica, without data; in the arena. */
MW_NODISCARD int store_per_user_list(struct store_mailbox *m, struct arena *arena, const struct guid *replica,
                                     struct store_per_user **out, size_t *count);

#endif
