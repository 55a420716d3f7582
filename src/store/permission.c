#include "store/permission_private.h"

#include "base/buf.h"
#include "base/utf16.h"
#include "mapi/entry_id.h"
#include "mapi/tags.h"
#include "store/message_private.h"

#include <string.h>

#define DOING "Changing permissions"

void store_mailbox_as(struct store_mailbox *m, const struct store_caller *caller)
{
	if (m->caller != caller)
		m->rights_folder = 0;
	m->caller = caller;
}

/* ---- Who may ---- */

/* Explicit rights, or the default member's. */
static int rights_of(struct store_mailbox *m, uint64_t folder, const char *dn, uint32_t *rights)
{
	STORE_STMT s = store_statement(m, STMT_RIGHTS);
	int r;

	if (!s)
		return MW_E_IO;
	sqlite3_bind_int64(s, 1, (int64_t)folder);
	sqlite3_bind_text(s, 2, dn, -1, SQLITE_STATIC);
	r = store_step(m, s, "Reading permissions");
	*rights = r > 0 ? (uint32_t)sqlite3_column_int64(s, 0) : 0;
	return r < 0 ? r : 0;
}

int store_rights_in(struct store_mailbox *m, uint64_t folder, uint32_t *rights)
{
	int r = 0;

	if (!m->caller) {
		*rights = STORE_ALL_RIGHTS;
		return 0;
	}
	if (m->rights_folder != folder) {
		r = rights_of(m, folder, m->caller->dn, &m->rights);
		m->rights_folder = r < 0 ? 0 : folder;
	}
	/* Who owns a folder sees it. */
	*rights = m->rights | (m->rights & STORE_MAY_OWN ? STORE_MAY_SEE : 0);
	return r;
}

int store_rights(struct store_mailbox *m, uint64_t folder, uint32_t *rights)
{
	uint64_t counter;

	return store_own_id(folder, &counter) ? store_rights_in(m, counter, rights) : MW_E_NOTFOUND;
}

static bool is_own(const struct store_object *o)
{
	STORE_ARENA arena = arena_new(0);
	const struct store_caller *c = o->m->caller;
	struct mapi_value v;

	return arena && store_object_get(o, arena, PidTagCreatorEntryId, 0, &v) == 0 && v.tag == PidTagCreatorEntryId &&
	       v.u.bin.size == c->entry_id_size && memcmp(v.u.bin.data, c->entry_id, c->entry_id_size) == 0;
}

int store_object_access(const struct store_object *o, uint32_t *access)
{
	uint32_t rights;
	int r = store_rights_in(o->m, o->parent, &rights);

	if (r < 0)
		return r;
	if (o->m->caller && rights != 0 && o->id != 0 && is_own(o))
		rights |= STORE_MAY_READ | (rights & STORE_MAY_EDIT_OWN ? STORE_MAY_EDIT : 0) |
		          (rights & STORE_MAY_DELETE_OWN ? STORE_MAY_DELETE : 0);
	*access = (rights & STORE_MAY_EDIT ? STORE_ACCESS_MODIFY : 0) |
	          (rights & STORE_MAY_READ ? STORE_ACCESS_READ : 0) |
	          (rights & STORE_MAY_DELETE && o->id != 0 ? STORE_ACCESS_DELETE : 0);
	if (o->id == 0) /* whoever makes it */
		*access |= STORE_ACCESS_MODIFY | STORE_ACCESS_READ;
	return 0;
}

int store_message_access(struct store_mailbox *m, uint64_t folder, uint64_t message, uint32_t *access)
{
	STORE_STMT s = NULL;
	struct store_object o;
	int r = store_message_find(m, folder, message, &o);

	if (r < 0)
		return r;
	s = store_statement(m, STMT_MESSAGE_GET);
	if (!s)
		return MW_E_IO;
	sqlite3_bind_int64(s, 1, (int64_t)o.id);
	r = store_step(m, s, "Reading a message");
	if (r > 0)
		r = store_message_row(m, s, &o);
	return r < 0 ? r : store_object_access(&o, access);
}

int store_admits(struct store_mailbox *m, const char *dn, bool *admitted)
{
	STORE_STMT s = store_statement(m, STMT_ADMITS);
	int r;

	if (!s)
		return MW_E_IO;
	sqlite3_bind_text(s, 1, dn, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 2, STORE_KNOWN_RIGHTS & ~STORE_FREE_BUSY_RIGHTS);
	r = store_step(m, s, "Reading permissions");
	*admitted = r > 0;
	return r < 0 ? r : 0;
}

/* ---- The list ---- */

static int read_row(sqlite3_stmt *s, struct arena *arena, struct store_permission *out)
{
	const char *dn = (const char *)sqlite3_column_text(s, 1), *name = (const char *)sqlite3_column_text(s, 2);

	*out = (struct store_permission){.member = sqlite3_column_int64(s, 0),
	                                 .dn = arena_strdup(arena, dn ? dn : ""),
	                                 .name = arena_strdup(arena, name ? name : ""),
	                                 .rights = (uint32_t)sqlite3_column_int64(s, 3)};
	return out->dn && out->name ? 0 : MW_E_NOMEM;
}

