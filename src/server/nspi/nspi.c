#include "server/accounts.h"
#include "server/nspi/private.h"

#include <stdlib.h>
#include <string.h>

/* One small function a method; [MS-OXNSPI] 3.1.4.1.x stands above each. */

static void drop_session(void *session)
{
	free(session);
}

/* A group can be joined by whoever knows its number: a handle is good only for the account that made it. */
static struct nspi_session *find_session(struct service_call *call, const struct idl_context_handle *handle)
{
	struct nspi_session *s = (struct nspi_session *)service_handle_find(call, handle);
	return s && s->account == call->account ? s : NULL;
}

/* Opens the view of a call; false when the handle is not of this client. */
static bool open_view(struct service_call *call, const struct idl_context_handle *handle, uint32_t code_page,
                      struct nspi_view *v)
{
	const struct nspi_session *s = find_session(call, handle);
	if (!s)
		return false;
	*v = (struct nspi_view){.call = call, .session = s, .code_page = code_page};
	v->book = accounts_snapshot(call->server);
	return true;
}

static enum service_result close_view(struct nspi_view *v)
{
	struct directory_snapshot *book = (struct directory_snapshot *)v->book;
	directory_snapshot_unref(&book);
	v->book = NULL;
	return SERVICE_DONE;
}

static enum service_result bad_handle(struct service_call *call)
{
	return service_fault(call, NCA_S_FAULT_CONTEXT_MISMATCH);
}

/* .1 NspiBind */
static enum service_result nspi_bind(struct service_call *call, void *args)
{
	struct NspiBind_args *a = (struct NspiBind_args *)args;
	if (!call->account) {
		a->ReturnValue = (int32_t)ecLoginFailure;
		return SERVICE_DONE;
	}
	if (a->pStat.CodePage == NSPI_CP_WINUNICODE) {
		a->ReturnValue = (int32_t)NSPI_E_UNKNOWN_CPID;
		return SERVICE_DONE;
	}
	struct nspi_session *s = (struct nspi_session *)calloc(1, sizeof *s);
	if (!s)
		return service_fault(call, NCA_S_SERVER_TOO_BUSY);
	s->account = call->account;
	random_system.fill(random_system.user, s->server_guid, sizeof s->server_guid);
	if (service_handle_create(call, s, drop_session, &a->contextHandle) < 0) {
		free(s);
		return service_fault(call, NCA_S_SERVER_TOO_BUSY);
	}
	if (a->pServerGuid)
		memcpy(a->pServerGuid->ab, s->server_guid, sizeof s->server_guid);
	a->ReturnValue = 0;
	return SERVICE_DONE;
}

/* .2 NspiUnbind: 1 is success, 2 failure */
static enum service_result nspi_unbind(struct service_call *call, void *args)
{
	struct NspiUnbind_args *a = (struct NspiUnbind_args *)args;
	struct nspi_session *s = find_session(call, &a->contextHandle);
	if (!s)
		return bad_handle(call);
	service_handle_close(call, &a->contextHandle);
	free(s);
	a->ReturnValue = 1;
	return SERVICE_DONE;
}

static uint32_t check_container(const struct STAT *stat)
{
	return stat->ContainerID == NSPI_GAL ? 0 : ecInvalidBookmark;
}

/* Moves a position by a signed number of rows and stays inside. */
static size_t moved(const struct nspi_view *v, size_t position, int32_t delta)
{
	size_t count = directory_count(v->book);
	if (delta < 0)
		return (size_t) - (int64_t)delta > position ? 0 : position - (size_t) - (int64_t)delta;
	return (size_t)delta > count - position ? count : position + (size_t)delta;
}

/* .8 NspiUpdateStat */
static enum service_result nspi_update_stat(struct service_call *call, void *args)
{
	struct NspiUpdateStat_args *a = (struct NspiUpdateStat_args *)args;
	struct nspi_view v;
	size_t from;
	if (!open_view(call, &a->hRpc, a->pStat.CodePage, &v))
		return bad_handle(call);
	uint32_t status = check_container(&a->pStat);
	if (status == 0 && nspi_locate(&v, &a->pStat, &from) < 0)
		status = ecNotFound;
	if (status == 0) {
		size_t to = moved(&v, from, a->pStat.Delta);
		nspi_place(&v, &a->pStat, to);
		if (a->plDelta)
			*a->plDelta = (int32_t)((int64_t)to - (int64_t)from);
	}
	a->ReturnValue = (int32_t)status;
	return close_view(&v);
}

