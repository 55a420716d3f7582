#include "store/check.h"

#include "base/buf.h"
#include "store/check_private.h"
#include "store/schema.h"

#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>

#define FAULTS "50" /* of SQLite's, after which it stops looking */

struct checking {
	sqlite3 *db;
	store_fault *fault;
	void *user;
	struct store_checked *out;
};

/* What the store relies on: how many rows break it. MF_READ is bit 0 of flags. */
struct rule {
	const char *text, *sql;
};

#define COUNTED                                                                                                        \
	"SELECT associated AS a, flags AS r, size AS s FROM message WHERE folder = f.id"                               \
	" UNION ALL SELECT 0, flags, 0 FROM found JOIN message ON id = found.message WHERE found.folder = f.id"

#define IDS "SELECT id AS n FROM message UNION ALL SELECT id FROM folder UNION ALL SELECT read_change FROM message"
#define CHANGES "SELECT change AS n FROM message UNION ALL SELECT change FROM folder"

static const struct rule rules[] = {
        {"missing records of the mailbox itself", "SELECT 1 - count(*) FROM mailbox"},
        {"messages in a folder that does not exist",
         "SELECT count(*) FROM message WHERE folder NOT IN (SELECT id FROM folder)"},
        {"folders below one that does not exist",
         "SELECT count(*) FROM folder WHERE parent <> 0 AND parent NOT IN (SELECT id FROM folder)"},
        {"folders that count other messages than they hold",
         "SELECT count(*) FROM folder AS f WHERE (contents, unread, associated) IS NOT"
         " (SELECT ifnull(sum(a = 0), 0), ifnull(sum(a = 0 AND r & 1 = 0), 0), ifnull(sum(a = 1), 0)"
         " FROM (" COUNTED "))"},
        {"folders with another size than their messages",
         "SELECT count(*) FROM folder AS f WHERE id NOT IN (SELECT folder FROM search)"
         " AND size <> (SELECT ifnull(sum(size), 0) FROM message WHERE folder = f.id AND associated < 2)"},
        {"large values of a message that does not exist",
         "SELECT count(*) FROM value WHERE message <> 0 AND message NOT IN (SELECT id FROM message)"},
        {"pieces of a large value that does not exist",
         "SELECT count(*) FROM chunk WHERE id >> 16 NOT IN (SELECT id FROM value)"},
        {"change numbers given twice", "SELECT count(*) - count(DISTINCT n) FROM (" CHANGES ") WHERE n > 0"},
        {"ids or change numbers above the counter",
         "SELECT count(*) FROM (" IDS " UNION ALL " CHANGES ") WHERE n >= (SELECT next_id FROM mailbox)"},
        {"message classes received in a folder that does not exist",
         "SELECT count(*) FROM receive WHERE folder NOT IN (SELECT id FROM folder)"},
        {"permissions in a folder that does not exist",
         "SELECT count(*) FROM permission WHERE folder NOT IN (SELECT id FROM folder)"},
        {"permissions of a member that does not exist",
         "SELECT count(*) FROM permission WHERE member > 0 AND member NOT IN (SELECT id FROM member)"},
        {"submissions of a message that does not exist",
         "SELECT count(*) FROM outbox WHERE message NOT IN (SELECT id FROM message)"},
        {"searches of a folder that does not exist",
         "SELECT count(*) FROM search WHERE folder NOT IN (SELECT id FROM folder)"},
        {"search results that do not exist", "SELECT count(*) FROM found WHERE message NOT IN (SELECT id FROM message)"
                                             " OR folder NOT IN (SELECT folder FROM search)"},
};

static void tell(struct checking *c, const char *text)
{
	c->out->faults++;
	c->fault(c->user, text);
}

/* The first number of a statement; what keeps it from being read is a fault. */
static int number(struct checking *c, const char *sql, int64_t *out)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(c->db, sql, -1, &s, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		*out = sqlite3_column_int64(s, 0);
	else
		tell(c, sqlite3_errmsg(c->db));
	sqlite3_finalize(s);
	return rc == SQLITE_ROW ? 0 : MW_E_IO;
}

