#ifndef MW_CLIENT_STORE_H
#define MW_CLIENT_STORE_H

#include "client/private.h"
#include "mapi/rop_buffer.h"
#include "wire/asyncemsmdb.h"
#include "wire/emsmdb.h"
#include "wire/rops.h"

/* The store's half of the client: [MS-OXCRPC], [MS-OXCROPS]. */

enum { /* RopIds, [MS-OXCROPS] 2.2.2 */
       ROP_OPEN_FOLDER = 0x02,
       ROP_OPEN_MESSAGE = 0x03,
       ROP_GET_HIERARCHY_TABLE = 0x04,
       ROP_GET_CONTENTS_TABLE = 0x05,
       ROP_CREATE_MESSAGE = 0x06,
       ROP_GET_PROPERTIES_SPECIFIC = 0x07,
       ROP_SET_PROPERTIES = 0x0A,
       ROP_SAVE_CHANGES_MESSAGE = 0x0C,
       ROP_MODIFY_RECIPIENTS = 0x0E,
       ROP_READ_RECIPIENTS = 0x0F,
       ROP_SET_COLUMNS = 0x12,
       ROP_SORT_TABLE = 0x13,
       ROP_RESTRICT = 0x14,
       ROP_QUERY_ROWS = 0x15,
       ROP_QUERY_POSITION = 0x17,
       ROP_CREATE_FOLDER = 0x1C,
       ROP_DELETE_FOLDER = 0x1D,
       ROP_DELETE_MESSAGES = 0x1E,
       ROP_GET_ATTACHMENT_TABLE = 0x21,
       ROP_OPEN_ATTACHMENT = 0x22,
       ROP_CREATE_ATTACHMENT = 0x23,
       ROP_DELETE_ATTACHMENT = 0x24,
       ROP_SAVE_CHANGES_ATTACHMENT = 0x25,
       ROP_GET_RECEIVE_FOLDER = 0x27,
       ROP_REGISTER_NOTIFICATION = 0x29,
       ROP_OPEN_STREAM = 0x2B,
       ROP_READ_STREAM = 0x2C,
       ROP_WRITE_STREAM = 0x2D,
       ROP_SET_SEARCH_CRITERIA = 0x30,
       ROP_GET_SEARCH_CRITERIA = 0x31,
       ROP_SUBMIT_MESSAGE = 0x32,
       ROP_MOVE_COPY_MESSAGES = 0x33,
       ROP_MOVE_FOLDER = 0x35,
       ROP_COPY_FOLDER = 0x36,
       ROP_OPEN_EMBEDDED_MESSAGE = 0x46,
       ROP_GET_PROPERTY_IDS_FROM_NAMES = 0x56,
       ROP_EMPTY_FOLDER = 0x58,
       ROP_COMMIT_STREAM = 0x5D,
       ROP_SET_READ_FLAGS = 0x66,
       ROP_HARD_DELETE_MESSAGES = 0x91,
       ROP_LOGON = 0xFE,
};

/* FolderIds of a private logon, [MS-OXCSTOR] 2.2.1.1.3 */
enum {
	LOGON_ROOT = 0,
	LOGON_TOP = 3, /* the IPM subtree */
	LOGON_INBOX = 4,
	LOGON_OUTBOX = 5,
	LOGON_SENT = 6,
	LOGON_DELETED = 7,
	LOGON_SEARCH = 10, /* the finder's: above search folders */
	LOGON_FOLDERS = 13,
};

struct mapiwire_store {
	struct mapiwire *m;
	struct client_conn *conn; /* NULL: lost, and no new one could be had yet */
	uint16_t port;
	char *dn;
	unsigned epoch; /* counts sessions: handles of an earlier one mean nothing */
	/* Whose turn it is: a call's, of a task (NULL: of none). It may enter more than once. */
	const struct mapiwire_task *owner;
	unsigned entered;
	bool idle;
	/* What the server asks of those whom it is too busy for, [MS-OXCRPC] 3.2.4.4. */
	unsigned retries;
	int64_t retry_delay_ns;
	struct idl_context_handle cxh;
	struct mapi_session *context;
	uint32_t logon; /* handle */
	uint64_t folders[LOGON_FOLDERS];
	struct mapiwire_watch *watch;
};

/* Something opened on the server, with properties. */
struct client_object {
	struct mapiwire_store *store;
	uint32_t handle;
	unsigned epoch;
};
struct mapiwire_message {
	struct client_object o;
	uint32_t recipients; /* that were given to it: the next one's row id */
};
struct mapiwire_table {
	struct client_object o;
	uint32_t count;
	size_t columns;
};

/*
 * session.c. A public call enters, uses the session, and leaves: one at a time, so that what the session remembers of
 * requests and answers is not mixed, and handles do not outlive it. Nothing is entered on failure.
 *   enter: for calls that begin with the logon. A lost session is replaced by a new one, in a new association.
 *   enter_same: for calls on an object of that epoch: MAPIWIRE_E_LOST when its session is gone. what: "the table", ...
 */
