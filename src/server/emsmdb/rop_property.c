#include "server/emsmdb/rops.h"

#include <stddef.h>

static int get_values(struct rop_call *rop, const uint32_t *tags, size_t count, struct mapi_value *values)
{
	struct store_mailbox *m = rop_store(rop);
	switch (rop->in->kind) {
	case EMSMDB_LOGON:
		return store_mailbox_get(m, rop->arena, tags, count, values);
	case EMSMDB_FOLDER:
		return store_folder_get(m, rop->in->u.folder, rop->arena, tags, count, values);
	default:
		return store_message_get(rop->in->u.message, rop->arena, tags, count, values);
	}
}

static int get_all(struct rop_call *rop, struct mapi_value **values, size_t *count)
{
	struct store_mailbox *m = rop_store(rop);
	switch (rop->in->kind) {
	case EMSMDB_LOGON:
		return store_mailbox_all(m, rop->arena, values, count);
	case EMSMDB_FOLDER:
		return store_folder_all(m, rop->in->u.folder, rop->arena, values, count);
	default:
		return store_message_all(rop->in->u.message, rop->arena, values, count);
	}
}

/* A value larger than the client's limit, or than a whole answer has room for, becomes an error: it
 * is then read as a stream ([MS-OXCPRPT] 3.2.5.1). */
static uint32_t cut_large(struct rop_call *rop, struct mapi_value *values, size_t count, size_t limit)
{
	size_t left = rop->room > 64 ? rop->room - 64 : 0;
	for (size_t i = 0; i < count; i++) {
		size_t size = mapi_value_size(&values[i]) + 5;
		bool large = limit && size > limit + 5;
		if (!large && size > left && !rop->first)
			return ecBufferTooSmall;
		if (large || size > left) {
			values[i] = mapi_error(values[i].tag, ecMAPIOOM);
			size = 5;
		}
		left -= size < left ? size : left;
	}
	return 0;
}

/* [MS-OXCPRPT] 3.2.5.1 */
uint32_t rop_get_properties_specific(struct rop_call *rop)
{
	const struct RopGetPropertiesSpecificRequest *q = (const struct RopGetPropertiesSpecificRequest *)rop->request;
	struct RopGetPropertiesSpecificResponse *a = (struct RopGetPropertiesSpecificResponse *)rop->response;
	struct mapi_value *values = arena_new_array(rop->arena, struct mapi_value, q->PropertyTagCount);
	int r = values ? get_values(rop, q->PropertyTags, q->PropertyTagCount, values) : MW_E_NOMEM;
	if (r == 0)
		r = rop_convert_out(rop, q->PropertyTags, values, q->PropertyTagCount, rop_code_page(rop, rop->in));
	if (r < 0)
		return rop_status(rop, r);
	uint32_t status = cut_large(rop, values, q->PropertyTagCount, q->PropertySizeLimit);
	a->RowData = mapi_row_of(values, q->PropertyTagCount);
	return status;
}

/* [MS-OXCPRPT] 3.2.5.2 */
uint32_t rop_get_properties_all(struct rop_call *rop)
{
	const struct RopGetPropertiesAllRequest *q = (const struct RopGetPropertiesAllRequest *)rop->request;
	struct RopGetPropertiesAllResponse *a = (struct RopGetPropertiesAllResponse *)rop->response;
	struct mapi_value *values;
	size_t count;
	int r = get_all(rop, &values, &count);
	uint32_t *tags = r == 0 ? arena_new_array(rop->arena, uint32_t, count) : NULL;
	if (r == 0 && (!tags || count > UINT16_MAX))
		r = tags ? MW_E_LIMIT : MW_E_NOMEM;
	for (size_t i = 0; r == 0 && i < count; i++) {
		tags[i] = values[i].tag;
		if (!q->WantUnicode && (mapi_tag_type(tags[i]) & ~PTYP_MULTIPLE) == PTYP_STRING)
			tags[i] = mapi_tag_as(tags[i], (mapi_tag_type(tags[i]) & PTYP_MULTIPLE) | PTYP_STRING8);
	}
	if (r == 0)
		r = rop_convert_out(rop, tags, values, count, rop_code_page(rop, rop->in));
	if (r < 0)
		return rop_status(rop, r);
	a->PropertyValueCount = (uint16_t)count;
	a->PropertyValues = values;
	return cut_large(rop, values, count, q->PropertySizeLimit);
}

/* The problems of a set or remove, without the entries that have none. */
static int list_problems(struct rop_call *rop, const struct mapi_value *values, const uint32_t *problems,
                         uint16_t count, struct RopSetPropertiesResponse *a)
{
	a->PropertyProblems = arena_new_array(rop->arena, struct PropertyProblem, count);
	if (!a->PropertyProblems)
		return MW_E_NOMEM;
	for (uint16_t i = 0; i < count; i++)
		if (problems[i])
			a->PropertyProblems[a->PropertyProblemCount++] =
			        (struct PropertyProblem){i, values[i].tag, problems[i]};
	return 0;
}

