#ifndef MW_STORE_OBJECT_H
#define MW_STORE_OBJECT_H

#include "store/private.h"
#include "store/record.h"

/* What a getter looks at: one message or folder, opened or as a row. Ids are counters. */
enum store_kind { STORE_A_MESSAGE = 1, STORE_A_FOLDER = 2, STORE_AN_ATTACHMENT = 4, STORE_A_ROW = 8 };

struct store_object {
	struct store_mailbox *m;
	enum store_kind kind;
	bool in_table;
	bool read_only;  /* opened so */
	uint64_t id;     /* 0: not saved yet */
	uint64_t parent; /* the message's folder, or the folder's parent (0: none) */
	uint64_t change, modified, size;
	bool associated, gone;  /* messages; gone: deleted, and kept for a while */
	uint32_t flags, status; /* PidTagMessageFlags, PidTagMessageStatus */
	uint32_t type, contents, unread, associated_count, deleted, children; /* folders */
	uint32_t depth, instance;                                             /* rows */
	const char *name;
	const struct store_bag *bag; /* either this */
	struct store_record record;  /* or this */
};

/* One value as the tag asks for it, or mapi_error. cut: how many characters and bytes at most, 0 all. Only MW_E_NOMEM
 * fails. */
int store_object_get(const struct store_object *o, struct arena *arena, uint32_t tag, size_t cut,
                     struct mapi_value *out);
int store_object_get_many(const struct store_object *o, struct arena *arena, const uint32_t *tags, size_t count,
                          size_t cut, struct mapi_value *values);
int store_object_all(const struct store_object *o, struct arena *arena, struct mapi_value **values, size_t *count);
/* 0, or why a client cannot set or remove that property. */
uint32_t store_object_refuses(enum store_kind kind, uint32_t tag);

/* ---- computed.c ---- */
typedef int store_compute(const struct store_object *o, struct arena *arena, uint32_t tag, struct mapi_value *out);
struct store_computed {
	uint32_t tag;
	uint8_t kinds;
	enum {
		STORE_ALWAYS,
		STORE_FALLBACK,
		STORE_KEPT
	} mode; /* computed; only when not set; set by ourselves alone */
	bool only_in_tables;
	store_compute *compute; /* MW_E_NOTFOUND: this object has none */
};
extern const struct store_computed store_computed[];
extern const size_t store_computed_count;
/* NULL when it is not computed for that kind. */
const struct store_computed *store_computed_find(enum store_kind kind, uint32_t tag);

/* ---- folder.c, message.c ---- */
/* Reads a row whose columns begin as STORE_MESSAGE_COLUMNS; the record stays the statement's. */
int store_message_row(struct store_mailbox *m, sqlite3_stmt *s, struct store_object *out);
/* Loads a folder; texts and record in the arena. */
/* The record of a new folder. */
int store_folder_record(struct arena *arena, const char *container_class, int64_t now, struct buf *out);
int store_folder_load(struct store_mailbox *m, struct arena *arena, uint64_t counter, struct store_object *out);

/* The ids of the folders right below; in the arena. */
int store_folder_children(struct store_mailbox *m, struct arena *arena, uint64_t parent, uint64_t **out, size_t *count);
/* The ids of its messages, of one kind; in the arena. */
struct store_present {
	uint64_t id, size;
	uint32_t flags;
};
/* max -1: all. */
int store_folder_messages(struct store_mailbox *m, struct arena *arena, uint64_t folder, bool associated, int max,
                          struct store_present **out, size_t *count);

/* Adds to a folder's counters, inside a transaction; the new ones. */
struct store_counts {
	int contents, unread, associated, deleted;
	int64_t size;
};
int store_folder_count(struct store_mailbox *m, uint64_t folder, const struct store_counts *by, int32_t *contents,
                       int32_t *unread);

#endif
