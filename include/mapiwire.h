#ifndef MAPIWIRE_H
#define MAPIWIRE_H

/*
 * libmapiwire: Outlook's RPC, spoken. One client talks to one server as one user:
 * endpoint mapper, referral, address book, information store, notifications.
 *
 * Every call has two forms. Made as it stands, it blocks until it is done or the client's timeout
 * has passed; while it waits, answers on the client's other connections are taken in. Made inside
 * a task (mapiwire_start, below), it blocks that task alone, and the program's event loop goes on.
 * A client belongs to one thread at a time; there is no global state, several clients may run in several threads, or
 * in one loop. Texts are UTF-8.
 *
 * Functions return 0 or a negative MAPIWIRE_E_*; mapiwire_error then tells the
 * cause in words. Outputs are untouched on failure. Closing functions take a pointer to
 * the handle and clear it; NULL is fine. A client outlives what was opened on it.
 */

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MAPIWIRE_API __attribute__((visibility("default")))

enum mapiwire_result {
	MAPIWIRE_OK = 0,
	MAPIWIRE_E_ARGUMENT = -1,    /* an argument is wrong */
	MAPIWIRE_E_MEMORY = -2,      /* out of memory, or an answer beyond our bounds */
	MAPIWIRE_E_UNREACHABLE = -3, /* the name is not known, or nobody answers at the port */
	MAPIWIRE_E_TIMEOUT = -4,     /* connected, but no answer in time */
	MAPIWIRE_E_LOST = -5,        /* the connection was cut */
	MAPIWIRE_E_REFUSED = -6,     /* the server refused the bind or the user */
	MAPIWIRE_E_STATUS = -7,      /* the server answered the call with an error: error.status */
	MAPIWIRE_E_PROTOCOL = -8,    /* the answer breaks the protocol, or its signature */
	MAPIWIRE_E_NOTFOUND = -9,    /* no such folder, name, message, property */
	MAPIWIRE_E_FILE = -10,       /* the capture file */
	MAPIWIRE_E_CANCELLED = -11,  /* the task was cancelled */
};

/* What went wrong last; owned by the client, valid until its next call. */
struct mapiwire_error {
	int code;                /* MAPIWIRE_E_* */
	const char *cause;       /* stable id, such as "port-filtered"; "none" */
	const char *sentence;    /* what is wrong */
	const char *attempt;     /* what to try */
	int exit_code;           /* that the commands use for this cause */
	uint32_t status;         /* what the server said: fault, bind_nak reason, MAPI code; 0: nothing */
	const char *status_name; /* of it, such as "ecNotEncrypted"; "" */
	const char *server;      /* wrong-server: where the mailbox is, as the server told; "" */
};

/* ---- The client ---- */

enum mapiwire_level {                             /* [MS-RPCE] 2.2.1.1.8 */
	              MAPIWIRE_LEVEL_DEFAULT = 0, /* privacy */
	              MAPIWIRE_LEVEL_NONE = 1,    /* no authentication */
	              MAPIWIRE_LEVEL_CONNECT = 2,
	              MAPIWIRE_LEVEL_CALL = 3,
	              MAPIWIRE_LEVEL_PACKET = 4,
	              MAPIWIRE_LEVEL_INTEGRITY = 5,
	              MAPIWIRE_LEVEL_PRIVACY = 6,
};

enum mapiwire_auth {
	/* With a password, NTLM. Else negotiate with tickets, where there are any (from kinit). */
	MAPIWIRE_AUTH_DEFAULT = 0,
	MAPIWIRE_AUTH_NTLM = 1,
	MAPIWIRE_AUTH_KERBEROS = 2,
	MAPIWIRE_AUTH_NEGOTIATE = 3, /* SPNEGO: Kerberos, or NTLM where no ticket can be had and a password is here */
};

