#ifndef MW_SERVER_EMSMDB_PRIVATE_H
#define MW_SERVER_EMSMDB_PRIVATE_H

#include "base/time.h"
#include "base/utf16.h"
#include "mapi/property.h"
#include "mapi/rop_buffer.h"
#include "mapi/session.h"
#include "mapi/shapes.h"
#include "mapi/status.h"
#include "mapi/tags.h"
#include "server/service.h"
#include "store/change.h"
#include "store/folder.h"
#include "store/mailbox.h"
#include "store/message.h"
#include "store/permission.h"
#include "store/stream.h"
#include "store/sync.h"
#include "store/table.h"
#include "wire/asyncemsmdb.h"
#include "wire/emsmdb.h"
#include "wire/rops.h"

/*
 * The information store: [MS-OXCRPC], [MS-OXCROPS]. This service only
 * translates between ROPs and the store. A session lives in the loop of its user's
 * mailbox; calls come over from the loop of their connection and go home again.
 */
#define EMSMDB_MAX_SESSIONS 65536u     /* of one loop */
#define EMSMDB_MAX_OBJECTS 2048u       /* of one session, unless config says otherwise */
#define EMSMDB_MAX_SESSIONS_EACH 1024u /* of one mailbox; likewise */
#define EMSMDB_MAX_NOTIFICATIONS 512u  /* waiting in one session; the oldest goes */
#define EMSMDB_NO_HANDLE 0xFFFFFFFFu

/* ---- mailbox.c: the open mailboxes of a loop, and when their commits are safe ---- */

/* Who waits for a commit without a call to answer. */
struct emsmdb_waiter {
	struct emsmdb_waiter *next;
	uint64_t ticket;
	void (*safe)(struct emsmdb_waiter *w, bool failed); /* the waiter is then its owner's again */
	void *user;
};

struct emsmdb_outgoing;
struct emsmdb_logon;
struct rop_work;
struct emsmdb_loop;

struct emsmdb_mailbox {
	struct emsmdb_mailbox *next;
	struct server_loop *loop;
	struct guid guid;
	struct store_mailbox *store;
	unsigned references;
	struct service_call *waiting; /* answers that promise a commit; chained by message.next */
	struct emsmdb_waiter *waiters;
	struct emsmdb_outgoing *outgoing; /* the message that is being sent: outbox.h */
	bool held;                        /* something waits in the outbox: that is a reference */
	bool indexing;                    /* likewise of indexing words */
	uint64_t quiet_at;                /* the newest commit when the clock last looked */
	uint64_t indexed_at;              /* ... when all words were indexed */
	struct loop_message index_slice;
	int64_t sliced_ns; /* when a ROP last asked for another slice, monotonic */
	bool searching;    /* a slice of a search is on its way */
	struct loop_message search_slice;
	int64_t outbox_ns;                /* when to look there, since 1970 */
	int64_t outbox_wait_ns;           /* how long it waited for the last try; 0: that one went well */
	uint64_t outbox_ticket;           /* what is there is safe from this commit on */
	struct emsmdb_session *sessions;  /* of its owner */
	struct emsmdb_logon *logons;      /* of anybody */
	const struct emsmdb_logon *actor; /* whose ROP runs; NULL: nobody's */
	struct emsmdb_mailbox *next_unsynced;
	bool unsynced;       /* is in the loop's list of those */
	int64_t unsynced_ns; /* since then */
	uint64_t seen;       /* the changes of the store that the last of them has seen */
	bool still;          /* emsmdb_hold */
	struct loop_message *held_calls, **held_end;
	bool syncing, checkpointing, retiring;
	int64_t idle_ns; /* without references: since when, monotonic */
	uv_work_t sync_work, checkpoint_work;
	struct store_job sync, checkpoint;
};

/* The mailbox, opened when it is not yet. Give it back with _unref. */
/* The loop that owns it. */
struct server_loop *emsmdb_owner_of(struct server *server, const struct guid *mailbox);
MW_NODISCARD int emsmdb_mailbox_ref(struct server_loop *loop, const struct guid *guid, struct emsmdb_mailbox **out);
void emsmdb_mailbox_unref(struct emsmdb_mailbox **m);
/* Closes mailboxes that nobody has used for a while, those first that were used last longest ago; all: every one that
 * has no references. What is left to do on disk is done in the pool before. */
void emsmdb_mailboxes_retire(struct emsmdb_loop *l, bool all);
/* Answers the call once the commit is safe on disk; at once when ticket is 0 or safe already. */
void emsmdb_finish_when_safe(struct emsmdb_mailbox *m, struct service_call *call, uint64_t ticket);
/* The same for a waiter, whose ticket and safe are set. */
void emsmdb_when_safe(struct emsmdb_mailbox *m, struct emsmdb_waiter *w);
/* Indexes words in slices, as long as nobody writes; once a second. */
void emsmdb_index(struct emsmdb_mailbox *m);
/* Goes on with searches that have not looked at all yet, in slices between other work: rop_search.c. */
void emsmdb_search(struct emsmdb_mailbox *m);
/* Makes the newest changes safe, then wakes the sessions that have news of them. The sync begins when the loop has
 * nothing else to read, so that all who come together share one; what they changed is committed then. */
