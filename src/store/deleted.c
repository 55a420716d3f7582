#include "store/deleted.h"

#include "base/time.h"
#include "store/message_private.h"
#include "store/search_private.h"

#define EXPIRED_A_STEP 200

/* ---- Inside transactions ---- */

int store_discard_row(struct store_mailbox *m, uint64_t id, int64_t now)
{
	STORE_STMT s = store_statement(m, STMT_DELETED_SET);

	if (!s)
		return MW_E_IO;
	sqlite3_bind_int64(s, 1, (int64_t)id);
	sqlite3_bind_int64(s, 2, (int64_t)filetime_from_ns(now));
	return store_run(m, s, "Deleting a message");
}

static int list_ids(struct store_mailbox *m, sqlite3_stmt *s, struct buf *ids)
{
	int r = 1;

	while (r > 0 && (r = store_step(m, s, "Reading what was deleted")) > 0)
		buf_put_u64(ids, (uint64_t)sqlite3_column_int64(s, 0));
	return r < 0 ? r : buf_error(ids);
}

static int drop_all(struct store_mailbox *m, const struct buf *ids)
{
	const uint64_t *id = (const void *)ids->data;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ids->len / sizeof *id; i++)
		r = store_message_delete_row(m, id[i]);
	return r;
}

int store_deleted_drop(struct store_mailbox *m, uint64_t folder)
{
	STORE_STMT s = store_statement(m, STMT_DELETED_OF);
	struct buf ids = {0};
	int r;

	if (!s)
		return MW_E_IO;
	sqlite3_bind_int64(s, 1, (int64_t)folder);
	r = list_ids(m, s, &ids);
	if (r >= 0)
		r = drop_all(m, &ids);
	buf_free(&ids);
	return r;
}

/* ---- The rest ---- */

int store_deleted_expire(struct store_mailbox *m, int64_t before, bool *more)
{
	STORE_STMT s = store_statement(m, STMT_DELETED_BEFORE);
	struct buf ids = {0};
	int r;

	*more = false;
	if (!s)
		return MW_E_IO;
	sqlite3_bind_int64(s, 1, (int64_t)filetime_from_ns(before));
	sqlite3_bind_int(s, 2, EXPIRED_A_STEP);
	r = list_ids(m, s, &ids);
	*more = ids.len / sizeof(uint64_t) == EXPIRED_A_STEP;
	sqlite3_reset(s);
	if (r >= 0 && ids.len > 0)
		r = store_begin(m);
	if (r >= 0 && ids.len > 0) {
		r = drop_all(m, &ids);
		if (r >= 0)
			r = store_commit(m, NULL);
		else
			store_rollback(m);
	}
	buf_free(&ids);
	return r;
}

int store_deleted_on(const struct store_object *o, uint64_t *when)
{
	STORE_STMT s = o->gone ? store_statement(o->m, STMT_DELETED_ON) : NULL;
	int r;

	if (!s)
		return MW_E_NOTFOUND;
	sqlite3_bind_int64(s, 1, (int64_t)o->id);
	r = store_step(o->m, s, "Reading a message");
	if (r > 0)
		*when = (uint64_t)sqlite3_column_int64(s, 0);
	return r > 0 ? 0 : r < 0 ? r : MW_E_NOTFOUND;
}
