#ifndef MW_MAPI_SHAPES_H
#define MW_MAPI_SHAPES_H

#include "mapi/property.h"
#include "mapi/restriction.h"
#include "mapi/rule.h"

/*
 * The structures whose layout depends on more than their own fields, and the
 * functions that encode, decode and print them (wire/mapi.idl names them).
 * ndr->context is a struct mapi_shape_context or NULL.
 */

struct ndr;

struct mapi_tags {
	uint16_t count;
	uint32_t *tags;
};

struct mapi_optional_guid {
	bool present;
	struct guid guid;
};

/* [MS-OXCDATA] 2.11.7 */
struct mapi_typed_string {
	enum {
		MAPI_STRING_NONE = 0x00,
		MAPI_STRING_EMPTY = 0x01,
		MAPI_STRING_8 = 0x02,       /* in the code page */
		MAPI_STRING_REDUCED = 0x03, /* UTF-16 whose high halves are zero and left out */
		MAPI_STRING_UNICODE = 0x04,
	} type;
	char *str8; /* MAPI_STRING_8, MAPI_STRING_REDUCED */
	uint16_t *str16;
};

/* One of the two, or neither. */
struct mapi_string {
	char *str8;
	uint16_t *str16;
};

/* RecipientFlags, [MS-OXCDATA] 2.8.3.1 */
#define MAPI_RECIPIENT_TYPE 0x0007 /* 1 X500DN, 3 SMTP, 6 and 7 personal distribution list, 0 by O */
#define MAPI_RECIPIENT_E 0x0008    /* email address */
#define MAPI_RECIPIENT_D 0x0010    /* display name */
#define MAPI_RECIPIENT_T 0x0020    /* transmittable display name */
#define MAPI_RECIPIENT_S 0x0040    /* it is the display name */
#define MAPI_RECIPIENT_R 0x0080    /* somebody else delivers */
#define MAPI_RECIPIENT_N 0x0100    /* no rich text */
#define MAPI_RECIPIENT_U 0x0200    /* Unicode */
#define MAPI_RECIPIENT_I 0x0400    /* simple display name */
#define MAPI_RECIPIENT_O 0x8000    /* nonstandard address type */

/* RecipientRow, [MS-OXCDATA] 2.8.3.2: the flags tell which members are there. */
struct mapi_recipient {
	uint16_t flags;
	uint8_t address_prefix_used, display_type;
	char *x500_dn;
	struct mapi_binary entry_id, search_key;
	char *address_type;
	struct mapi_string email, display_name, simple_name, transmittable_name;
	uint16_t column_count; /* of the first RecipientColumns */
	struct mapi_row properties;
};

struct mapi_read_state {
	struct mapi_binary message_id;
	uint8_t mark_as_read;
};

struct mapi_read_states {
	uint32_t count;
	struct mapi_read_state *states;
};

/* NotificationFlags, [MS-OXCNOTIF] 2.2.1.4.1.2: the low 12 bits are the type. */
#define MAPI_NOTIFY_NEW_MAIL 0x0002
#define MAPI_NOTIFY_CREATED 0x0004
#define MAPI_NOTIFY_DELETED 0x0008
#define MAPI_NOTIFY_MODIFIED 0x0010
#define MAPI_NOTIFY_MOVED 0x0020
#define MAPI_NOTIFY_COPIED 0x0040
#define MAPI_NOTIFY_SEARCH 0x0080
#define MAPI_NOTIFY_TABLE 0x0100
#define MAPI_NOTIFY_RESERVED 0x0400
#define MAPI_NOTIFY_TYPE 0x0FFF
#define MAPI_NOTIFY_T 0x1000 /* total count */
#define MAPI_NOTIFY_U 0x2000 /* unread count */
#define MAPI_NOTIFY_S 0x4000 /* search folder */
#define MAPI_NOTIFY_M 0x8000 /* message */

/* TableEventType */
#define MAPI_TABLE_CHANGED 1
#define MAPI_TABLE_ROW_ADDED 3
#define MAPI_TABLE_ROW_DELETED 4
#define MAPI_TABLE_ROW_MODIFIED 5
#define MAPI_TABLE_RESTRICTION_CHANGED 7

struct mapi_notification {
	uint16_t flags;
	uint16_t table_event;
	uint64_t row_folder_id, row_message_id, after_folder_id, after_message_id;
	uint32_t row_instance, after_instance;
	struct mapi_row row;
	uint64_t folder_id, message_id, parent_folder_id;
	uint64_t old_folder_id, old_message_id, old_parent_folder_id;
	uint16_t tag_count; /* 0xFFFF: no list, all may have changed */
	uint32_t *tags;
	uint32_t total_count, unread_count;
	uint32_t message_flags;
	uint8_t unicode;
	struct mapi_string message_class;
};

/* Rows with the columns that they have. */
struct mapi_book_rows {
	uint32_t column_count, row_count;
	uint32_t *columns;
	struct mapi_row *rows;
};

int mapi_shape_object_id(struct ndr *n, void *value);          /* uint64_t: folder or message */
int mapi_shape_tag(struct ndr *n, void *value);                /* uint32_t */
int mapi_shape_tagged_value(struct ndr *n, void *value);       /* struct mapi_value */
int mapi_shape_row(struct ndr *n, void *value);                /* struct mapi_row */
int mapi_shape_row_set(struct ndr *n, void *value);            /* struct mapi_row_set */
int mapi_shape_book_rows(struct ndr *n, void *value);          /* struct mapi_book_rows */
int mapi_shape_property_name(struct ndr *n, void *value);      /* struct mapi_property_name */
int mapi_shape_typed_string(struct ndr *n, void *value);       /* struct mapi_typed_string */
int mapi_shape_recipient_columns(struct ndr *n, void *value);  /* struct mapi_tags */
int mapi_shape_recipient(struct ndr *n, void *value);          /* struct mapi_recipient *, NULL: absent */
int mapi_shape_restriction(struct ndr *n, void *value);        /* struct mapi_restriction *, NULL: absent */
int mapi_shape_notification(struct ndr *n, void *value);       /* struct mapi_notification */
int mapi_shape_read_states(struct ndr *n, void *value);        /* struct mapi_read_states */
int mapi_shape_rest(struct ndr *n, void *value);               /* struct mapi_binary */
int mapi_shape_public_client_data(struct ndr *n, void *value); /* struct mapi_binary */
int mapi_shape_private_guid(struct ndr *n, void *value);       /* struct mapi_optional_guid */

#endif
