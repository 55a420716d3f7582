#include "fuzz.h"

#include "client/mapi.h"

#include <string.h>

/*
 * What a hostile server answers over MAPI/HTTP. The first byte says to which request, the second in how large pieces it
 * comes; then the body: meta tags and all. Pieces of any size mean the same.
 */

static const struct client_mapi_type *type_of(uint8_t which)
{
	const struct client_mapi_type *all[16];
	unsigned count = 0;
	for (const struct client_mapi_type *t = client_mapi_store_types; t->interface; t++)
		if (t->name)
			all[count++] = t;
	for (const struct client_mapi_type *t = client_mapi_book_types; t->interface; t++)
		all[count++] = t;
	return all[which % count];
}

static void feed(struct http_mapi *a, const uint8_t *data, size_t size, size_t piece)
{
	http_mapi_init(a);
	for (size_t at = 0; at < size; at += piece)
		http_mapi_feed(a, data + at, size - at < piece ? size - at : piece);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(CLIENT_ARENA_LIMIT);
	uint64_t args[64] = {0}; /* as large as the largest of them */
	struct http_mapi a, whole;
	if (size < 2)
		return 0;
	const struct client_mapi_type *type = type_of(data[0]);
	feed(&a, data + 2, size - 2, (size_t)data[1] + 1);
	feed(&whole, data + 2, size - 2, size);
	must(http_mapi_end(&a) == http_mapi_end(&whole) && a.code == whole.code && a.body.len == whole.body.len);
	must(a.body.len == 0 || memcmp(a.body.data, whole.body.data, a.body.len) == 0);
	must(type->status < sizeof args);
	if (http_mapi_end(&a) == 0)
		(void)client_mapi_decode(type, arena, a.body.data, a.body.len, args);
	http_mapi_free(&a);
	http_mapi_free(&whole);
	return 0;
}
