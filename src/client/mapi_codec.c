#include "client/mapi.h"

#include "mapi/context.h"
#include "wire/mapihttp.h"

#include <string.h>

/* Bodies of request types, [MS-OXCMAPIHTTP] 2.2.4 and 2.2.5. */

static const struct client_mapi_type *find(const struct client_mapi_type *list, const struct idl_interface *interface,
                                           unsigned opnum)
{
	for (const struct client_mapi_type *t = list; t->interface; t++)
		if (t->interface == interface && t->opnum == opnum)
			return t;
	return NULL;
}

const struct client_mapi_type *client_mapi_type(const struct idl_interface *interface, unsigned opnum)
{
	const struct client_mapi_type *t = find(client_mapi_store_types, interface, opnum);
	return t ? t : find(client_mapi_book_types, interface, opnum);
}

/* Values of the address book are in the form of 2.2.1; in the store's bodies there are none. */
static const struct mapi_shape_context context = {.extended_rules = true, .address_book = true};

int client_mapi_encode(const struct client_mapi_type *type, struct arena *arena, const void *args, struct buf *out)
{
	void *body = arena_alloc(arena, type->request->size);
	struct ndr n = ndr_encoder(NDR_PACKED, arena, out);
	n.context = (void *)(uintptr_t)&context; /* not written to */
	int r = body ? type->fill(arena, body, args) : MW_E_NOMEM;
	return r == 0 ? ndr_encode(&n, type->request, body) : r;
}

static int decode(const struct idl_type *type, struct arena *arena, const void *data, size_t len, void **out)
{
	struct ndr n = ndr_decoder(NDR_PACKED, arena, cursor_of(data, len));
	n.context = (void *)(uintptr_t)&context;
	void *body = arena_alloc(arena, type->size);
	int r = body ? ndr_decode(&n, type, body) : MW_E_NOMEM;
	/* What a later version of the protocol may have put behind is no fault. */
	if (r == 0)
		*out = body;
	return r;
}

static void set_status(const struct client_mapi_type *type, void *args, uint32_t status)
{
	memcpy((uint8_t *)args + type->status, &status, sizeof status);
}

/* Each body begins with StatusCode; where that is not 0, a failure body follows, 2.2.4.1.3. Else comes ErrorCode, and
 * what belongs to it. */
int client_mapi_decode(const struct client_mapi_type *type, struct arena *arena, const void *data, size_t len,
                       void *args)
{
	uint32_t words[2];
	void *body;
	struct cursor in = cursor_of(data, len);
	int r = cursor_u32(&in, &words[0]);
	if (r == 0 && words[0] != 0) {
		set_status(type, args, words[0]);
		return 0;
	}
	if (r == 0)
		r = cursor_u32(&in, &words[1]);
	if (r == 0)
		r = decode(type->response, arena, data, len, &body);
	if (r == 0)
		r = type->read(arena, body, args);
	if (r == 0)
		set_status(type, args, words[1]);
	return r;
}
