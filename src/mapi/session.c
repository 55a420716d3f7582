#include "mapi/session.h"

#include "base/utf16.h"
#include "mapi/memo.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { SLOT_COLUMNS, SLOT_RECIPIENT_COLUMNS };
enum { SLOT_NAME };

struct mapi_session {
	uint32_t code_page;
	uint8_t public_logons[256 / 8];
	struct memo objects;        /* by handle; the number is the folder's id */
	struct memo folder_names;   /* by folder id */
	struct memo property_names; /* by property id */
};

struct mapi_session *mapi_session_new(uint32_t code_page)
{
	struct mapi_session *s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	s->code_page = code_page;
	s->objects.max_count = 16384;
	s->objects.max_bytes = 4 << 20;
	s->folder_names.max_count = 4096;
	s->folder_names.max_bytes = 256 << 10;
	s->property_names.max_count = 4096;
	s->property_names.max_bytes = 512 << 10;
	return s;
}

void mapi_session_free(struct mapi_session **session)
{
	struct mapi_session *s = TAKE_PTR(*session);
	if (!s)
		return;
	memo_clear(&s->objects);
	memo_clear(&s->folder_names);
	memo_clear(&s->property_names);
	free(s);
}

void mapi_session_set_code_page(struct mapi_session *s, uint32_t code_page)
{
	s->code_page = code_page;
}

uint32_t mapi_session_code_page(const struct mapi_session *s)
{
	return s->code_page;
}

void mapi_session_set_logon(struct mapi_session *s, uint8_t logon_id, bool is_private)
{
	uint8_t bit = (uint8_t)(1 << logon_id % 8);
	if (is_private)
		s->public_logons[logon_id / 8] &= (uint8_t)~bit;
	else
		s->public_logons[logon_id / 8] |= bit;
}

bool mapi_session_logon_is_private(const struct mapi_session *s, uint8_t logon_id)
{
	return !(s->public_logons[logon_id / 8] >> logon_id % 8 & 1);
}

static struct mapi_known_tags known_tags(struct mapi_session *s, uint32_t handle, unsigned slot)
{
	const struct memo_entry *e = memo_find(&s->objects, handle);
	if (!e || !e->blob[slot].known)
		return (struct mapi_known_tags){0};
	return (struct mapi_known_tags){
	        .known = true, .count = (uint16_t)(e->blob[slot].size / 4), .tags = e->blob[slot].data};
}

/* What cannot be remembered must not be remembered wrongly. */
static void set_tags(struct mapi_session *s, uint32_t handle, unsigned slot, const uint32_t *tags, uint16_t count)
{
	struct memo_entry *e = memo_make(&s->objects, handle);
	if (e && memo_set(&s->objects, e, slot, tags, (size_t)count * 4) < 0)
		memo_unset(&s->objects, e, slot);
}

struct mapi_known_tags mapi_session_columns(struct mapi_session *s, uint32_t handle)
{
	return known_tags(s, handle, SLOT_COLUMNS);
}

void mapi_session_set_columns(struct mapi_session *s, uint32_t handle, const uint32_t *tags, uint16_t count)
{
	set_tags(s, handle, SLOT_COLUMNS, tags, count);
}

void mapi_session_forget_columns(struct mapi_session *s, uint32_t handle)
{
	struct memo_entry *e = memo_find(&s->objects, handle);
	if (e)
		memo_unset(&s->objects, e, SLOT_COLUMNS);
}

struct mapi_known_tags mapi_session_recipient_columns(struct mapi_session *s, uint32_t handle)
{
	return known_tags(s, handle, SLOT_RECIPIENT_COLUMNS);
}

void mapi_session_set_recipient_columns(struct mapi_session *s, uint32_t handle, const uint32_t *tags, uint16_t count)
{
	set_tags(s, handle, SLOT_RECIPIENT_COLUMNS, tags, count);
}

void mapi_session_set_folder(struct mapi_session *s, uint32_t handle, uint64_t folder_id)
{
	struct memo_entry *e = memo_make(&s->objects, handle);
	if (e) {
		e->number = folder_id;
		e->has_number = true;
	}
}

bool mapi_session_folder(struct mapi_session *s, uint32_t handle, uint64_t *folder_id)
{
	const struct memo_entry *e = memo_find(&s->objects, handle);
	if (!e || !e->has_number)
		return false;
	*folder_id = e->number;
	return true;
}

void mapi_session_release(struct mapi_session *s, uint32_t handle)
{
	memo_drop(&s->objects, handle);
}

static void set_name(struct memo *m, uint64_t key, const char *name)
{
	struct memo_entry *e = memo_make(m, key);
	if (e && memo_set(m, e, SLOT_NAME, name, strlen(name) + 1) < 0)
		memo_drop(m, key);
}

static const char *name_of(struct memo *m, uint64_t key)
{
	const struct memo_entry *e = memo_find(m, key);
	return e ? e->blob[SLOT_NAME].data : NULL;
}

void mapi_session_set_folder_name(struct mapi_session *s, uint64_t folder_id, const char *name)
{
	set_name(&s->folder_names, folder_id, name);
}

const char *mapi_session_folder_name(struct mapi_session *s, uint64_t folder_id)
{
	return name_of(&s->folder_names, folder_id);
}

void mapi_session_set_property_name(struct mapi_session *s, struct arena *scratch, uint16_t id,
                                    const struct mapi_property_name *name)
{
	char guid[GUID_TEXT_SIZE];
	const char *text = NULL;
	guid_format(&name->guid, guid);
	if (name->kind == MAPI_NAME_LID) {
		text = arena_printf(scratch, "{%s}:0x%04" PRIX32, guid, name->lid);
	} else if (name->kind == MAPI_NAME_STRING) {
		const char *utf8 = utf16_to_utf8(scratch, name->name, utf16_len(name->name));
		text = utf8 ? arena_printf(scratch, "{%s}:%s", guid, utf8) : NULL;
	}
	if (text)
		set_name(&s->property_names, id, text);
}

const char *mapi_session_property_name(struct mapi_session *s, uint16_t id)
{
	return name_of(&s->property_names, id);
}