MW_NODISCARD int client_store_enter(struct mapiwire_store *s);
MW_NODISCARD int client_store_enter_same(struct mapiwire_store *s, unsigned epoch, const char *what);
MW_NODISCARD int client_store_take_turn(struct mapiwire_store *s);
void client_store_leave(struct mapiwire_store *s);
/* A call with a session context handle. One that the server is too busy for is repeated as the server asked at the
 * session's beginning. */
MW_NODISCARD int client_session_call(struct mapiwire_store *s, unsigned opnum, struct arena *arena, void *args);
/* EcDoConnectEx and EcDoDisconnect on a connection of any level. */
struct EcDoConnectEx_args;
MW_NODISCARD int client_session_connect(struct client_conn *c, struct arena *arena, const char *dn,
                                        struct EcDoConnectEx_args *out);
MW_NODISCARD int client_session_disconnect(struct client_conn *c, struct idl_context_handle *cxh);

/* rops.c: some ROPs, sent together. Texts of the answers live in the arena. */
#define CLIENT_MAX_HANDLES 8
struct client_rops {
	struct mapiwire_store *store;
	struct arena *arena;
	struct buf payload;
	struct mapi_rop_writer writer;
	uint32_t handles[CLIENT_MAX_HANDLES];
	unsigned handle_count;
	int error;
	struct mapi_rop_list answers;
	unsigned next;
};

void client_rops_begin(struct client_rops *b, struct mapiwire_store *s, struct arena *arena);
/* An index into the table of handles: of a handle, or of one to come (MAPI_NO_HANDLE). */
uint8_t client_rops_handle(struct client_rops *b, uint32_t handle);
/* request: struct RopXxxRequest. Failures are told by client_rops_run. */
void client_rops_add(struct client_rops *b, uint8_t id, const void *request);
void client_rops_release(struct client_rops *b, uint8_t index);
/* The last of them: adds, runs and reads its answer, all in one. */
MW_NODISCARD int client_rops_do(struct client_rops *b, uint8_t id, const void *request, const void **response);
MW_NODISCARD int client_rops_run(struct client_rops *b);
/* The answer to the next request: struct RopXxxResponse; fails when that has an error status. */
MW_NODISCARD int client_rops_answer(struct client_rops *b, uint8_t id, const void **response);
/* The handle that came to stand there. */
uint32_t client_rops_made(const struct client_rops *b, uint8_t index);
void client_rops_end(struct client_rops *b);
static inline void client_rops_cleanup(struct client_rops *b)
{
	client_rops_end(b);
}
/* Releases one handle of this epoch; what fails is of no interest. */
void client_release(struct mapiwire_store *s, uint32_t handle, unsigned epoch);

/* stream.c: a property of an open object as a whole; bytes in the arena. */
MW_NODISCARD int client_stream_read(struct mapiwire_store *s, uint32_t handle, uint32_t tag, struct arena *arena,
                                    struct mapi_value *out);
MW_NODISCARD int client_stream_write(struct mapiwire_store *s, uint32_t handle, uint32_t tag, const void *data,
                                     size_t size);

/* stream.c: in pieces. size: bytes that there are. */
MW_NODISCARD int client_stream_open(struct mapiwire_store *s, uint32_t handle, uint32_t tag, bool create,
                                    uint32_t *stream, uint32_t *size);

/* object.c: the properties of an open object. put: any number and size of them. */
MW_NODISCARD int client_get_properties(struct mapiwire_store *s, uint32_t handle, const uint32_t *tags, size_t count,
                                       struct mapiwire_rows *out);
MW_NODISCARD int client_set_properties(struct mapiwire_store *s, uint32_t handle, const struct mapi_value *values,
                                       size_t count);
MW_NODISCARD int client_put_properties(struct mapiwire_store *s, uint32_t handle, const struct mapiwire_value *values,
                                       size_t count);
/* A public call on an object enters its store and leaves it; the object's session must still be there. */
MW_NODISCARD int client_object_enter(const struct client_object *o, const char *what);
MW_NODISCARD int client_object_get(const struct client_object *o, const char *what, const uint32_t *tags,
                                   size_t tag_count, struct mapiwire_rows *out);
MW_NODISCARD int client_object_set(const struct client_object *o, const char *what, const struct mapiwire_value *values,
                                   size_t count);
/* Frees the memory too. */
void client_object_close(struct client_object *o);
/* stream.c */
MW_NODISCARD int client_object_stream(const struct client_object *o, const char *what, uint32_t tag, bool create,
                                      struct mapiwire_stream **out, uint64_t *size);
/* table.c: the rows of one answer; takes the arena over. */
MW_NODISCARD int client_put_rows(struct mapiwire *m, struct arena **arena, const struct mapi_row_set *set,
                                 size_t columns, struct mapiwire_rows *out);
/* restriction.c */
MW_NODISCARD int client_take_restriction(struct mapiwire *m, struct arena *arena, const struct mapiwire_restriction *in,
                                         struct mapi_restriction *out);
/* folder.c */
MW_NODISCARD int client_open_folder(struct mapiwire_store *s, uint64_t folder, uint32_t *handle);

/* watch.c: a RopNotify that came with some answer. */
void client_watch_note(struct mapiwire_store *s, const struct RopNotifyResponse *n);

#endif
