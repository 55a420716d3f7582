#include "server/emsmdb/rops.h"

/* Named properties: [MS-OXCPRPT]. */

#define NAMES_CREATE 0x02     /* Flags, [MS-OXCPRPT] 2.2.12.1 */
#define QUERY_NO_STRINGS 0x01 /* QueryFlags, 2.2.12.1: no names by text, no names by number */
#define QUERY_NO_IDS 0x02

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

static int named_of_object(struct rop_call *rop, struct mapi_property_name **names, uint16_t **ids, size_t *count)
{
	uint32_t *tags;
	size_t n, named = 0;
	int r = rop_list_tags(rop, &tags, &n);
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
