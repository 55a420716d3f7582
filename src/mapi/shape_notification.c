#include "mapi/shape.h"

/* [MS-OXCNOTIF] 2.2.1.4.1.2, field by field under its condition. */

static uint16_t type_of(const struct mapi_notification *v)
{
	return v->flags & MAPI_NOTIFY_TYPE;
}

static bool is_message(const struct mapi_notification *v)
{
	return v->flags & MAPI_NOTIFY_M;
}

/* TableRowDataSize, and a row inside it. */
static int row_data(struct ndr *n, struct mapi_notification *v)
{
	struct ndr_bound bound;
	size_t at = shape_decodes(n) ? 0 : n->out->len;
	uint16_t size = 0;
	int r = shape_raw(n, "TableRowDataSize", &size, sizeof size);
	if (r < 0)
		return r;
	shape_note(n, "TableRowDataSize", sizeof size, "%u", size);
	if ((r = ndr_bound_enter(n, size, &bound)) < 0)
		return r;
	ndr_enter(n, "TableRowData");
	r = shape_decodes(n) && size == 0 ? 0 : mapi_shape_row(n, &v->row);
	ndr_leave(n);
	size_t written = ndr_bound_leave(n, &bound);
	if (r < 0 || shape_decodes(n))
		return r;
	if (written > UINT16_MAX)
		return shape_fail(n, "TableRowData", MW_E_LIMIT);
	buf_poke_u16(n->out, at, (uint16_t)written);
	return 0;
}

/* MessageId and instance, of a contents table. */
static int row_message(struct ndr *n, const struct mapi_notification *v, const char *id_name, uint64_t *id,
                       const char *instance_name, uint32_t *instance)
{
	int r;
	if (!is_message(v))
		return 0;
	if ((r = shape_object_id(n, id_name, id)) < 0)
		return r;
	return ndr_u32(n, instance_name, instance);
}

static int table_event(struct ndr *n, struct mapi_notification *v)
{
	int r = ndr_u16(n, "TableEventType", &v->table_event);
	bool placed = v->table_event == MAPI_TABLE_ROW_ADDED || v->table_event == MAPI_TABLE_ROW_MODIFIED;
	if (r < 0 || (!placed && v->table_event != MAPI_TABLE_ROW_DELETED))
		return r;
	if ((r = shape_object_id(n, "TableRowFolderID", &v->row_folder_id)) < 0 ||
	    (r = row_message(n, v, "TableRowMessageID", &v->row_message_id, "TableRowInstance", &v->row_instance)) < 0)
		return r;
	if (!placed)
		return 0;
	if ((r = shape_object_id(n, "InsertAfterTableRowFolderID", &v->after_folder_id)) < 0 ||
	    (r = row_message(n, v, "InsertAfterTableRowID", &v->after_message_id, "InsertAfterTableRowInstance",
	                     &v->after_instance)) < 0)
		return r;
	return row_data(n, v);
}

/* Of moved and copied: where it was. */
static int old_place(struct ndr *n, struct mapi_notification *v)
{
	int r = shape_object_id(n, "OldFolderId", &v->old_folder_id);
	if (r < 0)
		return r;
	return is_message(v) ? shape_object_id(n, "OldMessageId", &v->old_message_id)
	                     : shape_object_id(n, "OldParentFolderId", &v->old_parent_folder_id);
}

static int tag_list(struct ndr *n, struct mapi_notification *v)
{
	int r = ndr_u16(n, "TagCount", &v->tag_count);
	if (r < 0 || v->tag_count == 0 || v->tag_count == 0xFFFF)
		return r;
	return shape_tags(n, "Tags", v->tag_count, &v->tags);
}

static int counts(struct ndr *n, struct mapi_notification *v)
{
	int r = 0;
	if (v->flags & MAPI_NOTIFY_T)
		r = ndr_u32(n, "TotalMessageCount", &v->total_count);
	if (r >= 0 && (v->flags & MAPI_NOTIFY_U))
		r = ndr_u32(n, "UnreadMessageCount", &v->unread_count);
	return r;
}

static int new_mail(struct ndr *n, struct mapi_notification *v)
{
	int r = ndr_u32(n, "MessageFlags", &v->message_flags);
	if (r < 0 || (r = ndr_u8(n, "UnicodeFlag", &v->unicode)) < 0)
		return r;
	return shape_string(n, "MessageClass", v->unicode, &v->message_class);
}

static int object_event(struct ndr *n, struct mapi_notification *v)
{
	const uint16_t type = type_of(v);
	const bool moved = type == MAPI_NOTIFY_MOVED || type == MAPI_NOTIFY_COPIED;
	const bool has_parent = moved || type == MAPI_NOTIFY_CREATED || type == MAPI_NOTIFY_DELETED;
	const bool searched = v->flags & MAPI_NOTIFY_S;
	int r = shape_object_id(n, "FolderId", &v->folder_id);
	if (r >= 0 && is_message(v))
		r = shape_object_id(n, "MessageId", &v->message_id);
	if (r >= 0 && has_parent && searched == is_message(v))
		r = shape_object_id(n, "ParentFolderId", &v->parent_folder_id);
	if (r >= 0 && moved)
		r = old_place(n, v);
	if (r >= 0 && (type == MAPI_NOTIFY_CREATED || type == MAPI_NOTIFY_MODIFIED))
		r = tag_list(n, v);
	if (r >= 0)
		r = counts(n, v);
	if (r >= 0 && type == MAPI_NOTIFY_NEW_MAIL)
		r = new_mail(n, v);
	return r;
}

int mapi_shape_notification(struct ndr *n, void *value)
{
	struct mapi_notification *v = value;
	int r;
	if (!n)
		return SHAPE_LAYOUT(value, struct mapi_notification);
	if ((r = ndr_u16(n, "NotificationFlags", &v->flags)) < 0)
		return r;
	switch (type_of(v)) {
	case MAPI_NOTIFY_TABLE:
		r = table_event(n, v);
		return r < 0 ? r : counts(n, v);
	case MAPI_NOTIFY_RESERVED:
		return counts(n, v);
	default:
		return object_event(n, v);
	}
}
