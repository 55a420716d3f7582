#ifndef MW_MAPI_PROPERTY_H
#define MW_MAPI_PROPERTY_H

#include "base/arena.h"
#include "base/guid.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Property tags and values ([MS-OXCDATA] 2.9, 2.11) as the store, the services,
 * the client and the lens hold them. Values own nothing: strings and bytes live
 * in the arena they were decoded or copied into, or are borrowed.
 */

/* A tag is id << 16 | type. */
#define MAPI_TAG(id, type) ((uint32_t)(id) << 16 | (uint32_t)(type))

static inline uint16_t mapi_tag_id(uint32_t tag)
{
	return (uint16_t)(tag >> 16);
}

static inline uint16_t mapi_tag_type(uint32_t tag)
{
	return (uint16_t)tag;
}

/* The same property with another type. */
static inline uint32_t mapi_tag_as(uint32_t tag, uint16_t type)
{
	return (tag & 0xFFFF0000u) | type;
}

/* 0x8000 to 0xFFFE are named: what they mean is the mailbox's affair. */
static inline bool mapi_tag_is_named(uint32_t tag)
{
	return tag >= 0x80000000u && tag < 0xFFFF0000u;
}

/* [MS-OXCDATA] 2.11.1 */
enum mapi_type {
	PTYP_UNSPECIFIED = 0x0000,
	PTYP_NULL = 0x0001,
	PTYP_INTEGER16 = 0x0002,
	PTYP_INTEGER32 = 0x0003,
	PTYP_FLOATING32 = 0x0004,
	PTYP_FLOATING64 = 0x0005,
	PTYP_CURRENCY = 0x0006,
	PTYP_FLOATING_TIME = 0x0007,
	PTYP_ERROR_CODE = 0x000A,
	PTYP_BOOLEAN = 0x000B,
	PTYP_OBJECT = 0x000D, /* PtypEmbeddedTable too */
	PTYP_INTEGER64 = 0x0014,
	PTYP_STRING8 = 0x001E,
	PTYP_STRING = 0x001F,
	PTYP_TIME = 0x0040,
	PTYP_GUID = 0x0048,
	PTYP_SERVER_ID = 0x00FB,
	PTYP_RESTRICTION = 0x00FD,
	PTYP_RULE_ACTION = 0x00FE,
	PTYP_BINARY = 0x0102,
	PTYP_MULTIPLE = 0x1000, /* flag: count values of the type below it */
	PTYP_INSTANCE = 0x2000, /* flag with PTYP_MULTIPLE, in columns: one row a value */
};

struct mapi_binary {
	uint32_t size;
	uint8_t *data;
};

/* PtypServerId, 2.11.1.4. Not ours: opaque bytes. */
struct mapi_server_id {
	uint8_t ours;
	uint64_t folder_id, message_id;
	uint32_t instance;
	struct mapi_binary opaque;
};

struct mapi_restriction;  /* mapi/restriction.h */
struct mapi_rule_actions; /* mapi/rule.h */

/* One value; which member lives is told by the type. */
union mapi_datum {
	int16_t i16;
	int32_t i32;
	int64_t i64;  /* PTYP_INTEGER64; PTYP_CURRENCY in 1/10000 */
	uint64_t u64; /* the same bytes; PTYP_TIME: a FILETIME, 100 ns since 1601 */
	float f32;
	double f64; /* PTYP_FLOATING64, PTYP_FLOATING_TIME (days since 1899-12-30) */
	uint8_t boolean;
	uint32_t error;
	char *str8;      /* PTYP_STRING8: in the connection's or message's code page; never NULL */
	uint16_t *str16; /* PTYP_STRING: UTF-16, NUL-terminated, as on the wire; never NULL */
	struct guid guid;
	struct mapi_binary bin; /* PTYP_BINARY, PTYP_OBJECT */
	struct mapi_server_id *server_id;
	struct mapi_restriction *restriction;
	struct mapi_rule_actions *actions;
	union mapi_datum *multi; /* PTYP_MULTIPLE: count of them */
};

/* How a value stands in a FlaggedPropertyRow, 2.11.5. */
enum mapi_flag {
	MAPI_FLAG_VALUE = 0x00,
	MAPI_FLAG_ABSENT = 0x01, /* nothing on the wire */
	MAPI_FLAG_ERROR = 0x0A,  /* u.error: why there is no value */
};

struct mapi_value {
	uint32_t tag;   /* its type is that of u, never PTYP_UNSPECIFIED; of an error PTYP_ERROR_CODE */
	uint8_t flag;   /* enum mapi_flag */
	uint32_t count; /* PTYP_MULTIPLE: elements of u.multi */
	union mapi_datum u;
};