static uint32_t query_table(struct nspi_view *v, struct NspiQueryRows_args *a)
{
	size_t from, total = directory_count(v->book);
	if (nspi_locate(v, &a->pStat, &from) < 0)
		return ecNotFound;
	from = moved(v, from, a->pStat.Delta);
	size_t n = total - from < a->Count ? total - from : a->Count;
	n = n < NSPI_MAX_ROWS ? n : NSPI_MAX_ROWS;
	const struct directory_user **users = arena_new_array(v->call->arena, const struct directory_user *, n);
	for (size_t i = 0; users && i < n; i++)
		users[i] = directory_at(v->book, from + i);
	if (!users || (a->ppRows = nspi_rows(v, users, (unsigned)n, a->pPropTags)) == NULL)
		return ecMAPIOOM;
	nspi_place(v, &a->pStat, from + n);
	return 0;
}

static uint32_t query_explicit(struct nspi_view *v, struct NspiQueryRows_args *a)
{
	uint32_t n = a->dwETableCount < a->Count ? a->dwETableCount : a->Count;
	n = n < NSPI_MAX_ROWS ? n : NSPI_MAX_ROWS;
	const struct directory_user **users = arena_new_array(v->call->arena, const struct directory_user *, n);
	for (uint32_t i = 0; users && i < n; i++)
		users[i] = directory_by_id(v->book, a->lpETable[i]);
	if (!users || (a->ppRows = nspi_rows(v, users, n, a->pPropTags)) == NULL)
		return ecMAPIOOM;
	return 0;
}

/* .9 NspiQueryRows */
static enum service_result nspi_query_rows(struct service_call *call, void *args)
{
	struct NspiQueryRows_args *a = (struct NspiQueryRows_args *)args;
	struct nspi_view v;
	if (!open_view(call, &a->hRpc, a->pStat.CodePage, &v))
		return bad_handle(call);
	v.ephemeral_ids = a->dwFlags & NSPI_F_EPH_ID;
	uint32_t status = check_container(&a->pStat);
	if (status == 0 && a->Count == 0 && !a->lpETable)
		status = ecInvalidParam;
	else if (status == 0 && a->pStat.CodePage == NSPI_CP_WINUNICODE)
		status = NSPI_E_UNKNOWN_CPID;
	else if (status == 0)
		status = a->lpETable ? query_explicit(&v, a) : query_table(&v, a);
	a->ReturnValue = (int32_t)status;
	return close_view(&v);
}

/* The first position, at or after from, whose name is not below text. */
static uint32_t seek_name(struct nspi_view *v, struct NspiSeekEntries_args *a)
{
	const char *text = nspi_value_text(v, &a->pTarget);
	if (!text || a->pStat.SortType != NSPI_SORT_DISPLAY_NAME ||
	    mapi_tag_id(a->pTarget.ulPropTag) != PidTagDisplayName >> 16)
		return a->pStat.SortType == NSPI_SORT_PHONETIC_DISPLAY_NAME ? ecNotSupported : ecError;
	size_t at = directory_seek(v->book, text);
	if (at >= directory_count(v->book))
		return ecNotFound;
	if (a->pPropTags) {
		const struct directory_user *u = directory_at(v->book, at);
		if ((a->ppRows = nspi_rows(v, &u, 1, a->pPropTags)) == NULL)
			return ecMAPIOOM;
	}
	nspi_place(v, &a->pStat, at);
	return 0;
}

/* The first of the listed entries whose name is not below text; its index goes to NumPos. */
static uint32_t seek_in_list(struct nspi_view *v, struct NspiSeekEntries_args *a)
{
	const char *text = nspi_value_text(v, &a->pTarget);
	if (!text || mapi_tag_id(a->pTarget.ulPropTag) != PidTagDisplayName >> 16)
		return ecError;
	size_t least = directory_seek(v->book, text), at;
	for (uint32_t i = 0; i < a->lpETable->cValues; i++) {
		const struct directory_user *u = directory_by_id(v->book, a->lpETable->aulPropTag[i]);
		if (!u || directory_position(v->book, u->id, &at) < 0 || at < least)
			continue;
		a->pStat.CurrentRec = u->id;
		a->pStat.NumPos = i;
		a->pStat.TotalRecs = a->lpETable->cValues;
		a->pStat.Delta = 0;
		if (a->pPropTags && (a->ppRows = nspi_rows(v, &u, 1, a->pPropTags)) == NULL)
			return ecMAPIOOM;
		return 0;
	}
	return ecNotFound;
}

