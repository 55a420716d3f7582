#include "store/search_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unicode/ucol.h>
#include <unistd.h>

static int keep_pages(void *user, sqlite3 *db, const char *name, int pages)
{
	(void)db;
	(void)name;
	((struct store_mailbox *)user)->log_pages = pages;
	return SQLITE_OK;
}

/* One owner, in this process or another: an flock on a file beside the mailbox (a lock on the mailbox file
 * itself would drop SQLite's own when it is closed). */
static int take_lock(struct store_mailbox *m)
{
	char path[4200];

	snprintf(path, sizeof path, "%s.lock", m->path);
	m->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (m->lock < 0)
		return errno == EROFS || errno == EACCES ? 0 : store_say(m, MW_E_IO, "The lock file cannot be made.");
	if (flock(m->lock, LOCK_EX | LOCK_NB) < 0)
		return store_say(m, MW_E_BUSY, "The mailbox is in use by another server or tool.");
	return 0;
}

static int exec(struct store_mailbox *m, const char *text)
{
	int rc = sqlite3_exec(m->db, text, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : store_fail(m, "Opening", rc);
}

/* A file is data, whoever made it: nothing in its schema may act. */
static int harden(struct store_mailbox *m)
{
	sqlite3_db_config(m->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(m->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(m->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(m->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	sqlite3_limit(m->db, SQLITE_LIMIT_LENGTH, 64 << 20);
	return exec(m, "PRAGMA cell_size_check = ON");
}

static int set_up(struct store_mailbox *m)
{
	int r;

	/* Before the first read: the log may be read for the first time after a crash, by somebody else too. */
	sqlite3_busy_timeout(m->db, 1000);
	r = harden(m);
	/* In WAL mode NORMAL syncs at checkpoints and when the log begins anew, never at a commit: that is
	 * store_sync's. A connection has one hook, so ours switches SQLite's own checkpoint off: all run in the
	 * pool, where the log begins anew too (sync.c). */
	if (r >= 0)
		r = exec(m, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
		            "PRAGMA temp_store = MEMORY; PRAGMA secure_delete = FAST");
	sqlite3_wal_hook(m->db, keep_pages, m);
	return r;
}

static int read_guid(sqlite3_stmt *s, int column, struct guid *out)
{
	const void *bytes = sqlite3_column_blob(s, column);

	if (!bytes || sqlite3_column_bytes(s, column) != 16)
		return MW_E_MALFORMED;
	guid_from_bytes(bytes, out);
	return 0;
}

static char *read_text(sqlite3_stmt *s, int column)
{
	const char *text = (const char *)sqlite3_column_text(s, column);

	return strdup(text ? text : "");
}

static int64_t pragma(struct store_mailbox *m, const char *sql)
{
	sqlite3_stmt *s = NULL;
	int64_t value = -1;

	if (sqlite3_prepare_v2(m->db, sql, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW)
		value = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return value;
}

static int read_identity(struct store_mailbox *m, sqlite3_stmt *s, const struct guid *expected)
{
	int64_t next = sqlite3_column_int64(s, 5);

	if (read_guid(s, 0, &m->guid) < 0 || read_guid(s, 1, &m->replica) < 0 || !guid_equal(&m->guid, expected) ||
	    next < STORE_FIRST_ID || next >= INT64_C(1) << 48)
		return store_say(m, MW_E_MALFORMED, "The file is not this mailbox; restore it from a backup.");
	m->next_id = m->end_id = (uint64_t)next;
	m->owner_name = read_text(s, 2);
	m->owner_address = read_text(s, 3);
	m->owner_dn = read_text(s, 4);
	return m->owner_name && m->owner_address && m->owner_dn ? 0 : MW_E_NOMEM;
}

/* In place, whole or not at all. */
static int upgrade(struct store_mailbox *m, int64_t version)
{
	char done[64];
	int r = exec(m, "BEGIN IMMEDIATE");

	for (; r >= 0 && version < STORE_SCHEMA_VERSION; version++)
		r = exec(m, store_upgrades[version]);
	snprintf(done, sizeof done, "PRAGMA user_version = %d; COMMIT", STORE_SCHEMA_VERSION);
	if (r >= 0)
		r = exec(m, done);
	if (!sqlite3_get_autocommit(m->db))
		sqlite3_exec(m->db, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

static int identify(struct store_mailbox *m, const struct guid *expected)
{
	sqlite3_stmt *s = NULL;
	int64_t version;
	int rc, r;

	if (pragma(m, "PRAGMA application_id") != STORE_APPLICATION_ID)
		return store_say(m, MW_E_MALFORMED, "The file is no mailbox; restore it from a backup.");
	version = pragma(m, "PRAGMA user_version");
	if (version >= 1 && version < STORE_SCHEMA_VERSION && upgrade(m, version) < 0)
		return store_say(m, MW_E_IO, "The mailbox is of an older version and cannot be written.");
	if (pragma(m, "PRAGMA user_version") != STORE_SCHEMA_VERSION)
		return store_say(m, MW_E_MALFORMED, "The mailbox is of another version; use the program that made it.");
	rc = sqlite3_prepare_v2(
	        m->db, "SELECT guid, replica, owner_name, owner_address, owner_dn, next_id FROM mailbox", -1, &s, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	r = rc == SQLITE_ROW ? read_identity(m, s, expected) : MW_E_MALFORMED;
	if (rc != SQLITE_ROW)
		store_fail(m, "Opening", rc);
	sqlite3_finalize(s);
	return r;
}

/* Values that no message took before the last crash, and notes of deliveries that nobody can repeat any more. What
 * cannot be written stays. */
static void sweep(struct store_mailbox *m)
{
	sqlite3_exec(m->db,
	             "DELETE FROM delivered WHERE time < (strftime('%s', 'now', '-30 days') + 11644473600) * 10000000",
	             NULL, NULL, NULL);
	if (pragma(m, "SELECT count(*) FROM value WHERE message = 0") <= 0)
		return;
	sqlite3_exec(m->db,
	             "BEGIN IMMEDIATE;"
	             "DELETE FROM chunk WHERE id >> 16 IN (SELECT id FROM value WHERE message = 0);"
	             "DELETE FROM value WHERE message = 0; COMMIT",
	             NULL, NULL, NULL);
	if (!sqlite3_get_autocommit(m->db))
		sqlite3_exec(m->db, "ROLLBACK", NULL, NULL, NULL);
}

/* A file name in a URI: what means something there is escaped. */
static int put_uri(struct buf *out, const char *path)
{
	buf_put_str(out, "file:");
	for (; *path; path++) {
		if (strchr("%?#", *path))
			buf_printf(out, "%%%02X", (unsigned char)*path);
		else
			buf_put_u8(out, (uint8_t)*path);
	}
	buf_put_str(out, "?immutable=1");
	return buf_put_u8(out, 0);
}

/* On a disk that takes no writes there can be no log nor its index: such a file is read as it lies there, which is
 * all of it when it was closed in peace. */
static int open_read_only(struct store_mailbox *m)
{
	char log[4200];
	struct buf uri = {0};
	int rc, r;

	snprintf(log, sizeof log, "%s-wal", m->path);
	if (access(log, F_OK) == 0)
		return store_say(m, MW_E_IO, "The mailbox was not closed in peace and its disk is read-only.");
	if (put_uri(&uri, m->path) < 0) {
		buf_free(&uri);
		return MW_E_NOMEM;
	}
	rc = sqlite3_open_v2((const char *)uri.data, &m->db,
	                     SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI, m->vfs);
	buf_free(&uri);
	r = rc == SQLITE_OK ? harden(m) : store_fail(m, "Opening", rc);
	return r;
}

static int open_file(struct store_mailbox *m)
{
	int rc;

	if (access(m->path, W_OK) < 0)
		return open_read_only(m);
	rc = sqlite3_open_v2(m->path, &m->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, m->vfs);
	if (rc != SQLITE_OK)
		return store_fail(m, "Opening", rc);
	return set_up(m);
}

static int open_all(struct store_mailbox *m, const struct store_place *place, const struct guid *mailbox)
{
	char text[GUID_TEXT_SIZE];
	int r;

	guid_format(mailbox, text);
	if (asprintf(&m->path, "%s/mailboxes/%s.sqlite", place->state, text) < 0) {
		m->path = NULL;
		return MW_E_NOMEM;
	}
	m->packer = store_packer_new();
	if (!m->packer)
		return MW_E_NOMEM;
	m->vfs = place->vfs ? strdup(place->vfs) : NULL;
	if (place->vfs && !m->vfs)
		return MW_E_NOMEM;
	if (access(m->path, F_OK) < 0)
		return store_say(m, MW_E_NOTFOUND, "There is no such mailbox.");
	r = take_lock(m);
	if (r >= 0)
		r = open_file(m);
	if (r >= 0)
		r = identify(m, mailbox);
	if (r >= 0)
		r = store_open_collator(m);
	if (r >= 0)
		sweep(m);
	return r < 0 ? r : store_searches_load(m);
}

int store_mailbox_open(const struct store_place *place, const struct guid *mailbox, struct store_mailbox **out,
                       struct store_why *why)
{
	struct store_mailbox *m = calloc(1, sizeof *m);
	int r;

	if (why)
		why->text[0] = 0;
	if (!m)
		return MW_E_NOMEM;
	m->lock = -1;
	r = open_all(m, place, mailbox);
	if (r < 0) {
		if (why)
			memcpy(why->text, m->error, sizeof why->text);
		store_mailbox_close(&m);
		return r;
	}
	*out = m;
	return 0;
}

void store_mailbox_close(struct store_mailbox **mailbox)
{
	struct store_mailbox *m = *mailbox;

	*mailbox = NULL;
	if (!m)
		return;
	if (m->db && !m->failed)
		(void)!store_sync(m);
	store_searches_free(m);
	for (int i = 0; i < STORE_STATEMENT_COUNT; i++)
		sqlite3_finalize(m->statements[i]);
	/* Moves the log into the file, unless that fails: then the log stays and is read at the next opening. After a
	 * failed sync the log may not be what SQLite believes; only its checksums tell, and only opening looks at them.
	 */
	if (m->db && m->failed)
		sqlite3_db_config(m->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_close(m->db);
	if (m->lock >= 0)
		close(m->lock);
	if (m->collator)
		ucol_close(m->collator);
	store_packer_free(&m->packer);
	free(m->path);
	free(m->vfs);
	free(m->owner_name);
	free(m->owner_address);
	free(m->owner_dn);
	free(m);
}
