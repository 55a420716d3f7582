#include "server/emsmdb/rops.h"

/*
 * Which function answers which ROP, what its input handle must be, and which rights the caller needs in the folder that
 * it names or that its object is in; any one of them will do, and where that may mean his own messages alone, each
 * message is asked. What stands without is done on what was opened with the right to it, or tells nothing.
 */

#define WITH_STREAMS (EMSMDB_MESSAGE | EMSMDB_ATTACHMENT)
#define ANY_PROPERTIES (EMSMDB_LOGON | EMSMDB_FOLDER | WITH_STREAMS)

/* Some of the messages: all, or the caller's own. */
#define READS (STORE_MAY_READ | STORE_MAY_SEE)
#define EDITS (STORE_MAY_EDIT | STORE_MAY_EDIT_OWN)
#define DELETES (STORE_MAY_DELETE | STORE_MAY_DELETE_OWN)

const struct rop_row rop_rows[] = {
        {0x02, EMSMDB_LOGON | EMSMDB_FOLDER, rop_open_folder, STORE_MAY_SEE},
        {0x03, EMSMDB_LOGON | EMSMDB_FOLDER, rop_open_message, STORE_MAY_SEE},
        {0x04, EMSMDB_FOLDER, rop_get_hierarchy_table, STORE_MAY_SEE},
        {0x05, EMSMDB_FOLDER, rop_get_contents_table, STORE_MAY_SEE},
        {0x06, EMSMDB_LOGON | EMSMDB_FOLDER, rop_create_message, STORE_MAY_CREATE},
        {0x07, ANY_PROPERTIES, rop_get_properties_specific},
        {0x08, ANY_PROPERTIES, rop_get_properties_all},
        {0x09, ANY_PROPERTIES, rop_get_properties_list},
        {0x0A, ANY_PROPERTIES, rop_set_properties, STORE_MAY_OWN},
        {0x0B, ANY_PROPERTIES, rop_delete_properties, STORE_MAY_OWN},
        {0x0C, EMSMDB_MESSAGE, rop_save_changes_message},
        {0x0D, EMSMDB_MESSAGE, rop_remove_all_recipients},
        {0x0E, EMSMDB_MESSAGE, rop_modify_recipients},
        {0x0F, EMSMDB_MESSAGE, rop_read_recipients},
        {0x10, EMSMDB_MESSAGE, rop_reload_cached_information},
        {0x11, EMSMDB_MESSAGE, rop_set_message_read_flag, EDITS},
        {0x12, EMSMDB_TABLE, rop_set_columns},
        {0x13, EMSMDB_TABLE, rop_sort_table},
        {0x14, EMSMDB_TABLE, rop_restrict},
        {0x15, EMSMDB_TABLE, rop_query_rows, .lists = true},
        {0x16, EMSMDB_TABLE, rop_get_status},
        {0x17, EMSMDB_TABLE, rop_query_position, .lists = true},
        {0x18, EMSMDB_TABLE, rop_seek_row, .lists = true},
        {0x19, EMSMDB_TABLE, rop_seek_row_bookmark, .lists = true},
        {0x1A, EMSMDB_TABLE, rop_seek_row_fractional, .lists = true},
        {0x1B, EMSMDB_TABLE, rop_create_bookmark, .lists = true},
        {0x1C, EMSMDB_FOLDER, rop_create_folder, STORE_MAY_CREATE_FOLDER},
        {0x1D, EMSMDB_FOLDER, rop_delete_folder, STORE_MAY_OWN},
        {0x1E, EMSMDB_FOLDER, rop_delete_messages, DELETES},
        {0x1F, EMSMDB_FOLDER, rop_get_message_status, READS},
        {0x20, EMSMDB_FOLDER, rop_set_message_status, EDITS},
        {0x21, EMSMDB_MESSAGE, rop_get_attachment_table},
        {0x22, EMSMDB_MESSAGE, rop_open_attachment},
        {0x23, EMSMDB_MESSAGE, rop_create_attachment},
        {0x24, EMSMDB_MESSAGE, rop_delete_attachment},
        {0x25, EMSMDB_ATTACHMENT, rop_save_changes_attachment},
        {0x26, EMSMDB_LOGON, rop_set_receive_folder, ROP_OWNER},
        {0x27, EMSMDB_LOGON, rop_get_receive_folder},
        {0x29, EMSMDB_LOGON | EMSMDB_FOLDER | EMSMDB_MESSAGE, rop_register_notification, STORE_MAY_READ},
        {0x2B, WITH_STREAMS, rop_open_stream},
        {0x2C, EMSMDB_STREAM, rop_read_stream},
        {0x2D, EMSMDB_STREAM, rop_write_stream},
        {0x2E, EMSMDB_STREAM, rop_seek_stream},
        {0x2F, EMSMDB_STREAM, rop_set_stream_size},
        {0x30, EMSMDB_FOLDER, rop_set_search_criteria, ROP_OWNER},
        {0x31, EMSMDB_FOLDER, rop_get_search_criteria, STORE_MAY_SEE},
        {0x32, EMSMDB_MESSAGE, rop_submit_message, ROP_OWNER},
        {0x33, EMSMDB_FOLDER, rop_move_copy_messages, READS, STORE_MAY_CREATE},
        {0x34, EMSMDB_LOGON, rop_abort_submit, ROP_OWNER},
        {0x35, EMSMDB_FOLDER, rop_move_folder, STORE_MAY_OWN, STORE_MAY_CREATE_FOLDER},
        {0x36, EMSMDB_FOLDER, rop_copy_folder, STORE_MAY_READ, STORE_MAY_CREATE_FOLDER},
        {0x37, EMSMDB_TABLE, rop_query_columns_all},
        {0x38, EMSMDB_TABLE, rop_abort},
        {0x39, EMSMDB_FOLDER | WITH_STREAMS, rop_copy_to, STORE_MAY_SEE, STORE_MAY_OWN},
        {0x3A, EMSMDB_STREAM, rop_copy_to_stream},
        {0x3B, EMSMDB_STREAM, rop_clone_stream},
        {0x3E, EMSMDB_FOLDER, rop_get_permissions_table, STORE_MAY_OWN},
        {0x40, EMSMDB_FOLDER, rop_modify_permissions, STORE_MAY_OWN},
        {0x43, EMSMDB_LOGON, rop_long_term_id_from_id},
        {0x44, EMSMDB_LOGON, rop_id_from_long_term_id},
        {0x45, EMSMDB_LOGON, rop_public_folder_is_ghosted, STORE_MAY_SEE},
        {0x46, EMSMDB_ATTACHMENT, rop_open_embedded_message},
        {0x47, EMSMDB_LOGON, rop_set_spooler, ROP_OWNER},
        {0x48, EMSMDB_LOGON, rop_spooler_lock_message, ROP_OWNER},
        {0x49, EMSMDB_LOGON, rop_get_address_types},
        {0x4A, EMSMDB_MESSAGE, rop_transport_send, ROP_OWNER},
        {0x4F, EMSMDB_TABLE, rop_find_row, .lists = true},
        {0x51, EMSMDB_LOGON, rop_transport_new_mail, ROP_OWNER},
        {0x52, EMSMDB_MESSAGE, rop_get_valid_attachments},
        {0x50, EMSMDB_FOLDER, rop_progress},
        {0x55, ANY_PROPERTIES, rop_get_names_from_property_ids},
        {0x56, ANY_PROPERTIES, rop_get_property_ids_from_names},
        {0x58, EMSMDB_FOLDER, rop_empty_folder, STORE_MAY_OWN},
        {0x59, EMSMDB_TABLE, rop_expand_row, .lists = true},
        {0x5A, EMSMDB_TABLE, rop_collapse_row, .lists = true},
        {0x5B, EMSMDB_STREAM, rop_lock_region_stream},
        {0x5C, EMSMDB_STREAM, rop_lock_region_stream},
        {0x5D, EMSMDB_STREAM, rop_commit_stream},
        {0x5E, EMSMDB_STREAM, rop_get_stream_size},
        {0x5F, ANY_PROPERTIES, rop_query_named_properties},
        {0x60, EMSMDB_LOGON, rop_get_per_user_long_term_ids, ROP_OWNER},
        {0x61, EMSMDB_LOGON, rop_get_per_user_guid, ROP_OWNER},
        {0x63, EMSMDB_LOGON, rop_read_per_user_information, ROP_OWNER},
        {0x64, EMSMDB_LOGON, rop_write_per_user_information, ROP_OWNER},
        {0x66, EMSMDB_FOLDER, rop_set_read_flags, EDITS},
        {0x67, EMSMDB_FOLDER | WITH_STREAMS, rop_copy_properties, STORE_MAY_SEE, STORE_MAY_OWN},
        {0x68, EMSMDB_LOGON, rop_get_receive_folder_table},
        {0x6B, EMSMDB_TABLE, rop_get_collapse_state, .lists = true},
        {0x6C, EMSMDB_TABLE, rop_set_collapse_state, .lists = true},
        {0x6D, EMSMDB_LOGON, rop_get_transport_folder, ROP_OWNER},
        {0x6F, EMSMDB_LOGON, rop_options_data},
        {0x79, ANY_PROPERTIES, rop_set_properties_no_replicate, STORE_MAY_OWN},
        {0x7A, ANY_PROPERTIES, rop_delete_properties, STORE_MAY_OWN},
        {0x7B, EMSMDB_LOGON, rop_get_store_state},
        {0x81, EMSMDB_TABLE, rop_reset_table},
        {0x89, EMSMDB_TABLE, rop_free_bookmark},
        {0x90, EMSMDB_STREAM, rop_write_and_commit_stream},
        {0x91, EMSMDB_FOLDER, rop_hard_delete_messages, DELETES},
        {0x92, EMSMDB_FOLDER, rop_hard_delete_messages_and_subfolders, STORE_MAY_OWN},
        {0xA3, EMSMDB_STREAM, rop_write_stream_extended},
        {0xFE, 0, rop_logon},
};
const unsigned rop_row_count = ARRAY_SIZE(rop_rows);

