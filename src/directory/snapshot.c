#include "directory/private.h"

#include <stdlib.h>
#include <string.h>
#include <unicode/ucol.h>

#define SNAPSHOT_MAX ((size_t)2 << 30)

static char *text(struct arena *arena, sqlite3_stmt *s, int column)
{
	const char *t = (const char *)sqlite3_column_text(s, column);

	return t ? arena_strndup(arena, t, strlen(t)) : NULL;
}

static int load_settings(struct directory *d, struct directory_snapshot *out)
{
	DIRECTORY_STMT s = NULL;
	int r = directory_prepare(d, "SELECT key, value FROM setting", &s), rc;
	const struct {
		const char *key;
		const char **to;
	} all[] = {
	        {"mail_domain", &out->settings.mail_domain},
	        {"ntlm_domain", &out->settings.ntlm_domain},
	        {"organisation", &out->settings.organisation},
	        {"server_name", &out->settings.server_name},
	        {"locale", &out->settings.locale},
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		*all[i].to = "";
	if (r < 0)
		return r;
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		const char *key = text(out->arena, s, 0), *value = text(out->arena, s, 1);
		if (!key || !value)
			return MW_E_NOMEM;
		for (size_t i = 0; i < ARRAY_SIZE(all); i++)
			if (!strcmp(all[i].key, key))
				*all[i].to = value;
	}
	return rc == SQLITE_DONE ? 0 : directory_fail(d, "Reading the directory", rc);
}

static int load_user(struct directory_snapshot *out, sqlite3_stmt *s, struct directory_user *u)
{
	const void *mailbox = sqlite3_column_blob(s, 4), *hash = sqlite3_column_blob(s, 5);

	if (!mailbox || sqlite3_column_bytes(s, 4) != 16 || !hash || sqlite3_column_bytes(s, 5) != 16)
		return MW_E_MALFORMED;
	u->id = (uint32_t)sqlite3_column_int64(s, 0);
	u->account = text(out->arena, s, 1);
	u->name = text(out->arena, s, 2);
	u->dn = text(out->arena, s, 3);
	u->flags = (uint32_t)sqlite3_column_int64(s, 6);
	u->redirect = text(out->arena, s, 7);
	u->address = "";
	u->more = arena_new_array(out->arena, const char *, 1);
	guid_from_bytes(mailbox, &u->mailbox);
	memcpy(u->nt_hash, hash, 16);
	if (!u->redirect && sqlite3_column_type(s, 7) != SQLITE_NULL)
		return MW_E_NOMEM;
	return u->account && u->name && u->dn && u->more ? 0 : MW_E_NOMEM;
}

static int load_users(struct directory *d, struct directory_snapshot *out)
{
	DIRECTORY_STMT s = NULL;
	int64_t count = 0;
	int r = directory_number(d, "SELECT count(*) FROM user", &count), rc;
	size_t n = 0;

	if (r >= 0)
		r = directory_prepare(
		        d, "SELECT id, account, name, dn, mailbox, nt_hash, flags, redirect FROM user ORDER BY id", &s);
	if (r < 0)
		return r;
	out->user_count = (size_t)count;
	out->users = arena_new_array(out->arena, struct directory_user, out->user_count);
	if (!out->users)
		return MW_E_NOMEM;
	while ((rc = sqlite3_step(s)) == SQLITE_ROW && n < out->user_count) {
		r = load_user(out, s, &out->users[n]);
		if (r < 0)
			return r;
		n++;
	}
	out->user_count = n;
	return rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : directory_fail(d, "Reading the directory", rc);
}

static int by_id(const void *key, const void *user)
{
	uint32_t id = *(const uint32_t *)key, other = ((const struct directory_user *)user)->id;

	return (id > other) - (id < other);
}

static int append(struct arena *arena, struct directory_user *u, const char *address)
{
	size_t n = 0;
	const char **more;

	while (u->more[n])
		n++;
	more = arena_new_array(arena, const char *, n + 2);
	if (!more)
		return MW_E_NOMEM;
	memcpy(more, u->more, n * sizeof *more);
	more[n] = address;
	u->more = more;
	return 0;
}

