#include "fuzz.h"

#include "mapi/context.h"
#include "ndr/ndr.h"
#include "wire/mapihttp.h"

#include <string.h>

/*
 * Bodies of MAPI over HTTP. The first byte says which. What could be read can be written, and is read again as the
 * same: as many bytes, which then stay as they are.
 */

static const struct idl_type *const types[] = {
        &MapiConnectRequest_type,
        &MapiConnectResponse_type,
        &MapiExecuteRequest_type,
        &MapiExecuteResponse_type,
        &MapiDisconnectRequest_type,
        &MapiNotificationWaitRequest_type,
        &MapiNotificationWaitResponse_type,
        &MapiPlainResponse_type,
        &MapiFailureResponse_type,
        &BookBindRequest_type,
        &BookBindResponse_type,
        &BookUnbindRequest_type,
        &BookCompareMinIdsRequest_type,
        &BookCompareMinIdsResponse_type,
        &BookDnToMinIdRequest_type,
        &BookMinimalIdsResponse_type,
        &BookGetMatchesRequest_type,
        &BookGetMatchesResponse_type,
        &BookGetPropListRequest_type,
        &BookTagsResponse_type,
        &BookGetPropsRequest_type,
        &BookValuesResponse_type,
        &BookGetSpecialTableRequest_type,
        &BookGetSpecialTableResponse_type,
        &BookGetTemplateInfoRequest_type,
        &BookModLinkAttRequest_type,
        &BookModPropsRequest_type,
        &BookQueryRowsRequest_type,
        &BookRowsResponse_type,
        &BookQueryColumnsRequest_type,
        &BookResolveNamesRequest_type,
        &BookResolveNamesResponse_type,
        &BookResortRestrictionRequest_type,
        &BookResortRestrictionResponse_type,
        &BookSeekEntriesRequest_type,
        &BookUpdateStatRequest_type,
        &BookUpdateStatResponse_type,
        &BookUrlRequest_type,
        &BookUrlResponse_type,
};

/* How many bytes were read; 0: they are no such body. */
static size_t read_body(struct arena *arena, const struct idl_type *type, const void *data, size_t size, void **value)
{
	struct mapi_shape_context book = {.extended_rules = true, .address_book = true};
	struct ndr n = ndr_decoder(NDR_PACKED, arena, cursor_of(data, size));
	n.context = &book;
	*value = arena_alloc(arena, type->size);
	return *value && ndr_decode(&n, type, *value) == 0 ? n.in.pos : 0;
}

static void write_body(struct arena *arena, const struct idl_type *type, const void *value, struct buf *out)
{
	struct mapi_shape_context book = {.extended_rules = true, .address_book = true};
	struct ndr n = ndr_encoder(NDR_PACKED, arena, out);
	n.context = &book;
	must(ndr_encode(&n, type, value) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new((size_t)64 << 20);
	struct buf once MW_CLEANUP(buf_free) = {0}, twice MW_CLEANUP(buf_free) = {0};
	void *value;
	if (size < 1)
		return 0;
	const struct idl_type *type = types[data[0] % ARRAY_SIZE(types)];
	if (read_body(arena, type, data + 1, size - 1, &value) == 0)
		return 0;
	write_body(arena, type, value, &once);
	must(read_body(arena, type, once.data, once.len, &value) == once.len);
	write_body(arena, type, value, &twice);
	must(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
	return 0;
}
