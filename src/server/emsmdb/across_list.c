#include "server/emsmdb/across.h"
#include "store/folder.h"

/* What a folder is and has that goes into another mailbox. */

#define MAX_BRANCHES 65536u

struct list {
	struct across *c;
	struct buf branches, items;
};

static int add_messages(struct list *l, uint32_t branch, uint64_t folder, bool associated)
{
	struct rop_call *rop = l->c->rop;
	uint64_t *ids;
	size_t count;
	int r = store_message_ids(rop_store(rop), rop->arena, folder, associated, &ids, &count);
	for (size_t i = 0; r == 0 && i < count; i++) {
		struct across_item item = {.source = ids[i], .branch = branch, .associated = associated};
		r = buf_put(&l->items, &item, sizeof item);
	}
	return r;
}

/* Properties by name have other ids there, and folders hardly ever have them. */
static int read_values(struct list *l, struct across_branch *b, const char **name)
{
	struct rop_call *rop = l->c->rop;
	struct mapi_value *values;
	size_t count;
	int r = store_folder_all(rop_store(rop), b->source, rop->arena, &values, &count);
	for (size_t i = 0; r == 0 && i < count; i++) {
		if (values[i].tag == PidTagDisplayName)
			*name = mapi_value_utf8(rop->arena, &values[i], 0);
		else if (!mapi_tag_is_named(values[i].tag) && values[i].flag == MAPI_FLAG_VALUE)
			values[b->value_count++] = values[i];
	}
	b->values = values;
	return r == 0 && !*name ? MW_E_NOMEM : r;
}

static int add_folder(struct list *l, uint64_t folder, uint32_t above, const char *name)
{
	struct rop_call *rop = l->c->rop;
	struct across_branch b = {.source = folder, .above = above};
	const char *own = NULL;
	uint32_t rights, branch = (uint32_t)(l->branches.len / sizeof b);
	int r = store_rights(rop_store(rop), folder, &rights);
	if (r < 0 || branch == MAX_BRANCHES)
		return r < 0 ? r : MW_E_LIMIT;
	if (!(rights & STORE_MAY_READ)) {
		l->c->partial = true;
		return branch > 0 ? 0 : MW_E_STATE;
	}
	r = read_values(l, &b, &own);
	b.name = name ? name : own;
	if (r == 0)
		r = buf_put(&l->branches, &b, sizeof b);
	if (r == 0)
		r = add_messages(l, branch, folder, false);
	return r < 0 ? r : add_messages(l, branch, folder, true);
}

/* Parents before children: each branch adds those below it, behind all that are there. */
static int add_below(struct list *l, uint32_t above)
{
	struct rop_call *rop = l->c->rop;
	const struct across_branch *b = (const struct across_branch *)(const void *)l->branches.data + above;
	uint64_t *ids;
	size_t count;
	int r = store_folder_ids(rop_store(rop), rop->arena, b->source, &ids, &count);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = add_folder(l, ids[i], above, NULL);
	return r;
}

static int list_all(struct list *l, uint64_t folder, const char *name, bool deep)
{
	struct store_folder_info info;
	int r = store_folder_info(rop_store(l->c->rop), folder, &info);
	if (r == 0 && info.parent != l->c->rop->in->u.folder)
		r = MW_E_NOTFOUND;
	if (r == 0 && l->c->moves && folder < store_id(STORE_REPLID, 0x10000)) {
		r = MW_E_STATE;
	}
	if (r == 0)
		r = add_folder(l, folder, 0, name);
	for (uint32_t i = 0; r == 0 && deep && i < l->branches.len / sizeof(struct across_branch); i++)
		r = add_below(l, i);
	return r;
}

int across_list_folder(struct across *c, uint64_t folder, const char *name, bool deep)
{
	struct list l = {.c = c};
	int r = list_all(&l, folder, name, deep);
	if (r == 0) {
		c->branches = (struct across_branch *)arena_copy(c->rop->arena, l.branches.data, l.branches.len);
		c->items = (struct across_item *)arena_copy(c->rop->arena, l.items.len ? (void *)l.items.data : "",
		                                            l.items.len);
		c->branch_count = l.branches.len / sizeof(struct across_branch);
		c->item_count = l.items.len / sizeof(struct across_item);
		r = c->branches && c->items ? 0 : MW_E_NOMEM;
	}
	buf_free(&l.branches);
	buf_free(&l.items);
	return r;
}
