#include "directory/private.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define APPLICATION_ID 0x4D574449 /* "MWDI" */
#define SCHEMA_VERSION 2          /* 2: users have redirects */

static const char schema[] = "CREATE TABLE setting(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
                             "CREATE TABLE user("
                             " id INTEGER PRIMARY KEY AUTOINCREMENT,"
                             " account TEXT NOT NULL, account_key TEXT NOT NULL UNIQUE,"
                             " name TEXT NOT NULL,"
                             " dn TEXT NOT NULL, dn_key TEXT NOT NULL UNIQUE,"
                             " mailbox BLOB NOT NULL UNIQUE CHECK(length(mailbox) = 16),"
                             " nt_hash BLOB NOT NULL CHECK(length(nt_hash) = 16),"
                             " flags INTEGER NOT NULL,"
                             " redirect TEXT);"
                             "CREATE TABLE address("
                             " address_key TEXT PRIMARY KEY, address TEXT NOT NULL,"
                             " user INTEGER NOT NULL REFERENCES user(id) ON DELETE CASCADE,"
                             " rank INTEGER NOT NULL) WITHOUT ROWID;" /* 0: the primary one */
                             "CREATE INDEX address_user ON address(user, rank);"
                             /* Below 16 are NSPI's reserved minimal ids, [MS-OXNSPI] 2.2.1.8. */
                             "INSERT INTO sqlite_sequence(name, seq) VALUES('user', 15);";

int directory_fail(struct directory *d, const char *doing, int rc)
{
	snprintf(d->error, sizeof d->error, "%s failed: %s.", doing,
	         d->db ? sqlite3_errmsg(d->db) : sqlite3_errstr(rc));
	switch (rc & 0xFF) {
	case SQLITE_NOMEM:
		return MW_E_NOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return MW_E_BUSY;
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
		return MW_E_MALFORMED;
	case SQLITE_CONSTRAINT:
		return MW_E_EXISTS;
	default:
		return MW_E_IO;
	}
}

int directory_prepare(struct directory *d, const char *sql, sqlite3_stmt **out)
{
	int rc = sqlite3_prepare_v2(d->db, sql, -1, out, NULL);

	return rc == SQLITE_OK ? 0 : directory_fail(d, "Reading the directory", rc);
}

const char *directory_error(const struct directory *d)
{
	return d->error;
}

int directory_number(struct directory *d, const char *sql, int64_t *out)
{
	DIRECTORY_STMT s = NULL;
	int r = directory_prepare(d, sql, &s), rc;

	if (r < 0)
		return r;
	rc = sqlite3_step(s);
	if (rc != SQLITE_ROW)
		return directory_fail(d, "Reading the directory", rc);
	*out = sqlite3_column_int64(s, 0);
	return 0;
}

static int put_setting(struct directory *d, const char *key, const char *value)
{
	DIRECTORY_STMT s = NULL;
	int r = directory_prepare(d, "INSERT OR REPLACE INTO setting VALUES(?1, ?2)", &s), rc;

	if (r < 0)
		return r;
	sqlite3_bind_text(s, 1, key, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 2, value, -1, SQLITE_STATIC);
	rc = sqlite3_step(s);
	return rc == SQLITE_DONE ? 0 : directory_fail(d, "Writing the settings", rc);
}