int store_permissions(struct store_mailbox *m, struct arena *arena, uint64_t folder, struct store_permission **out,
                      size_t *count)
{
	STORE_STMT s = store_statement(m, STMT_PERMISSIONS);
	struct store_permission *rows = arena_new_array(arena, struct store_permission, STORE_MAX_MEMBERS + 2);
	uint64_t counter;
	size_t n = 2;
	int r = s && rows ? 1 : s ? MW_E_NOMEM : MW_E_IO;

	if (!store_own_id(folder, &counter))
		return MW_E_NOTFOUND;
	if (r < 0)
		return r;
	rows[0] = (struct store_permission){.member = STORE_MEMBER_DEFAULT, .dn = "", .name = ""};
	rows[1] = (struct store_permission){.member = STORE_MEMBER_ANONYMOUS, .dn = "", .name = "Anonymous"};
	sqlite3_bind_int64(s, 1, (int64_t)counter);
	while (r > 0 && n < STORE_MAX_MEMBERS + 2 && (r = store_step(m, s, "Reading permissions")) > 0) {
		int64_t member = sqlite3_column_int64(s, 0);
		if (member == STORE_MEMBER_DEFAULT || member == STORE_MEMBER_ANONYMOUS)
			rows[member == STORE_MEMBER_DEFAULT ? 0 : 1].rights = (uint32_t)sqlite3_column_int64(s, 3);
		else if (read_row(s, arena, &rows[n++]) < 0)
			r = MW_E_NOMEM;
	}
	if (r < 0)
		return r;
	*out = rows;
	*count = n;
	return 0;
}

static int put_member(struct store_table *t, const struct store_permission *p, bool free_busy)
{
	STORE_ARENA arena = arena_new(0);
	struct buf id = {0};
	uint32_t mask = free_busy ? STORE_KNOWN_RIGHTS : STORE_ALL_RIGHTS;
	struct mapi_value values[4] = {mapi_i64(PidTagMemberId, p->member),
	                               mapi_i32(PidTagMemberRights, (int32_t)(p->rights & mask))};
	int r = arena ? mapi_text(arena, PidTagMemberName, p->name, 0, &values[2]) : MW_E_NOMEM;

	if (r >= 0 && p->dn[0])
		r = mapi_user_entry_id(&id, p->dn);
	values[3] = mapi_bytes(PidTagEntryId, id.data ? id.data : (uint8_t *)"", (uint32_t)id.len);
	if (r >= 0)
		r = store_table_add_row(t, values, ARRAY_SIZE(values));
	buf_free(&id);
	return r;
}

int store_permission_table(struct store_mailbox *m, uint64_t folder, bool free_busy, struct store_table **out)
{
	static const uint32_t columns[] = {PidTagEntryId, PidTagMemberId, PidTagMemberName, PidTagMemberRights};
	STORE_ARENA arena = arena_new(0);
	struct store_permission *rows = NULL;
	struct store_table *t = NULL;
	size_t count = 0;
	int r = arena ? store_permissions(m, arena, folder, &rows, &count) : MW_E_NOMEM;

	if (r >= 0)
		r = store_fixed_table(m, columns, ARRAY_SIZE(columns), &t);
	for (size_t i = 0; r >= 0 && i < count; i++)
		r = put_member(t, &rows[i], free_busy);
	if (r < 0)
		store_table_close(&t);
	else
		*out = t;
	return r;
}

/* ---- Changing it ---- */

static int run(struct store_mailbox *m, enum store_statement which, uint64_t folder, int64_t member, int64_t rights)
{
	STORE_STMT s = store_statement(m, which);

	if (!s)
		return MW_E_IO;
	sqlite3_bind_int64(s, 1, (int64_t)folder);
	sqlite3_bind_int64(s, 2, member);
	sqlite3_bind_int64(s, 3, rights);
	return store_run(m, s, DOING);
}

/* Whom the DN names in this mailbox: a number that stays his, and the name by which he was last put on a list. */
static int find_member(struct store_mailbox *m, const struct store_permission *p, int64_t *member)
{
	STORE_STMT s = store_statement(m, STMT_MEMBER_PUT);
	int r;

	if (!s)
		return MW_E_IO;
	sqlite3_bind_text(s, 1, p->dn, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 2, p->name, -1, SQLITE_STATIC);
	r = store_step(m, s, DOING);
	if (r <= 0)
		return r < 0 ? r : MW_E_IO;
	*member = sqlite3_column_int64(s, 0);
	r = store_step(m, s, DOING);
	return r < 0 ? r : 0;
}

/* 1 and the rights when the member is on the list; the default and anonymous always are. */
static int present(struct store_mailbox *m, uint64_t folder, int64_t member, uint32_t *rights)
{
	STORE_STMT s = store_statement(m, STMT_PERMISSION_GET);
	int r;

	if (!s)
		return MW_E_IO;
	sqlite3_bind_int64(s, 1, (int64_t)folder);
	sqlite3_bind_int64(s, 2, member);
	r = store_step(m, s, DOING);
	*rights = r > 0 ? (uint32_t)sqlite3_column_int64(s, 0) : 0;
	return r == 0 && (member == STORE_MEMBER_DEFAULT || member == STORE_MEMBER_ANONYMOUS) ? 1 : r;
}