/* What carries the calls. */
enum mapiwire_transport {
	MAPIWIRE_TCP = 0,
	MAPIWIRE_RPC_HTTP = 1,  /* Outlook Anywhere: RPC over HTTP v2 */
	MAPIWIRE_MAPI_HTTP = 2, /* MAPI over HTTP */
};

/* How one logs on at a web server. */
enum mapiwire_web_auth {
	/* What the user has and the server takes: Negotiate with tickets, NTLM or Negotiate with a password; Basic
	 * where nothing else is offered. */
	MAPIWIRE_WEB_AUTH_DEFAULT = 0,
	MAPIWIRE_WEB_AUTH_NONE = 1,
	MAPIWIRE_WEB_AUTH_BASIC = 2, /* the password as it is: never without a certificate that was verified */
	MAPIWIRE_WEB_AUTH_NTLM = 3,
	MAPIWIRE_WEB_AUTH_NEGOTIATE = 4,
};

/* The web server of the transports over HTTP; all copied, NULL and 0 are fine. */
struct mapiwire_web {
	const char *host; /* NULL: the options' host. Over RPC_HTTP this is the proxy; the options' host is the server
	                   * behind it, whose name the proxy resolves and tickets inside are for */
	uint16_t port;    /* 0: 443, 80 when plain */
	bool plain;       /* without TLS */
	bool insecure;    /* take whatever certificate comes; no Basic then */
	const char *ca_file;   /* PEM: roots instead of the system's; _E_ARGUMENT where there is none in it */
	const char *principal; /* name that the certificate must have, "msstd:" before it or not; NULL: host */
	const char *key_log;   /* file that TLS secrets are appended to, in SSLKEYLOGFILE's format */
	const char *path;      /* RPC_HTTP: "/rpc/rpcproxy.dll" */
	enum mapiwire_web_auth auth;
	/* RPC_HTTP: what an IN channel may carry before it is replaced; 128 KiB to 2 GiB; 0: 1 GiB, as Outlook's */
	uint32_t channel_bytes;
	/* MAPI_HTTP: targets as in Autodiscover's URLs, "/mapi/emsmdb/?MailboxId=..."; NULL: /mapi/emsmdb/, /mapi/nspi/
	 */
	const char *store_path, *book_path;
};

struct mapiwire_options {
	const char *host;                     /* name or address */
	uint16_t mapper_port;                 /* 0: 135 */
	const char *domain, *user, *password; /* all copied; may be NULL */
	enum mapiwire_level level;
	unsigned timeout_ms; /* of a connect, and of an answer; 0: 10,000 */
	const char *capture; /* pcapng file of all that is said (rpc in clear only where it was); or NULL */
	enum mapiwire_auth auth;
	/* Kerberos, by MIT krb5 and its krb5.conf; all copied, NULL is fine.
	 *   ccache: tickets from there ("FILE:/tmp/krb5cc_0"); else by the password; without one from the default cache
	 *   realm: of user and service; else the domain in capitals where it has a dot; else krb5.conf's
	 *   service: principal that tickets are for; else exchangeMDB/HOST, exchangeRFR/HOST, exchangeAB/HOST as
	 *     Outlook's, and host/HOST for other interfaces. HOST must be a name then, as the KDC has it. */
	const char *ccache, *realm, *service;
	enum mapiwire_transport transport;
	struct mapiwire_web web; /* for transports over HTTP */
};

struct mapiwire;

/* The client's error cannot be asked when this fails: MAPIWIRE_E_ARGUMENT, _MEMORY, _FILE (errno). */
MAPIWIRE_API int mapiwire_new(const struct mapiwire_options *options, struct mapiwire **out);
/* A client for another server, with the options of m, which it writes the capture of: m outlives it. Where a
 * referral or a log-on names another server, as Outlook goes there. */
MAPIWIRE_API int mapiwire_new_for(struct mapiwire *m, const char *host, struct mapiwire **out);
/* The same, over another transport. web is as in the options. MAPIWIRE_E_FILE: its files. */
MAPIWIRE_API int mapiwire_new_over(struct mapiwire *m, const char *host, enum mapiwire_transport transport,
                                   const struct mapiwire_web *web, struct mapiwire **out);
