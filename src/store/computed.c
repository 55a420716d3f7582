#include "store/object.h"

#include "base/utf16.h"
#include "mapi/entry_id.h"
#include "mapi/tags.h"
#include "store/folder.h"
#include "store/message_private.h"
#include "store/permission_private.h"

#include <string.h>

/* Properties that no one stores: they follow from what the store knows. */

#define MF_FAI 0x40u

static int bytes(uint32_t tag, const uint8_t *data, uint32_t size, struct mapi_value *out)
{
	if (!data)
		return MW_E_NOMEM;
	*out = mapi_bytes(tag, data, size);
	return 0;
}

static int entry_id_of(struct store_mailbox *m, struct arena *arena, uint32_t tag, uint64_t folder,
                       struct mapi_value *out)
{
	return bytes(tag, store_folder_entry_id(m, arena, folder), STORE_FOLDER_ENTRY_ID, out);
}

static int entry_id(const struct store_object *o, struct arena *arena, uint32_t tag, struct mapi_value *out)
{
	if (o->id == 0)
		return MW_E_NOTFOUND;
	if (o->kind == STORE_A_FOLDER)
		return entry_id_of(o->m, arena, tag, o->id, out);
	return bytes(tag, store_message_entry_id(o->m, arena, o->parent, o->id), STORE_MESSAGE_ENTRY_ID, out);
}

/* The root is its own parent, [MS-OXCFOLD] 2.2.2.2.1.16. */
static uint64_t parent_of(const struct store_object *o)
{
	return o->parent ? o->parent : o->id;
}

static int parent_entry_id(const struct store_object *o, struct arena *arena, uint32_t tag, struct mapi_value *out)
{
	return entry_id_of(o->m, arena, tag, parent_of(o), out);
}

/* Unique in the table, and it stays with the row: the id and the instance. */
static int instance_key(const struct store_object *o, struct arena *arena, uint32_t tag, struct mapi_value *out)
{
	uint64_t id = store_id(STORE_REPLID, o->id);
	uint8_t *key = arena_alloc(arena, 12);

	if (key) {
		memcpy(key, &id, 8);
		memcpy(key + 8, &o->instance, 4);
	}
	return bytes(tag, key, 12, out);
}

static int attach_key(const struct store_object *o, struct arena *arena, uint32_t tag, struct mapi_value *out)
{
	uint32_t number = (uint32_t)o->id;

	return bytes(tag, arena_copy(arena, &number, sizeof number), sizeof number, out);
}

static int source_key(const struct store_object *o, struct arena *arena, uint32_t tag, struct mapi_value *out)
{
	if (o->id == 0)
		return MW_E_NOTFOUND;
	return bytes(tag, store_source_key(o->m, arena, o->id), STORE_SOURCE_KEY, out);
}

static int parent_source_key(const struct store_object *o, struct arena *arena, uint32_t tag, struct mapi_value *out)
{
	return bytes(tag, store_source_key(o->m, arena, parent_of(o)), STORE_SOURCE_KEY, out);
}

static int change_key(const struct store_object *o, struct arena *arena, uint32_t tag, struct mapi_value *out)
{
	if (o->change == 0)
		return MW_E_NOTFOUND;
	return bytes(tag, store_source_key(o->m, arena, o->change), STORE_SOURCE_KEY, out);
}

/* [MS-OXCFXICS] 2.2.2.3: sized XIDs, one a replica; what was changed only here has one. */
static int predecessors(const struct store_object *o, struct arena *arena, uint32_t tag, struct mapi_value *out)
{
	uint8_t *list = arena_alloc(arena, 1 + STORE_SOURCE_KEY);
	uint8_t *key = store_source_key(o->m, arena, o->change);

	if (o->change == 0)
		return MW_E_NOTFOUND;
	if (!list || !key)
		return MW_E_NOMEM;
	list[0] = STORE_SOURCE_KEY;
	memcpy(list + 1, key, STORE_SOURCE_KEY);
	return bytes(tag, list, 1 + STORE_SOURCE_KEY, out);
}

static int mailbox_guid(const struct store_object *o, struct arena *arena, uint32_t tag, struct mapi_value *out)
{
	uint8_t *g = arena_alloc(arena, 16);

	if (g)
		guid_to_bytes(&o->m->guid, g);
	return bytes(tag, g, 16, out);
}