/* .10 NspiSeekEntries */
static enum service_result nspi_seek_entries(struct service_call *call, void *args)
{
	struct NspiSeekEntries_args *a = (struct NspiSeekEntries_args *)args;
	struct nspi_view v;
	if (!open_view(call, &a->hRpc, a->pStat.CodePage, &v))
		return bad_handle(call);
	uint32_t status = check_container(&a->pStat);
	if (status == 0)
		status = a->lpETable ? seek_in_list(&v, a) : seek_name(&v, a);
	a->ReturnValue = (int32_t)status;
	return close_view(&v);
}

/* Whether the filter is a plain question for a name: then the directory's index answers. */
static const char *plain_anr(const struct nspi_view *v, const struct Restriction_r *filter)
{
	const struct PropertyRestriction_r *p = &filter->res.resProperty;
	if (filter->rt != 0x04 || p->relop != 4 || mapi_tag_id(p->ulPropTag) != PidTagAnr >> 16 || !p->lpProp)
		return NULL;
	return nspi_value_text(v, p->lpProp);
}

/* Entries that match, in list order, at most max; MW_E_LIMIT when there are more. */
static int find_matches(struct nspi_view *v, const struct Restriction_r *filter, const struct directory_user **found,
                        size_t max, size_t *count)
{
	const char *anr = plain_anr(v, filter);
	size_t n = 0;
	if (anr) {
		n = directory_resolve(v->book, anr, found, max);
		*count = n < max ? n : max;
		return n > max ? MW_E_LIMIT : 0;
	}
	for (size_t i = 0; i < directory_count(v->book); i++) {
		const struct directory_user *u = directory_at(v->book, i);
		bool fits;
		int r = nspi_matches(v, u, filter, &fits);
		if (r < 0)
			return r;
		if (fits && n == max)
			return MW_E_LIMIT;
		if (fits)
			found[n++] = u;
	}
	*count = n;
	return 0;
}

static uint32_t get_matches(struct nspi_view *v, struct NspiGetMatches_args *a)
{
	if (a->pStat.SortType != NSPI_SORT_DISPLAY_NAME)
		return ecNotSupported;
	if (!a->Filter)
		return ecInvalidParam;
	size_t max = a->ulRequested < NSPI_MAX_ROWS ? a->ulRequested : NSPI_MAX_ROWS, n = 0;
	const struct directory_user **found = arena_new_array(v->call->arena, const struct directory_user *, max + 1);
	if (!found)
		return ecMAPIOOM;
	int r = find_matches(v, a->Filter, found, max, &n);
	if (r < 0)
		return r == MW_E_LIMIT ? ecTableTooBig : ecTooComplex;
	if ((a->ppOutMIds = nspi_tags(v->call->arena, (unsigned)n)) == NULL)
		return ecMAPIOOM;
	for (size_t i = 0; i < n; i++)
		a->ppOutMIds->aulPropTag[i] = found[i]->id;
	if (a->pPropTags && (a->ppRows = nspi_rows(v, found, (unsigned)n, a->pPropTags)) == NULL)
		return ecMAPIOOM;
	return 0;
}

/* .11 NspiGetMatches */
static enum service_result nspi_get_matches(struct service_call *call, void *args)
{
	struct NspiGetMatches_args *a = (struct NspiGetMatches_args *)args;
	struct nspi_view v;
	if (!open_view(call, &a->hRpc, a->pStat.CodePage, &v))
		return bad_handle(call);
	uint32_t status = check_container(&a->pStat);
	a->ReturnValue = (int32_t)(status ? status : get_matches(&v, a));
	return close_view(&v);
}

struct ranked {
	uint32_t id;
	size_t position;
};

static int by_position(const void *a, const void *b)
{
	const struct ranked *x = (const struct ranked *)a, *y = (const struct ranked *)b;
	return x->position < y->position ? -1 : x->position > y->position;
}

