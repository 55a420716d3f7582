#include "store/schema.h"

/*
 * Ids are the 48-bit counters of this mailbox's own replica. Small columns stand before the record, so that
 * reading them does not walk its overflow pages. The sort columns repeat what the record holds, in a form that
 * an index sorts as people expect; they are never read back as values.
 */
#define OUTBOX                                                                                                         \
	"CREATE TABLE outbox("                                                                                         \
	" message INTEGER PRIMARY KEY, submission BLOB NOT NULL, state INTEGER NOT NULL, due INTEGER NOT NULL,"        \
	" since INTEGER NOT NULL);"                                                                                    \
	"CREATE TABLE delivered(submission BLOB PRIMARY KEY, time INTEGER NOT NULL) WITHOUT ROWID;"

#define SEARCH                                                                                                         \
	"CREATE TABLE search("                                                                                         \
	" folder INTEGER PRIMARY KEY, flags INTEGER NOT NULL, running INTEGER NOT NULL, at INTEGER NOT NULL,"          \
	" restriction BLOB NOT NULL, scope BLOB NOT NULL);"                                                            \
	"CREATE TABLE found(folder INTEGER NOT NULL, message INTEGER NOT NULL, PRIMARY KEY(folder, message))"          \
	" WITHOUT ROWID;"                                                                                              \
	"CREATE INDEX found_message ON found(message);"

/* words: NULL not indexed yet, 0 never, else the message's row in the index. */
#define WORDS                                                                                                          \
	"CREATE INDEX message_words ON message(words) WHERE words IS NOT NULL;"                                        \
	"CREATE VIRTUAL TABLE word USING fts5(text, content = '', columnsize = 0, detail = none,"                      \
	" tokenize = 'unicode61 remove_diacritics 0');"

/*
 * A save writes the order of arrival and that of delivery, no more. The other orders are written when nobody else
 * writes, together with the message's words; until then a table puts the few that are behind in their places itself.
 */
#define ORDERS                                                                                                         \
	"CREATE INDEX message_behind ON message(folder, associated) WHERE words IS NULL;"                              \
	"CREATE INDEX message_modified ON message(folder, associated, modified) WHERE words IS NOT NULL;"              \
	"CREATE INDEX message_size ON message(folder, associated, size) WHERE words IS NOT NULL;"                      \
	"CREATE INDEX message_importance ON message(folder, associated, importance) WHERE words IS NOT NULL;"          \
	"CREATE INDEX message_subject ON message(folder, associated, subject) WHERE words IS NOT NULL;"                \
	"CREATE INDEX message_sender ON message(folder, associated, sender) WHERE words IS NOT NULL;"                  \
	"CREATE INDEX message_class ON message(folder, associated, class) WHERE words IS NOT NULL;"
/* Members are whom lists name, by numbers that stay theirs; 0 the default, -1 anonymous, which have no row. What is not
 * on a list has no rights, but for the calendar's default: 14, free/busy times. */
#define PERMISSION                                                                                                     \
	"CREATE TABLE member(id INTEGER PRIMARY KEY AUTOINCREMENT, dn TEXT NOT NULL UNIQUE COLLATE NOCASE,"            \
	" name TEXT NOT NULL);"                                                                                        \
	"CREATE TABLE permission(folder INTEGER NOT NULL, member INTEGER NOT NULL, rights INTEGER NOT NULL,"           \
	" PRIMARY KEY(folder, member)) WITHOUT ROWID;"                                                                 \
	"CREATE INDEX permission_member ON permission(member);"                                                        \
	"INSERT INTO permission VALUES(14, 0, 0x800);"

/* What is deleted is kept for a while, with 2 more in its column associated, where nothing but what looks for it finds
 * it: store/deleted.h. */
#define DELETED "CREATE INDEX message_deleted ON message(deleted) WHERE associated > 1;"
/* What the owner has read of folders elsewhere: store/per_user.h. */
#define PER_USER                                                                                                       \
	"CREATE TABLE per_user(folder BLOB PRIMARY KEY, replica BLOB NOT NULL, data BLOB NOT NULL) WITHOUT ROWID;"

