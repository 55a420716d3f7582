#include "store/keep.h"

#include "base/buf.h"
#include "store/check_private.h"
#include "store/schema.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGES 256 /* in one step of a copy */
#define PATH_ROOM 4400

static int say(struct store_why *why, int error, const char *text)
{
	snprintf(why->text, sizeof why->text, "%s", text);
	return error;
}

static int say_errno(struct store_why *why, const char *what)
{
	snprintf(why->text, sizeof why->text, "%s: %s", what, strerror(errno));
	return MW_E_IO;
}

static uint64_t size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

/* ---- On disk ---- */

static int sync_file(const char *path, struct store_why *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r = fd < 0 || fsync(fd) < 0 ? say_errno(why, "it cannot be synced") : 0;

	if (fd >= 0)
		close(fd);
	return r;
}

/* The folder knows of a new name only once it is synced itself. */
static int sync_folder_of(const char *path, struct store_why *why)
{
	char folder[PATH_ROOM];
	const char *slash = strrchr(path, '/');

	snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
	return sync_file(folder, why);
}

/* As the owner takes it. *fd: close it to give it back. */
static int take_lock(const char *path, int *fd, struct store_why *why)
{
	char name[PATH_ROOM];

	snprintf(name, sizeof name, "%s.lock", path);
	*fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (*fd < 0)
		return say_errno(why, "the lock file cannot be made");
	if (flock(*fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	close(*fd);
	return say(why, MW_E_BUSY, "somebody uses the mailbox");
}

/* ---- A copy ---- */

/* Within a read transaction of the source's connection, so that no write of the owner's makes it begin anew. */
static int copy_pages(sqlite3 *from, sqlite3 *to, store_progress *progress, void *user, struct store_why *why)
{
	sqlite3_backup *b = sqlite3_backup_init(to, "main", from, "main");
	sqlite3_int64 page = 4096;
	sqlite3_stmt *s = NULL;
	int rc = SQLITE_OK;

	if (!b)
		return say(why, MW_E_IO, sqlite3_errmsg(to));
	if (sqlite3_prepare_v2(from, "PRAGMA page_size", -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW)
		page = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	while (rc == SQLITE_OK) {
		rc = sqlite3_backup_step(b, PAGES);
		uint64_t total = (uint64_t)(sqlite3_backup_pagecount(b) * page);
		if (progress && (rc == SQLITE_OK || rc == SQLITE_DONE))
			progress(user, total - (uint64_t)(sqlite3_backup_remaining(b) * page), total);
	}
	if (sqlite3_backup_finish(b) != SQLITE_OK || rc != SQLITE_DONE)
		return say(why, MW_E_IO, rc == SQLITE_DONE ? sqlite3_errmsg(to) : sqlite3_errstr(rc));
	return 0;
}

/* One file without a log beside it. */
static int settle(sqlite3 *db, struct store_why *why)
{
	return sqlite3_exec(db, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL) == SQLITE_OK
	               ? 0
	               : say(why, MW_E_IO, sqlite3_errmsg(db));
}

static int make_file(const char *path, struct store_why *why)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		return say_errno(why, "the copy cannot be made");
	close(fd);
	return 0;
}

typedef int change_fn(sqlite3 *db, const void *user, struct store_why *why);

/* From the mailbox file to a file that nobody knows yet, changed if that is wanted, and synced. */
static int copy_file(const char *from, const char *to, change_fn *change, const void *wish, store_progress *progress,
                     void *user, struct store_why *why)
{
	sqlite3 *in = NULL, *out = NULL;
	int r = store_open_beside(from, &in, why);

	if (r == 0)
		r = store_identify(in, why);
	if (r == 0)
		r = make_file(to, why);
	if (r == 0 && sqlite3_open_v2(to, &out, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		r = say(why, MW_E_IO, out ? sqlite3_errmsg(out) : "out of memory");
	if (r == 0)
		r = copy_pages(in, out, progress, user, why);
	if (r == 0)
		r = settle(out, why);
	if (r == 0 && change)
		r = change(out, wish, why);
	sqlite3_close(in);
	if (sqlite3_close(out) != SQLITE_OK && r == 0)
		r = say(why, MW_E_IO, "the copy cannot be closed");
	return r == 0 ? sync_file(to, why) : r;
}

int store_backup(const char *from, const char *to, store_progress *progress, void *user, struct store_kept *out,
                 struct store_why *why)
{
	char part[PATH_ROOM];
	int r = snprintf(part, sizeof part, "%s.part", to) < (int)sizeof part ? 0 : MW_E_INVALID;

	why->text[0] = 0;
	if (r == 0 && access(to, F_OK) == 0)
		return say(why, MW_E_EXISTS, "the backup is there already");
	if (r == 0)
		r = copy_file(from, part, NULL, NULL, progress, user, why);
	/* link, not rename: it does not take the place of a file that has come meanwhile. */
	if (r == 0 && link(part, to) < 0)
		r = say_errno(why, "the backup cannot be named");
	if (r != MW_E_INVALID)
		unlink(part);
	if (r == 0)
		r = sync_folder_of(to, why);
	if (r == 0)
		*out = (struct store_kept){size_of(from), size_of(to)};
	return r;
}

/* ---- Putting it in place ---- */

struct wish {
	const struct guid *mailbox;
	bool adopt;
};

static int become(sqlite3 *db, const void *user, struct store_why *why)
{
	const struct wish *w = (const struct wish *)user;
	uint8_t guid[16];
	sqlite3_stmt *s = NULL;
	bool is_it = false;
	int rc;

	guid_to_bytes(w->mailbox, guid);
	rc = sqlite3_prepare_v2(db, w->adopt ? "UPDATE mailbox SET guid = ?1" : "SELECT guid = ?1 FROM mailbox", -1, &s,
	                        NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_blob(s, 1, guid, sizeof guid, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		is_it = sqlite3_column_int(s, 0) != 0;
	sqlite3_finalize(s);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		return say(why, MW_E_IO, sqlite3_errmsg(db));
	return w->adopt || is_it ? 0 : say(why, MW_E_INVALID, "it is the backup of another mailbox");
}

/* What an old log has is of the old file: it must be gone before the new one is there, or it would be read into that.
 */
static void retire(const char *path)
{
	char beside[PATH_ROOM];
	sqlite3 *db = NULL;

	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK)
		sqlite3_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL);
	sqlite3_close(db);
	snprintf(beside, sizeof beside, "%s-wal", path);
	unlink(beside);
	snprintf(beside, sizeof beside, "%s-shm", path);
	unlink(beside);
}

static int replace(const char *path, const char *from, const struct wish *wish, store_progress *progress, void *user,
                   struct store_why *why)
{
	char part[PATH_ROOM];
	int r;

	snprintf(part, sizeof part, "%s.part", path);
	r = copy_file(from, part, become, wish, progress, user, why);
	if (r == 0 && access(path, F_OK) == 0)
		retire(path);
	if (r == 0 && rename(part, path) < 0)
		r = say_errno(why, "it cannot be put in place");
	if (r != 0)
		unlink(part);
	return r == 0 ? sync_folder_of(path, why) : r;
}

int store_restore(const struct store_place *place, const struct guid *mailbox, const char *from, unsigned flags,
                  store_progress *progress, void *user, struct store_kept *out, struct store_why *why)
{
	const struct wish wish = {mailbox, flags & STORE_RESTORE_ADOPT};
	char path[PATH_ROOM - 16], text[GUID_TEXT_SIZE];
	uint64_t before;
	int lock = -1, r;

	why->text[0] = 0;
	guid_format(mailbox, text);
	if (snprintf(path, sizeof path, "%s/mailboxes/%s.sqlite", place->state, text) >= (int)sizeof path)
		return MW_E_INVALID;
	r = take_lock(path, &lock, why);
	if (r < 0)
		return r;
	before = size_of(path);
	if (access(path, F_OK) == 0 && !(flags & STORE_RESTORE_REPLACE))
		r = say(why, MW_E_EXISTS, "there is a mailbox already");
	if (r == 0)
		r = replace(path, from, &wish, progress, user, why);
	close(lock);
	if (r == 0)
		*out = (struct store_kept){before, size_of(path)};
	return r;
}

/* ---- Smaller ---- */

/* Its temporary file lies beside the others of the system; what is copied is of one transaction. */
static int vacuum(const char *path, struct store_why *why)
{
	sqlite3 *db = NULL;
	int r = store_open_beside(path, &db, why);

	if (r == 0)
		r = store_identify(db, why);
	if (r == 0 &&
	    sqlite3_exec(db,
	                 "COMMIT; PRAGMA query_only = OFF; PRAGMA temp_store = FILE; PRAGMA synchronous = FULL;"
	                 "VACUUM; PRAGMA wal_checkpoint(TRUNCATE)",
	                 NULL, NULL, NULL) != SQLITE_OK)
		r = say(why, MW_E_IO, sqlite3_errmsg(db));
	sqlite3_close(db);
	return r;
}

int store_compact(const char *path, struct store_kept *out, struct store_why *why)
{
	uint64_t before = size_of(path);
	int lock = -1, r;

	why->text[0] = 0;
	if (access(path, F_OK) < 0)
		return say(why, MW_E_NOTFOUND, "there is no such file");
	r = take_lock(path, &lock, why);
	if (r < 0)
		return r;
	r = vacuum(path, why);
	close(lock);
	if (r == 0)
		*out = (struct store_kept){before, size_of(path)};
	return r;
}