static int load_addresses(struct directory *d, struct directory_snapshot *out)
{
	DIRECTORY_STMT s = NULL;
	int r = directory_prepare(d, "SELECT user, rank, address FROM address ORDER BY user, rank", &s), rc;

	if (r < 0)
		return r;
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		uint32_t id = (uint32_t)sqlite3_column_int64(s, 0);
		struct directory_user *u = bsearch(&id, out->users, out->user_count, sizeof *u, by_id);
		char *address = text(out->arena, s, 2);

		if (!address)
			return MW_E_NOMEM;
		if (!u)
			continue;
		if (sqlite3_column_int64(s, 1) == 0)
			u->address = address;
		else if (append(out->arena, u, address) < 0)
			return MW_E_NOMEM;
	}
	return rc == SQLITE_DONE ? 0 : directory_fail(d, "Reading the directory", rc);
}

int directory_load(struct directory *d, struct directory_snapshot *s)
{
	int r, rc = sqlite3_exec(d->db, "BEGIN", NULL, NULL, NULL);

	if (rc != SQLITE_OK)
		return directory_fail(d, "Reading the directory", rc);
	r = load_settings(d, s);
	if (r >= 0)
		r = load_users(d, s);
	if (r >= 0)
		r = load_addresses(d, s);
	sqlite3_exec(d->db, "COMMIT", NULL, NULL, NULL);
	return r;
}

static int64_t data_version(struct directory *d)
{
	DIRECTORY_STMT s = NULL;

	if (directory_prepare(d, "PRAGMA data_version", &s) < 0 || sqlite3_step(s) != SQLITE_ROW)
		return -1;
	return sqlite3_column_int64(s, 0);
}

static int read_snapshot(struct directory *d, struct directory_snapshot **out)
{
	struct directory_snapshot *s = calloc(1, sizeof *s);
	int r;

	if (!s)
		return MW_E_NOMEM;
	s->references = 1;
	s->arena = arena_new(SNAPSHOT_MAX);
	r = s->arena ? directory_load(d, s) : MW_E_NOMEM;
	if (r >= 0)
		r = directory_index(s);
	if (r < 0) {
		directory_snapshot_unref(&s);
		return r;
	}
	s->version = ++d->version;
	*out = s;
	return 0;
}

int directory_snapshot(struct directory *d, struct directory_snapshot **out)
{
	int64_t now = data_version(d);
	struct directory_snapshot *s;
	int r;

	if (now < 0)
		return MW_E_IO;
	if (!d->newest || d->dirty || now != d->data_version) {
		r = read_snapshot(d, &s);
		if (r < 0)
			return r;
		directory_snapshot_unref(&d->newest);
		d->newest = s;
		d->data_version = now;
		d->dirty = false;
	}
	*out = directory_snapshot_ref(d->newest);
	return 0;
}

struct directory_snapshot *directory_snapshot_ref(struct directory_snapshot *s)
{
	atomic_fetch_add_explicit(&s->references, 1, memory_order_relaxed);
	return s;
}

void directory_snapshot_unref(struct directory_snapshot **s)
{
	struct directory_snapshot *last = *s;

	*s = NULL;
	if (!last || atomic_fetch_sub_explicit(&last->references, 1, memory_order_acq_rel) != 1)
		return;
	if (last->collator)
		ucol_close(last->collator);
	arena_free(&last->arena);
	free(last);
}

uint64_t directory_version(const struct directory_snapshot *s)
{
	return s->version;
}

const struct directory_settings *directory_settings(const struct directory_snapshot *s)
{
	return &s->settings;
}

const struct directory_user *directory_by_id(const struct directory_snapshot *s, uint32_t id)
{
	return bsearch(&id, s->users, s->user_count, sizeof *s->users, by_id);
}
