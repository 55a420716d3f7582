#include "store/object.h"

#include "base/utf16.h"
#include "mapi/tags.h"

#include <string.h>

/* Properties of the store itself, [MS-OXCSTOR] 2.2.2.1, and receive folders. */

typedef int store_property(struct store_mailbox *m, struct arena *arena, uint32_t tag, struct mapi_value *out);

static int text(struct arena *arena, uint32_t tag, const char *utf8, struct mapi_value *out)
{
	uint16_t *units = utf8_to_utf16(arena, utf8, NULL);

	*out = (struct mapi_value){.tag = tag, .u.str16 = units};
	return units ? 0 : MW_E_NOMEM;
}

static int owner_name(struct store_mailbox *m, struct arena *arena, uint32_t tag, struct mapi_value *out)
{
	return text(arena, tag, m->owner_name, out);
}

static int own_guid(struct store_mailbox *m, struct arena *arena, uint32_t tag, struct mapi_value *out)
{
	uint8_t *g = arena_alloc(arena, 16);

	if (!g)
		return MW_E_NOMEM;
	guid_to_bytes(&m->guid, g);
	*out = mapi_bytes(tag, g, 16);
	return 0;
}

static int totals(struct store_mailbox *m, int64_t *size, int64_t *messages)
{
	STORE_STMT s = store_statement(m, STMT_MAILBOX_SIZE);
	int r = s ? store_step(m, s, "Reading") : MW_E_IO;

	if (r <= 0)
		return MW_E_NOTFOUND;
	*size = sqlite3_column_int64(s, 0);
	*messages = sqlite3_column_int64(s, 1);
	return 0;
}

int store_mailbox_size(struct store_mailbox *m, uint64_t *size)
{
	int64_t bytes, messages;
	int r = totals(m, &bytes, &messages);

	if (r >= 0)
		*size = (uint64_t)bytes;
	return r;
}

void store_mailbox_limit(struct store_mailbox *m, const struct store_limits *limits)
{
	m->limits = *limits;
}

/* In KB, as clients show them; those that are not set are not there. */
static int limit_of(struct store_mailbox *m, struct arena *arena, uint32_t tag, struct mapi_value *out)
{
	uint64_t bytes = tag == PidTagStorageQuotaLimit      ? m->limits.warn
	                 : tag == PidTagProhibitSendQuota    ? m->limits.send
	                 : tag == PidTagProhibitReceiveQuota ? m->limits.receive
	                                                     : m->limits.message;
	uint64_t kb = bytes >> 10 > INT32_MAX ? INT32_MAX : bytes >> 10;

	(void)arena;
	if (bytes == 0)
		return MW_E_NOTFOUND;
	*out = mapi_i32(tag, (int32_t)kb);
	return 0;
}

static int size_of(struct store_mailbox *m, struct arena *arena, uint32_t tag, struct mapi_value *out)
{
	int64_t size, messages;
	int r = totals(m, &size, &messages);

	(void)arena;
	if (r < 0)
		return r;
	*out = mapi_tag_type(tag) == PTYP_INTEGER64 ? mapi_i64(tag, size)
	                                            : mapi_i32(tag, size > INT32_MAX ? INT32_MAX : (int32_t)size);
	return 0;
}

static int count_of(struct store_mailbox *m, struct arena *arena, uint32_t tag, struct mapi_value *out)
{
	int64_t size, messages;
	int r = totals(m, &size, &messages);

	(void)arena;
	if (r >= 0)
		*out = mapi_i32(tag, (int32_t)messages);
	return r;
}

static int special_entry_id(struct store_mailbox *m, struct arena *arena, uint32_t tag, struct mapi_value *out)
{
	static const struct {
		uint32_t tag;
		enum store_special folder;
	} ids[] = {
	        {PidTagIpmSubtreeEntryId, STORE_IPM_SUBTREE},
	        {PidTagIpmOutboxEntryId, STORE_OUTBOX},
	        {PidTagIpmWastebasketEntryId, STORE_DELETED_ITEMS},
	        {PidTagIpmSentMailEntryId, STORE_SENT_ITEMS},
	        {PidTagViewsEntryId, STORE_VIEWS},
	        {PidTagCommonViewsEntryId, STORE_COMMON_VIEWS},
	        {PidTagFinderEntryId, STORE_SEARCH},
	};

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		uint8_t *id;
		if (ids[i].tag != tag)
			continue;
		id = store_folder_entry_id(m, arena, (uint64_t)ids[i].folder + 1);
		*out = mapi_bytes(tag, id, STORE_FOLDER_ENTRY_ID);
		return id ? 0 : MW_E_NOMEM;
	}
	return MW_E_NOTFOUND;
}

/* What is the same for every mailbox. */
static int constant(struct store_mailbox *m, struct arena *arena, uint32_t tag, struct mapi_value *out)
{
	/* Unique entry ids, modify, create, notify, multiple values, sort, HTML, Unicode: what is so, and no more. */
	enum { SUPPORT = 0x1 | 0x8 | 0x10 | 0x100 | 0x200 | 0x2000 | 0x10000 | 0x40000 };
	static const struct {
		uint32_t tag;
		int32_t value;
	} numbers[] = {
	        {PidTagObjectType, 1},         {PidTagStoreSupportMask, SUPPORT},
	        {PidTagValidFolderMask, 0xFF}, {PidTagStoreState, 0},
	        {PidTagLocaleId, 0x409},       {PidTagSortLocaleId, 0x409},
	        {PidTagCodePageId, 1252},      {PidTagAccess, 0x3F},
	        {PidTagAccessLevel, 1},
	};

	(void)m;
	(void)arena;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		if (numbers[i].tag != tag)
			continue;
		*out = mapi_i32(tag, numbers[i].value);
		return 0;
	}
	*out = mapi_boolean(tag, false); /* PidTagOutOfOfficeState */
	return 0;
}