static int id64(uint32_t tag, uint64_t counter, struct mapi_value *out)
{
	if (counter == 0)
		return MW_E_NOTFOUND;
	*out = mapi_i64(tag, (int64_t)store_id(STORE_REPLID, counter));
	return 0;
}

/* Small numbers of an object, each a line of the table below. */
#define NUMBER(name, made)                                                                                             \
	static int name(const struct store_object *o, struct arena *arena, uint32_t tag, struct mapi_value *out)       \
	{                                                                                                              \
		(void)arena;                                                                                           \
		(void)o;                                                                                               \
		*out = made;                                                                                           \
		return 0;                                                                                              \
	}
#define ID(name, counter)                                                                                              \
	static int name(const struct store_object *o, struct arena *arena, uint32_t tag, struct mapi_value *out)       \
	{                                                                                                              \
		(void)arena;                                                                                           \
		return id64(tag, counter, out);                                                                        \
	}

ID(own_id, o->id)
ID(parent_id, parent_of(o))
ID(change_number, o->change)
NUMBER(size32, mapi_i32(tag, o->size > INT32_MAX ? INT32_MAX : (int32_t)o->size))
NUMBER(size64, mapi_i64(tag, (int64_t)o->size))
NUMBER(modified, mapi_i64(tag, (int64_t)o->modified))
NUMBER(flags, mapi_i32(tag, (int32_t)(o->flags | (o->associated ? MF_FAI : 0))))
NUMBER(message_status, mapi_i32(tag, (int32_t)o->status))
NUMBER(is_read, mapi_boolean(tag, o->flags &MF_READ))
NUMBER(has_attachments, mapi_boolean(tag, o->flags &MF_HAS_ATTACH))
NUMBER(is_associated, mapi_boolean(tag, o->associated))
NUMBER(instance_number, mapi_i32(tag, (int32_t)o->instance))
NUMBER(one, mapi_i32(tag, 1))
NUMBER(no, mapi_boolean(tag, false))
NUMBER(message_object, mapi_i32(tag, 5))
NUMBER(attachment_object, mapi_i32(tag, 7))
NUMBER(attach_number, mapi_i32(tag, (int32_t)o->id))
NUMBER(folder_object, mapi_i32(tag, 3))
NUMBER(folder_type, mapi_i32(tag, (int32_t)o->type))
NUMBER(contents, mapi_i32(tag, (int32_t)o->contents))
NUMBER(unread, mapi_i32(tag, (int32_t)o->unread))
NUMBER(associated_count, mapi_i32(tag, (int32_t)o->associated_count))
NUMBER(deleted, mapi_i32(tag, (int32_t)o->deleted))
NUMBER(children, mapi_i32(tag, (int32_t)o->children))
NUMBER(has_children, mapi_boolean(tag, o->children > 0))
NUMBER(depth, mapi_i32(tag, (int32_t)o->depth))

/* [MS-OXCFOLD] 2.2.2.2.2.8: the caller's, without those of free/busy times. */
static int rights(const struct store_object *o, struct arena *arena, uint32_t tag, struct mapi_value *out)
{
	uint32_t rights_here;
	int r = store_rights_in(o->m, o->id, &rights_here);

	(void)arena;
	if (r >= 0)
		*out = mapi_i32(tag, (int32_t)(rights_here & ~STORE_FREE_BUSY_RIGHTS));
	return r;
}

/* [MS-OXCPRPT] 2.2.1.1: modify, read, delete; make folders, messages, associated messages in it. */
static int folder_access(const struct store_object *o, struct arena *arena, uint32_t tag, struct mapi_value *out)
{
	uint32_t may;
	int r = store_rights_in(o->m, o->id, &may);

	(void)arena;
	if (r >= 0)
		*out = mapi_i32(tag, (may & STORE_MAY_OWN ? 0x1 | 0x4 | 0x20 : 0) | (may & STORE_MAY_READ ? 0x2 : 0) |
		                             (may & STORE_MAY_CREATE_FOLDER ? 0x8 : 0) |
		                             (may & STORE_MAY_CREATE ? 0x10 : 0));
	return r;
}

static int message_access(const struct store_object *o, struct arena *arena, uint32_t tag, struct mapi_value *out)
{
	uint32_t access;
	int r = store_object_access(o, &access);

	(void)arena;
	if (r >= 0)
		*out = mapi_i32(tag, (int32_t)access);
	return r;
}

