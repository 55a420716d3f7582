#include "server/emsmdb/rop_more.h"

#include <stddef.h>

/* Properties deleted and listed: [MS-OXCPRPT]. Nothing is replicated, so the forms without replication are the same. */

#define QUERY_NO_STRINGS 0x01 /* QueryFlags, 2.2.12.1: no names by text, no names by number */
#define QUERY_NO_IDS 0x02

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

static int list_tags(struct rop_call *rop, uint32_t **tags, size_t *count)
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
	int r = list_tags(rop, &a->PropertyTags, &count);
	if (r < 0 || count > UINT16_MAX)
		return rop_status(rop, r < 0 ? r : MW_E_LIMIT);
	a->PropertyTagCount = (uint16_t)count;
	return 0;
}

static int named_of_object(struct rop_call *rop, struct mapi_property_name **names, uint16_t **ids, size_t *count)
{
	uint32_t *tags;
	size_t n, named = 0;
	int r = list_tags(rop, &tags, &n);
	if (r < 0)
		return r;
	*ids = arena_new_array(rop->arena, uint16_t, n);
	*names = arena_new_array(rop->arena, struct mapi_property_name, n);
	if (!*ids || !*names)
		return MW_E_NOMEM;
	for (size_t i = 0; i < n; i++)
		if (mapi_tag_is_named(tags[i]))
			(*ids)[named++] = mapi_tag_id(tags[i]);
	*count = named;
	return store_ids_to_names(rop_store(rop), rop->arena, *ids, named, *names);
}

static bool is_asked(const struct RopQueryNamedPropertiesRequest *q, const struct mapi_property_name *name)
{
	if (name->kind == MAPI_NAME_NONE || (name->kind == MAPI_NAME_STRING && q->QueryFlags & QUERY_NO_STRINGS) ||
	    (name->kind == MAPI_NAME_LID && q->QueryFlags & QUERY_NO_IDS))
		return false;
	return !q->HasGuid || guid_equal(&q->PropertyGuid, &name->guid);
}

/* [MS-OXCPRPT] 3.2.5.11: of a logon all that there are, else those that the object has. */
uint32_t rop_query_named_properties(struct rop_call *rop)
{
	const struct RopQueryNamedPropertiesRequest *q = (const struct RopQueryNamedPropertiesRequest *)rop->request;
	struct RopQueryNamedPropertiesResponse *a = (struct RopQueryNamedPropertiesResponse *)rop->response;
	struct mapi_property_name *names;
	uint16_t *ids;
	size_t count;
	int r = rop->in->kind == EMSMDB_LOGON ? store_names_all(rop_store(rop), rop->arena, &names, &ids, &count)
	                                      : named_of_object(rop, &names, &ids, &count);
	if (r < 0)
		return rop_status(rop, r);
	for (size_t i = 0; i < count; i++) {
		if (!is_asked(q, &names[i]))
			continue;
		names[a->IdCount] = names[i];
		ids[a->IdCount++] = ids[i];
	}
	a->PropertyNames = names;
	a->PropertyIds = ids;
	return 0;
}
