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

/* ---- rop_transfer.c ---- */
uint32_t rop_move_copy_messages(struct rop_call *rop);
uint32_t rop_move_folder(struct rop_call *rop);
uint32_t rop_copy_folder(struct rop_call *rop);

#endif