/* [MS-OXCPRPT] 2.2.1.2: whether what was opened can be changed, or what is listed could be. */
static int access_level(const struct store_object *o, struct arena *arena, uint32_t tag, struct mapi_value *out)
{
	uint32_t may = 1;
	int r = o->kind == STORE_A_MESSAGE && !o->read_only ? store_object_access(o, &may) : 0;

	(void)arena;
	if (o->kind == STORE_A_FOLDER) {
		r = store_rights_in(o->m, o->id, &may);
		may = (may & STORE_MAY_OWN) != 0;
	}
	if (r >= 0)
		*out = mapi_i32(tag, !o->read_only && may & STORE_ACCESS_MODIFY ? 1 : 0);
	return r;
}

static int deleted_on(const struct store_object *o, struct arena *arena, uint32_t tag, struct mapi_value *out)
{
	uint64_t when;
	int r = store_deleted_on(o, &when);

	(void)arena;
	if (r >= 0)
		*out = mapi_i64(tag, (int64_t)when);
	return r;
}

/* Who made a message, where nothing else is kept: the mailbox's owner. */
static int owner_name(const struct store_object *o, struct arena *arena, uint32_t tag, struct mapi_value *out)
{
	return mapi_text(arena, tag, o->m->owner_name, 0, out);
}

static int owner_entry_id(const struct store_object *o, struct arena *arena, uint32_t tag, struct mapi_value *out)
{
	struct buf id = {0};
	int r = o->m->owner_dn[0] ? mapi_user_entry_id(&id, o->m->owner_dn) : MW_E_NOTFOUND;

	if (r >= 0)
		r = bytes(tag, arena_copy(arena, id.data, id.len), (uint32_t)id.len, out);
	buf_free(&id);
	return r;
}

static int folder_name(const struct store_object *o, struct arena *arena, uint32_t tag, struct mapi_value *out)
{
	uint16_t *name = utf8_to_utf16(arena, o->name, NULL);

	if (!name)
		return MW_E_NOMEM;
	*out = (struct mapi_value){.tag = tag, .u.str16 = name};
	return 0;
}

/* [MS-OXOSFLD] 2.2.3: where a client looks for the special folders that RopLogon does not name. */
static int home_entry_id(const struct store_object *o, struct arena *arena, uint32_t tag, struct mapi_value *out)
{
	static const struct {
		uint32_t tag;
		enum store_special folder;
	} homes[] = {
	        {PidTagIpmAppointmentEntryId, STORE_CALENDAR}, {PidTagIpmContactEntryId, STORE_CONTACTS},
	        {PidTagIpmJournalEntryId, STORE_JOURNAL},      {PidTagIpmNoteEntryId, STORE_NOTES},
	        {PidTagIpmTaskEntryId, STORE_TASKS},           {PidTagIpmDraftsEntryId, STORE_DRAFTS},
	};

	if (o->id != STORE_ROOT + 1 && o->id != STORE_INBOX + 1)
		return MW_E_NOTFOUND;
	for (size_t i = 0; i < ARRAY_SIZE(homes); i++)
		if (homes[i].tag == tag)
			return entry_id_of(o->m, arena, tag, (uint64_t)homes[i].folder + 1, out);
	return MW_E_NOTFOUND;
}

/* ---- The subject and its two halves, [MS-OXCMSG] 2.2.1.46, 2.2.1.9, 2.2.1.10 ---- */

static bool stored_text(const struct store_object *o, struct arena *arena, uint32_t tag, struct mapi_value *out)
{
	struct store_field f;
	const struct store_slot *slot = o->bag ? store_bag_slot(o->bag, mapi_tag_id(tag)) : NULL;

	if (o->bag && !slot)
		return false;
	if (slot)
		store_slot_field(slot, &f);
	else if (!store_record_find(&o->record, mapi_tag_id(tag), &f))
		return false;
	return !f.external && f.tag == tag && store_decode(arena, &f, out) == 0;
}

/* Up to three characters, none of them a digit, before a colon and a blank: "RE: ", "FW: ", "WG: ". */
static size_t prefix_length(const uint16_t *subject)
{
	for (size_t i = 0; i < 4 && subject[i]; i++) {
		if (subject[i] == ':')
			return i > 0 && subject[i + 1] == ' ' ? i + 2 : 0;
		if (subject[i] >= '0' && subject[i] <= '9')
			return 0;
	}
	return 0;
}

