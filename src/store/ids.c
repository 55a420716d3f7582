#include "store/private.h"

#include <string.h>

/* One durable step for a million ids: 2^48 lasts for 268 million openings. */
#define RANGE (UINT64_C(1) << 20)
#define LAST_ID ((UINT64_C(1) << 48) - 1)

static int write_range(struct store_mailbox *m, uint64_t end)
{
	STORE_STMT s = store_statement(m, STMT_RESERVE);

	if (!s)
		return MW_E_IO;
	sqlite3_bind_int64(s, 1, (int64_t)end);
	return store_run(m, s, "Reserving ids");
}

/*
 * An id may be seen by others before its commit is on disk. So the range it comes from is on disk before
 * its first id is given: a crash skips ids, it never repeats one.
 */
int store_reserve_ids(struct store_mailbox *m, unsigned count)
{
	uint64_t end = m->end_id + RANGE;
	int r;

	if (m->end_id - m->next_id >= count)
		return 0;
	if (end > LAST_ID)
		return store_say(m, MW_E_LIMIT, "The mailbox has used up its ids.");
	r = store_begin(m);
	if (r < 0)
		return r;
	r = write_range(m, end);
	if (r < 0) {
		store_rollback(m);
		return r;
	}
	r = store_commit(m, NULL);
	if (r >= 0)
		r = store_sync(m);
	if (r >= 0)
		m->end_id = end;
	return r;
}

uint64_t store_next_id(struct store_mailbox *m)
{
	return m->next_id++;
}

bool store_own_id(uint64_t id, uint64_t *counter)
{
	if (store_id_replid(id) != STORE_REPLID)
		return false;
	*counter = store_id_counter(id);
	return true;
}

void store_put_counter(uint64_t counter, uint8_t out[6])
{
	for (int i = 0; i < 6; i++)
		out[i] = (uint8_t)(counter >> (40 - 8 * i));
}

/* [MS-OXCDATA] 2.2.4: what kind of object an entry id names. */
enum { PRIVATE_FOLDER = 1, PRIVATE_MESSAGE = 7 };

static uint8_t *put_head(struct store_mailbox *m, uint8_t *p, uint8_t kind)
{
	guid_to_bytes(&m->guid, p + 4);
	p[20] = kind;
	return p + 22;
}

static uint8_t *put_id(struct store_mailbox *m, uint8_t *p, uint64_t counter)
{
	guid_to_bytes(&m->replica, p);
	store_put_counter(counter, p + 16);
	return p + 24; /* two bytes of padding */
}

uint8_t *store_folder_entry_id(struct store_mailbox *m, struct arena *arena, uint64_t folder)
{
	uint8_t *out = arena_alloc(arena, STORE_FOLDER_ENTRY_ID);

	if (out)
		put_id(m, put_head(m, out, PRIVATE_FOLDER), folder);
	return out;
}

uint8_t *store_message_entry_id(struct store_mailbox *m, struct arena *arena, uint64_t folder, uint64_t message)
{
	uint8_t *out = arena_alloc(arena, STORE_MESSAGE_ENTRY_ID);

	if (out)
		put_id(m, put_id(m, put_head(m, out, PRIVATE_MESSAGE), folder), message);
	return out;
}

uint8_t *store_source_key(struct store_mailbox *m, struct arena *arena, uint64_t counter)
{
	uint8_t *out = arena_alloc(arena, STORE_SOURCE_KEY);

	if (out) {
		guid_to_bytes(&m->replica, out);
		store_put_counter(counter, out + 16);
	}
	return out;
}

int store_replica_guid(struct store_mailbox *m, uint16_t replid, struct guid *out)
{
	STORE_STMT s = NULL;
	const void *bytes;
	int r;

	if (replid == STORE_REPLID) {
		*out = m->replica;
		return 0;
	}
	s = store_statement(m, STMT_REPLICA_BY_ID);
	if (!s)
		return MW_E_IO;
	sqlite3_bind_int(s, 1, replid);
	r = store_step(m, s, "Reading replicas");
	if (r <= 0)
		return r < 0 ? r : MW_E_NOTFOUND;
	bytes = sqlite3_column_blob(s, 0);
	if (!bytes || sqlite3_column_bytes(s, 0) != 16)
		return MW_E_IO;
	guid_from_bytes(bytes, out);
	return 0;
}

static int find_replica(struct store_mailbox *m, const uint8_t guid[16], uint16_t *out)
{
	STORE_STMT s = store_statement(m, STMT_REPLICA_BY_GUID);
	int r;

	if (!s)
		return MW_E_IO;
	sqlite3_bind_blob(s, 1, guid, 16, SQLITE_STATIC);
	r = store_step(m, s, "Reading replicas");
	if (r > 0)
		*out = (uint16_t)sqlite3_column_int(s, 0);
	return r > 0 ? 0 : r < 0 ? r : MW_E_NOTFOUND;
}

static int add_replica(struct store_mailbox *m, const uint8_t guid[16], uint16_t *out)
{
	STORE_STMT s = store_statement(m, STMT_REPLICA_ADD);
	int64_t id;
	int r = s ? store_begin(m) : MW_E_IO;

	if (r < 0)
		return r;
	sqlite3_bind_blob(s, 1, guid, 16, SQLITE_STATIC);
	r = store_run(m, s, "Adding a replica");
	sqlite3_reset(s);
	id = sqlite3_last_insert_rowid(m->db);
	if (r >= 0 && (id <= STORE_REPLID || id > UINT16_MAX))
		r = store_say(m, MW_E_LIMIT, "The mailbox knows too many replicas.");
	if (r >= 0)
		r = store_commit(m, NULL);
	else
		store_rollback(m);
	if (r >= 0)
		*out = (uint16_t)id;
	return r;
}

int store_replica_id(struct store_mailbox *m, const struct guid *guid, uint16_t *out)
{
	uint8_t bytes[16];
	int r;

	if (guid_equal(guid, &m->replica)) {
		*out = STORE_REPLID;
		return 0;
	}
	guid_to_bytes(guid, bytes);
	r = find_replica(m, bytes, out);
	return r == MW_E_NOTFOUND ? add_replica(m, bytes, out) : r;
}