/* From the next wait on; 0: 10,000. */
MAPIWIRE_API void mapiwire_set_timeout(struct mapiwire *m, unsigned timeout_ms);
/* Cancels the tasks that there are and runs them to their ends; waits, a second at most, for a resolver or a KDC whose
 * answer nobody wants any more. 0; MAPIWIRE_E_FILE when the capture could not be
 * written in full; MAPIWIRE_E_ARGUMENT, and nothing is freed, inside a task. */
MAPIWIRE_API int mapiwire_free(struct mapiwire **m);
/* Never NULL. */
MAPIWIRE_API const struct mapiwire_error *mapiwire_error(const struct mapiwire *m);
/* What the last connection that logged on did so with: "ntlm", "kerberos", "none". Static. */
MAPIWIRE_API const char *mapiwire_auth_used(const struct mapiwire *m);
/* Whose tickets there are: "alice@DEMO.TEST". ccache NULL: the default cache. MAPIWIRE_E_NOTFOUND. */
MAPIWIRE_API int mapiwire_ticket_owner(const char *ccache, char owner[256]);
/* Looks the host's name up, which other calls do by themselves. address (may be NULL): the one in use, as text. */
MAPIWIRE_API int mapiwire_find_host(struct mapiwire *m, const char **address);

/* ---- The event-loop form ---- */

/*
 * A task is a function of the program's that makes calls as if each of them blocked. It has a stack of its own
 * (1 MiB): where a call would wait, the task is set aside, and goes on from mapiwire_process when the answer or the
 * timeout is there. Several tasks may run on one client, and any number of clients in one loop:
 *
 *     struct pollfd fds[MAPIWIRE_POLL_MAX];
 *     int timeout_ms = -1;
 *     size_t n = mapiwire_poll_list(m, fds, MAPIWIRE_POLL_MAX, &timeout_ms);
 *     poll(fds, n, timeout_ms);
 *     mapiwire_process(m);
 *
 * Who may do what:
 *  - work must not wait for anything but calls on its client, nor longjmp or throw out of itself, nor call
 *    mapiwire_process or mapiwire_free of its client;
 *  - what a call is using (a book, a store, a watch) is not closed by another task before it has returned. Calls of two
 *    tasks on one book or store take turns; a table or a message belongs to one task;
 *  - done is called once for each task, from mapiwire_process (or from a blocking call of the same client, or
 *    mapiwire_free) and never from mapiwire_start; there mapiwire_error is the task's. It may start tasks. NULL is
 * fine;
 *  - the task's handle is valid until done has returned; user belongs to the caller all the time.
 */
struct mapiwire_task;
typedef int mapiwire_work_fn(struct mapiwire *m, void *user);
typedef void mapiwire_done_fn(struct mapiwire *m, int result, void *user); /* result: what work returned */
/* out may be NULL. The task begins with the next mapiwire_process. MAPIWIRE_E_MEMORY: also beyond 64 of them. */
MAPIWIRE_API int mapiwire_start(struct mapiwire *m, mapiwire_work_fn *work, mapiwire_done_fn *done, void *user,
                                struct mapiwire_task **out);
/*
 * The call that the task waits in fails with MAPIWIRE_E_CANCELLED, and so does each later one: work closes what it
 * opened and returns. A task that has not begun never does. With grace_ms the server is asked to give the call up
 * (co_cancel), and the task waits so long for what it says: an answer that was already on its way is an answer still. A
 * call that is given up without one, here or by its timeout, is orphaned at the server.
 */
MAPIWIRE_API void mapiwire_cancel(struct mapiwire_task *t, unsigned grace_ms);

#define MAPIWIRE_POLL_MAX 128
/*
 * What to wait for now: at most max descriptors, how many. *timeout_ms is lowered to the next deadline (-1: none yet),
 * so that one variable serves several clients. The list is good until the next call on the client.
 */