/* .12 NspiResortRestriction: those that exist, in the list's order */
static enum service_result nspi_resort(struct service_call *call, void *args)
{
	struct NspiResortRestriction_args *a = (struct NspiResortRestriction_args *)args;
	struct nspi_view v;
	if (!open_view(call, &a->hRpc, a->pStat.CodePage, &v))
		return bad_handle(call);
	uint32_t n = 0, count = a->pInMIds.cValues;
	struct ranked *ranked = arena_new_array(call->arena, struct ranked, count);
	for (uint32_t i = 0; ranked && i < count; i++) {
		ranked[n].id = a->pInMIds.aulPropTag[i];
		if (directory_position(v.book, ranked[n].id, &ranked[n].position) == 0)
			n++;
	}
	struct PropertyTagArray_r *out = ranked ? nspi_tags(call->arena, n) : NULL;
	if (out) {
		qsort(ranked, n, sizeof *ranked, by_position);
		for (uint32_t i = 0; i < n; i++)
			out->aulPropTag[i] = ranked[i].id;
		a->ppOutMIds = out;
		a->pStat.TotalRecs = n;
		a->pStat.NumPos = 0;
	}
	a->ReturnValue = out ? 0 : (int32_t)ecMAPIOOM;
	return close_view(&v);
}

/* .13 NspiDNToMId */
static enum service_result nspi_dn_to_mid(struct service_call *call, void *args)
{
	struct NspiDNToMId_args *a = (struct NspiDNToMId_args *)args;
	struct nspi_view v;
	if (!open_view(call, &a->hRpc, NSPI_CP_WINUNICODE, &v))
		return bad_handle(call);
	a->ppOutMIds = nspi_tags(call->arena, a->pNames.Count);
	for (uint32_t i = 0; a->ppOutMIds && i < a->pNames.Count; i++) {
		const char *dn = a->pNames.Strings[i];
		const struct directory_user *u = dn ? directory_by_dn(v.book, dn) : NULL;
		a->ppOutMIds->aulPropTag[i] = u ? u->id : 0;
	}
	a->ReturnValue = a->ppOutMIds ? 0 : (int32_t)ecMAPIOOM;
	return close_view(&v);
}

/* The known tags, texts as PTYP_STRING8 unless Unicode is wanted; those that u has when u is given. */
static struct PropertyTagArray_r *known_tags(struct nspi_view *v, const struct directory_user *u, bool unicode)
{
	struct PropertyTagArray_r *out = nspi_tags(v->call->arena, nspi_known_tag_count);
	uint32_t n = 0;
	for (unsigned i = 0; out && i < nspi_known_tag_count; i++) {
		uint32_t tag = nspi_known_tags[i];
		struct mapi_value value;
		if (u && nspi_property(v, u, tag, &value) < 0)
			continue;
		if (!unicode && (mapi_tag_type(tag) & ~PTYP_MULTIPLE) == PTYP_STRING)
			tag = mapi_tag_as(tag, (mapi_tag_type(tag) & PTYP_MULTIPLE) | PTYP_STRING8);
		out->aulPropTag[n++] = tag;
	}
	if (out)
		out->cValues = n;
	return out;
}

/* .6 NspiGetPropList */
static enum service_result nspi_get_prop_list(struct service_call *call, void *args)
{
	struct NspiGetPropList_args *a = (struct NspiGetPropList_args *)args;
	struct nspi_view v;
	if (!open_view(call, &a->hRpc, a->CodePage, &v))
		return bad_handle(call);
	const struct directory_user *u = directory_by_id(v.book, a->dwMId);
	uint32_t status = 0;
	if (!u)
		status = ecNotFound;
	else if ((a->ppPropTags = known_tags(&v, u, a->CodePage == NSPI_CP_WINUNICODE)) == NULL)
		status = ecMAPIOOM;
	a->ReturnValue = (int32_t)status;
	return close_view(&v);
}

static uint32_t get_props(struct nspi_view *v, struct NspiGetProps_args *a)
{
	const struct directory_user *u = directory_by_id(v->book, a->pStat.CurrentRec);
	struct PropertyTagArray_r *tags = a->pPropTags;
	bool all = true;
	if (!u)
		return ecNotFound;
	if (!tags && (tags = known_tags(v, u, a->pStat.CodePage == NSPI_CP_WINUNICODE)) == NULL)
		return ecMAPIOOM;
	struct PropertyRow_r *row = arena_new_of(v->call->arena, struct PropertyRow_r);
	if (!row || nspi_row(v, u, tags->aulPropTag, tags->cValues, row, &all) < 0)
		return ecMAPIOOM;
	a->ppRows = row;
	return all ? 0 : ecWarnWithErrors;
}

