#include "store/private.h"

#include "base/utf16.h"

#include <string.h>

#define FIRST_ID 0x8000u
#define LAST_ID 0xFFFEu
#define NAME_MAX_UNITS 254 /* [MS-OXCDATA] 2.6.1: NameSize is one byte */

/* PS_MAPI: names that stand for the property of that id itself, [MS-OXCPRPT] 3.2.5.10. */
static const struct guid ps_mapi = {0x00020328, 0, 0, {0xC0, 0, 0, 0, 0, 0, 0, 0x46}};

static void bind_name(sqlite3_stmt *s, const struct mapi_property_name *n, uint8_t guid[16])
{
	static const uint16_t empty[1];
	const uint16_t *name = n->kind == MAPI_NAME_STRING ? n->name : empty;

	guid_to_bytes(&n->guid, guid);
	sqlite3_bind_blob(s, 1, guid, 16, SQLITE_STATIC);
	sqlite3_bind_int(s, 2, n->kind);
	sqlite3_bind_int64(s, 3, n->kind == MAPI_NAME_LID ? n->lid : 0);
	sqlite3_bind_blob(s, 4, name, (int)utf16_len(name) * 2, SQLITE_STATIC);
}

/* 1 found, 0 not. */
static int find(struct store_mailbox *m, const struct mapi_property_name *name, uint16_t *id)
{
	STORE_STMT s = store_statement(m, STMT_NAME_FIND);
	uint8_t guid[16];
	int r;

	if (!s)
		return MW_E_IO;
	bind_name(s, name, guid);
	r = store_step(m, s, "Reading names");
	if (r > 0)
		*id = (uint16_t)sqlite3_column_int(s, 0);
	return r;
}

static int next_id(struct store_mailbox *m, uint32_t *id)
{
	STORE_STMT s = store_statement(m, STMT_NAME_LAST);
	int r = s ? store_step(m, s, "Reading names") : MW_E_IO;
	int64_t last;

	if (r < 0)
		return r;
	last = sqlite3_column_int64(s, 0);
	*id = last < FIRST_ID ? FIRST_ID : (uint32_t)last + 1;
	return *id > LAST_ID ? store_say(m, MW_E_LIMIT, "The mailbox has no room for more named properties.") : 0;
}

static int add(struct store_mailbox *m, const struct mapi_property_name *name, uint16_t *id)
{
	STORE_STMT s = store_statement(m, STMT_NAME_ADD);
	uint8_t guid[16];
	uint32_t next;
	int r = s ? next_id(m, &next) : MW_E_IO;

	if (r < 0)
		return r;
	bind_name(s, name, guid);
	sqlite3_bind_int64(s, 5, next);
	r = store_run(m, s, "Adding a name");
	if (r >= 0)
		*id = (uint16_t)next;
	return r;
}

static bool is_proper(const struct mapi_property_name *n)
{
	if (n->kind == MAPI_NAME_LID)
		return true;
	return n->kind == MAPI_NAME_STRING && n->name && n->name[0] && utf16_len(n->name) <= NAME_MAX_UNITS;
}

/* Ids of the names that are there; 0 for the others, which it counts. */
static int find_all(struct store_mailbox *m, const struct mapi_property_name *names, size_t count, uint16_t *ids)
{
	int missing = 0, r;

	for (size_t i = 0; i < count; i++) {
		const struct mapi_property_name *n = &names[i];
		ids[i] = 0;
		if (n->kind == MAPI_NAME_LID && guid_equal(&n->guid, &ps_mapi)) {
			ids[i] = n->lid < FIRST_ID ? (uint16_t)n->lid : 0;
			continue;
		}
		if (!is_proper(n))
			continue;
		r = find(m, n, &ids[i]);
		if (r < 0)
			return r;
		missing += r == 0;
	}
	return missing;
}

