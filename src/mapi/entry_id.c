#include "mapi/entry_id.h"

#include <string.h>

#define DT_MAILUSER 0
#define DN_OFFSET 28

const uint8_t mapi_address_book_guid[16] = {0xDC, 0xA7, 0x40, 0xC8, 0xC0, 0x42, 0x10, 0x1A,
                                            0xB4, 0xB9, 0x08, 0x00, 0x2B, 0x2F, 0xE1, 0x82};

int mapi_user_entry_id(struct buf *out, const char *dn)
{
	buf_put_u32(out, 0);
	buf_put(out, mapi_address_book_guid, sizeof mapi_address_book_guid);
	buf_put_u32(out, 1);
	buf_put_u32(out, DT_MAILUSER);
	return buf_put(out, dn, strlen(dn) + 1);
}

const char *mapi_entry_id_dn(const uint8_t *id, size_t size)
{
	if (size <= DN_OFFSET || id[size - 1] != 0 || memcmp(id + 4, mapi_address_book_guid, 16) != 0)
		return NULL;
	return (const char *)id + DN_OFFSET;
}