MAPIWIRE_API size_t mapiwire_poll_list(struct mapiwire *m, struct pollfd *fds, size_t max, int *timeout_ms);
/* Never waits: takes in what has come, sends what is due, runs the tasks that can go on. */
MAPIWIRE_API void mapiwire_process(struct mapiwire *m);

/* ---- Endpoint mapper and management ---- */

struct mapiwire_interface {
	char uuid[37]; /* lower case, hyphens */
	uint16_t major, minor;
	char name[20]; /* "nspi", ...; "" when it has none here */
};
/* By our short name (epm, mgmt, rfr, nspi, emsmdb or store, asyncemsmdb) or by UUID, "UUID/MAJOR.MINOR" too. */
MAPIWIRE_API int mapiwire_interface_named(const char *text, struct mapiwire_interface *out);

/* The TCP port of an interface (ept_map); over RPC_HTTP the one that it always has there: 6001, 6002, 6004. */
MAPIWIRE_API int mapiwire_map(struct mapiwire *m, const struct mapiwire_interface *interface, uint16_t *port);

struct mapiwire_registration {
	struct mapiwire_interface interface;
	const char *protocol; /* "ncacn_ip_tcp", ... */
	uint16_t port;        /* TCP, UDP, HTTP; else 0 */
	const char *address;  /* that the mapper tells, or "" */
	const char *endpoint; /* port, pipe or LRPC name as text */
	const char *annotation;
};
struct mapiwire_registrations {
	size_t count;
	struct mapiwire_registration *list;
	void *owner;
};
/* All that the mapper has (ept_lookup). */
MAPIWIRE_API int mapiwire_lookup(struct mapiwire *m, struct mapiwire_registrations *out);
MAPIWIRE_API void mapiwire_registrations_free(struct mapiwire_registrations *r);

/* Opens and closes a TCP connection; ns (may be NULL): how long the opening took. */
MAPIWIRE_API int mapiwire_knock(struct mapiwire *m, uint16_t port, int64_t *ns);

/* RPC_HTTP: whether the proxy lets the user in: connects, logs on, and asks for an echo ([MS-RPCH] 2.1.2.1.5). */
struct mapiwire_web_report {
	int64_t connect_ns, tls_ns, auth_ns, answer_ns; /* each on its own; 0: there was none */
	const char *tls;                                /* "TLS1.3"; NULL: none */
	const char *auth;                               /* "basic", "ntlm", "kerberos", "none": nobody was asked */
	char certificate[256]; /* "CN=mail.demo.test, issued by ..., until 2027-01-31"; "": none. Text of the server's
	                        */
};
MAPIWIRE_API int mapiwire_web_knock(struct mapiwire *m, struct mapiwire_web_report *out);

/* A bound connection that is asked whether its server listens; authenticated where the options name a user. */
struct mapiwire_service;
MAPIWIRE_API int mapiwire_service_open(struct mapiwire *m, const struct mapiwire_interface *interface, uint16_t port,
                                       struct mapiwire_service **out);
MAPIWIRE_API int mapiwire_service_listening(struct mapiwire_service *s, bool *listening);
MAPIWIRE_API void mapiwire_service_close(struct mapiwire_service **s);

/* ---- Property values ---- */

/*
 * The type is the low half of the tag, [MS-OXCDATA] 2.11.1. Integers, booleans and error codes (type 0x000A: why
 * there is no value) are in integer; 0x0040 (times) too, as nanoseconds since 1970; texts (0x001E, 0x001F) as
 * UTF-8; 0x0102, 0x0048 and others as bytes; multiple ones (0x1000) as a list of values.
 */
struct mapiwire_value {
	uint32_t tag;
	int64_t integer;
	double real;
	const char *text;
	const void *bytes;
	size_t size; /* of bytes; elements of list */
	const struct mapiwire_value *list;
};