static int subject_prefix(const struct store_object *o, struct arena *arena, uint32_t tag, struct mapi_value *out)
{
	struct mapi_value v;

	if (!stored_text(o, arena, PidTagSubject, &v))
		return MW_E_NOTFOUND;
	v.u.str16[prefix_length(v.u.str16)] = 0;
	*out = (struct mapi_value){.tag = tag, .u.str16 = v.u.str16};
	return 0;
}

static int normalized_subject(const struct store_object *o, struct arena *arena, uint32_t tag, struct mapi_value *out)
{
	struct mapi_value v;

	if (!stored_text(o, arena, PidTagSubject, &v))
		return MW_E_NOTFOUND;
	*out = (struct mapi_value){.tag = tag, .u.str16 = v.u.str16 + prefix_length(v.u.str16)};
	return 0;
}

static int whole_subject(const struct store_object *o, struct arena *arena, uint32_t tag, struct mapi_value *out)
{
	struct mapi_value prefix, rest;
	bool has_prefix = stored_text(o, arena, PidTagSubjectPrefix, &prefix);
	size_t n = has_prefix ? utf16_len(prefix.u.str16) : 0;
	uint16_t *both;

	if (!stored_text(o, arena, PidTagNormalizedSubject, &rest))
		return MW_E_NOTFOUND;
	both = arena_new_array(arena, uint16_t, n + utf16_len(rest.u.str16) + 1);
	if (!both)
		return MW_E_NOMEM;
	if (n > 0)
		memcpy(both, prefix.u.str16, n * 2);
	memcpy(both + n, rest.u.str16, utf16_len(rest.u.str16) * 2);
	*out = (struct mapi_value){.tag = tag, .u.str16 = both};
	return 0;
}

#define M STORE_A_MESSAGE
#define F STORE_A_FOLDER
#define A STORE_AN_ATTACHMENT

