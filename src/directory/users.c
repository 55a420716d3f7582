#include "base/random.h"
#include "directory/private.h"

#include <stdio.h>
#include <string.h>

static void arena_end(struct arena **a)
{
	arena_free(a);
}

static int say(struct directory *d, int error, const char *text)
{
	snprintf(d->error, sizeof d->error, "%s", text);
	return error;
}

/* One @, something on each side, nothing that an address book or a header could trip over. */
static bool is_address(const char *s)
{
	const char *at = strchr(s, '@');

	return at && at != s && at[1] && !strchr(at + 1, '@') && strlen(s) <= 320 &&
	       !strpbrk(s, " \t\r\n<>,;:\"\\()/") && at[1] != '.';
}

/* [MS-NLMP] leaves names open; these are what Windows refuses in sAMAccountName. */
static bool is_account(const char *s)
{
	return s[0] && strlen(s) <= 64 && !strpbrk(s, "\"/\\[]:;|=,+*?<>@ \t\r\n");
}

static bool is_name(const char *s)
{
	if (!s[0] || strlen(s) > 1024)
		return false;
	for (; *s; s++)
		if ((unsigned char)*s < ' ')
			return false;
	return true;
}

static int run(struct directory *d, sqlite3_stmt *s, const char *doing)
{
	int rc = sqlite3_step(s);

	d->dirty = true;
	return rc == SQLITE_DONE ? 0 : directory_fail(d, doing, rc);
}

static int insert_address(struct directory *d, struct arena *arena, int64_t user, const char *address, int rank)
{
	DIRECTORY_STMT s = NULL;
	char *key = directory_fold(arena, address);
	int r;

	if (!key)
		return MW_E_NOMEM;
	if (!is_address(address))
		return say(d, MW_E_INVALID, "That is no mail address: write it as alice@demo.test.");
	r = directory_prepare(d, "INSERT INTO address VALUES(?1, ?2, ?3, ?4)", &s);
	if (r < 0)
		return r;
	sqlite3_bind_text(s, 1, key, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 2, address, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 3, user);
	sqlite3_bind_int(s, 4, rank);
	r = run(d, s, "Adding the address");
	return r == MW_E_EXISTS ? say(d, r, "Another user has that address already.") : r;
}

static int insert_addresses(struct directory *d, struct arena *arena, int64_t user, const struct directory_new_user *u)
{
	int r = insert_address(d, arena, user, u->address, 0);

	for (int i = 0; r >= 0 && u->more && u->more[i]; i++)
		r = insert_address(d, arena, user, u->more[i], i + 1);
	return r;
}

static char *setting(struct directory *d, struct arena *arena, const char *key)
{
	DIRECTORY_STMT s = NULL;

	if (directory_prepare(d, "SELECT value FROM setting WHERE key = ?1", &s) < 0)
		return NULL;
	sqlite3_bind_text(s, 1, key, -1, SQLITE_STATIC);
	if (sqlite3_step(s) != SQLITE_ROW)
		return NULL;
	return arena_strdup(arena, (const char *)sqlite3_column_text(s, 0));
}

