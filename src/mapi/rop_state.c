#include "mapi/rop_state.h"

#include "mapi/tags.h"
#include "wire/rops.h"

#include <string.h>

/* The columns of RopGetReceiveFolderTable, [MS-OXCROPS] 2.2.3.4.2. */
static const uint32_t receive_folder_columns[] = {0x67480014, 0x001A001E, 0x30080040};

void rop_request_context(struct mapi_session *s, uint8_t logon_id, struct mapi_shape_context *c)
{
	*c = (struct mapi_shape_context){.session = s, .public_logon = !mapi_session_logon_is_private(s, logon_id)};
}

static void use_columns(struct mapi_shape_context *c, struct mapi_known_tags t)
{
	c->columns = t.tags;
	c->column_count = t.count;
	c->columns_known = t.known;
}

void rop_response_context(struct mapi_session *s, uint8_t id, const struct mapi_rop *request, struct rop_handles h,
                          uint32_t notify_handle, struct mapi_shape_context *c)
{
	const struct RopGetPropertiesSpecificRequest *asked;
	struct mapi_known_tags t;
	uint32_t handle = request ? rop_handle(h, request->input) : MAPI_NO_HANDLE;
	*c = (struct mapi_shape_context){.session = s};
	switch (id) {
	case 0x07: /* GetPropertiesSpecific */
		asked = request ? request->value : NULL;
		if (asked)
			use_columns(c, (struct mapi_known_tags){true, asked->PropertyTagCount, asked->PropertyTags});
		break;
	case 0x15: /* QueryRows */
	case 0x4F: /* FindRow */
	case 0x59: /* ExpandRow */
		use_columns(c, mapi_session_columns(s, handle));
		break;
	case 0x68: /* GetReceiveFolderTable */
		use_columns(c,
		            (struct mapi_known_tags){true, ARRAY_SIZE(receive_folder_columns), receive_folder_columns});
		break;
	case 0x0F: /* ReadRecipients */
		t = mapi_session_recipient_columns(s, handle);
		c->recipient_columns = t.tags;
		c->recipient_column_count = t.count;
		c->recipient_columns_known = t.known;
		break;
	case MAPI_ROP_NOTIFY:
		use_columns(c, mapi_session_columns(s, notify_handle));
		break;
	default:
		break;
	}
}

static int field_value(const struct mapi_rop *rop, unsigned i)
{
	return *((const uint8_t *)rop->value + rop->type->fields[i].offset);
}

void rop_read_head(struct mapi_rop *rop)
{
	rop->input = rop->output = -1;
	for (unsigned i = 1; i < rop->type->field_count && i < 4; i++) {
		const char *name = rop->type->fields[i].name;
		if (strcmp(name, "LogonId") == 0) {
			rop->logon_id = (uint8_t)field_value(rop, i);
		} else if (strcmp(name, "OutputHandleIndex") == 0) {
			rop->output = field_value(rop, i);
		} else if (strcmp(name, "InputHandleIndex") == 0 || strcmp(name, "SourceHandleIndex") == 0) {
			rop->input = field_value(rop, i);
		} else if (strcmp(name, "ReturnValue") == 0) {
			rop->has_status = true;
			memcpy(&rop->status, (const char *)rop->value + rop->type->fields[i].offset, 4);
			break;
		}
	}
}

/* A folder's name in a row of it, or of the table that lists it. */
static void learn_name(struct mapi_session *s, struct arena *arena, uint64_t folder_id, const struct mapi_row *row)
{
	const struct mapi_value *name = mapi_find(row->values, row->count, PidTagDisplayName);
	char *utf8 = name ? mapi_value_utf8(arena, name, mapi_session_code_page(s)) : NULL;
	if (utf8)
		mapi_session_set_folder_name(s, folder_id, utf8);
}

static void learn_rows(struct mapi_session *s, struct arena *arena, const struct mapi_row_set *set)
{
	for (uint16_t i = 0; i < set->count && !set->rows[i].opaque.size; i++) {
		const struct mapi_row *row = &set->rows[i];
		const struct mapi_value *id = mapi_find(row->values, row->count, PidTagFolderId);
		if (id && mapi_tag_type(id->tag) == PTYP_INTEGER64)
			learn_name(s, arena, id->u.u64, row);
	}
}

static void learn_property_names(struct mapi_session *s, struct arena *arena, const uint16_t *ids, unsigned id_count,
                                 const struct mapi_property_name *names, unsigned name_count)
{
	for (unsigned i = 0; i < id_count && i < name_count; i++)
		if (ids[i] >= 0x8000)
			mapi_session_set_property_name(s, arena, ids[i], &names[i]);
}

/* A table shows the folder that it was opened on. */
static void learn_table(struct mapi_session *s, const struct mapi_rop *request, struct rop_handles h)
{
	uint64_t folder_id;
	uint32_t handle = rop_handle(h, request->output);
	mapi_session_release(s, handle);
	if (mapi_session_folder(s, rop_handle(h, request->input), &folder_id))
		mapi_session_set_folder(s, handle, folder_id);
}