void rop_put_handle(struct rop_call *rop, const struct emsmdb_object *o)
{
	rop->handles[rop->out_index] = o->handle;
}

struct store_mailbox *rop_store(const struct rop_call *rop)
{
	return rop_mailbox(rop)->store;
}

uint32_t rop_status(const struct rop_call *rop, int error)
{
	switch (error) {
	case MW_E_NOTFOUND:
		return ecNotFound;
	case MW_E_NOMEM:
		return ecServerOOM;
	case MW_E_LIMIT:
		return ecTooBig;
	case MW_E_BUSY:
		return ecMaxObjsExceeded;
	case MW_E_FULL:
		return ecShutoffQuotaExceeded;
	case MW_E_EXISTS:
		return ecDuplicateName;
	case MW_E_STATE:
		return ecAccessDenied;
	case MW_E_INVALID:
		return ecInvalidParam;
	case MW_E_UNSUPPORTED:
		return ecNotSupported;
	case MW_E_IO:
		if (rop->on)
			log_line(rop_mailbox(rop)->loop->server->config.log, LOG_ERROR, "mailbox: %s",
			         store_mailbox_error(rop_store(rop)));
		return ecDatabaseError;
	default:
		return ecError;
	}
}

uint32_t rop_code_page(const struct rop_call *rop, const struct emsmdb_object *o)
{
	/* 0xFFF: the code page of the logon, [MS-OXCMSG] 2.2.3.1.1 */
	return o->kind == EMSMDB_MESSAGE && o->code_page && o->code_page != 0x0FFF ? o->code_page
	                                                                           : rop->session->code_page;
}

