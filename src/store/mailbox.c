#include "store/private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int store_say(struct store_mailbox *m, int error, const char *text)
{
	snprintf(m->error, sizeof m->error, "%s", text);
	return error;
}

static int code_of(int rc)
{
	switch (rc & 0xFF) {
	case SQLITE_NOMEM:
		return MW_E_NOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return MW_E_BUSY;
	case SQLITE_TOOBIG:
		return MW_E_LIMIT;
	case SQLITE_NOTADB:
		return MW_E_MALFORMED;
	default:
		return MW_E_IO;
	}
}

static const char *advice(int rc)
{
	switch (rc & 0xFF) {
	case SQLITE_FULL:
		return "; free some space on its disk";
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_CANTOPEN:
		return "; check the file's permissions and its disk";
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return "; restore it from a backup";
	default:
		return "";
	}
}

int store_fail(struct store_mailbox *m, const char *doing, int rc)
{
	snprintf(m->error, sizeof m->error, "%s failed in mailbox file %.120s: %.60s%s.", doing, m->path,
	         sqlite3_errstr(rc), advice(rc));
	return code_of(rc);
}

bool store_mailbox_failed(const struct store_mailbox *m)
{
	return m->failed;
}

const char *store_mailbox_error(const struct store_mailbox *m)
{
	return m->error;
}

const struct guid *store_mailbox_guid(const struct store_mailbox *m)
{
	return &m->guid;
}

sqlite3_stmt *store_statement(struct store_mailbox *m, enum store_statement which)
{
	if (!m->statements[which]) {
		int rc = sqlite3_prepare_v3(m->db, store_sql(which), -1, SQLITE_PREPARE_PERSISTENT,
		                            &m->statements[which], NULL);
		if (rc != SQLITE_OK)
			store_fail(m, "Reading", rc);
	}
	return m->statements[which];
}

int store_step(struct store_mailbox *m, sqlite3_stmt *s, const char *doing)
{
	int rc = sqlite3_step(s), r;

	if (rc == SQLITE_ROW)
		return 1;
	if (rc == SQLITE_DONE)
		return 0;
	r = store_fail(m, doing, rc);
	store_group_check(m);
	return r;
}

int store_run(struct store_mailbox *m, sqlite3_stmt *s, const char *doing)
{
	int r = store_step(m, s, doing);

	return r < 0 ? r : 0;
}

int store_mailbox_set_owner(struct store_mailbox *m, const struct store_owner *owner)
{
	char *name = strdup(owner->name), *address = strdup(owner->address), *dn = strdup(owner->dn);
	STORE_STMT s = store_statement(m, STMT_OWNER_SET);
	int r = s ? store_begin(m) : MW_E_IO;

	if (r >= 0 && name && address && dn) {
		sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
		sqlite3_bind_text(s, 2, address, -1, SQLITE_STATIC);
		sqlite3_bind_text(s, 3, dn, -1, SQLITE_STATIC);
		r = store_run(m, s, "A change");
		sqlite3_reset(s);
		if (r >= 0)
			r = store_commit(m, NULL);
		else
			store_rollback(m);
	}
	if (r < 0 || !name || !address || !dn) {
		free(name);
		free(address);
		free(dn);
		return r < 0 ? r : MW_E_NOMEM;
	}
	free(m->owner_name);
	free(m->owner_address);
	free(m->owner_dn);
	m->owner_name = name;
	m->owner_address = address;
	m->owner_dn = dn;
	return 0;
}