static void learn_opened(struct mapi_session *s, const struct mapi_rop *request, const void *response,
                         struct rop_handles h)
{
	uint32_t handle = rop_handle(h, request->output);
	const struct mapi_tags *columns = NULL;
	mapi_session_release(s, handle);
	switch (request->id) {
	case 0x02:
		mapi_session_set_folder(s, handle, ((const struct RopOpenFolderRequest *)request->value)->FolderId);
		break;
	case 0x1C:
		mapi_session_set_folder(s, handle, ((const struct RopCreateFolderResponse *)response)->FolderId);
		break;
	case 0x03:
		columns = &((const struct RopOpenMessageResponse *)response)->RecipientColumns;
		break;
	case 0x46:
		columns = &((const struct RopOpenEmbeddedMessageResponse *)response)->RecipientColumns;
		break;
	}
	if (columns)
		mapi_session_set_recipient_columns(s, handle, columns->tags, columns->count);
}

static void learn_names(struct mapi_session *s, struct arena *arena, const struct mapi_rop *request,
                        const void *response)
{
	if (request->id == 0x56) {
		const struct RopGetPropertyIdsFromNamesRequest *q = request->value;
		const struct RopGetPropertyIdsFromNamesResponse *a = response;
		learn_property_names(s, arena, a->PropertyIds, a->PropertyIdCount, q->PropertyNames,
		                     q->PropertyNameCount);
	} else if (request->id == 0x55) {
		const struct RopGetNamesFromPropertyIdsRequest *q = request->value;
		const struct RopGetNamesFromPropertyIdsResponse *a = response;
		learn_property_names(s, arena, q->PropertyIds, q->PropertyIdCount, a->PropertyNames,
		                     a->PropertyNameCount);
	} else {
		const struct RopQueryNamedPropertiesResponse *a = response;
		learn_property_names(s, arena, a->PropertyIds, a->IdCount, a->PropertyNames, a->IdCount);
	}
}

/* FolderIds of a private logon, [MS-OXCSTOR] 2.2.1.1.3. */
static void learn_logon(struct mapi_session *s, const struct mapi_rop *request, const struct RopLogonResponse *a)
{
	static const char *const names[13] = {"Root",   "Deferred Action", "Spooler Queue", "IPM Subtree",  "Inbox",
	                                      "Outbox", "Sent Items",      "Deleted Items", "Common Views", "Schedule",
	                                      "Search", "Views",           "Shortcuts"};
	bool is_private = a->LogonFlags & 0x01;
	mapi_session_set_logon(s, request->logon_id, is_private);
	for (size_t i = 0; is_private && i < ARRAY_SIZE(names); i++)
		mapi_session_set_folder_name(s, a->FolderIds[i], names[i]);
}

/* What a success teaches. */
void rop_learn(struct mapi_session *s, struct arena *arena, const struct mapi_rop *request, const void *response,
               struct rop_handles h)
{
	uint32_t handle = rop_handle(h, request->input);
	const struct RopSetColumnsRequest *columns;
	const struct RopReloadCachedInformationResponse *reloaded;
	uint64_t folder_id;
	switch (request->id) {
	case 0xFE: /* Logon */
		learn_logon(s, request, response);
		break;
	case 0x02: /* OpenFolder */
	case 0x1C: /* CreateFolder */
	case 0x03: /* OpenMessage */
	case 0x46: /* OpenEmbeddedMessage */
	case 0x06: /* CreateMessage */
		learn_opened(s, request, response, h);
		break;
	case 0x04: /* GetHierarchyTable */
	case 0x05: /* GetContentsTable */
	case 0x21: /* GetAttachmentTable */
	case 0x3E: /* GetPermissionsTable */
	case 0x3F: /* GetRulesTable */
		learn_table(s, request, h);
		break;
	case 0x10: /* ReloadCachedInformation */
		reloaded = response;
		mapi_session_set_recipient_columns(s, handle, reloaded->RecipientColumns.tags,
		                                   reloaded->RecipientColumns.count);
		break;
	case 0x12: /* SetColumns */
		columns = request->value;
		mapi_session_set_columns(s, handle, columns->PropertyTags, columns->PropertyTagCount);
		break;
	case 0x81: /* ResetTable */
		mapi_session_forget_columns(s, handle);
		break;
	case 0x07: /* GetPropertiesSpecific */
		if (mapi_session_folder(s, handle, &folder_id))
			learn_name(s, arena, folder_id,
			           &((const struct RopGetPropertiesSpecificResponse *)response)->RowData);
		break;
	case 0x15: /* QueryRows */
		learn_rows(s, arena, &((const struct RopQueryRowsResponse *)response)->RowData);
		break;
	case 0x55: /* GetNamesFromPropertyIds */
	case 0x56: /* GetPropertyIdsFromNames */
	case 0x5F: /* QueryNamedProperties */
		learn_names(s, arena, request, response);
		break;
	default:
		break;
	}
}

void mapi_rop_released(struct mapi_session *s, const struct mapi_rop *request, const uint32_t *handles,
                       unsigned handle_count)
{
	uint32_t handle = rop_handle((struct rop_handles){handles, handle_count}, request->input);
	if (handle != MAPI_NO_HANDLE)
		mapi_session_release(s, handle);
}
