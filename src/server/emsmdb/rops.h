#ifndef MW_SERVER_EMSMDB_ROPS_H
#define MW_SERVER_EMSMDB_ROPS_H

#include "server/emsmdb/rop.h"

/* Each ROP that is served: a row of the table in rop.c and a function here, by the file it stands in. */

/* ---- rop_per_user.c ---- */
uint32_t rop_get_per_user_long_term_ids(struct rop_call *rop);
uint32_t rop_get_per_user_guid(struct rop_call *rop);
uint32_t rop_read_per_user_information(struct rop_call *rop);
uint32_t rop_write_per_user_information(struct rop_call *rop);

/* ---- rop_permission.c ---- */
uint32_t rop_get_permissions_table(struct rop_call *rop);
uint32_t rop_modify_permissions(struct rop_call *rop);

/* ---- rop_logon.c ---- */
/* Where a RopLogon is to run: the loop of the mailbox that it names; NULL: wherever it is refused. */
struct server_loop *rop_logon_place(struct server *server, struct arena *arena, const struct RopLogonRequest *q);
uint32_t rop_logon(struct rop_call *rop);
uint32_t rop_long_term_id_from_id(struct rop_call *rop);
uint32_t rop_id_from_long_term_id(struct rop_call *rop);
uint32_t rop_get_store_state(struct rop_call *rop);
uint32_t rop_get_address_types(struct rop_call *rop);

/* ---- rop_receive.c ---- */
uint32_t rop_get_receive_folder(struct rop_call *rop);
uint32_t rop_set_receive_folder(struct rop_call *rop);
uint32_t rop_get_receive_folder_table(struct rop_call *rop);

/* ---- rop_folder.c ---- */
uint32_t rop_public_folder_is_ghosted(struct rop_call *rop);
uint32_t rop_open_folder(struct rop_call *rop);
uint32_t rop_get_hierarchy_table(struct rop_call *rop);
uint32_t rop_get_contents_table(struct rop_call *rop);

/* ---- rop_folder_change.c ---- */
uint32_t rop_create_folder(struct rop_call *rop);
uint32_t rop_delete_folder(struct rop_call *rop);
uint32_t rop_empty_folder(struct rop_call *rop);
#define ROP_PROGRESS 0x50
uint32_t rop_progress(struct rop_call *rop);
uint32_t rop_hard_delete_messages_and_subfolders(struct rop_call *rop);
uint32_t rop_delete_messages(struct rop_call *rop);
uint32_t rop_hard_delete_messages(struct rop_call *rop);

/* ---- rop_transfer.c ---- */
uint32_t rop_move_copy_messages(struct rop_call *rop);
uint32_t rop_move_folder(struct rop_call *rop);
uint32_t rop_copy_folder(struct rop_call *rop);

/* ---- rop_search.c ---- */
uint32_t rop_set_search_criteria(struct rop_call *rop);
uint32_t rop_get_search_criteria(struct rop_call *rop);

/* ---- rop_table.c ---- */
uint32_t rop_set_columns(struct rop_call *rop);
uint32_t rop_sort_table(struct rop_call *rop);
uint32_t rop_query_rows(struct rop_call *rop);
uint32_t rop_query_position(struct rop_call *rop);
uint32_t rop_seek_row(struct rop_call *rop);
uint32_t rop_seek_row_fractional(struct rop_call *rop);
uint32_t rop_query_columns_all(struct rop_call *rop);
uint32_t rop_get_status(struct rop_call *rop);
uint32_t rop_abort(struct rop_call *rop);
uint32_t rop_reset_table(struct rop_call *rop);

/* ---- rop_restrict.c ---- */
uint32_t rop_restrict(struct rop_call *rop);
uint32_t rop_find_row(struct rop_call *rop);

/* ---- rop_bookmark.c ---- */
uint32_t rop_create_bookmark(struct rop_call *rop);
uint32_t rop_free_bookmark(struct rop_call *rop);
uint32_t rop_seek_row_bookmark(struct rop_call *rop);