void emsmdb_sync(struct emsmdb_mailbox *m);
/* True: the log is about to begin anew, and nothing may be written for some milliseconds; the message is run then. */
bool emsmdb_hold(struct emsmdb_mailbox *m, struct loop_message *message);

/* ---- Sessions, logons and their objects ---- */

enum emsmdb_kind {
	EMSMDB_NONE,
	EMSMDB_LOGON = 1 << 0,
	EMSMDB_FOLDER = 1 << 1,
	EMSMDB_MESSAGE = 1 << 2,
	EMSMDB_TABLE = 1 << 3,
	EMSMDB_STREAM = 1 << 4,
	EMSMDB_SUBSCRIPTION = 1 << 5,
	EMSMDB_ATTACHMENT = 1 << 6,
};

struct emsmdb_text;

/*
 * A mailbox that a session is logged on to, perhaps of another loop. What a session has of a mailbox (the logon's
 * objects, with their handles into the store) only the mailbox's loop may touch; which objects there are, the call
 * that the session is running, wherever it is.
 */
struct emsmdb_logon {
	struct loop_message message;      /* at the session's end it goes to the mailbox's loop by itself */
	struct emsmdb_logon *next;        /* of the same session */
	struct emsmdb_logon *also;        /* of the same mailbox */
	struct emsmdb_session *session;   /* only in its loop, and where it runs */
	struct emsmdb_mailbox *mailbox;   /* referenced */
	struct server_loop *home;         /* the session's loop, */
	uint64_t session_id;              /* and its id there */
	struct emsmdb_object *leaving;    /* the objects of a logon that is gone */
	struct emsmdb_notification *news; /* in the mailbox's loop, when that is not home: not safe yet; newest first */
	unsigned news_count;
	bool owner;                 /* it is the caller's own mailbox; else what he may is */
	struct store_caller caller; /* a matter of permissions. Its memory is memory */
	struct buf memory;
	struct buf pieces; /* of RopWritePerUserInformation, so far */
	struct LongTermID pieces_of;
	struct guid pieces_replica;
	uint32_t handle;
	uint8_t id; /* LogonId */
};

struct emsmdb_object {
	enum emsmdb_kind kind;
	uint16_t generation;
	struct emsmdb_logon *on;
	struct emsmdb_object *next; /* leaving */
	struct emsmdb_session *session;
	uint32_t handle;
	struct emsmdb_object *parent; /* a stream's message */
	unsigned children;
	bool released; /* goes when its last child goes */
	union {
		uint64_t folder;               /* id */
		struct store_message *message; /* an attachment too */
		struct store_table *table;
		struct store_stream *stream; /* NULL with text */
		struct store_observer *observer;
	} u;
	struct rop_work *work; /* what a RopProgress tells of: work.h */
	uint32_t stream_tag;   /* stream */
	enum store_stream_mode stream_mode;
	struct emsmdb_text *text; /* a stream on an 8-bit text */
	bool hierarchy;           /* table: of folders */
	bool columns_set;         /* table */
	uint32_t epoch;           /* table: bookmarks of another are void */
	uint16_t code_page;       /* message, table */
	uint16_t view;            /* table: counts its columns and orders, to know whose news they are */
	bool quiet, suppresses;   /* table: no notifications; none of the session's own doings */
};

struct emsmdb_notification {
	struct loop_message message; /* on its way to the session's loop */
	struct emsmdb_notification *next;
	const struct emsmdb_logon *on; /* NULL: it is safe */
	uint64_t session_id;
	uint32_t handle;
	uint8_t logon;
	struct mapi_notification data;
	struct arena *arena; /* of a row's values; NULL */
	bool of_table;
	uint16_t view;
	struct mapi_string message_class;
	uint64_t ticket; /* of the change */
};

struct emsmdb_session {
	struct emsmdb_session *next, *hash_next; /* next: of the same mailbox */
	uint64_t id;
	struct server_loop *loop;
	struct emsmdb_mailbox *mailbox;
	uint64_t account;
	char *dn;
	struct mapi_session *mapi; /* columns and the like */
	uint32_t code_page;
	bool takes_backoff; /* its client knows RopBackoff */
	int64_t second;     /* in which its calls are counted, where they are limited */
	unsigned second_calls;
	struct emsmdb_object **objects; /* by slot */
	unsigned object_count, slot_count;
	uint16_t generation;
	struct emsmdb_logon *logons;
	struct service_call *running, *queued; /* one EcDoRpcExt2 at a time; the others wait, chained by message.next */
	bool ending;                           /* once the call is back that runs elsewhere */
	struct emsmdb_notification *news, **news_end;
	unsigned news_count;
	struct service_call *parked; /* EcDoAsyncWaitEx */
	uint64_t parked_serial;
	int64_t parked_until_ns;
};

