#ifndef MW_SERVER_EMSMDB_ACROSS_H
#define MW_SERVER_EMSMDB_ACROSS_H

#include "server/emsmdb/execution.h"
#include "store/parcel.h"

/*
 * A ROP between two mailboxes, in its call's arena. It goes from step to step, each in the loop of one of the two
 * mailboxes and in the caller's name there.
 */
struct across;
typedef void (*across_step)(struct across *c);

struct across_item { /* a message */
	uint64_t source;
	uint32_t branch; /* the folder that it is in */
	bool associated, done;
};

struct across_branch { /* a folder; the first is the one that was named */
	uint64_t source, there;
	uint32_t above; /* branch */
	const char *name;
	struct mapi_value *values; /* its properties but for named ones */
	size_t value_count;
};

struct across {
	struct loop_message message; /* to its own loop */
	struct rop_call *rop;
	struct emsmdb_object *to; /* there */
	bool there, writes;
	across_step step, arrived, lost; /* arrived, lost: what follows a parcel, there; lost with the result */
	struct across_branch *branches;
	struct across_item *items;
	size_t branch_count, item_count, item_at;
	struct store_message *message_open; /* the source's */
	struct store_parcel *parcel;
	bool moves, whole_folder, partial;
	uint8_t *partial_out;
	uint64_t ticket; /* there */
	struct emsmdb_waiter waiter;
	int result;
	uint32_t status;
	/* of properties: the tags as they are there, 0 where there is no such property */
	uint32_t *tags;
	size_t tag_count;
	struct mapi_property_name *names;
	uint16_t *ids;
};

/* The next step, there or at the source, in another round of the loop. */
void across_go(struct across *c, bool there, bool writes, across_step step);
/* The parcel goes there; then arrived or lost. */
void across_send(struct across *c);
/* Gives back what of it is there already. */
void across_drop_parcel(struct across *c);
void across_end(struct across *c, uint32_t status);
void across_fail(struct across *c, int r);

/* ---- across_list.c ---- */
/* The folder and what is in it, as branches and items. */
MW_NODISCARD int across_list_folder(struct across *c, uint64_t folder, const char *name, bool deep);

/* ---- across_copy.c ---- */
uint32_t across_copy(struct across *c);

#endif