/* ---- rop_category.c ---- */
uint32_t rop_expand_row(struct rop_call *rop);
uint32_t rop_collapse_row(struct rop_call *rop);
uint32_t rop_get_collapse_state(struct rop_call *rop);
uint32_t rop_set_collapse_state(struct rop_call *rop);

/* ---- rop_message.c ---- */
uint32_t rop_open_message(struct rop_call *rop);
uint32_t rop_create_message(struct rop_call *rop);
uint32_t rop_reload_cached_information(struct rop_call *rop);
uint32_t rop_save_changes_message(struct rop_call *rop);

/* ---- rop_recipient.c ---- */
uint32_t rop_modify_recipients(struct rop_call *rop);
uint32_t rop_remove_all_recipients(struct rop_call *rop);
uint32_t rop_read_recipients(struct rop_call *rop);

/* ---- rop_message_state.c ---- */
uint32_t rop_set_read_flags(struct rop_call *rop);
uint32_t rop_set_message_read_flag(struct rop_call *rop);
uint32_t rop_set_message_status(struct rop_call *rop);
uint32_t rop_get_message_status(struct rop_call *rop);

/* ---- rop_attachment.c ---- */
uint32_t rop_open_attachment(struct rop_call *rop);
uint32_t rop_create_attachment(struct rop_call *rop);
uint32_t rop_delete_attachment(struct rop_call *rop);
uint32_t rop_save_changes_attachment(struct rop_call *rop);
uint32_t rop_get_valid_attachments(struct rop_call *rop);
uint32_t rop_get_attachment_table(struct rop_call *rop);
uint32_t rop_open_embedded_message(struct rop_call *rop);

/* ---- rop_property.c ---- */
uint32_t rop_get_properties_specific(struct rop_call *rop);
uint32_t rop_get_properties_all(struct rop_call *rop);
uint32_t rop_set_properties(struct rop_call *rop);
uint32_t rop_set_properties_no_replicate(struct rop_call *rop);
uint32_t rop_delete_properties(struct rop_call *rop);
uint32_t rop_get_properties_list(struct rop_call *rop);

/* ---- rop_named_property.c ---- */
uint32_t rop_get_property_ids_from_names(struct rop_call *rop);
uint32_t rop_get_names_from_property_ids(struct rop_call *rop);
uint32_t rop_query_named_properties(struct rop_call *rop);

/* ---- rop_copy.c ---- */
uint32_t rop_copy_properties(struct rop_call *rop);
uint32_t rop_copy_to(struct rop_call *rop);

/* ---- rop_stream.c ---- */
uint32_t rop_open_stream(struct rop_call *rop);
uint32_t rop_read_stream(struct rop_call *rop);
uint32_t rop_write_stream(struct rop_call *rop);
uint32_t rop_write_stream_extended(struct rop_call *rop);
uint32_t rop_commit_stream(struct rop_call *rop);

/* ---- rop_stream_place.c ---- */
uint32_t rop_seek_stream(struct rop_call *rop);
uint32_t rop_set_stream_size(struct rop_call *rop);
uint32_t rop_get_stream_size(struct rop_call *rop);
uint32_t rop_copy_to_stream(struct rop_call *rop);
uint32_t rop_clone_stream(struct rop_call *rop);
uint32_t rop_write_and_commit_stream(struct rop_call *rop);
uint32_t rop_lock_region_stream(struct rop_call *rop);

/* ---- rop_submit.c ---- */
uint32_t rop_submit_message(struct rop_call *rop);
uint32_t rop_transport_send(struct rop_call *rop);
uint32_t rop_abort_submit(struct rop_call *rop);
uint32_t rop_set_spooler(struct rop_call *rop);
uint32_t rop_spooler_lock_message(struct rop_call *rop);
uint32_t rop_transport_new_mail(struct rop_call *rop);
uint32_t rop_get_transport_folder(struct rop_call *rop);
uint32_t rop_options_data(struct rop_call *rop);

/* ---- rop_notify.c ---- */
uint32_t rop_register_notification(struct rop_call *rop);

#endif