const char store_schema[] =
        "CREATE TABLE mailbox("
        " one INTEGER PRIMARY KEY CHECK(one = 1), guid BLOB NOT NULL, replica BLOB NOT NULL,"
        " owner_name TEXT NOT NULL, owner_address TEXT NOT NULL, owner_dn TEXT NOT NULL,"
        " next_id INTEGER NOT NULL, created INTEGER NOT NULL);"
        "CREATE TABLE replica(id INTEGER PRIMARY KEY, guid BLOB NOT NULL UNIQUE);"
        "CREATE TABLE named("
        " id INTEGER PRIMARY KEY, guid BLOB NOT NULL, kind INTEGER NOT NULL, lid INTEGER NOT NULL,"
        " name BLOB NOT NULL, UNIQUE(guid, kind, lid, name));"
        "CREATE TABLE receive(class TEXT PRIMARY KEY COLLATE NOCASE, folder INTEGER NOT NULL) WITHOUT ROWID;"
        "CREATE TABLE folder("
        " id INTEGER PRIMARY KEY, parent INTEGER NOT NULL, type INTEGER NOT NULL,"
        " change INTEGER NOT NULL, modified INTEGER NOT NULL,"
        " contents INTEGER NOT NULL DEFAULT 0, unread INTEGER NOT NULL DEFAULT 0,"
        " associated INTEGER NOT NULL DEFAULT 0, deleted INTEGER NOT NULL DEFAULT 0,"
        " size INTEGER NOT NULL DEFAULT 0, name TEXT NOT NULL, name_key TEXT NOT NULL, record BLOB NOT NULL);"
        "CREATE UNIQUE INDEX folder_name ON folder(parent, name_key);"
        "CREATE TABLE message("
        " id INTEGER PRIMARY KEY, folder INTEGER NOT NULL, associated INTEGER NOT NULL,"
        " change INTEGER NOT NULL, flags INTEGER NOT NULL, size INTEGER NOT NULL, modified INTEGER NOT NULL,"
        " read_change INTEGER NOT NULL DEFAULT 0,"
        " delivered INTEGER NOT NULL, importance INTEGER NOT NULL,"
        " subject BLOB NOT NULL, sender BLOB NOT NULL, class BLOB NOT NULL,"
        " record BLOB NOT NULL, recipients BLOB NOT NULL, attachments BLOB NOT NULL DEFAULT x'',"
        " words INTEGER, deleted INTEGER NOT NULL DEFAULT 0);"
        "CREATE INDEX message_natural ON message(folder, associated);"
        "CREATE INDEX message_delivered ON message(folder, associated, delivered);"
        /* message 0: of no saved message yet; left over after a crash, and then swept. */
        "CREATE TABLE value(id INTEGER PRIMARY KEY AUTOINCREMENT, message INTEGER NOT NULL, size INTEGER NOT NULL);"
        "CREATE INDEX value_message ON value(message);"
        "CREATE TABLE chunk(id INTEGER PRIMARY KEY, data BLOB NOT NULL);"
        /* What waits to be sent, and what was delivered here by submissions: store/outbox.h. */
        OUTBOX
                /* What search folders look for, and what they have found: store/search.h. */
                SEARCH
                        /* Words of messages: store/words.h. */
                        WORDS ORDERS
                                /* Who may do what: store/permission.h. */
                                PERMISSION
                                        /* What was deleted when. */
                                        DELETED PER_USER;

const char *const store_upgrades[STORE_SCHEMA_VERSION] = {
        [1] = "ALTER TABLE message ADD COLUMN attachments BLOB NOT NULL DEFAULT x''",
        [2] = OUTBOX,
        [3] = SEARCH,
        [4] = "", /* values may be packed: record.h */
        [5] = "ALTER TABLE message ADD COLUMN words INTEGER;" WORDS,
        [6] = "DROP INDEX IF EXISTS message_behind; DROP INDEX message_modified; DROP INDEX message_size;"
              "DROP INDEX message_importance; DROP INDEX message_subject; DROP INDEX message_sender;"
              "DROP INDEX message_class;" ORDERS,
        [7] = PERMISSION,
        [8] = "ALTER TABLE message ADD COLUMN deleted INTEGER NOT NULL DEFAULT 0;" DELETED PER_USER,
};

#define FOLDER_COLUMNS                                                                                                 \
	"id, parent, type, change, modified, contents, unread, associated, deleted, size, name, record,"               \
	" (SELECT count(*) FROM folder AS child WHERE child.parent = folder.id)"

