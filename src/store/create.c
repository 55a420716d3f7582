#include "store/object.h"

#include "base/random.h"
#include "base/time.h"
#include "base/utf16.h"
#include "mapi/tags.h"
#include "store/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The folders every mailbox is born with, by enum store_special: [MS-OXOSFLD] 2.2.2. */
static const struct {
	const char *name, *class;
	enum store_special parent;
} special[STORE_SPECIAL_COUNT] = {
        [STORE_ROOT] = {"Root Container", "", STORE_ROOT},
        [STORE_DEFERRED_ACTION] = {"Deferred Action", "", STORE_ROOT},
        [STORE_SPOOLER_QUEUE] = {"Spooler Queue", "", STORE_ROOT},
        [STORE_IPM_SUBTREE] = {"Top of Information Store", "", STORE_ROOT},
        [STORE_INBOX] = {"Inbox", "IPF.Note", STORE_IPM_SUBTREE},
        [STORE_OUTBOX] = {"Outbox", "IPF.Note", STORE_IPM_SUBTREE},
        [STORE_SENT_ITEMS] = {"Sent Items", "IPF.Note", STORE_IPM_SUBTREE},
        [STORE_DELETED_ITEMS] = {"Deleted Items", "IPF.Note", STORE_IPM_SUBTREE},
        [STORE_COMMON_VIEWS] = {"Common Views", "", STORE_ROOT},
        [STORE_SCHEDULE] = {"Schedule", "", STORE_ROOT},
        [STORE_SEARCH] = {"Finder", "", STORE_ROOT},
        [STORE_VIEWS] = {"Views", "", STORE_ROOT},
        [STORE_SHORTCUTS] = {"Shortcuts", "", STORE_ROOT},
        [STORE_CALENDAR] = {"Calendar", "IPF.Appointment", STORE_IPM_SUBTREE},
        [STORE_CONTACTS] = {"Contacts", "IPF.Contact", STORE_IPM_SUBTREE},
        [STORE_DRAFTS] = {"Drafts", "IPF.Note", STORE_IPM_SUBTREE},
        [STORE_TASKS] = {"Tasks", "IPF.Task", STORE_IPM_SUBTREE},
        [STORE_NOTES] = {"Notes", "IPF.StickyNote", STORE_IPM_SUBTREE},
        [STORE_JOURNAL] = {"Journal", "IPF.Journal", STORE_IPM_SUBTREE},
};

int store_folder_record(struct arena *arena, const char *container_class, int64_t now, struct buf *out)
{
	struct store_bag bag = {0};
	struct mapi_value created = mapi_i64(PidTagCreationTime, (int64_t)filetime_from_ns(now)), class;
	int r = store_bag_put_value(&bag, &created);

	if (r >= 0 && container_class[0]) {
		class = (struct mapi_value){.tag = PidTagContainerClass,
		                            .u.str16 = utf8_to_utf16(arena, container_class, NULL)};
		r = class.u.str16 ? store_bag_put_value(&bag, &class) : MW_E_NOMEM;
	}
	if (r >= 0)
		r = store_bag_encode(&bag, NULL, out);
	store_bag_free(&bag);
	return r;
}

static int add_special(struct store_mailbox *m, struct arena *arena, enum store_special which, int64_t now)
{
	STORE_STMT s = store_statement(m, STMT_FOLDER_ADD);
	struct buf record = {0};
	char *key = store_name_key(arena, special[which].name);
	int r = key ? store_folder_record(arena, special[which].class, now, &record) : MW_E_NOMEM;

	if (!s)
		r = MW_E_IO;
	if (r >= 0) {
		sqlite3_bind_int64(s, 1, which + 1);
		sqlite3_bind_int64(s, 2, which == STORE_ROOT ? 0 : special[which].parent + 1);
		sqlite3_bind_int(s, 3, which == STORE_ROOT ? STORE_FOLDER_ROOT : STORE_FOLDER_GENERIC);
		sqlite3_bind_int64(s, 4, which + 1);
		sqlite3_bind_int64(s, 5, (int64_t)filetime_from_ns(now));
		sqlite3_bind_text(s, 6, special[which].name, -1, SQLITE_STATIC);
		sqlite3_bind_text(s, 7, key, -1, SQLITE_STATIC);
		sqlite3_bind_blob(s, 8, record.data, (int)record.len, SQLITE_STATIC);
		r = store_run(m, s, "Making a mailbox");
	}
	buf_free(&record);
	return r;
}

static int add_identity(struct store_mailbox *m, const struct guid *guid, const struct store_owner *owner, int64_t now)
{
	sqlite3_stmt *s = NULL;
	uint8_t own[16], replica[16];
	struct guid r;
	int rc = sqlite3_prepare_v2(m->db, "INSERT INTO mailbox VALUES(1, ?1, ?2, ?3, ?4, ?5, ?6, ?7)", -1, &s, NULL);

	if (rc != SQLITE_OK)
		return store_fail(m, "Making a mailbox", rc);
	random_guid(&random_system, &r);
	guid_to_bytes(guid, own);
	guid_to_bytes(&r, replica);
	sqlite3_bind_blob(s, 1, own, 16, SQLITE_STATIC);
	sqlite3_bind_blob(s, 2, replica, 16, SQLITE_STATIC);
	sqlite3_bind_text(s, 3, owner->name ? owner->name : "", -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 4, owner->address ? owner->address : "", -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 5, owner->dn ? owner->dn : "", -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 6, STORE_FIRST_ID);
	sqlite3_bind_int64(s, 7, (int64_t)filetime_from_ns(now));
	rc = sqlite3_step(s);
	sqlite3_finalize(s);
	if (rc != SQLITE_DONE)
		return store_fail(m, "Making a mailbox", rc);
	/* The own replica's row keeps its id from being given to another. */
	rc = sqlite3_exec(m->db, "INSERT INTO replica(id, guid) SELECT 1, replica FROM mailbox", NULL, NULL, NULL);
	return rc == SQLITE_OK ? 0 : store_fail(m, "Making a mailbox", rc);
}