/* count rows of columns values: values[row * columns + column]. */
struct mapiwire_rows {
	size_t count, columns;
	struct mapiwire_value *values;
	void *owner;
};
MAPIWIRE_API void mapiwire_rows_free(struct mapiwire_rows *r);
/* The value of a property in a row, whatever its type; NULL: none, or an error code. */
MAPIWIRE_API const struct mapiwire_value *mapiwire_row_find(const struct mapiwire_rows *r, size_t row, uint32_t tag);

/* ---- Referral and address book ---- */

/* RfrGetNewDSA: the server that has the address book for this user ("" is fine); free it with free(). */
MAPIWIRE_API int mapiwire_referral(struct mapiwire *m, uint16_t port, const char *user_dn, char **server);

struct mapiwire_book;
MAPIWIRE_API int mapiwire_book_open(struct mapiwire *m, uint16_t port, struct mapiwire_book **out);
MAPIWIRE_API void mapiwire_book_close(struct mapiwire_book **b);
/* NspiResolveNamesW: one row of the asked properties; MAPIWIRE_E_NOTFOUND: nobody, or more than one. */
MAPIWIRE_API int mapiwire_book_resolve(struct mapiwire_book *b, const char *name, const uint32_t *tags,
                                       size_t tag_count, struct mapiwire_rows *out);
/* NspiQueryRows from the beginning; total (may be NULL): entries in the list. */
MAPIWIRE_API int mapiwire_book_first(struct mapiwire_book *b, const uint32_t *tags, size_t tag_count, unsigned max,
                                     struct mapiwire_rows *out, unsigned *total);

/* ---- The store ---- */

/* A session and a private logon. */
struct mapiwire_store;
/* dn: the mailbox's, as the address book has it (0x3003001F). */
MAPIWIRE_API int mapiwire_store_open(struct mapiwire *m, uint16_t port, const char *dn, struct mapiwire_store **out);
MAPIWIRE_API void mapiwire_store_close(struct mapiwire_store **s);
/* Whether the server takes store sessions without encryption: tries one, signed, and ends it. */
MAPIWIRE_API int mapiwire_store_probe(struct mapiwire *m, uint16_t port, const char *dn, bool *encryption_required);

/* "inbox", "outbox", "sent", "deleted", "root", "top", "search", "drafts", or a path of display names below the top:
 * "Projects/Old". */
MAPIWIRE_API int mapiwire_folder_find(struct mapiwire_store *s, const char *name, uint64_t *folder);
MAPIWIRE_API int mapiwire_folder_get(struct mapiwire_store *s, uint64_t folder, const uint32_t *tags, size_t tag_count,
                                     struct mapiwire_rows *out);
MAPIWIRE_API int mapiwire_folder_set(struct mapiwire_store *s, uint64_t folder, const struct mapiwire_value *values,
                                     size_t count);
/* RopCreateFolder; the one that is there already where the name is taken. created (may be NULL): whether it is new. */
MAPIWIRE_API int mapiwire_folder_create(struct mapiwire_store *s, uint64_t parent, const char *name, uint64_t *folder,
                                        bool *created);
/* RopDeleteFolder: with its messages and the folders below it. */
MAPIWIRE_API int mapiwire_folder_delete(struct mapiwire_store *s, uint64_t parent, uint64_t folder);
/* RopEmptyFolder: its messages and the folders below it. */
MAPIWIRE_API int mapiwire_folder_empty(struct mapiwire_store *s, uint64_t folder);
/* RopMoveFolder and RopCopyFolder, the latter with all below it: out of its parent, under another one, by that name. */
MAPIWIRE_API int mapiwire_folder_move(struct mapiwire_store *s, uint64_t parent, uint64_t folder, uint64_t to,
                                      const char *name);
MAPIWIRE_API int mapiwire_folder_copy(struct mapiwire_store *s, uint64_t parent, uint64_t folder, uint64_t to,
                                      const char *name);