static int add_missing(struct store_mailbox *m, const struct mapi_property_name *names, size_t count, uint16_t *ids)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < count; i++) {
		const struct mapi_property_name *n = &names[i];
		if (ids[i] || !is_proper(n) || (n->kind == MAPI_NAME_LID && guid_equal(&n->guid, &ps_mapi)))
			continue;
		r = find(m, n, &ids[i]); /* the same name twice in one call */
		if (r == 0)
			r = add(m, n, &ids[i]);
	}
	return r < 0 ? r : 0;
}

int store_names_to_ids(struct store_mailbox *m, const struct mapi_property_name *names, size_t count, bool create,
                       uint16_t *ids, uint64_t *ticket)
{
	int r = find_all(m, names, count, ids);

	if (ticket)
		*ticket = 0;
	if (r <= 0 || !create)
		return r < 0 ? r : 0;
	r = store_begin(m);
	if (r < 0)
		return r;
	r = add_missing(m, names, count, ids);
	if (r < 0) {
		store_rollback(m);
		return r;
	}
	return store_commit(m, ticket);
}

static int read_name(struct arena *arena, sqlite3_stmt *s, struct mapi_property_name *out)
{
	struct mapi_property_name n = {.lid = (uint32_t)sqlite3_column_int64(s, 2)};
	const void *guid = sqlite3_column_blob(s, 0), *name = sqlite3_column_blob(s, 3);
	size_t size = (size_t)sqlite3_column_bytes(s, 3);
	int kind = sqlite3_column_int(s, 1);

	if (!guid || sqlite3_column_bytes(s, 0) != 16 || kind > MAPI_NAME_STRING || size > NAME_MAX_UNITS * 2)
		return MW_E_IO;
	n.kind = kind == MAPI_NAME_STRING ? MAPI_NAME_STRING : MAPI_NAME_LID;
	guid_from_bytes(guid, &n.guid);
	n.name = arena_new_array(arena, uint16_t, size / 2 + 1);
	if (!n.name)
		return MW_E_NOMEM;
	if (size > 0)
		memcpy(n.name, name, size & ~(size_t)1);
	*out = n;
	return 0;
}

static int name_of(struct store_mailbox *m, struct arena *arena, uint16_t id, struct mapi_property_name *out)
{
	STORE_STMT s = NULL;
	int r;

	if (id < FIRST_ID) {
		*out = (struct mapi_property_name){.kind = MAPI_NAME_LID, .guid = ps_mapi, .lid = id};
		return 0;
	}
	s = store_statement(m, STMT_NAME_BY_ID);
	if (!s)
		return MW_E_IO;
	sqlite3_bind_int(s, 1, id);
	r = store_step(m, s, "Reading names");
	if (r > 0)
		return read_name(arena, s, out);
	*out = (struct mapi_property_name){.kind = MAPI_NAME_NONE};
	return r;
}

int store_ids_to_names(struct store_mailbox *m, struct arena *arena, const uint16_t *ids, size_t count,
                       struct mapi_property_name *names)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < count; i++)
		r = name_of(m, arena, ids[i], &names[i]);
	return r;
}

int store_names_all(struct store_mailbox *m, struct arena *arena, struct mapi_property_name **names, uint16_t **ids,
                    size_t *count)
{
	STORE_STMT s = store_statement(m, STMT_NAME_ALL);
	struct buf all = {0}, numbers = {0};
	size_t n = 0;
	int r = s ? 1 : MW_E_IO;

	while (r > 0 && (r = store_step(m, s, "Reading names")) > 0) {
		struct mapi_property_name one;
		int e = read_name(arena, s, &one);
		buf_put(&all, &one, sizeof one);
		buf_put_u16(&numbers, (uint16_t)sqlite3_column_int(s, 4));
		r = e < 0 ? e : 1;
		n++;
	}
	if (r >= 0 && (buf_error(&all) < 0 || buf_error(&numbers) < 0))
		r = MW_E_NOMEM;
	if (r >= 0) {
		*names = arena_copy(arena, all.data, all.len);
		*ids = arena_copy(arena, numbers.data, numbers.len);
		*count = n;
		r = *names && *ids ? 0 : MW_E_NOMEM;
	}
	buf_free(&all);
	buf_free(&numbers);
	return r;
}
