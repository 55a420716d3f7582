#include "server/emsmdb/private.h"

#include <string.h>

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

/* ---- Named properties ---- */

#define NAMES_CREATE 0x02 /* Flags, [MS-OXCPRPT] 2.2.12.1 */

/* [MS-OXCPRPT] 3.2.5.10 */
uint32_t rop_get_property_ids_from_names(struct rop_call *rop)
{
	const struct RopGetPropertyIdsFromNamesRequest *q =
	        (const struct RopGetPropertyIdsFromNamesRequest *)rop->request;
	struct RopGetPropertyIdsFromNamesResponse *a = (struct RopGetPropertyIdsFromNamesResponse *)rop->response;
	struct mapi_property_name *names;
	size_t count = q->PropertyNameCount;
	int r;
	if (count == 0) { /* all that there are */
		r = store_names_all(rop_store(rop), rop->arena, &names, &a->PropertyIds, &count);
	} else {
		a->PropertyIds = arena_new_array(rop->arena, uint16_t, count);
		r = a->PropertyIds ? store_names_to_ids(rop_store(rop), q->PropertyNames, count,
		                                        q->Flags & NAMES_CREATE, a->PropertyIds, &rop->ticket)
		                   : MW_E_NOMEM;
	}
	if (r < 0)
		return rop_status(rop, r);
	a->PropertyIdCount = (uint16_t)count;
	for (size_t i = 0; i < count; i++)
		if (a->PropertyIds[i] == 0)
			return ecWarnWithErrors;
	return 0;
}

/* [MS-OXCPRPT] 3.2.5.9 */
uint32_t rop_get_names_from_property_ids(struct rop_call *rop)
{
	const struct RopGetNamesFromPropertyIdsRequest *q =
	        (const struct RopGetNamesFromPropertyIdsRequest *)rop->request;
	struct RopGetNamesFromPropertyIdsResponse *a = (struct RopGetNamesFromPropertyIdsResponse *)rop->response;
	a->PropertyNames = arena_new_array(rop->arena, struct mapi_property_name, q->PropertyIdCount);
	int r = a->PropertyNames ? store_ids_to_names(rop_store(rop), rop->arena, q->PropertyIds, q->PropertyIdCount,
	                                              a->PropertyNames)
	                         : MW_E_NOMEM;
	if (r < 0)
		return rop_status(rop, r);
	a->PropertyNameCount = q->PropertyIdCount;
	return 0;
}