int directory_set_settings(struct directory *d, const struct directory_settings *set)
{
	const struct {
		const char *key, *value;
	} all[] = {
	        {"mail_domain", set->mail_domain},
	        {"ntlm_domain", set->ntlm_domain},
	        {"organisation", set->organisation},
	        {"server_name", set->server_name},
	        {"locale", set->locale},
	};

	d->dirty = true;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		int r = all[i].value ? put_setting(d, all[i].key, all[i].value) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

/* NetBIOS names have 15 characters. */
#define NETBIOS_MAX 15

static int default_settings(const struct directory_settings *given, char domain[NETBIOS_MAX + 1],
                            struct directory_settings *out)
{
	size_t n;

	if (!given || !given->mail_domain || !given->mail_domain[0])
		return MW_E_INVALID;
	n = strcspn(given->mail_domain, ".");
	if (n == 0)
		return MW_E_INVALID;
	n = n < NETBIOS_MAX ? n : NETBIOS_MAX;
	for (size_t i = 0; i < n; i++)
		domain[i] = (char)toupper((unsigned char)given->mail_domain[i]);
	domain[n] = 0;
	*out = *given;
	out->ntlm_domain = given->ntlm_domain ? given->ntlm_domain : domain;
	out->organisation = given->organisation ? given->organisation : out->ntlm_domain;
	out->server_name = given->server_name ? given->server_name : "MAIL";
	out->locale = given->locale ? given->locale : "en";
	return 0;
}

static int exec(struct directory *d, const char *doing, const char *sql)
{
	int rc = sqlite3_exec(d->db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : directory_fail(d, doing, rc);
}

static int fill_new(struct directory *d, const struct directory_settings *given)
{
	struct directory_settings set;
	char domain[NETBIOS_MAX + 1], version[96];
	int r = default_settings(given, domain, &set);

	if (r < 0) {
		snprintf(d->error, sizeof d->error, "A new directory needs a mail domain, as demo.test.");
		return r;
	}
	snprintf(version, sizeof version, "PRAGMA application_id = %d; PRAGMA user_version = %d", APPLICATION_ID,
	         SCHEMA_VERSION);
	r = exec(d, "Making the directory", schema);
	if (r >= 0)
		r = directory_set_settings(d, &set);
	if (r >= 0)
		r = exec(d, "Making the directory", version);
	return r;
}

static int upgrade(struct directory *d)
{
	char version[64];
	int r = exec(d, "Bringing the directory to this version", "ALTER TABLE user ADD COLUMN redirect TEXT");

	snprintf(version, sizeof version, "PRAGMA user_version = %d", SCHEMA_VERSION);
	return r < 0 ? r : exec(d, "Bringing the directory to this version", version);
}

/* Two processes may be here at once: who comes second finds the first one's work. MW_E_AGAIN: it wants to write. */
static int check_or_fill(struct directory *d, bool create, const struct directory_settings *settings, bool write)
{
	int64_t version = 0, application = 0;
	int r = exec(d, "Opening the directory", write ? "BEGIN IMMEDIATE" : "BEGIN");

	if (r < 0)
		return r;
	r = directory_number(d, "PRAGMA user_version", &version);
	if (r >= 0)
		r = directory_number(d, "PRAGMA application_id", &application);
	if (r >= 0 && version == 0 && create)
		r = fill_new(d, settings);
	else if (r >= 0 && version == 1 && application == APPLICATION_ID)
		r = write ? upgrade(d) : MW_E_AGAIN;
	else if (r >= 0 && (version != SCHEMA_VERSION || application != APPLICATION_ID)) {
		snprintf(d->error, sizeof d->error, "The file is no directory of this version.");
		r = MW_E_MALFORMED;
	}
	if (r >= 0)
		return exec(d, "Opening the directory", "COMMIT");
	sqlite3_exec(d->db, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

/* The file holds what logs people on: nobody else's to read. SQLite gives its journal the same mode. */
static int touch(const char *state, const char *path)
{
	int fd;

	if (mkdir(state, 0700) < 0 && errno != EEXIST)
		return MW_E_IO;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return MW_E_IO;
	close(fd);
	return 0;
}

static int open_file(struct directory *d, const char *state, bool create)
{
	char path[4096];
	struct stat st;
	int rc;

	if ((size_t)snprintf(path, sizeof path, "%s/directory.sqlite", state) >= sizeof path)
		return MW_E_INVALID;
	if (create && touch(state, path) < 0) {
		snprintf(d->error, sizeof d->error, "%.180s cannot be made: %s.", path, strerror(errno));
		return MW_E_IO;
	}
	if (stat(path, &st) < 0) {
		snprintf(d->error, sizeof d->error, "%.180s is not there: %s.", path, strerror(errno));
		return errno == ENOENT ? MW_E_NOTFOUND : MW_E_IO;
	}
	rc = sqlite3_open_v2(path, &d->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc != SQLITE_OK)
		return directory_fail(d, "Opening the directory", rc);
	sqlite3_busy_timeout(d->db, 5000);
	return exec(d, "Opening the directory", "PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL");
}

int directory_open(const char *state, bool create, const struct directory_settings *settings, struct directory **out,
                   struct directory_why *why)
{
	struct directory *d = calloc(1, sizeof *d);
	int r;

	if (why)
		why->text[0] = 0;
	if (!d)
		return MW_E_NOMEM;
	r = open_file(d, state, create);
	if (r >= 0)
		r = check_or_fill(d, create, settings, create);
	if (r == MW_E_AGAIN)
		r = check_or_fill(d, create, settings, true);
	if (r < 0) {
		if (why)
			memcpy(why->text, d->error, sizeof why->text);
		directory_close(&d);
		return r;
	}
	*out = d;
	return 0;
}

void directory_close(struct directory **d)
{
	if (!*d)
		return;
	directory_snapshot_unref(&(*d)->newest);
	sqlite3_close((*d)->db);
	free(*d);
	*d = NULL;
}
