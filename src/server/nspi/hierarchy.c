#include "server/address.h"
#include "server/nspi/private.h"

#include "mapi/entry_id.h"

#include <string.h>

/*
 * The table of containers, [MS-OXNSPI] 3.1.4.1.3 and [MS-OXOABK] 2.2.2: one row,
 * the global address list.
 */
#define AB_RECIPIENTS 0x1
#define AB_UNMODIFIABLE 0x8
#define DT_CONTAINER 0x100

/* The permanent entry id of a container: an empty DN stands for the GAL's "/". */
static int container_id(struct arena *arena, struct mapi_value *out)
{
	struct buf b = {0};
	buf_put_u32(&b, 0);
	buf_put(&b, mapi_address_book_guid, sizeof mapi_address_book_guid);
	buf_put_u32(&b, 1);
	buf_put_u32(&b, DT_CONTAINER);
	buf_put(&b, "/", 2);
	out->u.bin.size = (uint32_t)b.len;
	out->u.bin.data = (uint8_t *)arena_copy(arena, b.data, b.len);
	int r = buf_error(&b) < 0 || !out->u.bin.data ? MW_E_NOMEM : 0;
	buf_free(&b);
	return r;
}

struct PropertyRowSet_r *nspi_hierarchy(const struct nspi_view *v, bool unicode)
{
	struct arena *arena = v->call->arena;
	struct mapi_value row[] = {
	        {.tag = PidTagEntryId},
	        {.tag = MAPI_TAG(0x3600, PTYP_INTEGER32),
	         .u.i32 = AB_RECIPIENTS | AB_UNMODIFIABLE},            /* ContainerFlags */
	        {.tag = MAPI_TAG(0x3005, PTYP_INTEGER32), .u.i32 = 0}, /* Depth */
	        {.tag = PidTagAddressBookContainerId, .u.i32 = NSPI_GAL},
	        {0},
	        {.tag = MAPI_TAG(0xFFFB, PTYP_BOOLEAN), .u.boolean = 0}, /* AddressBookIsMaster */
	};
	uint32_t name = unicode ? MAPI_TAG(0x3001, PTYP_STRING) : MAPI_TAG(0x3001, PTYP_STRING8);
	struct PropertyRowSet_r *set = arena_new_of(arena, struct PropertyRowSet_r);
	struct PropertyRow_r *out = arena_new_of(arena, struct PropertyRow_r);
	struct PropertyValue_r *values = arena_new_array(arena, struct PropertyValue_r, ARRAY_SIZE(row));
	if (!set || !out || !values || container_id(arena, &row[0]) < 0 ||
	    mapi_text(arena, name, "Global Address List", v->code_page, &row[4]) < 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++)
		if (mapi_book_put_value(arena, &row[i], &values[i]) < 0)
			return NULL;
	*out = (struct PropertyRow_r){.cValues = ARRAY_SIZE(row), .lpProps = values};
	*set = (struct PropertyRowSet_r){.cRows = 1, .aRow = out};
	return set;
}