static int exec(struct store_mailbox *m, const char *text)
{
	int rc = sqlite3_exec(m->db, text, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : store_fail(m, "Making a mailbox", rc);
}

static int fill(struct store_mailbox *m, const struct guid *guid, const struct store_owner *owner, int64_t now)
{
	STORE_ARENA arena = arena_new(0);
	char pragmas[128];
	int r = arena ? exec(m, "PRAGMA synchronous = FULL; BEGIN IMMEDIATE") : MW_E_NOMEM;

	snprintf(pragmas, sizeof pragmas, "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
	         STORE_APPLICATION_ID, STORE_SCHEMA_VERSION);
	if (r >= 0)
		r = exec(m, store_schema);
	if (r >= 0)
		r = add_identity(m, guid, owner, now);
	for (int i = 0; r >= 0 && i < STORE_SPECIAL_COUNT; i++)
		r = add_special(m, arena, (enum store_special)i, now);
	/* [MS-OXCSTOR] 3.2.5.2: where what arrives goes. */
	if (r >= 0)
		r = exec(m, "INSERT INTO receive VALUES('', 5), ('IPM', 5), ('REPORT.IPM', 5), ('IPC', 1)");
	return r < 0 ? r : exec(m, pragmas);
}
_Static_assert(STORE_INBOX + 1 == 5 && STORE_ROOT + 1 == 1, "the receive folders above");

static int sync_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

	if (fd < 0)
		return MW_E_IO;
	r = fsync(fd) < 0 ? MW_E_IO : 0;
	close(fd);
	return r;
}

static int make_folder(const char *path)
{
	return mkdir(path, 0700) < 0 && errno != EEXIST ? MW_E_IO : 0;
}

/* Under another name until it is whole: a crash in between leaves nothing that looks like a mailbox. */
static int make_file(struct store_mailbox *m, const char *temporary, const struct guid *guid,
                     const struct store_owner *owner, int64_t now)
{
	int fd, rc, r;

	unlink(temporary);
	fd = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return store_say(m, MW_E_IO, "The mailbox file cannot be made: check the state folder's permissions.");
	close(fd);
	rc = sqlite3_open_v2(temporary, &m->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, m->vfs);
	r = rc == SQLITE_OK ? fill(m, guid, owner, now) : store_fail(m, "Making a mailbox", rc);
	for (int i = 0; i < STORE_STATEMENT_COUNT; i++)
		sqlite3_finalize(m->statements[i]);
	sqlite3_close(m->db);
	if (r >= 0 && link(temporary, m->path) < 0)
		r = errno == EEXIST ? store_say(m, MW_E_EXISTS, "There is such a mailbox already.")
		                    : store_say(m, MW_E_IO, "The mailbox file cannot be given its name.");
	unlink(temporary);
	return r;
}

static int create(struct store_mailbox *m, const char *folder, const struct store_place *place,
                  const struct guid *mailbox, const struct store_owner *owner, int64_t now)
{
	STORE_ARENA arena = arena_new(0);
	char text[GUID_TEXT_SIZE], *temporary;
	int r;

	guid_format(mailbox, text);
	m->path = arena ? arena_printf(arena, "%s/%s.sqlite", folder, text) : NULL;
	temporary = m->path ? arena_printf(arena, "%s.%d.new", m->path, (int)getpid()) : NULL;
	m->vfs = (char *)place->vfs;
	if (!temporary)
		return MW_E_NOMEM;
	if (make_folder(place->state) < 0 || make_folder(folder) < 0)
		return store_say(m, MW_E_IO, "The folder for mailboxes cannot be made.");
	if (access(m->path, F_OK) == 0)
		return store_say(m, MW_E_EXISTS, "There is such a mailbox already.");
	r = make_file(m, temporary, mailbox, owner, now);
	if (r >= 0 && (sync_folder(folder) < 0 || sync_folder(place->state) < 0))
		r = store_say(m, MW_E_IO, "The disk does not keep the new mailbox.");
	return r;
}

int store_mailbox_create(const struct store_place *place, const struct guid *mailbox, const struct store_owner *owner,
                         int64_t now, struct store_why *why)
{
	struct store_mailbox m = {.lock = -1};
	char folder[4096];
	int r;

	if (why)
		why->text[0] = 0;
	if ((size_t)snprintf(folder, sizeof folder, "%s/mailboxes", place->state) >= sizeof folder)
		return MW_E_INVALID;
	r = create(&m, folder, place, mailbox, owner, now);
	if (r < 0 && why)
		memcpy(why->text, m.error, sizeof why->text);
	return r;
}
