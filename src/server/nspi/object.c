#include "server/nspi/private.h"

#include "mapi/entry_id.h"

#include "server/address.h"

#include <string.h>

#define MAPI_MAILUSER 6
#define DT_MAILUSER 0
#define DTE_REMOTE_MAILBOX_USER_ACL 0x40000000 /* DTE_FLAG_ACL_CAPABLE, [MS-OXOABK] 2.2.3.12 */
#define EPHEMERAL_ID_TYPE 0x87

const uint32_t nspi_known_tags[] = {
        PidTagEntryId,
        PidTagRecordKey,
        PidTagSearchKey,
        PidTagInstanceKey,
        PidTagMappingSignature,
        PidTagTemplateid,
        PidTagObjectType,
        PidTagDisplayType,
        PidTagDisplayTypeEx,
        PidTagDisplayName,
        PidTagTransmittableDisplayName,
        PidTagAddressBookDisplayNamePrintable,
        PidTagAddressType,
        PidTagEmailAddress,
        PidTagSmtpAddress,
        PidTagAccount,
        PidTagAddressBookProxyAddresses,
        PidTagAddressBookObjectGuid,
        PidTagAddressBookContainerId,
        PidTagSendRichInfo,
};
const unsigned nspi_known_tag_count = ARRAY_SIZE(nspi_known_tags);

static int put_binary(struct mapi_value *out, const struct buf *bytes, struct arena *arena)
{
	out->u.bin.size = (uint32_t)bytes->len;
	out->u.bin.data = (uint8_t *)arena_copy(arena, bytes->data, bytes->len);
	return out->u.bin.data && buf_error(bytes) == 0 ? 0 : MW_E_NOMEM;
}

/* PermanentEntryID and EphemeralEntryID, [MS-OXNSPI] 2.2.9.2 and 2.2.9.3. */
static int entry_id(const struct nspi_view *v, const struct directory_user *u, bool ephemeral, struct mapi_value *out)
{
	struct buf b = {0};
	if (ephemeral) {
		buf_put_u32(&b, EPHEMERAL_ID_TYPE);
		buf_put(&b, v->session->server_guid, 16);
		buf_put_u32(&b, 1);
		buf_put_u32(&b, DT_MAILUSER);
		buf_put_u32(&b, u->id);
	} else {
		(void)!mapi_user_entry_id(&b, u->dn); /* put_binary sees it */
	}
	int r = put_binary(out, &b, v->call->arena);
	buf_free(&b);
	return r;
}

static int search_key(const struct nspi_view *v, const struct directory_user *u, struct mapi_value *out)
{
	struct buf b = {0};
	address_search_key(&b, u->dn);
	int r = put_binary(out, &b, v->call->arena);
	buf_free(&b);
	return r;
}

static int bytes(const struct nspi_view *v, const void *data, size_t size, struct mapi_value *out)
{
	out->u.bin.size = (uint32_t)size;
	out->u.bin.data = (uint8_t *)arena_copy(v->call->arena, data, size);
	return out->u.bin.data ? 0 : MW_E_NOMEM;
}

static int text(const struct nspi_view *v, uint32_t tag, const char *utf8, struct mapi_value *out)
{
	return mapi_text(v->call->arena, tag, utf8, v->code_page, out);
}

/* "SMTP:primary" first, then "smtp:further" and the legacy DN: [MS-OXOABK] 2.2.3.23. */
static int proxy_addresses(const struct nspi_view *v, const struct directory_user *u, struct mapi_value *out)
{
	struct arena *arena = v->call->arena;
	uint16_t type = mapi_tag_type(out->tag);
	uint32_t n = 1;
	while (u->more && u->more[n - 1])
		n++;
	union mapi_datum *all = arena_new_array(arena, union mapi_datum, n);
	for (uint32_t i = 0; all && i < n; i++) {
		struct mapi_value one;
		char *line = arena_printf(arena, i == 0 ? "SMTP:%s" : "smtp:%s", i == 0 ? u->address : u->more[i - 1]);
		if (!line || text(v, MAPI_TAG(0, type & ~PTYP_MULTIPLE), line, &one) < 0)
			return MW_E_NOMEM;
		all[i] = one.u;
	}
	out->count = n;
	out->u.multi = all;
	return all ? 0 : MW_E_NOMEM;
}

static int binary_property(const struct nspi_view *v, const struct directory_user *u, struct mapi_value *out)
{
	uint8_t guid[16];
	switch (mapi_tag_id(out->tag)) {
	case PidTagEntryId >> 16:
		return entry_id(v, u, v->ephemeral_ids, out);
	case PidTagRecordKey >> 16:
	case PidTagTemplateid >> 16:
		return entry_id(v, u, false, out);
	case PidTagSearchKey >> 16:
		return search_key(v, u, out);
	case PidTagInstanceKey >> 16:
		return bytes(v, &u->id, sizeof u->id, out);
	case PidTagMappingSignature >> 16:
		return bytes(v, mapi_address_book_guid, sizeof mapi_address_book_guid, out);
	case PidTagAddressBookObjectGuid >> 16:
		guid_to_bytes(&u->mailbox, guid);
		return bytes(v, guid, sizeof guid, out);
	default:
		return MW_E_NOTFOUND;
	}
}

static int number_property(struct mapi_value *out)
{
	switch (mapi_tag_id(out->tag)) {
	case PidTagObjectType >> 16:
		out->u.i32 = MAPI_MAILUSER;
		return 0;
	case PidTagDisplayType >> 16:
		out->u.i32 = DT_MAILUSER;
		return 0;
	case PidTagDisplayTypeEx >> 16:
		out->u.i32 = DTE_REMOTE_MAILBOX_USER_ACL;
		return 0;
	case PidTagAddressBookContainerId >> 16:
		out->u.i32 = NSPI_GAL;
		return 0;
	default:
		return MW_E_NOTFOUND;
	}
}

static const char *text_property(const struct directory_user *u, uint16_t id)
{
	switch (id) {
	case PidTagDisplayName >> 16:
	case PidTagTransmittableDisplayName >> 16:
		return u->name;
	case PidTagAddressBookDisplayNamePrintable >> 16:
	case PidTagAccount >> 16:
		return u->account;
	case PidTagAddressType >> 16:
		return "EX";
	case PidTagEmailAddress >> 16:
		return u->dn;
	case PidTagSmtpAddress >> 16:
		return u->address;
	default:
		return NULL;
	}
}

int nspi_property(const struct nspi_view *v, const struct directory_user *u, uint32_t tag, struct mapi_value *out)
{
	struct mapi_value value = {.tag = tag};
	const char *string;
	int r = MW_E_NOTFOUND;
	switch (mapi_tag_type(tag)) {
	case PTYP_BINARY:
		r = binary_property(v, u, &value);
		break;
	case PTYP_INTEGER32:
		r = number_property(&value);
		break;
	case PTYP_BOOLEAN:
		if (mapi_tag_id(tag) == PidTagSendRichInfo >> 16) {
			value.u.boolean = 1;
			r = 0;
		}
		break;
	case PTYP_STRING:
	case PTYP_STRING8:
		string = text_property(u, mapi_tag_id(tag));
		r = string ? text(v, tag, string, &value) : MW_E_NOTFOUND;
		break;
	case PTYP_MULTIPLE | PTYP_STRING:
	case PTYP_MULTIPLE | PTYP_STRING8:
		if (mapi_tag_id(tag) == PidTagAddressBookProxyAddresses >> 16)
			r = proxy_addresses(v, u, &value);
		break;
	default:
		break;
	}
	if (r == 0)
		*out = value;
	return r;
}
