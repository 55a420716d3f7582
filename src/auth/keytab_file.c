#include "auth/keytab_file.h"

#include <stdlib.h>

#define VERSION 0x0502
#define MAX_PARTS 16

static int take_data(struct cursor *c, krb5_data *out)
{
	uint16_t size;
	const uint8_t *bytes;
	if (cursor_u16(c, &size) < 0 || cursor_bytes(c, size, &bytes) < 0)
		return MW_E_MALFORMED;
	*out = (krb5_data){.length = size, .data = (char *)bytes};
	return 0;
}

static int take_principal(struct cursor *c, krb5_principal principal, krb5_data parts[MAX_PARTS])
{
	uint16_t count;
	uint32_t type;
	if (cursor_u16(c, &count) < 0 || count > MAX_PARTS || take_data(c, &principal->realm) < 0)
		return MW_E_MALFORMED;
	for (unsigned i = 0; i < count; i++)
		if (take_data(c, &parts[i]) < 0)
			return MW_E_MALFORMED;
	if (cursor_u32(c, &type) < 0)
		return MW_E_MALFORMED;
	principal->data = parts;
	principal->length = count;
	principal->type = (krb5_int32)type;
	return 0;
}

/* One entry without its length. The 32-bit version number may be missing, and 0 is as good as that. */
static int take_entry(krb5_context krb5, struct cursor c, krb5_keytab keys)
{
	krb5_data parts[MAX_PARTS], key;
	krb5_principal_data principal = {0};
	krb5_keytab_entry entry = {.principal = &principal};
	uint32_t timestamp, version;
	uint16_t type;
	uint8_t short_version;
	c.big_endian = true;
	if (take_principal(&c, &principal, parts) < 0 || cursor_u32(&c, &timestamp) < 0 ||
	    cursor_u8(&c, &short_version) < 0 || cursor_u16(&c, &type) < 0 || take_data(&c, &key) < 0)
		return MW_E_MALFORMED;
	entry.timestamp = (krb5_timestamp)timestamp;
	entry.vno = cursor_u32(&c, &version) == 0 && version != 0 ? version : short_version;
	entry.key = (krb5_keyblock){.enctype = (int16_t)type, .length = key.length, .contents = (krb5_octet *)key.data};
	return krb5_kt_add_entry(krb5, keys, &entry) == 0 ? 0 : MW_E_NOMEM; /* which copies it */
}

int keytab_file_read(krb5_context krb5, struct cursor in, krb5_keytab keys, unsigned *count)
{
	uint16_t version;
	const uint8_t *bytes;
	in.big_endian = true;
	if (cursor_u16(&in, &version) < 0)
		return MW_E_MALFORMED;
	if (version != VERSION)
		return MW_E_UNSUPPORTED;
	while (cursor_left(&in) > 0) {
		uint32_t size;
		if (cursor_u32(&in, &size) < 0)
			return MW_E_MALFORMED;
		if (size == 0) /* what follows was never written */
			break;
		bool hole = size & 0x80000000u; /* a deleted entry: minus its length */
		size = hole ? 0u - size : size;
		if (cursor_bytes(&in, size, &bytes) < 0)
			return MW_E_MALFORMED;
		int r = hole ? 0 : take_entry(krb5, cursor_of(bytes, size), keys);
		if (r < 0)
			return r;
		*count += !hole;
	}
	return 0;
}