static const struct {
	uint32_t tag;
	store_property *get;
} properties[] = {
        {PidTagDisplayName, owner_name},
        {PidTagMailboxOwnerName, owner_name},
        {PidTagRecordKey, own_guid},
        {PidTagStoreRecordKey, own_guid},
        {PidTagMappingSignature, own_guid},
        {PidTagMessageSize, size_of},
        {PidTagMessageSizeExtended, size_of},
        {PidTagContentCount, count_of},
        {PidTagStorageQuotaLimit, limit_of},
        {PidTagProhibitSendQuota, limit_of},
        {PidTagProhibitReceiveQuota, limit_of},
        {PidTagMaximumSubmitMessageSize, limit_of},
        {PidTagIpmSubtreeEntryId, special_entry_id},
        {PidTagIpmOutboxEntryId, special_entry_id},
        {PidTagIpmWastebasketEntryId, special_entry_id},
        {PidTagIpmSentMailEntryId, special_entry_id},
        {PidTagViewsEntryId, special_entry_id},
        {PidTagCommonViewsEntryId, special_entry_id},
        {PidTagFinderEntryId, special_entry_id},
        {PidTagObjectType, constant},
        {PidTagStoreSupportMask, constant},
        {PidTagValidFolderMask, constant},
        {PidTagStoreState, constant},
        {PidTagLocaleId, constant},
        {PidTagSortLocaleId, constant},
        {PidTagCodePageId, constant},
        {PidTagAccess, constant},
        {PidTagAccessLevel, constant},
        {PidTagOutOfOfficeState, constant},
};

static bool asks_for(uint32_t tag, uint32_t property)
{
	uint16_t type = mapi_tag_type(tag);

	if (mapi_tag_id(tag) != mapi_tag_id(property))
		return false;
	return tag == property || type == PTYP_UNSPECIFIED ||
	       (type == PTYP_STRING8 && mapi_tag_type(property) == PTYP_STRING);
}

static int get_one(struct store_mailbox *m, struct arena *arena, uint32_t tag, struct mapi_value *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(properties); i++)
		if (asks_for(tag, properties[i].tag))
			return properties[i].get(m, arena, properties[i].tag, out);
	return MW_E_NOTFOUND;
}

int store_mailbox_get(struct store_mailbox *m, struct arena *arena, const uint32_t *tags, size_t count,
                      struct mapi_value *values)
{
	for (size_t i = 0; i < count; i++) {
		int r = get_one(m, arena, tags[i], &values[i]);
		if (r == MW_E_NOMEM)
			return r;
		if (r < 0)
			values[i] = mapi_error(tags[i], ecNotFound);
	}
	return 0;
}

int store_mailbox_all(struct store_mailbox *m, struct arena *arena, struct mapi_value **values, size_t *count)
{
	struct mapi_value *out = arena_new_array(arena, struct mapi_value, ARRAY_SIZE(properties));
	size_t n = 0;

	if (!out)
		return MW_E_NOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(properties); i++) {
		int r = properties[i].get(m, arena, properties[i].tag, &out[n]);
		if (r == MW_E_NOMEM)
			return r;
		n += r >= 0;
	}
	*values = out;
	*count = n;
	return 0;
}

/* ---- Receive folders ---- */

/* 1 and the row of exactly that class, 0 when there is none. */
static int receive_of(struct store_mailbox *m, struct arena *arena, const char *class, size_t n, uint64_t *folder,
                      char **matched)
{
	STORE_STMT s = store_statement(m, STMT_RECEIVE_FIND);
	const char *kept;
	int r;

	if (!s)
		return MW_E_IO;
	sqlite3_bind_text(s, 1, class, (int)n, SQLITE_STATIC);
	r = store_step(m, s, "Reading receive folders");
	if (r <= 0)
		return r;
	kept = (const char *)sqlite3_column_text(s, 1);
	*matched = arena_strdup(arena, kept ? kept : "");
	*folder = store_id(STORE_REPLID, (uint64_t)sqlite3_column_int64(s, 0));
	return *matched ? 1 : MW_E_NOMEM;
}

int store_receive_folder(struct store_mailbox *m, struct arena *arena, const char *message_class, uint64_t *folder,
                         char **matched)
{
	size_t n = strnlen(message_class, 256);

	if (n > 255)
		return MW_E_INVALID;
	/* The longest prefix that ends at a dot wins: IPM.Note.X, IPM.Note, IPM, "". */
	for (;;) {
		int r = receive_of(m, arena, message_class, n, folder, matched);
		if (r != 0 || n == 0)
			return r > 0 ? 0 : r < 0 ? r : MW_E_NOTFOUND;
		while (n > 0 && message_class[n - 1] != '.')
			n--;
		if (n > 0)
			n--;
	}
}