/* [MS-OXCPRPT] 3.2.5.4 */
uint32_t rop_set_properties(struct rop_call *rop)
{
	const struct RopSetPropertiesRequest *q = (const struct RopSetPropertiesRequest *)rop->request;
	struct RopSetPropertiesResponse *a = (struct RopSetPropertiesResponse *)rop->response;
	const struct TaggedPropertyValueList *list = &q->PropertyValues;
	struct mapi_value *values;
	uint32_t *problems = arena_new_array(rop->arena, uint32_t, list->PropertyValueCount);
	if (rop->in->kind == EMSMDB_LOGON)
		return ecNotSupported;
	int r = problems ? rop_convert_in(rop, list->PropertyValues, list->PropertyValueCount,
	                                  rop_code_page(rop, rop->in), &values)
	                 : MW_E_NOMEM;
	if (r == 0 && rop->in->kind == EMSMDB_FOLDER)
		r = store_folder_set(rop_store(rop), rop->in->u.folder, values, list->PropertyValueCount, rop->now,
		                     problems, &rop->ticket);
	else if (r == 0)
		r = store_message_set(rop->in->u.message, values, list->PropertyValueCount, problems);
	if (r == 0)
		r = list_problems(rop, values, problems, list->PropertyValueCount, a);
	return r < 0 ? rop_status(rop, r) : 0;
}

/* Nothing is replicated, so the forms without replication are the same. */
_Static_assert(sizeof(struct RopSetPropertiesNoReplicateRequest) == sizeof(struct RopSetPropertiesRequest) &&
                       offsetof(struct RopSetPropertiesNoReplicateRequest, PropertyValues) ==
                               offsetof(struct RopSetPropertiesRequest, PropertyValues) &&
                       sizeof(struct RopSetPropertiesNoReplicateResponse) == sizeof(struct RopSetPropertiesResponse) &&
                       sizeof(struct RopDeletePropertiesNoReplicateRequest) ==
                               sizeof(struct RopDeletePropertiesRequest) &&
                       sizeof(struct RopDeletePropertiesNoReplicateResponse) ==
                               sizeof(struct RopDeletePropertiesResponse),
               "one layout each: [MS-OXCROPS] 2.2.8.6 to 2.2.8.9");

/* [MS-OXCPRPT] 3.2.5.7 */
uint32_t rop_set_properties_no_replicate(struct rop_call *rop)
{
	return rop_set_properties(rop);
}

/* [MS-OXCPRPT] 3.2.5.5, 3.2.5.8 */
uint32_t rop_delete_properties(struct rop_call *rop)
{
	const struct RopDeletePropertiesRequest *q = (const struct RopDeletePropertiesRequest *)rop->request;
	struct RopDeletePropertiesResponse *a = (struct RopDeletePropertiesResponse *)rop->response;
	uint32_t *problems = arena_new_array(rop->arena, uint32_t, q->PropertyTagCount);
	uint64_t ticket = 0;
	int r;
	a->PropertyProblems = arena_new_array(rop->arena, struct PropertyProblem, q->PropertyTagCount);
	if (!problems || !a->PropertyProblems)
		return ecServerOOM;
	switch (rop->in->kind) {
	case EMSMDB_FOLDER:
		r = store_folder_remove(rop_store(rop), rop->in->u.folder, q->PropertyTags, q->PropertyTagCount,
		                        rop->now, problems, &ticket);
		break;
	case EMSMDB_MESSAGE:
	case EMSMDB_ATTACHMENT:
		r = store_message_remove(rop->in->u.message, q->PropertyTags, q->PropertyTagCount, problems);
		break;
	default:
		return ecNotSupported;
	}
	rop_promise(rop, ticket);
	for (uint16_t i = 0; r == 0 && i < q->PropertyTagCount; i++)
		if (problems[i])
			a->PropertyProblems[a->PropertyProblemCount++] =
			        (struct PropertyProblem){i, q->PropertyTags[i], problems[i]};
	return r < 0 ? rop_status(rop, r) : 0;
}

/* ---- Lists ---- */

static int tags_of_values(struct rop_call *rop, const struct mapi_value *values, size_t count, uint32_t **tags)
{
	*tags = arena_new_array(rop->arena, uint32_t, count);
	for (size_t i = 0; *tags && i < count; i++)
		(*tags)[i] = values[i].tag;
	return *tags ? 0 : MW_E_NOMEM;
}

int rop_list_tags(struct rop_call *rop, uint32_t **tags, size_t *count)
{
	struct store_mailbox *m = rop_store(rop);
	struct mapi_value *values;
	int r;
	switch (rop->in->kind) {
	case EMSMDB_MESSAGE:
	case EMSMDB_ATTACHMENT:
		return store_message_tags(rop->in->u.message, rop->arena, tags, count);
	case EMSMDB_FOLDER:
		r = store_folder_all(m, rop->in->u.folder, rop->arena, &values, count);
		break;
	default:
		r = store_mailbox_all(m, rop->arena, &values, count);
		break;
	}
	return r < 0 ? r : tags_of_values(rop, values, *count, tags);
}

/* [MS-OXCPRPT] 3.2.5.3 */
uint32_t rop_get_properties_list(struct rop_call *rop)
{
	struct RopGetPropertiesListResponse *a = (struct RopGetPropertiesListResponse *)rop->response;
	size_t count;
	int r = rop_list_tags(rop, &a->PropertyTags, &count);
	if (r < 0 || count > UINT16_MAX)
		return rop_status(rop, r < 0 ? r : MW_E_LIMIT);
	a->PropertyTagCount = (uint16_t)count;
	return 0;
}
