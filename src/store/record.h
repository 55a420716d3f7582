#ifndef MW_STORE_RECORD_H
#define MW_STORE_RECORD_H

#include "base/buf.h"
#include "store/store.h"

/*
 * All properties of one object in one piece, as they stand in the database:
 *
 *   u8 version, u8 0, u16 count; count times: u32 tag, u32 end; then the values' bytes
 *
 * in ascending order of tags, one a property id. end is where the value's bytes end, counted from the end of the
 * table; its top bit says that the value is elsewhere: its bytes are then u64 value id, u64 size (store/value.h). The
 * bit below says that it is packed: u32 size, then that many bytes as zstd writes them. Only longer values are, so
 * that what tables show and sort by is there at once.
 * Texts whose characters fit are kept with one byte each.
 */
struct store_packer;
struct store_record {
	const uint8_t *data; /* borrowed */
	size_t size;
	unsigned count;
	struct store_packer *packer; /* may be NULL: unpacking is slower then */
};

/* One property as it stands in a record. */
struct store_field {
	uint32_t tag;
	const uint8_t *data; /* borrowed */
	uint32_t size;
	bool external, packed;
	uint64_t value, value_size; /* of an external one */
	struct store_packer *packer;
};

/* What packs and unpacks values, one after the other; NULL: out of memory. */
struct store_packer *store_packer_new(void);
void store_packer_free(struct store_packer **p);

/* Checks the whole table, so that finding needs no more checks. MW_E_MALFORMED. size 0 is a record of nothing. */
MW_NODISCARD int store_record_open(const void *data, size_t size, struct store_record *out);
/* index < count */
void store_record_at(const struct store_record *r, unsigned index, struct store_field *out);
bool store_record_find(const struct store_record *r, uint16_t id, struct store_field *out);

/* The bytes of a value. MW_E_UNSUPPORTED: a type that is not kept here; MW_E_LIMIT: too large. */
MW_NODISCARD int store_encode(const struct mapi_value *v, struct buf *out);
/* Not of an external one. MW_E_MALFORMED, MW_E_NOMEM. */
MW_NODISCARD int store_decode(struct arena *arena, const struct store_field *f, struct mapi_value *out);

/* Of a value that is not external: its bytes' size, and of a packed one the bytes. At most STORE_MAX_RECORD is sound.
 */
size_t store_unpacked_size(const struct store_field *f);
MW_NODISCARD int store_unpack(const struct store_field *f, uint8_t *out, size_t size);

/* ---- A record in the making ---- */
struct store_slot {
	uint32_t tag;
	uint32_t size;
	uint8_t *data;
	bool external;
	bool fresh; /* external, and of no saved message */
	uint64_t value, value_size;
};

struct store_bag {
	struct store_slot *slots; /* ascending by tag, one a property id */
	size_t count, cap;
	size_t bytes; /* of the inline values */
};

/* A zeroed struct is an empty bag. */
void store_bag_free(struct store_bag *bag);
MW_NODISCARD int store_bag_load(struct store_bag *bag, const struct store_record *r);
/* Copies. MW_E_LIMIT: STORE_MAX_PROPERTIES, STORE_MAX_RECORD. */
MW_NODISCARD int store_bag_put(struct store_bag *bag, uint32_t tag, const void *data, size_t size);
MW_NODISCARD int store_bag_put_external(struct store_bag *bag, uint32_t tag, uint64_t value, uint64_t size);
MW_NODISCARD int store_bag_put_value(struct store_bag *bag, const struct mapi_value *v);
/* False when there was none. */
bool store_bag_remove(struct store_bag *bag, uint16_t id);
struct store_slot *store_bag_slot(const struct store_bag *bag, uint16_t id);
void store_slot_field(const struct store_slot *slot, struct store_field *out);
/* packer NULL: nothing is packed. */
MW_NODISCARD int store_bag_encode(const struct store_bag *bag, struct store_packer *packer, struct buf *out);

#endif
