#ifndef MW_SERVER_EMSMDB_ROP_MORE_H
#define MW_SERVER_EMSMDB_ROP_MORE_H

#include "server/emsmdb/private.h"

/* The object at DestHandleIndex when it is of those kinds; NULL: ecDstNullObject. */
struct emsmdb_object *rop_destination(const struct rop_call *rop, uint8_t index, unsigned kinds);
/* One text of a request, which has it in one of two forms, as UTF-8; NULL: out of memory. "" when there is none. */
char *rop_text(struct rop_call *rop, const uint16_t *wide, const char *narrow);
/* The commit that the response promises: the newest of several. */
static inline void rop_promise(struct rop_call *rop, uint64_t ticket)
{
	if (ticket > rop->ticket)
		rop->ticket = ticket;
}

/* ---- rop_folder_change.c ---- */
uint32_t rop_create_folder(struct rop_call *rop);
uint32_t rop_delete_folder(struct rop_call *rop);
uint32_t rop_empty_folder(struct rop_call *rop);
uint32_t rop_hard_delete_messages_and_subfolders(struct rop_call *rop);
uint32_t rop_delete_messages(struct rop_call *rop);
uint32_t rop_hard_delete_messages(struct rop_call *rop);

/* ---- rop_message.c ---- */
/* A RecipientRow without columns; NULL: out of memory. */
struct mapi_recipient *rop_recipient_row(struct arena *arena, const struct store_recipient *r);
/* What RopOpenMessage and its like tell of a message. */
MW_NODISCARD int rop_describe_message(struct rop_call *rop, struct store_message *msg,
                                      struct RopOpenMessageResponse *a);
/* A new object for the message, which it then owns. */
MW_NODISCARD int rop_add_message(struct rop_call *rop, struct store_message *msg, uint16_t code_page);

/* ---- rop_message_more.c ---- */
uint32_t rop_remove_all_recipients(struct rop_call *rop);
uint32_t rop_read_recipients(struct rop_call *rop);
uint32_t rop_reload_cached_information(struct rop_call *rop);
uint32_t rop_set_read_flags(struct rop_call *rop);
uint32_t rop_set_message_read_flag(struct rop_call *rop);
uint32_t rop_set_message_status(struct rop_call *rop);
uint32_t rop_get_message_status(struct rop_call *rop);

/* ---- rop_property_more.c ---- */
uint32_t rop_delete_properties(struct rop_call *rop);
uint32_t rop_set_properties_no_replicate(struct rop_call *rop);
uint32_t rop_get_properties_list(struct rop_call *rop);
uint32_t rop_query_named_properties(struct rop_call *rop);

/* ---- rop_attachment.c ---- */
uint32_t rop_open_attachment(struct rop_call *rop);
uint32_t rop_create_attachment(struct rop_call *rop);
uint32_t rop_delete_attachment(struct rop_call *rop);
uint32_t rop_save_changes_attachment(struct rop_call *rop);
uint32_t rop_get_attachment_table(struct rop_call *rop);
uint32_t rop_open_embedded_message(struct rop_call *rop);

/* ---- rop_logon_more.c ---- */
uint32_t rop_set_receive_folder(struct rop_call *rop);
uint32_t rop_get_receive_folder_table(struct rop_call *rop);
uint32_t rop_get_store_state(struct rop_call *rop);
uint32_t rop_get_address_types(struct rop_call *rop);

/* ---- rop_copy.c ---- */
uint32_t rop_copy_to(struct rop_call *rop);
uint32_t rop_copy_properties(struct rop_call *rop);

/* ---- rop_stream_more.c ---- */
uint32_t rop_seek_stream(struct rop_call *rop);
uint32_t rop_set_stream_size(struct rop_call *rop);
uint32_t rop_get_stream_size(struct rop_call *rop);
uint32_t rop_copy_to_stream(struct rop_call *rop);
uint32_t rop_clone_stream(struct rop_call *rop);
uint32_t rop_write_and_commit_stream(struct rop_call *rop);
uint32_t rop_lock_region_stream(struct rop_call *rop);

/* ---- text_stream.c ---- */
size_t emsmdb_text_position(const struct emsmdb_text *t);
/* MW_E_LIMIT */
MW_NODISCARD int emsmdb_text_seek(struct emsmdb_text *t, uint64_t position);
MW_NODISCARD int emsmdb_text_set_size(struct emsmdb_text *t, uint64_t size);

/* ---- rop_table.c ---- */
/* How many of the rows fit into the room behind head bytes, as the client will get them: texts are converted. */
MW_NODISCARD int rop_fit_rows(struct rop_call *rop, const uint32_t *columns, struct mapi_row *rows, size_t count,
                              size_t head, size_t *fits);

/* ---- rop_category.c ---- */
uint32_t rop_expand_row(struct rop_call *rop);
uint32_t rop_collapse_row(struct rop_call *rop);
uint32_t rop_get_collapse_state(struct rop_call *rop);
uint32_t rop_set_collapse_state(struct rop_call *rop);

/* ---- rop_search.c ---- */
uint32_t rop_set_search_criteria(struct rop_call *rop);
uint32_t rop_get_search_criteria(struct rop_call *rop);

/* ---- rop_table_more.c ---- */
/* The restriction with its texts as PTYP_STRING, in the arena. depth: 0. */
#define ROP_RESTRICTION_DEPTH 64
MW_NODISCARD int rop_widen(struct rop_call *rop, const struct mapi_restriction *in, struct mapi_restriction *out,
                           unsigned depth);
/* A bookmark of the position. */
MW_NODISCARD int rop_make_bookmark(struct rop_call *rop, uint8_t **data, uint16_t *size);
uint32_t rop_restrict(struct rop_call *rop);
uint32_t rop_create_bookmark(struct rop_call *rop);
uint32_t rop_free_bookmark(struct rop_call *rop);
uint32_t rop_seek_row_bookmark(struct rop_call *rop);
uint32_t rop_seek_row_fractional(struct rop_call *rop);
uint32_t rop_find_row(struct rop_call *rop);
uint32_t rop_query_columns_all(struct rop_call *rop);
uint32_t rop_get_status(struct rop_call *rop);
uint32_t rop_abort(struct rop_call *rop);
uint32_t rop_reset_table(struct rop_call *rop);

/* ---- rop_submit.c ---- */
uint32_t rop_submit_message(struct rop_call *rop);
uint32_t rop_abort_submit(struct rop_call *rop);
uint32_t rop_transport_send(struct rop_call *rop);
uint32_t rop_set_spooler(struct rop_call *rop);
uint32_t rop_spooler_lock_message(struct rop_call *rop);
uint32_t rop_get_transport_folder(struct rop_call *rop);
uint32_t rop_options_data(struct rop_call *rop);

/* ---- rop_transfer.c ---- */
uint32_t rop_move_copy_messages(struct rop_call *rop);
uint32_t rop_move_folder(struct rop_call *rop);
uint32_t rop_copy_folder(struct rop_call *rop);

#endif
