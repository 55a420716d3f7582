#include "client/store.h"

#include "base/utf16.h"

#include <string.h>

/* Named properties: [MS-OXCPRPT] 2.2.12. */

#define CREATE 0x02 /* Flags, 2.2.12.1 */
#define MAX_NAMES 1000

static int take_name(struct arena *arena, const struct mapiwire_name *in, struct mapi_property_name *out)
{
	*out = (struct mapi_property_name){.kind = in->name ? MAPI_NAME_STRING : MAPI_NAME_LID, .lid = in->lid};
	guid_from_bytes(in->guid, &out->guid);
	if (in->name)
		out->name = utf8_to_utf16(arena, in->name, NULL);
	return in->name && !out->name ? MW_E_INVALID : 0;
}

static int ask(struct mapiwire_store *s, const struct mapiwire_name *names, size_t count, uint16_t *ids)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(s->m);
	struct client_rops b MW_CLEANUP(client_rops_cleanup) = {0};
	const void *answer = NULL;
	client_rops_begin(&b, s, arena);
	struct mapi_property_name *list = arena ? arena_new_array(arena, struct mapi_property_name, count) : NULL;
	int r = list ? 0 : client_failed(client_fail_inside(s->m, MW_E_NOMEM, "names of properties"));
	for (size_t i = 0; r == 0 && i < count; i++)
		if (take_name(arena, &names[i], &list[i]) < 0)
			r = client_fail_inside(s->m, MW_E_INVALID, "the name of a property");
	if (r != 0)
		return r;
	const struct RopGetPropertyIdsFromNamesRequest q = {
	        .InputHandleIndex = client_rops_handle(&b, s->logon),
	        .Flags = CREATE,
	        .PropertyNameCount = (uint16_t)count,
	        .PropertyNames = list,
	};
	r = client_rops_do(&b, ROP_GET_PROPERTY_IDS_FROM_NAMES, &q, &answer);
	if (r != 0)
		return r;
	const struct RopGetPropertyIdsFromNamesResponse *a = (const struct RopGetPropertyIdsFromNamesResponse *)answer;
	if (a->PropertyIdCount != count)
		return client_fail_on(s->m, MAPIWIRE_E_PROTOCOL, CAUSE_PROTOCOL_ERROR,
		                      "RopGetPropertyIdsFromNames answers %u of %zu names", a->PropertyIdCount, count);
	memcpy(ids, a->PropertyIds, count * sizeof *ids);
	return 0;
}

int mapiwire_names(struct mapiwire_store *s, const struct mapiwire_name *names, size_t count, uint16_t *ids)
{
	client_no_error(s->m);
	if (count == 0 || count > MAX_NAMES)
		return client_fail_inside(s->m, MW_E_INVALID, "the list of names");
	int r = client_store_enter(s);
	if (r != 0)
		return r;
	r = ask(s, names, count, ids);
	client_store_leave(s);
	return r;
}
