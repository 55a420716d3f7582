#include "tls/observer-private.h"

#include <string.h>

/* ClientHello and ServerHello: RFC 8446 4.1.2, 4.1.3; RFC 5246 7.4.1. */

enum { EXT_NAME = 0, EXT_MAC_LAST = 22, EXT_TICKET = 35, EXT_EARLY = 42, EXT_VERSIONS = 43 };

/* RFC 8446 4.1.3: the random of a ServerHello that is a HelloRetryRequest. */
static const uint8_t retry_random[TLS_ID_SIZE] = {0xCF, 0x21, 0xAD, 0x74, 0xE5, 0x9A, 0x61, 0x11, 0xBE, 0x1D, 0x8C,
                                                  0x02, 0x1E, 0x65, 0xB8, 0x91, 0xC2, 0xA2, 0x11, 0x16, 0x7A, 0xBB,
                                                  0x8C, 0x5E, 0x07, 0x9E, 0x09, 0xE2, 0xC8, 0xA8, 0x33, 0x9C};

/* The newest of those offered that is opened here. */
static void take_versions(struct cursor value, bool from_client, struct tls_hello *out)
{
	uint8_t n;
	uint16_t version;
	if (from_client && cursor_u8(&value, &n) < 0)
		return;
	while (cursor_u16(&value, &version) == 0)
		if (version <= TLS_13 && (!from_client || version > out->version))
			out->version = version;
}

/* RFC 6066 3. */
static void take_name(struct cursor value, struct tls_hello *out)
{
	uint16_t list, len;
	uint8_t type;
	struct cursor name;
	if (cursor_u16(&value, &list) < 0 || cursor_u8(&value, &type) < 0 || type != 0 ||
	    cursor_u16(&value, &len) < 0 || cursor_child(&value, len, &name) < 0)
		return;
	out->name = cursor_here(&name);
	out->name_len = len;
}

static void take_extension(uint16_t type, struct cursor value, bool from_client, struct tls_hello *out)
{
	switch (type) {
	case EXT_NAME:
		if (from_client)
			take_name(value, out);
		break;
	case EXT_MAC_LAST:
		out->mac_last = true;
		break;
	case EXT_TICKET:
		out->ticket = cursor_here(&value);
		out->ticket_len = cursor_left(&value);
		break;
	case EXT_EARLY:
		out->early = true;
		break;
	case EXT_VERSIONS:
		take_versions(value, from_client, out);
		break;
	}
}

static void take_extensions(struct cursor *in, bool from_client, struct tls_hello *out)
{
	uint16_t n, type;
	struct cursor list, value;
	if (cursor_u16(in, &n) < 0 || cursor_child(in, n, &list) < 0)
		return;
	while (cursor_u16(&list, &type) == 0 && cursor_u16(&list, &n) == 0 && cursor_child(&list, n, &value) == 0)
		take_extension(type, value, from_client, out);
}

/* What a client offers, or what a server has chosen. */
static int take_choices(struct cursor *in, bool from_client, struct tls_hello *out)
{
	uint8_t n, method = 0;
	uint16_t size = 2;
	if (from_client && cursor_u16(in, &size) < 0)
		return MW_E_TRUNCATED;
	if (cursor_child(in, size, &out->suites) < 0)
		return MW_E_TRUNCATED;
	if (from_client)
		return cursor_u8(in, &n) < 0 || cursor_skip(in, n) < 0 ? MW_E_TRUNCATED : 0;
	if (cursor_u8(in, &method) < 0)
		return MW_E_TRUNCATED;
	out->compressed = method != 0;
	return 0;
}

int tls_hello_parse(struct cursor body, bool from_client, struct tls_hello *out)
{
	struct tls_hello h = {0};
	uint8_t n;
	body.big_endian = true;
	if (cursor_u16(&body, &h.version) < 0 || cursor_bytes(&body, TLS_ID_SIZE, &h.random) < 0 ||
	    cursor_u8(&body, &n) < 0 || n > TLS_ID_SIZE || cursor_bytes(&body, n, &h.session) < 0)
		return MW_E_TRUNCATED;
	h.session_len = n;
	int r = take_choices(&body, from_client, &h);
	if (r < 0)
		return r;
	take_extensions(&body, from_client, &h);
	h.retry = !from_client && memcmp(h.random, retry_random, sizeof retry_random) == 0;
	*out = h;
	return 0;
}