static const char *const sql[STORE_STATEMENT_COUNT] = {
        [STMT_BEGIN] = "BEGIN IMMEDIATE",
        [STMT_COMMIT] = "COMMIT",
        [STMT_ROLLBACK] = "ROLLBACK",
        [STMT_SAVEPOINT] = "SAVEPOINT change",
        [STMT_ROLLBACK_TO] = "ROLLBACK TO change",
        [STMT_RELEASE] = "RELEASE change",
        [STMT_RESERVE] = "UPDATE mailbox SET next_id = ?1",
        [STMT_REPLICA_BY_ID] = "SELECT guid FROM replica WHERE id = ?1",
        [STMT_REPLICA_BY_GUID] = "SELECT id FROM replica WHERE guid = ?1",
        [STMT_REPLICA_ADD] = "INSERT INTO replica(guid) VALUES(?1)",
        [STMT_OWNER_SET] = "UPDATE mailbox SET owner_name = ?1, owner_address = ?2, owner_dn = ?3",
        [STMT_MAILBOX_SIZE] = "SELECT sum(size), sum(contents) FROM folder WHERE type <> 2",
        [STMT_NAME_FIND] = "SELECT id FROM named WHERE guid = ?1 AND kind = ?2 AND lid = ?3 AND name = ?4",
        [STMT_NAME_ADD] = "INSERT INTO named(guid, kind, lid, name, id) VALUES(?1, ?2, ?3, ?4, ?5)",
        [STMT_NAME_BY_ID] = "SELECT guid, kind, lid, name, id FROM named WHERE id = ?1",
        [STMT_NAME_ALL] = "SELECT guid, kind, lid, name, id FROM named ORDER BY id",
        [STMT_NAME_LAST] = "SELECT max(id) FROM named",
        [STMT_RECEIVE_FIND] = "SELECT folder, class FROM receive WHERE class = ?1",
        [STMT_RECEIVE_SET] = "INSERT INTO receive VALUES(?1, ?2) ON CONFLICT(class) DO UPDATE SET folder = ?2",
        [STMT_RECEIVE_DELETE] = "DELETE FROM receive WHERE class = ?1",
        [STMT_RECEIVE_ALL] = "SELECT class, folder FROM receive ORDER BY class",
        [STMT_FOLDER_GET] = "SELECT " FOLDER_COLUMNS " FROM folder WHERE id = ?1",
        [STMT_FOLDER_FIND] = "SELECT id FROM folder WHERE parent = ?1 AND name_key = ?2",
        [STMT_FOLDER_ADD] = "INSERT INTO folder(id, parent, type, change, modified, name, name_key, record)"
                            " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        [STMT_FOLDER_SET] = "UPDATE folder SET change = ?2, modified = ?3, name = ?4, name_key = ?5, record = ?6"
                            " WHERE id = ?1",
        [STMT_FOLDER_CHILDREN] = "SELECT id FROM folder WHERE parent = ?1 ORDER BY name_key",
        [STMT_FOLDER_COUNT] = "UPDATE folder SET contents = contents + ?2, unread = unread + ?3,"
                              " associated = associated + ?4, deleted = deleted + ?5, size = size + ?6 WHERE id = ?1"
                              " RETURNING contents, unread",
        [STMT_FOLDER_MOVE] = "UPDATE folder SET parent = ?2, change = ?3, modified = ?4, name = ?5, name_key = ?6"
                             " WHERE id = ?1",
        [STMT_FOLDER_DELETE] = "DELETE FROM folder WHERE id = ?1",
        [STMT_FOLDER_MESSAGES] = "SELECT id, flags, size FROM message WHERE folder = ?1 AND associated = ?2"
                                 " ORDER BY id LIMIT ?3",
        [STMT_MESSAGE_GET] = "SELECT " STORE_MESSAGE_COLUMNS ", recipients, attachments FROM message WHERE id = ?1",
        [STMT_MESSAGE_ADD] = "INSERT INTO message(id, folder, associated, change, flags, size, modified, delivered,"
                             " importance, subject, sender, class, record, recipients, attachments)"
                             " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        [STMT_MESSAGE_SET] =
                "UPDATE message SET change = ?4, flags = ?5, size = ?6, modified = ?7, delivered = ?8,"
                " importance = ?9, subject = ?10, sender = ?11, class = ?12, record = ?13,"
                " recipients = ?14, attachments = ?15, words = NULL WHERE id = ?1 AND folder = ?2 AND associated = ?3",
        [STMT_MESSAGE_READ] = "UPDATE message SET flags = ?2, read_change = ?3 WHERE id = ?1",
        [STMT_MESSAGE_DELETE] = "DELETE FROM message WHERE id = ?1",
        [STMT_MESSAGE_MOVE] =
                "UPDATE message SET id = ?2, folder = ?3, change = ?4, associated = associated & 1, deleted = 0"
                " WHERE id = ?1",
        [STMT_MESSAGE_CHANGE] = "SELECT change, flags, size FROM message WHERE id = ?1",
        [STMT_VALUE_ADD] = "INSERT INTO value(message, size) VALUES(0, 0)",
        [STMT_VALUE_ADOPT] = "UPDATE value SET message = ?2, size = ?3 WHERE id = ?1",
        [STMT_VALUE_SIZE] = "SELECT size FROM value WHERE id = ?1",
        [STMT_VALUE_DELETE] = "DELETE FROM value WHERE id = ?1",
        [STMT_VALUES_OF] = "SELECT id FROM value WHERE message = ?1",
        [STMT_VALUES_MOVE] = "UPDATE value SET message = ?2 WHERE message = ?1",
        [STMT_CHUNK_GET] = "SELECT data FROM chunk WHERE id = ?1",
        [STMT_CHUNK_PUT] = "INSERT OR REPLACE INTO chunk(id, data) VALUES(?1, ?2)",
        [STMT_CHUNK_CUT] = "DELETE FROM chunk WHERE id BETWEEN ?1 AND ?2",
        [STMT_CHUNK_COPY] = "INSERT INTO chunk(id, data) SELECT id - ?1 + ?2, data FROM chunk"
                            " WHERE id BETWEEN ?1 AND ?3",
        [STMT_OUTBOX_ADD] = "INSERT INTO outbox VALUES(?1, ?2, ?3, ?4, ?5)",
        [STMT_OUTBOX_NEXT] = "SELECT message, submission, state, due, since FROM outbox"
                             " ORDER BY state, due, message LIMIT 1",
        [STMT_OUTBOX_FIND] = "SELECT message, submission, state, due, since FROM outbox WHERE message = ?1",
        [STMT_OUTBOX_SET] = "UPDATE outbox SET state = ?2, due = ?3 WHERE message = ?1",
        [STMT_OUTBOX_DELETE] = "DELETE FROM outbox WHERE message = ?1",
        [STMT_DELIVERED_ADD] = "INSERT INTO delivered VALUES(?1, ?2)",
        [STMT_DELIVERED_FIND] = "SELECT 1 FROM delivered WHERE submission = ?1",
        [STMT_SEARCH_ALL] = "SELECT folder, flags, running, at, restriction, scope FROM search ORDER BY folder",
        [STMT_SEARCH_PUT] = "INSERT OR REPLACE INTO search VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
        [STMT_SEARCH_AT] = "UPDATE search SET running = ?2, at = ?3 WHERE folder = ?1",
        [STMT_SEARCH_DELETE] = "DELETE FROM search WHERE folder = ?1",
        [STMT_SEARCH_NEXT] = "SELECT " STORE_MESSAGE_COLUMNS " FROM message WHERE id > ?1 AND associated = 0"
                             " ORDER BY id LIMIT ?2",
        [STMT_FOUND_ADD] = "INSERT OR IGNORE INTO found VALUES(?1, ?2)",
        [STMT_FOUND_LOOK] = "SELECT " STORE_MESSAGE_COLUMNS " FROM message WHERE id = ?1",
        [STMT_FOUND_HAS] = "SELECT 1 FROM found WHERE folder = ?1 AND message = ?2",
        [STMT_FOUND_OF] = "SELECT folder FROM found WHERE message = ?1",
        [STMT_FOUND_DROP] = "DELETE FROM found WHERE folder = ?1 AND message = ?2",
        [STMT_FOUND_CLEAR] = "DELETE FROM found WHERE folder = ?1",
        [STMT_LIST_FOUND] = "SELECT " STORE_MESSAGE_COLUMNS " FROM message WHERE id IN"
                            " (SELECT message FROM found WHERE folder = ?1 AND message > ?2) ORDER BY id",
        [STMT_LIST_NATURE] = "SELECT " STORE_MESSAGE_COLUMNS " FROM message INDEXED BY message_natural"
                             " WHERE folder = ?1 AND associated = ?3 AND id > ?2 ORDER BY id",
        [STMT_LIST_WORDS] = "SELECT rowid FROM word WHERE word MATCH ?1",
        [STMT_LIST_DOCUMENT] = "SELECT " STORE_MESSAGE_COLUMNS " FROM message INDEXED BY message_words"
                               " WHERE words = ?2 AND words IS NOT NULL AND folder = ?1 AND associated = 0",
        [STMT_LIST_BEHIND] = "SELECT " STORE_MESSAGE_COLUMNS " FROM message INDEXED BY message_behind"
                             " WHERE words IS NULL AND folder = ?1 AND associated = 0 AND id > ?2 ORDER BY id",
        [STMT_LIST_NO_WORDS] = "SELECT " STORE_MESSAGE_COLUMNS " FROM message INDEXED BY message_words"
                               " WHERE words = 0 AND folder = ?1 AND associated = 0 AND id > ?2 ORDER BY id",
        [STMT_FOLDER_PARENT] = "SELECT parent FROM folder WHERE id = ?1",
        [STMT_WORDS_ADD] = "INSERT INTO word(rowid, text) VALUES(?1, ?2)",
        [STMT_WORDS_SET] = "UPDATE message SET words = ?2 WHERE id = ?1",
        [STMT_WORDS_BEHIND] =
                "SELECT id, associated FROM message INDEXED BY message_behind WHERE words IS NULL LIMIT ?1",
        [STMT_WORDS_COUNT] = "SELECT count(*) FROM (SELECT 1 FROM message INDEXED BY message_behind"
                             " WHERE words IS NULL AND folder = ?1 AND associated = ?2 LIMIT ?3)",
        [STMT_FOLDER_EMPTY] = "UPDATE folder SET contents = 0, unread = 0, size = 0 WHERE id = ?1",
        [STMT_RIGHTS] = "SELECT rights FROM permission LEFT JOIN member ON id = permission.member WHERE folder = ?1"
                        " AND (permission.member = 0 OR dn = ?2) ORDER BY permission.member DESC LIMIT 1",
        [STMT_ADMITS] = "SELECT 1 FROM permission WHERE member IN (0, (SELECT id FROM member WHERE dn = ?1))"
                        " AND rights & ?2 LIMIT 1",
        [STMT_PERMISSIONS] = "SELECT permission.member, dn, name, rights FROM permission LEFT JOIN member"
                             " ON id = permission.member WHERE folder = ?1 ORDER BY permission.member",
        [STMT_MEMBER_PUT] = "INSERT INTO member(dn, name) VALUES(?1, ?2)"
                            " ON CONFLICT(dn) DO UPDATE SET name = ?2 RETURNING id",
        [STMT_PERMISSION_GET] = "SELECT rights FROM permission WHERE folder = ?1 AND member = ?2",
        [STMT_PERMISSION_PUT] = "INSERT OR REPLACE INTO permission VALUES(?1, ?2, ?3)",
        [STMT_PERMISSION_DELETE] = "DELETE FROM permission WHERE folder = ?1 AND member = ?2",
        [STMT_PERMISSION_COUNT] = "SELECT count(*) FROM permission WHERE folder = ?1",
        [STMT_PERMISSIONS_REPLACE] = "DELETE FROM permission WHERE folder = ?1 AND member <> 0",
        [STMT_PERMISSIONS_INHERIT] = "INSERT OR REPLACE INTO permission SELECT ?1, member, rights FROM permission"
                                     " WHERE folder = ?2",
        [STMT_DELETED_SET] = "UPDATE message SET associated = associated | 2, deleted = ?2 WHERE id = ?1",
        [STMT_DELETED_ON] = "SELECT deleted FROM message WHERE id = ?1",
        [STMT_DELETED_COUNT] = "SELECT count(*) FROM message WHERE folder = ?1 AND associated = ?2",
        [STMT_DELETED_OF] = "SELECT id FROM message WHERE folder = ?1 AND associated IN (2, 3)",
        [STMT_DELETED_BEFORE] = "SELECT id FROM message INDEXED BY message_deleted WHERE associated > 1"
                                " AND deleted < ?1 LIMIT ?2",
        [STMT_PER_USER_PUT] = "INSERT OR REPLACE INTO per_user SELECT ?1, ?3, ?4"
                              " WHERE (SELECT count(*) FROM per_user WHERE folder <> ?1) < ?2",
        [STMT_PER_USER_DELETE] = "DELETE FROM per_user WHERE folder = ?1",
        [STMT_PER_USER_GET] = "SELECT replica, data FROM per_user WHERE folder = ?1",
        [STMT_PER_USER_OF] = "SELECT folder FROM per_user WHERE replica = ?1 ORDER BY folder",
        [STMT_PERMISSIONS_DROP] = "DELETE FROM permission WHERE folder = ?1",
};

const char *store_sql(enum store_statement which)
{
	return sql[which];
}