/* What a context handle stands for in the home loop: where the session is. */
struct emsmdb_ref {
	struct server_loop *loop;
	uint64_t session, account;
};

struct emsmdb_loop {
	struct server_loop *loop;
	struct emsmdb_mailbox *mailboxes;
	struct emsmdb_session *sessions[1024];
	unsigned session_count;
	uint64_t next_session;
	uv_timer_t timer;                /* parked calls that have waited long enough */
	uv_idle_t round;                 /* looks at those */
	struct emsmdb_mailbox *unsynced; /* have changes to sync */
	unsigned handles;                /* of timer and round that are open */
	bool outboxes_seen;              /* those that waited at the start */
};

MW_NODISCARD int emsmdb_session_new(struct server_loop *loop, const struct guid *mailbox, uint32_t code_page,
                                    struct emsmdb_session **out);
void emsmdb_session_free(struct emsmdb_session *s);
struct emsmdb_session *emsmdb_session_find(struct server_loop *loop, uint64_t id);

/* ---- session.c ---- */
/* A new object with a handle of its own; MW_E_BUSY: the session has too many. */
MW_NODISCARD int emsmdb_object_new(struct emsmdb_session *s, enum emsmdb_kind kind, uint8_t logon,
                                   struct emsmdb_object **out);
struct emsmdb_object *emsmdb_object_find(struct emsmdb_session *s, uint32_t handle);
void emsmdb_object_release(struct emsmdb_object *o);
/* ---- work.c: nobody waits for it any more ---- */
void emsmdb_work_end(struct rop_work *w);
/* Closes what it stands on; in the mailbox's loop. The object is gone. */
void emsmdb_object_end(struct emsmdb_object *o);

/* ---- logon.c ---- */
/* In the mailbox's loop, whose reference it takes over when it succeeds. */
MW_NODISCARD int emsmdb_logon_new(struct emsmdb_session *s, struct emsmdb_mailbox *m, uint8_t id, bool owner,
                                  struct emsmdb_logon **out);
struct emsmdb_logon *emsmdb_logon_find(const struct emsmdb_session *s, uint8_t id);
/* With all its objects, in the mailbox's loop. */
void emsmdb_logon_release(struct emsmdb_logon *l);
/* All of a session that ends, in its loop. */
void emsmdb_logons_release(struct emsmdb_session *s);
/* In the mailbox's loop: takes over the notification, for the session wherever it is. */
void emsmdb_logon_hear(struct emsmdb_logon *l, struct emsmdb_notification *n);
/* After a sync: what sessions may now be told. */
void emsmdb_logons_tell(struct emsmdb_mailbox *m);
/* A session's end, asked for in any loop. */
void emsmdb_session_end(struct server_loop *home, uint64_t session);
/* The mailbox cannot be written any more: sessions of other users that have it end as well. */
void emsmdb_logons_end(struct emsmdb_mailbox *m);

/* ---- session.c: news ---- */
void emsmdb_news_add(struct emsmdb_session *s, struct emsmdb_notification *n);
/* Whether a notification may be told, with what a call that waits for its own commits has promised. */
bool emsmdb_news_safe(const struct emsmdb_session *s, const struct emsmdb_notification *n, uint64_t promised);
void emsmdb_news_free(struct emsmdb_notification **n);

/* Forgets the oldest notification (there is one). */
void emsmdb_news_drop(struct emsmdb_session *s);
/* Answers a parked EcDoAsyncWaitEx: 0x0001 there is news, 0 not. */
void emsmdb_wake(struct emsmdb_session *s, bool news);
/* Wakes it when there is news of changes that are safe. */
void emsmdb_wake_if_news(struct emsmdb_session *s);

/* ---- connect.c ---- */
enum service_result emsmdb_connect_ex(struct service_call *call, void *args);
enum service_result emsmdb_disconnect(struct service_call *call, void *args);
enum service_result emsmdb_dummy_rpc(struct service_call *call, void *args);
enum service_result emsmdb_async_connect_ex(struct service_call *call, void *args);
enum service_result emsmdb_async_wait_ex(struct service_call *call, void *args);
/* The session's place; NULL: no handle of this client. In the home loop. */
struct emsmdb_ref *emsmdb_find_ref(struct service_call *call, const struct idl_context_handle *handle);
/* Runs in the session's loop with the session, or answers ecError/fault when it is gone. */
void emsmdb_with_session(struct service_call *call, const struct emsmdb_ref *ref,
                         void (*run)(struct service_call *call, struct emsmdb_session *s));

/* ---- execute.c ---- */
enum service_result emsmdb_rpc_ext2(struct service_call *call, void *args);

#endif