static void check_pages(struct checking *c)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(c->db, "PRAGMA integrity_check(" FAULTS ")", -1, &s, NULL);

	while (rc == SQLITE_OK || rc == SQLITE_ROW) {
		const char *text;
		rc = sqlite3_step(s);
		text = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0) : NULL;
		if (text && sqlite3_stricmp(text, "ok") != 0)
			tell(c, text);
	}
	if (rc != SQLITE_DONE)
		tell(c, sqlite3_errmsg(c->db));
	sqlite3_finalize(s);
}

/* Once a table cannot be read, the other rules would only say so again. */
static void check_rules(struct checking *c)
{
	char text[160];
	int64_t n = 0;

	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
		if (number(c, rules[i].sql, &n) < 0)
			return;
		if (n != 0) {
			snprintf(text, sizeof text, "%s: %lld", rules[i].text, (long long)n);
			tell(c, text);
		}
	}
}

static int say(struct store_why *why, int error, const char *text)
{
	if (why)
		snprintf(why->text, sizeof why->text, "%s", text);
	return error;
}

static int64_t pragma(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *s = NULL;
	int64_t value = -1;

	if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW)
		value = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return value;
}

int store_identify(sqlite3 *db, struct store_why *why)
{
	if (sqlite3_exec(db, "BEGIN; SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL) != SQLITE_OK) {
		int code = sqlite3_errcode(db);
		bool is_bytes = code == SQLITE_NOTADB || code == SQLITE_CORRUPT;
		return say(why, is_bytes ? MW_E_MALFORMED : MW_E_IO, sqlite3_errmsg(db));
	}
	if (pragma(db, "PRAGMA application_id") != STORE_APPLICATION_ID)
		return say(why, MW_E_MALFORMED, "the file is no mailbox");
	if (pragma(db, "PRAGMA user_version") != STORE_SCHEMA_VERSION)
		return say(why, MW_E_MALFORMED,
		           "the mailbox is of another version; the server brings an older one up when it opens it");
	return 0;
}

/* Opened as its owner opens it, or the log's index left by a crash could not be read; but nothing is written. A log
 * that is there stays: only closing the last connection would move it into the file. */
int store_open_beside(const char *path, sqlite3 **db, struct store_why *why)
{
	struct stat file, log;
	struct buf name = {0};
	int rc;

	if (stat(path, &file) < 0 || !S_ISREG(file.st_mode))
		return say(why, MW_E_NOTFOUND, "there is no such file");
	buf_printf(&name, "%s-wal", path);
	buf_put_u8(&name, 0);
	if (name.error) {
		buf_free(&name);
		return MW_E_NOMEM;
	}
	bool is_log = stat((const char *)name.data, &log) == 0 && log.st_size > 0;
	buf_free(&name);
	rc = sqlite3_open_v2(path, db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc != SQLITE_OK)
		return say(why, MW_E_IO, *db ? sqlite3_errmsg(*db) : "out of memory");
	sqlite3_db_config(*db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(*db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(*db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(*db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	sqlite3_db_config(*db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, is_log, NULL);
	sqlite3_busy_timeout(*db, 1000);
	rc = sqlite3_exec(*db, "PRAGMA query_only = ON; PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY", NULL,
	                  NULL, NULL);
	return rc == SQLITE_OK ? 0 : say(why, MW_E_IO, sqlite3_errmsg(*db));
}

static void check_all(struct checking *c)
{
	int64_t folders = 0, messages = 0;

	check_pages(c);
	check_rules(c);
	folders = pragma(c->db, "SELECT count(*) FROM folder");
	messages = pragma(c->db, "SELECT count(*) FROM message");
	c->out->folders = folders > 0 ? (uint64_t)folders : 0;
	c->out->messages = messages > 0 ? (uint64_t)messages : 0;
}

int store_check(const char *path, store_fault *fault, void *user, struct store_checked *out, struct store_why *why)
{
	struct checking c = {.fault = fault, .user = user, .out = out};
	int r;

	*out = (struct store_checked){0};
	if (why)
		why->text[0] = 0;
	r = store_open_beside(path, &c.db, why);
	if (r >= 0)
		r = store_identify(c.db, why);
	if (r >= 0)
		check_all(&c);
	sqlite3_close(c.db);
	return r;
}
