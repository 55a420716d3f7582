#include "server/emsmdb/rops.h"

#include "store/deleted.h"

#define TABLE_ASSOCIATED 0x02 /* TableFlags, [MS-OXCFOLD] 2.2.1.14.1 */
#define TABLE_DEPTH 0x04      /* [MS-OXCFOLD] 2.2.1.13.1 */
#define TABLE_NO_NOTIFICATIONS 0x10
#define TABLE_SOFT_DELETED 0x20
#define TABLE_SUPPRESSES 0x80 /* of a hierarchy table: what the session itself does */

/* [MS-OXCFOLD] 3.2.5.1 */
uint32_t rop_open_folder(struct rop_call *rop)
{
	const struct RopOpenFolderRequest *q = (const struct RopOpenFolderRequest *)rop->request;
	struct RopOpenFolderResponse *a = (struct RopOpenFolderResponse *)rop->response;
	struct store_folder_info info;
	struct emsmdb_object *o;
	int r = store_folder_info(rop_store(rop), q->FolderId, &info);
	if (r == 0)
		r = emsmdb_object_new(rop->session, EMSMDB_FOLDER, rop->logon, &o);
	if (r != 0)
		return rop_status(rop, r);
	o->u.folder = q->FolderId;
	rop_put_handle(rop, o);
	a->HasRules = info.has_rules;
	return 0;
}

static uint32_t open_table(struct rop_call *rop, struct store_table *table, bool hierarchy, uint8_t flags,
                           uint32_t *rows)
{
	struct emsmdb_object *o;
	uint32_t position;
	int r = store_table_position(table, &position, rows);
	if (r == 0)
		r = emsmdb_object_new(rop->session, EMSMDB_TABLE, rop->logon, &o);
	if (r != 0) {
		store_table_close(&table);
		return rop_status(rop, r);
	}
	o->u.table = table;
	o->hierarchy = hierarchy;
	o->quiet = flags & TABLE_NO_NOTIFICATIONS;
	o->suppresses = hierarchy && flags & TABLE_SUPPRESSES;
	rop_put_handle(rop, o);
	return 0;
}

/* [MS-OXCFOLD] 3.2.5.13 */
uint32_t rop_get_hierarchy_table(struct rop_call *rop)
{
	const struct RopGetHierarchyTableRequest *q = (const struct RopGetHierarchyTableRequest *)rop->request;
	static const uint32_t no_folders[] = {PidTagFolderId, PidTagDisplayName};
	struct RopGetHierarchyTableResponse *a = (struct RopGetHierarchyTableResponse *)rop->response;
	struct store_table *table;
	/* Folders that are deleted are gone. */
	int r = q->TableFlags & TABLE_SOFT_DELETED
	                ? store_fixed_table(rop_store(rop), no_folders, ARRAY_SIZE(no_folders), &table)
	                : store_hierarchy_table(rop_store(rop), rop->in->u.folder, q->TableFlags & TABLE_DEPTH, &table);
	return r < 0 ? rop_status(rop, r) : open_table(rop, table, true, q->TableFlags, &a->RowCount);
}

/* [MS-OXCFOLD] 3.2.5.14 */
uint32_t rop_get_contents_table(struct rop_call *rop)
{
	const struct RopGetContentsTableRequest *q = (const struct RopGetContentsTableRequest *)rop->request;
	struct RopGetContentsTableResponse *a = (struct RopGetContentsTableResponse *)rop->response;
	struct store_table *table;
	bool deleted = q->TableFlags & TABLE_SOFT_DELETED;
	if (deleted && !rop->on->owner) /* what is gone is the owner's affair */
		return ecAccessDenied;
	int r = (deleted ? store_deleted_table : store_contents_table)(rop_store(rop), rop->in->u.folder,
	                                                               q->TableFlags & TABLE_ASSOCIATED, &table);
	return r < 0 ? rop_status(rop, r) : open_table(rop, table, false, q->TableFlags, &a->RowCount);
}

/* [MS-OXCSTOR] 3.2.5.7: of the folders that there are here, none has its contents elsewhere. */
uint32_t rop_public_folder_is_ghosted(struct rop_call *rop)
{
	const struct RopPublicFolderIsGhostedRequest *q = (const struct RopPublicFolderIsGhostedRequest *)rop->request;
	struct store_folder_info info;
	int r = store_folder_info(rop_store(rop), q->FolderId, &info);
	return r < 0 ? rop_status(rop, r) : 0;
}
