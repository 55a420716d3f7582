#include "server/address.h"

#include "base/arena.h"
#include "mapi/entry_id.h"
#include "mapi/tags.h"

#include <ctype.h>
#include <string.h>

#define TAGS(who)                                                                                                      \
	{                                                                                                              \
		PidTag##who##Name, PidTag##who##AddressType, PidTag##who##EmailAddress, PidTag##who##SmtpAddress,      \
		        PidTag##who##EntryId, PidTag##who##SearchKey,                                                  \
	}
const struct address_tags address_sender = TAGS(Sender);
const struct address_tags address_sent_representing = TAGS(SentRepresenting);
const struct address_tags address_received_by = TAGS(ReceivedBy);
const struct address_tags address_received_representing = TAGS(ReceivedRepresenting);

int address_search_key(struct buf *out, const char *dn)
{
	size_t at = out->len;
	buf_printf(out, "EX:%s", dn);
	for (size_t i = at; i < out->len; i++)
		out->data[i] = (uint8_t)toupper(out->data[i]);
	return buf_put_u8(out, 0);
}

static int put_bytes(struct arena *arena, uint32_t tag, int (*make)(struct buf *out, const char *dn), const char *dn,
                     struct mapi_value *out)
{
	struct buf b MW_CLEANUP(buf_free) = {0};
	int r = make(&b, dn);
	const void *copy = r < 0 ? NULL : arena_copy(arena, b.data, b.len);
	if (!copy)
		return MW_E_NOMEM;
	*out = mapi_bytes(tag, copy, (uint32_t)b.len);
	return 0;
}

int address_put(struct arena *arena, const struct directory_user *u, const struct address_tags *tags,
                struct mapi_value *values)
{
	int r = mapi_text(arena, tags->name, u->name, 0, &values[0]);
	if (r == 0)
		r = mapi_text(arena, tags->type, "EX", 0, &values[1]);
	if (r == 0)
		r = mapi_text(arena, tags->email, u->dn, 0, &values[2]);
	if (r == 0)
		r = mapi_text(arena, tags->smtp, u->address, 0, &values[3]);
	if (r == 0)
		r = put_bytes(arena, tags->entry_id, mapi_user_entry_id, u->dn, &values[4]);
	if (r == 0)
		r = put_bytes(arena, tags->search_key, address_search_key, u->dn, &values[5]);
	return r;
}