int rop_narrow(struct arena *arena, const uint32_t *tags, struct mapi_value *values, size_t count, uint32_t code_page)
{
	for (size_t i = 0; i < count; i++) {
		uint16_t type = mapi_tag_type(tags[i]);
		if (type & PTYP_INSTANCE) /* one of a multiple value */
			type &= (uint16_t) ~(PTYP_INSTANCE | PTYP_MULTIPLE);
		if (values[i].flag != MAPI_FLAG_VALUE || (type & ~PTYP_MULTIPLE) != PTYP_STRING8)
			continue;
		int r = mapi_value_convert(arena, &values[i], type, code_page, &values[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

int rop_convert_out(struct rop_call *rop, const uint32_t *tags, struct mapi_value *values, size_t count,
                    uint32_t code_page)
{
	return rop_narrow(rop->arena, tags, values, count, code_page);
}

int rop_convert_in(struct rop_call *rop, const struct mapi_value *in, size_t count, uint32_t code_page,
                   struct mapi_value **out)
{
	struct mapi_value *values = arena_new_array(rop->arena, struct mapi_value, count);
	if (!values)
		return MW_E_NOMEM;
	for (size_t i = 0; i < count; i++) {
		uint16_t type = mapi_tag_type(in[i].tag);
		values[i] = in[i];
		if (in[i].flag != MAPI_FLAG_VALUE || (type & ~PTYP_MULTIPLE) != PTYP_STRING8)
			continue;
		int r = mapi_value_convert(rop->arena, &in[i], (type & PTYP_MULTIPLE) | PTYP_STRING, code_page,
		                           &values[i]);
		if (r < 0)
			return r;
	}
	*out = values;
	return 0;
}
