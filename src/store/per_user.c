#include "store/per_user.h"

#include "store/private.h"

#include <string.h>

#define KEY 22 /* a GUID and a counter */
#define DOING "Keeping what was read elsewhere"

static void make_key(const struct store_per_user *p, uint8_t out[KEY])
{
	guid_to_bytes(&p->database, out);
	memcpy(out + 16, p->counter, sizeof p->counter);
}

static int write_row(struct store_mailbox *m, const struct store_per_user *p)
{
	STORE_STMT s = store_statement(m, p->size ? STMT_PER_USER_PUT : STMT_PER_USER_DELETE);
	uint8_t key[KEY], replica[16];

	if (!s)
		return MW_E_IO;
	make_key(p, key);
	guid_to_bytes(&p->replica, replica);
	sqlite3_bind_blob(s, 1, key, sizeof key, SQLITE_TRANSIENT);
	sqlite3_bind_int(s, 2, (int)STORE_PER_USER_MAX);
	sqlite3_bind_blob(s, 3, replica, sizeof replica, SQLITE_TRANSIENT);
	sqlite3_bind_blob(s, 4, p->data, (int)p->size, SQLITE_TRANSIENT);
	return store_run(m, s, DOING);
}

int store_per_user_put(struct store_mailbox *m, const struct store_per_user *p, uint64_t *ticket)
{
	int r = p->size > STORE_PER_USER_SIZE ? MW_E_LIMIT : store_begin(m);

	if (r < 0)
		return r;
	r = write_row(m, p);
	/* The statement puts nothing in where there are too many. */
	if (r >= 0 && p->size && sqlite3_changes(m->db) == 0)
		r = store_say(m, MW_E_LIMIT, "Too many folders elsewhere are noted as read.");
	if (r < 0) {
		store_rollback(m);
		return r;
	}
	return store_commit(m, ticket);
}

int store_per_user_get(struct store_mailbox *m, struct arena *arena, struct store_per_user *p)
{
	STORE_STMT s = store_statement(m, STMT_PER_USER_GET);
	uint8_t key[KEY];
	int r;

	if (!s)
		return MW_E_IO;
	make_key(p, key);
	sqlite3_bind_blob(s, 1, key, sizeof key, SQLITE_TRANSIENT);
	r = store_step(m, s, "Reading what was read elsewhere");
	if (r <= 0)
		return r < 0 ? r : MW_E_NOTFOUND;
	if (sqlite3_column_bytes(s, 0) != 16)
		return MW_E_IO;
	guid_from_bytes(sqlite3_column_blob(s, 0), &p->replica);
	p->size = (size_t)sqlite3_column_bytes(s, 1);
	p->data = arena_copy(arena, p->size ? sqlite3_column_blob(s, 1) : "", p->size);
	return p->data ? 0 : MW_E_NOMEM;
}

int store_per_user_list(struct store_mailbox *m, struct arena *arena, const struct guid *replica,
                        struct store_per_user **out, size_t *count)
{
	STORE_STMT s = store_statement(m, STMT_PER_USER_OF);
	struct store_per_user *rows = arena_new_array(arena, struct store_per_user, STORE_PER_USER_MAX);
	uint8_t wanted[16];
	size_t n = 0;
	int r = s && rows ? 1 : MW_E_NOMEM;

	if (r < 0)
		return r;
	guid_to_bytes(replica, wanted);
	sqlite3_bind_blob(s, 1, wanted, sizeof wanted, SQLITE_TRANSIENT);
	while (r > 0 && n < STORE_PER_USER_MAX && (r = store_step(m, s, "Reading what was read elsewhere")) > 0) {
		const uint8_t *key = sqlite3_column_blob(s, 0);
		if (!key || sqlite3_column_bytes(s, 0) != KEY)
			continue;
		guid_from_bytes(key, &rows[n].database);
		memcpy(rows[n++].counter, key + 16, sizeof rows->counter);
	}
	*out = rows;
	*count = n;
	return r < 0 ? r : 0;
}