/* PropertyRow, 2.8.1: count is that of the columns. */
struct mapi_row {
	uint8_t flagged; /* 0: every column has a value; 1: each carries its flag */
	uint16_t count;
	struct mapi_value *values;
	/* Only from a decoder that does not know the columns: all bytes from the row's first to the end. */
	struct mapi_binary opaque;
};

/* PropertyRowSet, 2.8.2.1. When the first row is opaque, the others are inside it. */
struct mapi_row_set {
	uint16_t count;
	struct mapi_row *rows;
};

/* [MS-OXCDATA] 2.6.1. Kind 0xFF has neither LID nor name. */
struct mapi_property_name {
	enum { MAPI_NAME_LID = 0x00, MAPI_NAME_STRING = 0x01, MAPI_NAME_NONE = 0xFF } kind;
	struct guid guid;
	uint32_t lid;
	uint16_t *name; /* UTF-16 with its NUL */
};

/* ---- Making values. Strings and bytes are borrowed unless an arena is an argument. ---- */

static inline struct mapi_value mapi_i16(uint32_t tag, int16_t v)
{
	return (struct mapi_value){.tag = tag, .u.i16 = v};
}

static inline struct mapi_value mapi_i32(uint32_t tag, int32_t v)
{
	return (struct mapi_value){.tag = tag, .u.i32 = v};
}

/* PTYP_INTEGER64, PTYP_CURRENCY, PTYP_TIME */
static inline struct mapi_value mapi_i64(uint32_t tag, int64_t v)
{
	return (struct mapi_value){.tag = tag, .u.i64 = v};
}

static inline struct mapi_value mapi_boolean(uint32_t tag, bool v)
{
	return (struct mapi_value){.tag = tag, .u.boolean = v};
}

static inline struct mapi_value mapi_bytes(uint32_t tag, const void *data, uint32_t size)
{
	return (struct mapi_value){.tag = tag, .u.bin = {.size = size, .data = (uint8_t *)data}};
}

/* No value of that property, and why: an ec* code of mapi/status.h. */
static inline struct mapi_value mapi_error(uint32_t tag, uint32_t code)
{
	return (struct mapi_value){.tag = mapi_tag_as(tag, PTYP_ERROR_CODE), .flag = MAPI_FLAG_ERROR, .u.error = code};
}

/* From UTF-8, as the tag's type wants: PTYP_STRING, or PTYP_STRING8 in the code page
 * (0: US-ASCII; what it cannot express becomes '?'). MW_E_INVALID for another type. */
MW_NODISCARD int mapi_text(struct arena *arena, uint32_t tag, const char *utf8, uint32_t code_page,
                           struct mapi_value *out);

/* ---- Asking values ---- */

/* A string's text as UTF-8, whichever of the two types it has; NULL for another type or out of memory. */
char *mapi_value_utf8(struct arena *arena, const struct mapi_value *v, uint32_t code_page);
/* The value as type: itself, or between PTYP_STRING and PTYP_STRING8 (also multiple).
 * MW_E_INVALID when there is no such conversion. Shares what need not change. */
MW_NODISCARD int mapi_value_convert(struct arena *arena, const struct mapi_value *v, uint16_t type, uint32_t code_page,
                                    struct mapi_value *out);
/* A deep copy into the arena (restrictions and rule actions too). */
MW_NODISCARD int mapi_value_copy(struct arena *arena, const struct mapi_value *v, struct mapi_value *out);
/*
 * <0, 0, >0. A total order: first by type; numbers by value (NaN first), strings by their
 * units, bytes and GUIDs as memcmp and then by length, multiple values element by element.
 * What people see sorted is collated by the store.
 */
int mapi_value_compare(const struct mapi_value *a, const struct mapi_value *b);
/* Bytes of one value of a type of fixed size, GUID included; 0 for the others and for PTYP_NULL. */
size_t mapi_type_size(uint16_t type);
/* Bytes of the value in the ROP form, without tag and flag. */
size_t mapi_value_size(const struct mapi_value *v);

/* The first value of that property, whatever its type; NULL if there is none. Errors count as none. */
const struct mapi_value *mapi_find(const struct mapi_value *values, size_t count, uint32_t tag);

/* A row over values (borrowed): flagged when one of them is an error or absent. */
struct mapi_row mapi_row_of(struct mapi_value *values, uint16_t count);

/* "PidTagSubject" (the first of that id and type; else of that id); NULL when unknown or named. */
const char *mapi_tag_name(uint32_t tag);
/* The same in the address book, where 0x8000 and above are attributes of its own. */
const char *mapi_address_book_tag_name(uint32_t tag);
/* "PtypString", "PtypMultipleBinary"; NULL when unknown. */
const char *mapi_type_name(uint16_t type);

#endif
