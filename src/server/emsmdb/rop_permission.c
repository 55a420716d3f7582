#include "server/emsmdb/rops.h"

#include "mapi/entry_id.h"
#include "server/accounts.h"

/* Folder permissions read and changed: [MS-OXCPERM] 2.2.1, 2.2.2. */

#define INCLUDE_FREE_BUSY 0x02 /* TableFlags and ModifyFlags */
#define REPLACE_ROWS 0x01
/* PermissionDataFlags, 2.2.2.1.1 */
enum { ADD_ROW = 0x01, MODIFY_ROW = 0x02, REMOVE_ROW = 0x04 };

/* 3.2.5.1 */
uint32_t rop_get_permissions_table(struct rop_call *rop)
{
	const struct RopGetPermissionsTableRequest *q = (const struct RopGetPermissionsTableRequest *)rop->request;
	struct store_table *table;
	struct emsmdb_object *o;
	if (q->TableFlags & ~INCLUDE_FREE_BUSY)
		return ecInvalidParam;
	int r = store_permission_table(rop_store(rop), rop->in->u.folder, q->TableFlags & INCLUDE_FREE_BUSY, &table);
	if (r < 0)
		return rop_status(rop, r);
	r = emsmdb_object_new(rop->session, EMSMDB_TABLE, rop->logon, &o);
	if (r < 0) {
		store_table_close(&table);
		return rop_status(rop, r);
	}
	o->u.table = table;
	rop_put_handle(rop, o);
	return 0;
}

/* Whom a row adds; MW_E_INVALID: nobody that there is. */
static int find_user(struct rop_call *rop, const struct mapi_value *entry_id, struct store_permission *out)
{
	const char *dn = entry_id ? mapi_entry_id_dn(entry_id->u.bin.data, entry_id->u.bin.size) : NULL;
	struct directory_snapshot *book = accounts_snapshot(rop->call->server);
	const struct directory_user *u = dn ? directory_by_dn(book, dn) : NULL;
	if (u) {
		out->dn = arena_strdup(rop->arena, u->dn);
		out->name = arena_strdup(rop->arena, u->name);
	}
	directory_snapshot_unref(&book);
	return !u ? MW_E_INVALID : out->dn && out->name ? 0 : MW_E_NOMEM;
}

static int read_row(struct rop_call *rop, const struct PermissionData *row, struct store_permission_edit *out)
{
	const struct mapi_value *values = row->PropertyValues;
	const struct mapi_value *id = mapi_find(values, row->PropertyValueCount, PidTagMemberId);
	const struct mapi_value *rights = mapi_find(values, row->PropertyValueCount, PidTagMemberRights);
	*out = (struct store_permission_edit){0};
	if (rights)
		out->permission.rights = (uint32_t)rights->u.i32;
	if (id)
		out->permission.member = id->u.i64;
	switch (row->PermissionDataFlags) {
	case ADD_ROW:
		out->change = STORE_PERMISSION_ADD;
		return rights ? find_user(rop, mapi_find(values, row->PropertyValueCount, PidTagEntryId),
		                          &out->permission)
		              : MW_E_INVALID;
	case MODIFY_ROW:
		out->change = STORE_PERMISSION_MODIFY;
		return id && rights ? 0 : MW_E_INVALID;
	case REMOVE_ROW:
		out->change = STORE_PERMISSION_REMOVE;
		return id ? 0 : MW_E_INVALID;
	default:
		return MW_E_INVALID;
	}
}

/* 3.2.5.2 */
uint32_t rop_modify_permissions(struct rop_call *rop)
{
	const struct RopModifyPermissionsRequest *q = (const struct RopModifyPermissionsRequest *)rop->request;
	struct store_permission_edit *edits = arena_new_array(rop->arena, struct store_permission_edit, q->ModifyCount);
	bool replace = q->ModifyFlags & REPLACE_ROWS;
	int r = edits ? 0 : MW_E_NOMEM;
	if (q->ModifyFlags & ~(REPLACE_ROWS | INCLUDE_FREE_BUSY))
		return ecInvalidParam;
	for (unsigned i = 0; r == 0 && i < q->ModifyCount; i++) {
		r = read_row(rop, &q->PermissionsData[i], &edits[i]);
		if (r == 0 && replace && edits[i].change != STORE_PERMISSION_ADD)
			r = MW_E_INVALID; /* 2.2.2.1: all of them are added */
	}
	if (r == 0)
		r = store_permissions_change(rop_store(rop), rop->in->u.folder, replace,
		                             q->ModifyFlags & INCLUDE_FREE_BUSY, edits, q->ModifyCount, &rop->ticket);
	return r < 0 ? rop_status(rop, r) : 0;
}