static int insert_user(struct directory *d, struct arena *arena, const struct directory_new_user *u,
                       const char *account, const char *name, const struct guid *mailbox)
{
	DIRECTORY_STMT s = NULL;
	char *organisation = setting(d, arena, "organisation");
	char *key = directory_fold(arena, account), *dn, *dn_key;
	uint8_t guid[16];
	int r;

	if (!organisation)
		return MW_E_IO;
	dn = arena_printf(arena, "/o=%s/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn=%s",
	                  organisation, account);
	dn_key = dn ? directory_fold(arena, dn) : NULL;
	if (!key || !dn_key)
		return MW_E_NOMEM;
	r = directory_prepare(d,
	                      "INSERT INTO user(account, account_key, name, dn, dn_key, mailbox, nt_hash, flags)"
	                      " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	                      &s);
	if (r < 0)
		return r;
	guid_to_bytes(mailbox, guid);
	sqlite3_bind_text(s, 1, account, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 2, key, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 3, name, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 4, dn, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 5, dn_key, -1, SQLITE_STATIC);
	sqlite3_bind_blob(s, 6, guid, 16, SQLITE_STATIC);
	sqlite3_bind_blob(s, 7, u->nt_hash, 16, SQLITE_STATIC);
	sqlite3_bind_int64(s, 8, u->flags);
	r = run(d, s, "Adding the user");
	return r == MW_E_EXISTS ? say(d, r, "There is a user with that account name already.") : r;
}

static int add_in_transaction(struct directory *d, struct arena *arena, const struct directory_new_user *u,
                              const char *account, const char *name, const struct guid *mailbox)
{
	int rc = sqlite3_exec(d->db, "BEGIN IMMEDIATE", NULL, NULL, NULL), r;

	if (rc != SQLITE_OK)
		return directory_fail(d, "Adding the user", rc);
	r = insert_user(d, arena, u, account, name, mailbox);
	if (r >= 0)
		r = insert_addresses(d, arena, sqlite3_last_insert_rowid(d->db), u);
	if (r >= 0) {
		rc = sqlite3_exec(d->db, "COMMIT", NULL, NULL, NULL);
		r = rc == SQLITE_OK ? 0 : directory_fail(d, "Adding the user", rc);
	}
	if (r < 0)
		sqlite3_exec(d->db, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

int directory_add(struct directory *d, const struct directory_new_user *user, uint32_t *id, struct guid *mailbox)
{
	MW_CLEANUP(arena_end) struct arena *arena = arena_new(1 << 20);
	const char *local, *account, *name;
	struct guid guid;
	int r;

	if (!arena)
		return MW_E_NOMEM;
	if (!user->address || !is_address(user->address))
		return say(d, MW_E_INVALID, "That is no mail address: write it as alice@demo.test.");
	local = arena_strndup(arena, user->address, strcspn(user->address, "@"));
	account = user->account ? user->account : local;
	name = user->name ? user->name : local;
	if (!local)
		return MW_E_NOMEM;
	if (!is_account(account) || !is_name(name))
		return say(d, MW_E_INVALID, "The account or display name has characters that names cannot have.");
	random_guid(&random_system, &guid);
	r = add_in_transaction(d, arena, user, account, name, &guid);
	if (r < 0)
		return r;
	*id = (uint32_t)sqlite3_last_insert_rowid(d->db);
	*mailbox = guid;
	return 0;
}

/* One statement on one user: ?1 is the id. Takes the statement. */
static int change(struct directory *d, uint32_t id, sqlite3_stmt *s, const char *doing)
{
	int r;

	sqlite3_bind_int64(s, 1, id);
	r = run(d, s, doing);
	if (r >= 0 && sqlite3_changes(d->db) == 0)
		return say(d, MW_E_NOTFOUND, "There is no such user.");
	return r;
}

int directory_set_nt_hash(struct directory *d, uint32_t id, const uint8_t nt_hash[16])
{
	DIRECTORY_STMT s = NULL;
	int r = directory_prepare(d, "UPDATE user SET nt_hash = ?2 WHERE id = ?1", &s);

	if (r < 0)
		return r;
	sqlite3_bind_blob(s, 2, nt_hash, 16, SQLITE_STATIC);
	return change(d, id, s, "Changing the password");
}

int directory_set_flags(struct directory *d, uint32_t id, uint32_t flags)
{
	DIRECTORY_STMT s = NULL;
	int r = directory_prepare(d, "UPDATE user SET flags = ?2 WHERE id = ?1", &s);

	if (r < 0)
		return r;
	sqlite3_bind_int64(s, 2, flags);
	return change(d, id, s, "Changing the user");
}

int directory_set_name(struct directory *d, uint32_t id, const char *name)
{
	DIRECTORY_STMT s = NULL;
	int r;

	if (!is_name(name))
		return say(d, MW_E_INVALID, "The display name has characters that names cannot have.");
	r = directory_prepare(d, "UPDATE user SET name = ?2 WHERE id = ?1", &s);
	if (r < 0)
		return r;
	sqlite3_bind_text(s, 2, name, -1, SQLITE_STATIC);
	return change(d, id, s, "Changing the user");
}

/* "https://host", "https://host:port/path": a host's letters, nothing before it that hides it, nothing that XML or a
 * field could trip over. */
static bool is_url(const char *s)
{
	static const char scheme[] = "https://";
	if (strncmp(s, scheme, sizeof scheme - 1) != 0 || strlen(s) > 512)
		return false;
	s += sizeof scheme - 1;
	size_t host = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.");
	if (host == 0 || (s[host] && s[host] != ':' && s[host] != '/'))
		return false;
	for (s += host; *s; s++)
		if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 0x7F || strchr("@<>\"'\\", *s))
			return false;
	return true;
}

int directory_set_redirect(struct directory *d, uint32_t id, const char *redirect)
{
	DIRECTORY_STMT s = NULL;
	int r;

	if (redirect && !is_address(redirect) && !is_url(redirect))
		return say(d, MW_E_INVALID,
		           "That is neither a mail address nor a URL: write it as alice@demo.test or "
		           "https://mail.demo.test/autodiscover/autodiscover.xml.");
	r = directory_prepare(d, "UPDATE user SET redirect = ?2 WHERE id = ?1", &s);
	if (r < 0)
		return r;
	sqlite3_bind_text(s, 2, redirect, -1, SQLITE_STATIC);
	return change(d, id, s, "Changing the user");
}

int directory_remove(struct directory *d, uint32_t id)
{
	DIRECTORY_STMT s = NULL;
	int r = directory_prepare(d, "DELETE FROM user WHERE id = ?1", &s);

	return r < 0 ? r : change(d, id, s, "Removing the user");
}
