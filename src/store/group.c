#include "store/private.h"

#include <string.h>

/*
 * Transactions. A small change is a savepoint in a transaction that others share, so that the pages they have in
 * common (a folder's counters, the last leaf of an index) go to the log once; it is committed when the next sync
 * begins, and only then can anything be promised. Whatever else changes the mailbox commits it first.
 *
 * A commit that fails takes all of them with it, of which all but one were told that they are done; then the mailbox
 * has failed, as after a failed sync. A full disk shall not lead there: the log's file has room for a change before it
 * is begun.
 */

#define FRAME (4096 + 24)
#define ROOM_PAGES 256  /* by which the log's file grows, and what may wait in a group */
#define CHANGE_PAGES 32 /* a small change, without its values: some leaves, some of them split */
#define CHANGES_MAX 64

static int run_plain(struct store_mailbox *m, enum store_statement which, const char *doing)
{
	STORE_STMT s = store_statement(m, which);

	return s ? store_run(m, s, doing) : MW_E_IO;
}

void store_group_check(struct store_mailbox *m)
{
	if (!m->group.open || !sqlite3_get_autocommit(m->db))
		return;
	m->failed |= m->group.changes > 0;
	m->group = (struct store_group){0};
}

static void roll_back(struct store_mailbox *m, enum store_statement which)
{
	char error[sizeof m->error];

	/* SQLite has rolled back by itself after some errors; the first error is the one to tell. */
	memcpy(error, m->error, sizeof error);
	if (!sqlite3_get_autocommit(m->db))
		(void)!run_plain(m, which, "A change");
	memcpy(m->error, error, sizeof error);
}

static int commit(struct store_mailbox *m)
{
	int r = run_plain(m, STMT_COMMIT, "A change");

	if (r < 0)
		roll_back(m, STMT_ROLLBACK);
	else
		m->committed++;
	m->changes += r >= 0;
	return r;
}

int store_group_end(struct store_mailbox *m)
{
	bool empty = m->group.changes == 0;
	int r;

	if (!m->group.open || m->group.inside)
		return 0;
	m->group = (struct store_group){0};
	if (empty) {
		roll_back(m, STMT_ROLLBACK);
		return 0;
	}
	r = commit(m);
	m->failed |= r < 0;
	return r;
}

static int refuse_if_failed(struct store_mailbox *m)
{
	return m->failed ? store_say(m, MW_E_IO, "The disk refused an earlier change: restart the server.") : 0;
}

int store_begin(struct store_mailbox *m)
{
	int r = store_group_end(m);

	if (r >= 0)
		r = refuse_if_failed(m);
	return r < 0 ? r : run_plain(m, STMT_BEGIN, "A change");
}

/* The blocks behind what is written in the log, taken now, so that the commit cannot find the disk full. */
static int make_room(struct store_mailbox *m, int64_t pages)
{
	sqlite3_file *log = store_log_file(m);
	int64_t want = m->log_pages + pages;
	int chunk = ROOM_PAGES * FRAME;
	sqlite3_int64 size;
	int rc;

	if (!log || want <= m->log_room)
		return 0;
	want = (want + ROOM_PAGES - 1) / ROOM_PAGES * ROOM_PAGES;
	size = want * FRAME;
	log->pMethods->xFileControl(log, SQLITE_FCNTL_CHUNK_SIZE, &chunk);
	rc = log->pMethods->xFileControl(log, SQLITE_FCNTL_SIZE_HINT, &size);
	if (rc != SQLITE_OK && rc != SQLITE_NOTFOUND)
		return store_fail(m, "A change", SQLITE_FULL);
	m->log_room = want;
	return 0;
}

static int open_group(struct store_mailbox *m, int64_t pages)
{
	int r = 0;

	if (m->group.changes >= CHANGES_MAX || m->group.pages + pages > ROOM_PAGES)
		r = store_group_end(m);
	if (r >= 0)
		r = refuse_if_failed(m);
	if (r >= 0)
		r = make_room(m, m->group.pages + pages);
	if (r >= 0 && !m->group.open) {
		r = run_plain(m, STMT_BEGIN, "A change");
		m->group.open = r >= 0;
	}
	return r;
}

int store_begin_together(struct store_mailbox *m, size_t bytes)
{
	int64_t pages = CHANGE_PAGES + (int64_t)(bytes / 2048);
	int r;

	if (m->group.inside) {
		m->group.depth++;
		return 0;
	}
	if (pages > ROOM_PAGES)
		return store_begin(m);
	r = open_group(m, pages);
	if (r >= 0)
		r = run_plain(m, STMT_SAVEPOINT, "A change");
	if (r < 0)
		return r;
	m->group.inside = true;
	m->group.pages += pages;
	return 0;
}

static int release(struct store_mailbox *m, uint64_t *ticket)
{
	int r = run_plain(m, STMT_RELEASE, "A change");

	if (r < 0) {
		store_rollback(m);
		return r;
	}
	m->group.inside = false;
	m->group.changes++;
	m->changes++;
	if (ticket)
		*ticket = store_committed(m);
	return 0;
}

int store_commit(struct store_mailbox *m, uint64_t *ticket)
{
	int r;

	if (m->group.depth > 0) {
		m->group.depth--;
		if (ticket)
			*ticket = m->committed + 1;
		return 0;
	}
	if (m->group.inside)
		return release(m, ticket);
	r = commit(m);
	if (r >= 0 && ticket)
		*ticket = m->committed;
	return r;
}

void store_rollback(struct store_mailbox *m)
{
	if (m->group.depth > 0) { /* whoever began the whole hears of it */
		m->group.depth--;
		return;
	}
	if (!m->group.inside) {
		roll_back(m, STMT_ROLLBACK);
		return;
	}
	m->group.inside = false;
	roll_back(m, STMT_ROLLBACK_TO);
	roll_back(m, STMT_RELEASE);
	store_group_check(m);
}