/* .7 NspiGetProps */
static enum service_result nspi_get_props(struct service_call *call, void *args)
{
	struct NspiGetProps_args *a = (struct NspiGetProps_args *)args;
	struct nspi_view v;
	if (!open_view(call, &a->hRpc, a->pStat.CodePage, &v))
		return bad_handle(call);
	v.ephemeral_ids = a->dwFlags & NSPI_F_EPH_ID;
	uint32_t status = check_container(&a->pStat);
	a->ReturnValue = (int32_t)(status ? status : get_props(&v, a));
	return close_view(&v);
}

/* .17 NspiCompareMIds */
static enum service_result nspi_compare(struct service_call *call, void *args)
{
	struct NspiCompareMIds_args *a = (struct NspiCompareMIds_args *)args;
	struct nspi_view v;
	size_t one, two;
	if (!open_view(call, &a->hRpc, a->pStat.CodePage, &v))
		return bad_handle(call);
	bool there = directory_position(v.book, a->MId1, &one) == 0 && directory_position(v.book, a->MId2, &two) == 0;
	if (there)
		a->plResult = one < two ? -1 : one > two;
	a->ReturnValue = there ? 0 : (int32_t)ecError;
	return close_view(&v);
}

/* .3 NspiGetSpecialTable */
static enum service_result nspi_get_special_table(struct service_call *call, void *args)
{
	struct NspiGetSpecialTable_args *a = (struct NspiGetSpecialTable_args *)args;
	struct nspi_view v;
	uint32_t status = 0;
	if (!open_view(call, &a->hRpc, a->pStat.CodePage, &v))
		return bad_handle(call);
	if (a->dwFlags & NSPI_ADDRESS_CREATION_TEMPLATES) {
		/* No templates for creating entries: an empty table. */
		a->ppRows = nspi_rows(&v, NULL, 0, NULL);
	} else {
		a->lpVersion = 1; /* the one container never changes */
		a->ppRows = nspi_hierarchy(&v, a->dwFlags & NSPI_UNICODE_STRINGS);
	}
	if (!a->ppRows)
		status = ecMAPIOOM;
	a->ReturnValue = (int32_t)status;
	return close_view(&v);
}

/* .4 NspiGetTemplateInfo: there are no display templates, in any language */
static enum service_result nspi_get_template_info(struct service_call *call, void *args)
{
	struct NspiGetTemplateInfo_args *a = (struct NspiGetTemplateInfo_args *)args;
	if (!find_session(call, &a->hRpc))
		return bad_handle(call);
	a->ReturnValue = (int32_t)NSPI_E_UNKNOWN_LCID;
	return SERVICE_DONE;
}

/* .14, .15: the directory is written by its own tools only */
static enum service_result nspi_mod_props(struct service_call *call, void *args)
{
	struct NspiModProps_args *a = (struct NspiModProps_args *)args;
	if (!find_session(call, &a->hRpc))
		return bad_handle(call);
	a->ReturnValue = (int32_t)ecNotSupported;
	return SERVICE_DONE;
}

static enum service_result nspi_mod_link_att(struct service_call *call, void *args)
{
	struct NspiModLinkAtt_args *a = (struct NspiModLinkAtt_args *)args;
	if (!find_session(call, &a->hRpc))
		return bad_handle(call);
	a->ReturnValue = (int32_t)ecNotSupported;
	return SERVICE_DONE;
}

/* .5 NspiQueryColumns */
static enum service_result nspi_query_columns(struct service_call *call, void *args)
{
	struct NspiQueryColumns_args *a = (struct NspiQueryColumns_args *)args;
	struct nspi_view v;
	if (!open_view(call, &a->hRpc, NSPI_CP_WINUNICODE, &v))
		return bad_handle(call);
	a->ppColumns = known_tags(&v, NULL, a->dwFlags & NSPI_F_UNICODE_PROPTYPES);
	a->ReturnValue = a->ppColumns ? 0 : (int32_t)ecMAPIOOM;
	return close_view(&v);
}

/* ---- .18, .19: NspiResolveNames, NspiResolveNamesW ---- */

static uint32_t resolve_one(const struct nspi_view *v, const char *name, const struct directory_user **out)
{
	size_t n = name && *name ? directory_resolve(v->book, name, out, 1) : 0;
	return n == 0 ? NSPI_MID_UNRESOLVED : n == 1 ? NSPI_MID_RESOLVED : NSPI_MID_AMBIGUOUS;
}