const struct store_computed store_computed[] = {
        {PidTagEntryId, M | F, STORE_ALWAYS, false, entry_id},
        {PidTagRecordKey, M | F, STORE_ALWAYS, false, entry_id},
        {PidTagParentEntryId, M | F, STORE_ALWAYS, false, parent_entry_id},
        {PidTagInstanceKey, M | F | A, STORE_ALWAYS, true, instance_key},
        {PidTagSourceKey, M | F, STORE_ALWAYS, false, source_key},
        {PidTagParentSourceKey, M | F, STORE_ALWAYS, false, parent_source_key},
        {PidTagChangeKey, M | F, STORE_ALWAYS, false, change_key},
        {PidTagPredecessorChangeList, M | F, STORE_ALWAYS, false, predecessors},
        {PidTagChangeNumber, M | F, STORE_ALWAYS, false, change_number},
        {PidTagStoreRecordKey, M | F | A, STORE_ALWAYS, false, mailbox_guid},
        {PidTagMappingSignature, M | F | A, STORE_ALWAYS, false, mailbox_guid},
        {PidTagAccessLevel, M | F | A, STORE_ALWAYS, false, access_level},
        {PidTagLastModificationTime, M | F, STORE_ALWAYS, false, modified},
        {PidTagMessageSize, M | F, STORE_ALWAYS, false, size32},
        {PidTagMessageSizeExtended, M | F, STORE_ALWAYS, false, size64},
        {PidTagRowType, M | F | A, STORE_ALWAYS, true, one},
        {PidTagDepth, M | F, STORE_ALWAYS, true, depth},
        /* attachments */
        {PidTagAttachNumber, A, STORE_ALWAYS, false, attach_number},
        {PidTagAttachSize, A, STORE_ALWAYS, false, size32},
        {PidTagObjectType, A, STORE_ALWAYS, false, attachment_object},
        {PidTagRecordKey, A, STORE_ALWAYS, false, attach_key},
        {PidTagLastModificationTime, A, STORE_KEPT, false, NULL},
        /* messages */
        {PidTagAccess, M, STORE_ALWAYS, false, message_access},
        {PidTagObjectType, M, STORE_ALWAYS, false, message_object},
        {PidTagMid, M, STORE_ALWAYS, false, own_id},
        {PidTagInstID, M, STORE_ALWAYS, true, own_id},
        {PidTagInstanceNum, M, STORE_ALWAYS, true, instance_number},
        {PidTagFolderId, M, STORE_ALWAYS, false, parent_id},
        {PidTagMessageFlags, M, STORE_ALWAYS, false, flags},
        {PidTagRead, M, STORE_ALWAYS, false, is_read},
        {PidTagHasAttachments, M, STORE_ALWAYS, false, has_attachments},
        {PidTagAssociated, M, STORE_ALWAYS, false, is_associated},
        {PidTagMessageStatus, M, STORE_ALWAYS, false, message_status},
        {PidTagSubject, M, STORE_FALLBACK, false, whole_subject},
        {PidTagSubjectPrefix, M, STORE_FALLBACK, false, subject_prefix},
        {PidTagNormalizedSubject, M, STORE_FALLBACK, false, normalized_subject},
        {PidTagDisplayTo, M, STORE_KEPT, false, NULL},
        {PidTagDeletedOn, M, STORE_ALWAYS, false, deleted_on},
        {PidTagCreatorName, M, STORE_KEPT, false, owner_name},
        {PidTagCreatorEntryId, M, STORE_KEPT, false, owner_entry_id},
        {PidTagLastModifierName, M, STORE_KEPT, false, owner_name},
        {PidTagLastModifierEntryId, M, STORE_KEPT, false, owner_entry_id},
        {PidTagDisplayCc, M, STORE_KEPT, false, NULL},
        {PidTagDisplayBcc, M, STORE_KEPT, false, NULL},
        /* folders */
        {PidTagAccess, F, STORE_ALWAYS, false, folder_access},
        {PidTagObjectType, F, STORE_ALWAYS, false, folder_object},
        {PidTagFolderId, F, STORE_ALWAYS, false, own_id},
        {PidTagParentFolderId, F, STORE_ALWAYS, false, parent_id},
        {PidTagDisplayName, F, STORE_ALWAYS, false, folder_name},
        {PidTagFolderType, F, STORE_ALWAYS, false, folder_type},
        {PidTagContentCount, F, STORE_ALWAYS, false, contents},
        {PidTagContentUnreadCount, F, STORE_ALWAYS, false, unread},
        {PidTagAssociatedContentCount, F, STORE_ALWAYS, false, associated_count},
        {PidTagDeletedCountTotal, F, STORE_ALWAYS, false, deleted},
        {PidTagFolderChildCount, F, STORE_ALWAYS, false, children},
        {PidTagSubfolders, F, STORE_ALWAYS, false, has_children},
        {PidTagRights, F, STORE_ALWAYS, false, rights},
        {PidTagHasRules, F, STORE_ALWAYS, false, no},
        {PidTagAttributeHidden, F, STORE_FALLBACK, false, no},
        {PidTagLocalCommitTimeMax, F, STORE_ALWAYS, false, modified},
        {PidTagIpmAppointmentEntryId, F, STORE_FALLBACK, false, home_entry_id},
        {PidTagIpmContactEntryId, F, STORE_FALLBACK, false, home_entry_id},
        {PidTagIpmJournalEntryId, F, STORE_FALLBACK, false, home_entry_id},
        {PidTagIpmNoteEntryId, F, STORE_FALLBACK, false, home_entry_id},
        {PidTagIpmTaskEntryId, F, STORE_FALLBACK, false, home_entry_id},
        {PidTagIpmDraftsEntryId, F, STORE_FALLBACK, false, home_entry_id},
};
const size_t store_computed_count = ARRAY_SIZE(store_computed);

static bool asked(uint32_t tag, uint32_t computed)
{
	uint16_t type = mapi_tag_type(tag);

	if (mapi_tag_id(tag) != mapi_tag_id(computed))
		return false;
	return type == PTYP_UNSPECIFIED || tag == computed ||
	       (type == PTYP_STRING8 && mapi_tag_type(computed) == PTYP_STRING);
}

const struct store_computed *store_computed_find(enum store_kind kind, uint32_t tag)
{
	for (size_t i = 0; i < store_computed_count; i++)
		if ((store_computed[i].kinds & kind) && asked(tag, store_computed[i].tag))
			return &store_computed[i];
	return NULL;
}