/*
 * Messages of one folder, any number of them, in several calls where there are many. What cannot be done for all of
 * them is MAPIWIRE_E_STATUS with ecPartialCompletion (0x00040680), and the rest is done.
 */
MAPIWIRE_API int mapiwire_messages_move(struct mapiwire_store *s, uint64_t folder, const uint64_t *ids, size_t count,
                                        uint64_t to);
MAPIWIRE_API int mapiwire_messages_copy(struct mapiwire_store *s, uint64_t folder, const uint64_t *ids, size_t count,
                                        uint64_t to);
/* RopDeleteMessages; hard: RopHardDeleteMessages. */
MAPIWIRE_API int mapiwire_messages_delete(struct mapiwire_store *s, uint64_t folder, const uint64_t *ids, size_t count,
                                          bool hard);
/* RopSetReadFlags, without read receipts. */
MAPIWIRE_API int mapiwire_messages_mark(struct mapiwire_store *s, uint64_t folder, const uint64_t *ids, size_t count,
                                        bool read);

/* ---- Restrictions and tables ---- */

/* [MS-OXCDATA] 2.12, those that have a use here. */
enum mapiwire_restrict {
	MAPIWIRE_AND,      /* parts, count */
	MAPIWIRE_OR,       /* parts, count */
	MAPIWIRE_NOT,      /* parts: one */
	MAPIWIRE_CONTAINS, /* value: a text with its tag; anywhere in it, case and accents do not count */
	MAPIWIRE_BEGINS,   /* the same, at the beginning */
	MAPIWIRE_COMPARE,  /* value and relation */
	MAPIWIRE_BITS,     /* value.tag, value.integer: one of these bits is set */
	MAPIWIRE_EXISTS,   /* value.tag */
	MAPIWIRE_RECIPIENT /* parts: one, true of one of the message's recipients */
};
enum mapiwire_relation { MAPIWIRE_LT, MAPIWIRE_LE, MAPIWIRE_GT, MAPIWIRE_GE, MAPIWIRE_EQ, MAPIWIRE_NE };
struct mapiwire_restriction {
	enum mapiwire_restrict kind;
	enum mapiwire_relation relation;
	struct mapiwire_value value;
	const struct mapiwire_restriction *parts;
	size_t count;
};

enum mapiwire_table_kind { MAPIWIRE_MESSAGES, MAPIWIRE_FOLDERS, MAPIWIRE_FOLDERS_DEEP };
struct mapiwire_table;
/* sort_tag 0: as the server has them. */
MAPIWIRE_API int mapiwire_table_open(struct mapiwire_store *s, uint64_t folder, enum mapiwire_table_kind kind,
                                     const uint32_t *tags, size_t tag_count, uint32_t sort_tag, bool descending,
                                     struct mapiwire_table **out);
MAPIWIRE_API void mapiwire_table_close(struct mapiwire_table **t);
/* RopRestrict: only those rows from now on, from the first of them; r NULL: all again. */
MAPIWIRE_API int mapiwire_table_restrict(struct mapiwire_table *t, const struct mapiwire_restriction *r);
/* Rows in the table when it was opened or restricted. */
MAPIWIRE_API uint32_t mapiwire_table_count(const struct mapiwire_table *t);
/* The next at most max rows; none at the end. The server decides how many come at once. */
MAPIWIRE_API int mapiwire_table_read(struct mapiwire_table *t, unsigned max, struct mapiwire_rows *out);

/*
 * A search folder of its own (below the finder's) over folders and all that is below them, filled when this returns;
 * its contents table shows what was found, PidTagFolderId where that is. words: texts match by the beginnings of
 * their words, from the server's index where it has one. Close it with mapiwire_search_close.
 */
MAPIWIRE_API int mapiwire_search_open(struct mapiwire_store *s, const uint64_t *folders, size_t count,
                                      const struct mapiwire_restriction *r, bool words, unsigned timeout_ms,
                                      uint64_t *folder);