static uint32_t resolve_all(struct nspi_view *v, const char *const *names, uint32_t count,
                            const struct PropertyTagArray_r *tags, struct PropertyTagArray_r **mids,
                            struct PropertyRowSet_r **rows)
{
	const struct directory_user **found = arena_new_array(v->call->arena, const struct directory_user *, count);
	struct PropertyTagArray_r *out = nspi_tags(v->call->arena, count);
	uint32_t n = 0;
	if (!found || !out)
		return ecMAPIOOM;
	for (uint32_t i = 0; i < count; i++) {
		out->aulPropTag[i] = resolve_one(v, names[i], &found[n]);
		if (out->aulPropTag[i] == NSPI_MID_RESOLVED)
			n++;
	}
	struct PropertyRowSet_r *set = nspi_rows(v, found, n, tags);
	if (!set)
		return ecMAPIOOM;
	*mids = out;
	*rows = set;
	return 0;
}

static uint32_t resolve_checks(const struct STAT *stat)
{
	if (stat->CodePage == NSPI_CP_WINUNICODE)
		return NSPI_E_UNKNOWN_CPID;
	return check_container(stat);
}

static enum service_result nspi_resolve_names(struct service_call *call, void *args)
{
	struct NspiResolveNames_args *a = (struct NspiResolveNames_args *)args;
	struct nspi_view v;
	if (!open_view(call, &a->hRpc, a->pStat.CodePage, &v))
		return bad_handle(call);
	uint32_t n = a->paStr.Count, status = resolve_checks(&a->pStat);
	const char **names = arena_new_array(call->arena, const char *, n);
	for (uint32_t i = 0; names && i < n; i++) {
		struct mapi_value m = {.tag = MAPI_TAG(0, PTYP_STRING8), .u.str8 = a->paStr.Strings[i]};
		names[i] = m.u.str8 ? mapi_value_utf8(call->arena, &m, v.code_page) : NULL;
	}
	if (status == 0)
		status = names ? resolve_all(&v, names, n, a->pPropTags, &a->ppMIds, &a->ppRows) : ecMAPIOOM;
	a->ReturnValue = (int32_t)status;
	return close_view(&v);
}

static enum service_result nspi_resolve_names_w(struct service_call *call, void *args)
{
	struct NspiResolveNamesW_args *a = (struct NspiResolveNamesW_args *)args;
	struct nspi_view v;
	if (!open_view(call, &a->hRpc, a->pStat.CodePage, &v))
		return bad_handle(call);
	uint32_t n = a->paWStr.Count, status = resolve_checks(&a->pStat);
	const char **names = arena_new_array(call->arena, const char *, n);
	for (uint32_t i = 0; names && i < n; i++) {
		struct mapi_value m = {.tag = MAPI_TAG(0, PTYP_STRING), .u.str16 = a->paWStr.Strings[i]};
		names[i] = m.u.str16 ? mapi_value_utf8(call->arena, &m, v.code_page) : NULL;
	}
	if (status == 0)
		status = names ? resolve_all(&v, names, n, a->pPropTags, &a->ppMIds, &a->ppRows) : ecMAPIOOM;
	a->ReturnValue = (int32_t)status;
	return close_view(&v);
}

/* 15, 17 and 18 are not part of [MS-OXNSPI]: op-range faults. */
static const service_fn methods[] = {
        nspi_bind,
        nspi_unbind,
        nspi_update_stat,
        nspi_query_rows,
        nspi_seek_entries,
        nspi_get_matches,
        nspi_resort,
        nspi_dn_to_mid,
        nspi_get_prop_list,
        nspi_get_props,
        nspi_compare,
        nspi_mod_props,
        nspi_get_special_table,
        nspi_get_template_info,
        nspi_mod_link_att,
        NULL,
        nspi_query_columns,
        NULL,
        NULL,
        nspi_resolve_names,
        nspi_resolve_names_w,
};

const struct service nspi_service = {
        .interface = &wire_nspi_interface,
        .methods = methods,
        .method_count = ARRAY_SIZE(methods),
        .ports = 1u << SERVER_PORT_NSPI | SERVICE_OVER_HTTP,
        .http_endpoint = SERVER_HTTP_NSPI,
        .annotation = "MS Exchange Directory NSPI Proxy",
};
