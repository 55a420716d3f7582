#include "mime/private.h"

#include "base/utf16.h"

#include <string.h>

/* One-off EntryIDs: [MS-OXCDATA] 2.2.5.1. */

static const uint8_t one_off_uid[16] = {0x81, 0x2B, 0x1F, 0xA4, 0xBE, 0xA3, 0x10, 0x19,
                                        0x9D, 0x6E, 0x00, 0xDD, 0x01, 0x0F, 0x54, 0x02};
#define UNICODE_MIME_ONLY 0x9001 /* U, L and M of its flags: texts in UTF-16, no look-up, no TNEF */
#define UNICODE 0x8000

static int put_utf16(struct buf *out, const char *text)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	size_t units = 0;
	uint16_t *wide = arena ? utf8_to_utf16(arena, text, &units) : NULL;
	if (!wide)
		return MW_E_NOMEM;
	for (size_t i = 0; i <= units; i++)
		buf_put_u16(out, i < units ? wide[i] : 0);
	return buf_error(out);
}

int mime_put_one_off(struct buf *out, const char *name, const char *address)
{
	buf_put_u32(out, 0);
	buf_put(out, one_off_uid, sizeof one_off_uid);
	buf_put_u16(out, 0);
	buf_put_u16(out, UNICODE_MIME_ONLY);
	int r = put_utf16(out, name);
	if (r == 0)
		r = put_utf16(out, "SMTP");
	return r == 0 ? put_utf16(out, address) : r;
}

/* The next UTF-16 text of an odd place; NULL at the end. */
static char *take_text(struct arena *arena, const uint8_t *data, size_t size, size_t *at)
{
	size_t units = 0;
	while (*at + 2 * units + 1 < size && (data[*at + 2 * units] || data[*at + 2 * units + 1]))
		units++;
	if (*at + 2 * units + 1 >= size)
		return NULL;
	uint16_t *wide = arena_new_array(arena, uint16_t, units + 1);
	if (!wide)
		return NULL;
	for (size_t i = 0; i < units; i++)
		wide[i] = (uint16_t)(data[*at + 2 * i] | data[*at + 2 * i + 1] << 8);
	*at += 2 * units + 2;
	return utf16_to_utf8(arena, wide, units);
}

int mime_read_one_off(struct arena *arena, const uint8_t *data, size_t size, char **name, char **address)
{
	size_t at = 24;
	if (size < at || memcmp(data + 4, one_off_uid, sizeof one_off_uid) != 0 || !(data[22] | data[23] << 8) ||
	    !((data[22] | data[23] << 8) & UNICODE))
		return MW_E_MALFORMED;
	char *display = take_text(arena, data, size, &at);
	char *type = display ? take_text(arena, data, size, &at) : NULL;
	char *mail = type ? take_text(arena, data, size, &at) : NULL;
	if (!mail || g_ascii_strcasecmp(type, "SMTP") != 0)
		return MW_E_MALFORMED;
	*name = display;
	*address = mail;
	return 0;
}
