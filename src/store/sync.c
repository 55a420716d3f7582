#include "store/private.h"

/* Pages in the log (4 KiB each) from which on a checkpoint is due. */
#define CHECKPOINT_PAGES 2000
/* From here on what is in the log is moved at once while the owner waits, however much that is. */
#define LONG_PAGES 8000
#define BEGUN_PAGES 8 /* a log that has just begun */

uint64_t store_committed(const struct store_mailbox *m)
{
	return m->committed + (m->group.changes > 0);
}

uint64_t store_changes(const struct store_mailbox *m)
{
	return m->changes;
}

uint64_t store_synced(const struct store_mailbox *m)
{
	return m->synced;
}

/* The log as the VFS has it, so that every VFS is synced its own way. */
sqlite3_file *store_log_file(struct store_mailbox *m)
{
	sqlite3_file *file = NULL;

	if (sqlite3_file_control(m->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file) != SQLITE_OK)
		return NULL;
	return file && file->pMethods ? file : NULL;
}

static bool fill_sync(struct store_mailbox *m, struct store_job *job)
{
	*job = (struct store_job){.ticket = m->committed, .file = store_log_file(m)};
	return job->file != NULL;
}

bool store_sync_begin(struct store_mailbox *m, struct store_job *job)
{
	if (m->failed || m->sync_under_way || store_group_end(m) < 0 || m->synced >= m->committed || !fill_sync(m, job))
		return false;
	m->sync_under_way = true;
	return true;
}

bool store_checkpoint_begin(struct store_mailbox *m, bool all, struct store_job *job)
{
	bool due = all ? m->log_pages > 0 : m->log_pages >= CHECKPOINT_PAGES && m->log_pages >= m->log_due;

	if (m->failed || m->checkpoint_under_way || !due)
		return false;
	*job = (struct store_job){.checkpoint = true,
	                          .still = m->log_moved || m->log_pages >= LONG_PAGES,
	                          .path = m->path,
	                          .vfs = m->vfs};
	if (job->still && store_group_end(m) < 0)
		return false;
	m->checkpoint_under_way = true;
	return true;
}

/*
 * Whoever writes first after all pages are in the file begins the log anew, and syncs its header first. That shall be
 * us, in the pool, not the owner: a row comes and goes. When the owner was faster, nothing is lost by it.
 */
static int count_pages(void *user, sqlite3 *db, const char *name, int pages)
{
	(void)db;
	(void)name;
	*(int *)user = pages;
	return SQLITE_OK;
}

static int begin_log(sqlite3 *db, bool *anew)
{
	int pages = BEGUN_PAGES + 1, rc;

	sqlite3_wal_hook(db, count_pages, &pages); /* and not SQLite's own, which would move pages itself */
	rc = sqlite3_exec(db,
	                  "BEGIN IMMEDIATE; INSERT INTO receive VALUES('\x01', 0);"
	                  "DELETE FROM receive WHERE class = '\x01'; COMMIT",
	                  NULL, NULL, NULL);
	if (!sqlite3_get_autocommit(db))
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	*anew = rc == SQLITE_OK && pages <= BEGUN_PAGES; /* else the owner has written meanwhile */
	return rc;
}

/*
 * On a connection of its own: it syncs the log, writes the pages, and syncs the file, all before anyone
 * may begin the log anew (SQLite's NORMAL). The first read makes the connection notice the log.
 */
static int checkpoint(const char *path, const char *vfs, bool still, bool *anew)
{
	sqlite3 *db = NULL;
	int pages = -1, moved = 0;
	int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, vfs);

	if (rc == SQLITE_OK) {
		sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
		sqlite3_busy_timeout(db, still ? 100 : 0);
		rc = sqlite3_exec(db, "PRAGMA synchronous = NORMAL; PRAGMA schema_version", NULL, NULL, NULL);
	}
	if (rc == SQLITE_OK)
		rc = sqlite3_wal_checkpoint_v2(
		        db, "main", still ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE, &pages, &moved);
	if (rc == SQLITE_OK && pages > 0 && moved == pages)
		rc = begin_log(db, anew);
	sqlite3_close(db);
	return rc == SQLITE_BUSY || rc == SQLITE_LOCKED ? SQLITE_OK : rc;
}

void store_job_run(struct store_job *job)
{
	sqlite3_file *file = job->file;

	if (job->checkpoint)
		job->result = checkpoint(job->path, job->vfs, job->still, &job->anew);
	else
		job->result = file->pMethods->xSync(file, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY);
}

/* Most pages are in the file. What was written meanwhile is still to be moved before the log can begin anew: at once,
 * with the owner still, which does not take long. When that fails (somebody reads an old page) it waits for more. */
static void end_checkpoint(struct store_mailbox *m, const struct store_job *job)
{
	m->log_moved = !job->still && !job->anew;
	m->log_due = job->still && !job->anew ? m->log_pages + CHECKPOINT_PAGES : 0;
	if (job->anew)
		m->log_pages = 0; /* the next commit tells */
}

int store_job_end(struct store_mailbox *m, struct store_job *job)
{
	if (job->checkpoint) {
		m->checkpoint_under_way = false;
		end_checkpoint(m, job);
		return job->result == SQLITE_OK ? 0 : store_fail(m, "A checkpoint", job->result);
	}
	m->sync_under_way = false;
	if (job->result != SQLITE_OK) {
		m->failed = true;
		return store_fail(m, "Syncing", job->result);
	}
	if (job->ticket > m->synced)
		m->synced = job->ticket;
	return 0;
}

int store_sync(struct store_mailbox *m)
{
	bool other = m->sync_under_way;
	struct store_job job;
	int r;

	r = m->failed ? store_say(m, MW_E_IO, "The disk refused an earlier change: restart the server.")
	              : store_group_end(m);
	if (r < 0 || m->synced >= m->committed)
		return r;
	if (!fill_sync(m, &job))
		return store_say(m, MW_E_IO, "The mailbox has no log to sync.");
	store_job_run(&job);
	r = store_job_end(m, &job);
	m->sync_under_way = other;
	return r;
}
