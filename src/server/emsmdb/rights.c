#include "server/emsmdb/rops.h"

#include <string.h>

/* Whether the caller may: by the rights that rop.c's rows ask for ([MS-OXCPERM] 2.2.7). The owner of a mailbox may
 * everything in it. Objects that are opened stay as they were opened. */

/* The request's field of that name and size; 0: it has none. */
static uint64_t field_of(const struct rop_call *rop, const char *name, size_t size)
{
	uint64_t value = 0;
	for (unsigned i = 0; i < rop->type->field_count; i++) {
		const struct idl_field *f = &rop->type->fields[i];
		if (strcmp(f->name, name) == 0)
			memcpy(&value, (const uint8_t *)rop->request + f->offset, size);
	}
	return value;
}

uint8_t rop_destination_index(const struct rop_call *rop)
{
	return (uint8_t)field_of(rop, "DestHandleIndex", sizeof(uint8_t));
}

/* The folder that the ROP names, or that its object is or is in. 0: it is about the mailbox. */
static uint64_t folder_of(const struct rop_call *rop)
{
	uint64_t named = field_of(rop, "FolderId", sizeof named);
	switch (rop->in->kind) {
	case EMSMDB_MESSAGE:
		return store_message_folder(rop->in->u.message);
	case EMSMDB_FOLDER:
		return named ? named : rop->in->u.folder;
	default:
		return named;
	}
}

static uint32_t check_folder(const struct rop_call *rop, uint64_t folder, uint32_t needs)
{
	uint32_t rights;
	if (folder == 0)
		return ecAccessDenied;
	int r = store_rights(rop_store(rop), folder, &rights);
	if (r < 0)
		return rop_status(rop, r);
	return rights & needs ? 0 : ecAccessDenied;
}

static uint32_t check_message(struct rop_call *rop)
{
	static const uint32_t tag = PidTagAccess;
	struct mapi_value v;
	int r = store_message_get(rop->in->u.message, rop->arena, &tag, 1, &v);
	if (r < 0)
		return rop_status(rop, r);
	return v.tag == tag && v.u.i32 & STORE_ACCESS_MODIFY ? 0 : ecAccessDenied;
}

uint32_t rop_check_rights(struct rop_call *rop, const struct rop_row *row)
{
	if (!rop->on || rop->on->owner)
		return 0;
	if (row->needs == ROP_OWNER)
		return ecAccessDenied;
	if (row->needs == 0)
		return 0;
	/* What a message or what is in it allows was decided when it was opened, but for its read flag. */
	if (rop->in->kind == EMSMDB_MESSAGE && row->needs & STORE_MAY_EDIT)
		return check_message(rop);
	if (!(rop->in->kind & (EMSMDB_LOGON | EMSMDB_FOLDER)))
		return 0;
	return check_folder(rop, folder_of(rop), row->needs);
}

uint32_t rop_check_destination(const struct emsmdb_object *to, uint32_t needs)
{
	uint32_t rights;
	if (to->on->owner || needs == 0 || to->kind != EMSMDB_FOLDER)
		return 0;
	int r = store_rights(to->on->mailbox->store, to->u.folder, &rights);
	return r == 0 && rights & needs ? 0 : ecAccessDenied;
}

bool rop_may(const struct rop_call *rop, uint64_t folder, uint64_t message, uint32_t access)
{
	uint32_t has;
	return rop->on->owner ||
	       (store_message_access(rop_store(rop), folder, message, &has) == 0 && (has & access) == access);
}