MAPIWIRE_API int mapiwire_search_close(struct mapiwire_store *s, uint64_t folder);

/* ---- Messages ---- */

struct mapiwire_recipient {
	enum { MAPIWIRE_TO = 1, MAPIWIRE_CC = 2, MAPIWIRE_BCC = 3 } kind;
	const char *name;    /* NULL: the address */
	const char *address; /* SMTP; of what is read and has none, as it stands */
};
struct mapiwire_recipients {
	size_t count;
	struct mapiwire_recipient *list;
	void *owner;
};
MAPIWIRE_API void mapiwire_recipients_free(struct mapiwire_recipients *r);

struct mapiwire_message;
/* For reading. */
MAPIWIRE_API int mapiwire_message_open(struct mapiwire_store *s, uint64_t folder, uint64_t message,
                                       struct mapiwire_message **out);
/* For reading and writing. */
MAPIWIRE_API int mapiwire_message_edit(struct mapiwire_store *s, uint64_t folder, uint64_t message,
                                       struct mapiwire_message **out);
/* A new one, that is there for others once it is saved. */
MAPIWIRE_API int mapiwire_message_create(struct mapiwire_store *s, uint64_t folder, struct mapiwire_message **out);
/* What was opened on it is closed before. Changes that were not saved are gone. */
MAPIWIRE_API void mapiwire_message_close(struct mapiwire_message **msg);
/* One row. A text or bytes too large for an answer are read as a stream, of at most 32 MiB. */
MAPIWIRE_API int mapiwire_message_get(struct mapiwire_message *msg, const uint32_t *tags, size_t tag_count,
                                      struct mapiwire_rows *out);
/* Any number and size of properties: what is large goes as a stream. */
MAPIWIRE_API int mapiwire_message_set(struct mapiwire_message *msg, const struct mapiwire_value *values, size_t count);
MAPIWIRE_API int mapiwire_message_recipients(struct mapiwire_message *msg, struct mapiwire_recipients *out);
/* Adds them behind those that mapiwire_message_set_recipients gave it before. */
MAPIWIRE_API int mapiwire_message_set_recipients(struct mapiwire_message *msg, const struct mapiwire_recipient *list,
                                                 size_t count);
/* Of an embedded message: into its attachment. id may be NULL. The message stays open. */
MAPIWIRE_API int mapiwire_message_commit(struct mapiwire_message *msg, uint64_t *id);
/* RopSubmitMessage, of a message in the outbox: the server has it when this returns. */
MAPIWIRE_API int mapiwire_message_submit(struct mapiwire_message *msg);
/* PropIDs of names; unknown ones are given ids. guid: as on the wire; name NULL: lid. ids[i] << 16 | type is a tag. */
struct mapiwire_name {
	uint8_t guid[16];
	uint32_t lid;
	const char *name;
};
MAPIWIRE_API int mapiwire_names(struct mapiwire_store *s, const struct mapiwire_name *names, size_t count,
                                uint16_t *ids);

/* ---- Attachments ---- */

/* RopGetAttachmentTable: a row for each attachment of the message. */
MAPIWIRE_API int mapiwire_message_attachments(struct mapiwire_message *msg, const uint32_t *tags, size_t tag_count,
                                              struct mapiwire_rows *out);
struct mapiwire_attachment;
/* number: PidTagAttachNumber. */
MAPIWIRE_API int mapiwire_attachment_open(struct mapiwire_message *msg, uint32_t number,
                                          struct mapiwire_attachment **out);
MAPIWIRE_API int mapiwire_attachment_create(struct mapiwire_message *msg, struct mapiwire_attachment **out);
/* Before the message that it is in. */
MAPIWIRE_API void mapiwire_attachment_close(struct mapiwire_attachment **a);
MAPIWIRE_API int mapiwire_attachment_get(struct mapiwire_attachment *a, const uint32_t *tags, size_t tag_count,
                                         struct mapiwire_rows *out);
