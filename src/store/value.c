#include "store/value.h"

#include "store/record.h"

#include <stdlib.h>
#include <string.h>

#define DOING "Writing a large value"

static int64_t chunk_id(uint64_t value, uint64_t chunk)
{
	return (int64_t)(value << STORE_CHUNK_BITS | chunk);
}

#define LAST_CHUNK ((UINT64_C(1) << STORE_CHUNK_BITS) - 1)

int store_value_new(struct store_mailbox *m, uint64_t *value)
{
	STORE_STMT s = store_statement(m, STMT_VALUE_ADD);
	int r = s ? store_group_end(m) : MW_E_IO;

	if (r >= 0)
		r = store_run(m, s, DOING);
	if (r < 0)
		return r;
	*value = (uint64_t)sqlite3_last_insert_rowid(m->db);
	return *value >> 46 ? MW_E_LIMIT : 0;
}

int store_value_read(struct store_mailbox *m, uint64_t value, uint64_t chunk, uint8_t out[STORE_CHUNK_SIZE])
{
	STORE_STMT s = store_statement(m, STMT_CHUNK_GET);
	size_t size = 0;
	int r;

	if (!s || chunk > LAST_CHUNK)
		return MW_E_IO;
	sqlite3_bind_int64(s, 1, chunk_id(value, chunk));
	r = store_step(m, s, "Reading a large value");
	if (r < 0)
		return r;
	if (r > 0) {
		const void *data = sqlite3_column_blob(s, 0);
		size = (size_t)sqlite3_column_bytes(s, 0);
		size = size < STORE_CHUNK_SIZE ? size : STORE_CHUNK_SIZE;
		if (size > 0)
			memcpy(out, data, size);
	}
	memset(out + size, 0, STORE_CHUNK_SIZE - size);
	return 0;
}

int store_value_write(struct store_mailbox *m, uint64_t value, uint64_t chunk, const uint8_t *data, size_t size)
{
	STORE_STMT s = store_statement(m, STMT_CHUNK_PUT);

	if (!s || store_group_end(m) < 0)
		return MW_E_IO;
	if (chunk > LAST_CHUNK)
		return MW_E_LIMIT;
	sqlite3_bind_int64(s, 1, chunk_id(value, chunk));
	sqlite3_bind_blob(s, 2, data, (int)size, SQLITE_STATIC);
	return store_run(m, s, DOING);
}

int store_value_cut(struct store_mailbox *m, uint64_t value, uint64_t chunk)
{
	STORE_STMT s = store_statement(m, STMT_CHUNK_CUT);

	if (!s || store_group_end(m) < 0)
		return MW_E_IO;
	if (chunk > LAST_CHUNK)
		return 0;
	sqlite3_bind_int64(s, 1, chunk_id(value, chunk));
	sqlite3_bind_int64(s, 2, chunk_id(value, LAST_CHUNK));
	return store_run(m, s, DOING);
}

int store_value_copy(struct store_mailbox *m, uint64_t from, uint64_t to)
{
	STORE_STMT s = store_statement(m, STMT_CHUNK_COPY);

	if (!s || store_group_end(m) < 0)
		return MW_E_IO;
	sqlite3_bind_int64(s, 1, chunk_id(from, 0));
	sqlite3_bind_int64(s, 2, chunk_id(to, 0));
	sqlite3_bind_int64(s, 3, chunk_id(from, LAST_CHUNK));
	return store_run(m, s, DOING);
}

int store_value_delete(struct store_mailbox *m, uint64_t value)
{
	STORE_STMT s = store_statement(m, STMT_VALUE_DELETE);
	int r = store_value_cut(m, value, 0); /* that has ended a group */

	if (!s || r < 0)
		return s ? r : MW_E_IO;
	sqlite3_bind_int64(s, 1, (int64_t)value);
	return store_run(m, s, DOING);
}

int store_value_of(struct store_mailbox *m, const uint8_t *data, size_t size, uint64_t *value)
{
	uint64_t id;
	int r = store_value_new(m, &id);

	for (size_t at = 0; r >= 0 && at < size; at += STORE_CHUNK_SIZE) {
		size_t n = size - at < STORE_CHUNK_SIZE ? size - at : STORE_CHUNK_SIZE;
		r = store_value_write(m, id, at / STORE_CHUNK_SIZE, data + at, n);
	}
	if (r >= 0)
		*value = id;
	return r;
}

/* The message's values that are not kept, in memory of the caller's. */
static int list_lost(struct store_mailbox *m, uint64_t message, store_value_kept *kept, void *user, uint64_t **lost,
                     size_t *count)
{
	STORE_STMT s = store_statement(m, STMT_VALUES_OF);
	int r = s ? 0 : MW_E_IO;

	if (s)
		sqlite3_bind_int64(s, 1, (int64_t)message);
	while (r >= 0 && (r = store_step(m, s, DOING)) > 0) {
		uint64_t value = (uint64_t)sqlite3_column_int64(s, 0), *more;
		if (kept && kept(user, value))
			continue;
		more = realloc(*lost, (*count + 1) * sizeof **lost);
		if (!more)
			return MW_E_NOMEM;
		*lost = more;
		more[(*count)++] = value;
	}
	return r;
}

int store_values_drop(struct store_mailbox *m, uint64_t message, store_value_kept *kept, void *user)
{
	uint64_t *lost = NULL;
	size_t count = 0;
	int r = list_lost(m, message, kept, user, &lost, &count);

	for (size_t i = 0; r >= 0 && i < count; i++)
		r = store_value_delete(m, lost[i]);
	free(lost);
	return r;
}

static int adopt(struct store_mailbox *m, uint64_t message, const struct store_slot *slot)
{
	STORE_STMT s = store_statement(m, STMT_VALUE_ADOPT);

	if (!s)
		return MW_E_IO;
	sqlite3_bind_int64(s, 1, (int64_t)slot->value);
	sqlite3_bind_int64(s, 2, (int64_t)message);
	sqlite3_bind_int64(s, 3, (int64_t)slot->value_size);
	return store_run(m, s, DOING);
}

int store_values_adopt(struct store_mailbox *m, uint64_t message, const struct store_bag *bag)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < bag->count; i++)
		if (bag->slots[i].external && bag->slots[i].fresh)
			r = adopt(m, message, &bag->slots[i]);
	return r;
}
