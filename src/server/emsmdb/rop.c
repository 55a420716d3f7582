#include "server/emsmdb/rop_more.h"

/* Which function answers which ROP, and what its input handle must be. */

#define ANY_PROPERTIES (EMSMDB_LOGON | EMSMDB_FOLDER | EMSMDB_MESSAGE)

const struct rop_row rop_rows[] = {
        {0x02, EMSMDB_LOGON | EMSMDB_FOLDER, rop_open_folder},
        {0x03, EMSMDB_LOGON | EMSMDB_FOLDER, rop_open_message},
        {0x04, EMSMDB_FOLDER, rop_get_hierarchy_table},
        {0x05, EMSMDB_FOLDER, rop_get_contents_table},
        {0x06, EMSMDB_LOGON | EMSMDB_FOLDER, rop_create_message},
        {0x07, ANY_PROPERTIES, rop_get_properties_specific},
        {0x08, ANY_PROPERTIES, rop_get_properties_all},
        {0x0A, ANY_PROPERTIES, rop_set_properties},
        {0x0C, EMSMDB_MESSAGE, rop_save_changes_message},
        {0x0E, EMSMDB_MESSAGE, rop_modify_recipients},
        {0x12, EMSMDB_TABLE, rop_set_columns},
        {0x13, EMSMDB_TABLE, rop_sort_table},
        {0x15, EMSMDB_TABLE, rop_query_rows},
        {0x17, EMSMDB_TABLE, rop_query_position},
        {0x18, EMSMDB_TABLE, rop_seek_row},
        {0x1C, EMSMDB_FOLDER, rop_create_folder},
        {0x1D, EMSMDB_FOLDER, rop_delete_folder},
        {0x1E, EMSMDB_FOLDER, rop_delete_messages},
        {0x27, EMSMDB_LOGON, rop_get_receive_folder},
        {0x29, EMSMDB_LOGON | EMSMDB_FOLDER | EMSMDB_MESSAGE, rop_register_notification},
        {0x2B, EMSMDB_MESSAGE, rop_open_stream},
        {0x2C, EMSMDB_STREAM, rop_read_stream},
        {0x2D, EMSMDB_STREAM, rop_write_stream},
        {0x33, EMSMDB_FOLDER, rop_move_copy_messages},
        {0x35, EMSMDB_FOLDER, rop_move_folder},
        {0x36, EMSMDB_FOLDER, rop_copy_folder},
        {0x43, EMSMDB_LOGON, rop_long_term_id_from_id},
        {0x44, EMSMDB_LOGON, rop_id_from_long_term_id},
        {0x55, ANY_PROPERTIES, rop_get_names_from_property_ids},
        {0x56, ANY_PROPERTIES, rop_get_property_ids_from_names},
        {0x58, EMSMDB_FOLDER, rop_empty_folder},
        {0x5D, EMSMDB_STREAM, rop_commit_stream},
        {0x91, EMSMDB_FOLDER, rop_hard_delete_messages},
        {0x92, EMSMDB_FOLDER, rop_hard_delete_messages_and_subfolders},
        {0xFE, 0, rop_logon},
};
const unsigned rop_row_count = ARRAY_SIZE(rop_rows);

void rop_put_handle(struct rop_call *rop, const struct emsmdb_object *o)
{
	rop->handles[rop->out_index] = o->handle;
}

struct store_mailbox *rop_store(const struct rop_call *rop)
{
	return rop->session->mailbox->store;
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
	case MW_E_EXISTS:
		return ecDuplicateName;
	case MW_E_STATE:
		return ecAccessDenied;
	case MW_E_INVALID:
		return ecInvalidParam;
	case MW_E_UNSUPPORTED:
		return ecNotSupported;
	case MW_E_IO:
		log_line(rop->session->loop->server->config.log, LOG_ERROR, "mailbox: %s",
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

int rop_convert_out(struct rop_call *rop, const uint32_t *tags, struct mapi_value *values, size_t count,
                    uint32_t code_page)
{
	for (size_t i = 0; i < count; i++) {
		uint16_t type = mapi_tag_type(tags[i]);
		if (values[i].flag != MAPI_FLAG_VALUE || (type & ~PTYP_MULTIPLE) != PTYP_STRING8)
			continue;
		int r = mapi_value_convert(rop->arena, &values[i], type, code_page, &values[i]);
		if (r < 0)
			return r;
	}
	return 0;
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