MAPIWIRE_API int mapiwire_attachment_set(struct mapiwire_attachment *a, const struct mapiwire_value *values,
                                         size_t count);
/* The message in it (PidTagAttachMethod 5); create: a new one, for mapiwire_message_commit. */
MAPIWIRE_API int mapiwire_attachment_message(struct mapiwire_attachment *a, bool create, struct mapiwire_message **out);
/* RopSaveChangesAttachment: on disk once the message is saved too. */
MAPIWIRE_API int mapiwire_attachment_commit(struct mapiwire_attachment *a);
MAPIWIRE_API int mapiwire_attachment_delete(struct mapiwire_message *msg, uint32_t number);

/* ---- Streams: one property piece by piece, never whole in memory ---- */

struct mapiwire_stream;
/* A text's bytes are UTF-16LE without a NUL. size: bytes that there are. */
MAPIWIRE_API int mapiwire_message_stream(struct mapiwire_message *msg, uint32_t tag, bool create,
                                         struct mapiwire_stream **out, uint64_t *size);
MAPIWIRE_API int mapiwire_attachment_stream(struct mapiwire_attachment *a, uint32_t tag, bool create,
                                            struct mapiwire_stream **out, uint64_t *size);
/* *got: 0 at the end. */
MAPIWIRE_API int mapiwire_stream_read(struct mapiwire_stream *st, void *data, size_t size, size_t *got);
MAPIWIRE_API int mapiwire_stream_write(struct mapiwire_stream *st, const void *data, size_t size);
/* Before the object is saved. */
MAPIWIRE_API int mapiwire_stream_commit(struct mapiwire_stream *st);
MAPIWIRE_API void mapiwire_stream_close(struct mapiwire_stream **st);

/* ---- Messages in one call ---- */

struct mapiwire_draft {
	const char *subject, *body; /* plain text */
	const struct mapiwire_recipient *recipients;
	size_t recipient_count;
	const struct mapiwire_value *values; /* more properties */
	size_t value_count;
};
/* Creates and saves a message; id may be NULL. It is kept, not sent. */
MAPIWIRE_API int mapiwire_message_save(struct mapiwire_store *s, uint64_t folder, const struct mapiwire_draft *draft,
                                       uint64_t *id);
/* Creates a message in the outbox and submits it: the server has it when this returns, and keeps a copy in the sent
 * items. Who cannot be reached is told by a report in the inbox. */
MAPIWIRE_API int mapiwire_message_send(struct mapiwire_store *s, const struct mapiwire_draft *draft);

/* ---- Notifications ---- */

#define MAPIWIRE_NEW_MAIL 0x0002 /* [MS-OXCNOTIF] 2.2.1.1 */
#define MAPIWIRE_CREATED 0x0004
#define MAPIWIRE_DELETED 0x0008
#define MAPIWIRE_MODIFIED 0x0010
#define MAPIWIRE_MOVED 0x0020
#define MAPIWIRE_COPIED 0x0040

struct mapiwire_event {
	unsigned kind;            /* one of the above */
	uint64_t folder, message; /* message 0: of the folder itself */
	int64_t woken_ns;         /* CLOCK_MONOTONIC: when the parked call returned */
};

/* At most one for each store. Keep it no longer than its store. */
struct mapiwire_watch;
/* Registers for changes in a folder (0: the whole mailbox) and parks EcDoAsyncWaitEx on a second connection. */
MAPIWIRE_API int mapiwire_watch_open(struct mapiwire_store *s, uint64_t folder, unsigned kinds,
                                     struct mapiwire_watch **out);
MAPIWIRE_API void mapiwire_watch_close(struct mapiwire_watch **w);
/* The next event; parks again as needed. MAPIWIRE_E_TIMEOUT after timeout_ms. */
MAPIWIRE_API int mapiwire_watch_next(struct mapiwire_watch *w, unsigned timeout_ms, struct mapiwire_event *out);

#ifdef __cplusplus
}
#endif

#endif