struct changing {
	struct store_mailbox *m;
	uint64_t folder;
	bool free_busy;
};

static int put(const struct changing *c, int64_t member, uint32_t before, uint32_t rights)
{
	if (rights & ~STORE_KNOWN_RIGHTS)
		return MW_E_INVALID;
	if (!c->free_busy)
		rights = (rights & ~STORE_FREE_BUSY_RIGHTS) | (before & STORE_FREE_BUSY_RIGHTS);
	return run(c->m, STMT_PERMISSION_PUT, c->folder, member, rights);
}

static int change_one(const struct changing *c, const struct store_permission_edit *e)
{
	int64_t member = e->permission.member;
	uint32_t before = 0;
	int r = e->change == STORE_PERMISSION_ADD ? find_member(c->m, &e->permission, &member) : 0;

	if (r >= 0)
		r = present(c->m, c->folder, member, &before);
	if (r < 0)
		return r;
	if (e->change == STORE_PERMISSION_ADD)
		return put(c, member, before, e->permission.rights);
	if (r == 0)
		return MW_E_NOTFOUND;
	if (e->change == STORE_PERMISSION_MODIFY)
		return put(c, member, before, e->permission.rights);
	return member == STORE_MEMBER_DEFAULT ? MW_E_INVALID : run(c->m, STMT_PERMISSION_DELETE, c->folder, member, 0);
}

static int change_all(const struct changing *c, bool replace, const struct store_permission_edit *edits, size_t count)
{
	STORE_STMT s = NULL;
	int r = replace ? run(c->m, STMT_PERMISSIONS_REPLACE, c->folder, 0, 0) : 0;

	for (size_t i = 0; r >= 0 && i < count; i++)
		r = change_one(c, &edits[i]);
	if (r < 0)
		return r;
	s = store_statement(c->m, STMT_PERMISSION_COUNT);
	if (!s)
		return MW_E_IO;
	sqlite3_bind_int64(s, 1, (int64_t)c->folder);
	r = store_step(c->m, s, DOING);
	return r > 0 && sqlite3_column_int64(s, 0) > STORE_MAX_MEMBERS ? MW_E_LIMIT : r < 0 ? r : 0;
}

int store_permissions_change(struct store_mailbox *m, uint64_t folder, bool replace, bool free_busy,
                             const struct store_permission_edit *edits, size_t count, uint64_t *ticket)
{
	STORE_ARENA arena = arena_new(0);
	struct changing c = {.m = m, .free_busy = free_busy};
	struct store_object o;
	int r = store_own_id(folder, &c.folder) ? 0 : MW_E_NOTFOUND;

	if (r >= 0)
		r = arena ? store_folder_load(m, arena, c.folder, &o) : MW_E_NOMEM;
	if (r >= 0)
		r = store_begin(m);
	if (r < 0)
		return r;
	m->rights_folder = 0;
	r = change_all(&c, replace, edits, count);
	if (r < 0) {
		store_rollback(m);
		return r;
	}
	return store_commit(m, ticket);
}

/* ---- Of folders that come and go ---- */

int store_permissions_inherit(struct store_mailbox *m, uint64_t folder, uint64_t parent)
{
	const struct store_permission maker = {.dn = m->caller ? m->caller->dn : "",
	                                       .name = m->caller ? m->caller->name : ""};
	int64_t member;
	int r = run(m, STMT_PERMISSIONS_INHERIT, folder, (int64_t)parent, 0);

	if (r < 0 || !m->caller)
		return r;
	r = find_member(m, &maker, &member);
	return r < 0 ? r : run(m, STMT_PERMISSION_PUT, folder, member, STORE_ALL_RIGHTS);
}

int store_permissions_drop(struct store_mailbox *m, uint64_t folder)
{
	STORE_STMT s = store_statement(m, STMT_PERMISSIONS_DROP);

	if (!s)
		return MW_E_IO;
	sqlite3_bind_int64(s, 1, (int64_t)folder);
	return store_run(m, s, DOING);
}

int store_message_sign(struct store_message *msg, uint32_t name_tag, uint32_t entry_id_tag)
{
	STORE_ARENA arena = arena_new(0);
	const struct store_caller *c = msg->m ? msg->m->caller : NULL;
	struct mapi_value id, name;
	int r;

	if (!c)
		return 0;
	id = mapi_bytes(entry_id_tag, (uint8_t *)(uintptr_t)c->entry_id, c->entry_id_size);
	r = arena ? mapi_text(arena, name_tag, c->name, 0, &name) : MW_E_NOMEM;
	if (r >= 0)
		r = store_bag_put_value(&msg->bag, &name);
	return r < 0 ? r : store_bag_put_value(&msg->bag, &id);
}
