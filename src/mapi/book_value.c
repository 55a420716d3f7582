#include "mapi/book_value.h"

#include "base/guid.h"

/* Arrays of pointers to strings in NDR, of datums in memory. */
static int put_texts(struct arena *arena, const struct mapi_value *in, struct PropertyValue_r *out)
{
	bool wide = mapi_tag_type(in->tag) == (PTYP_MULTIPLE | PTYP_STRING);
	void **all = arena_new_array(arena, void *, in->count);
	if (!all)
		return MW_E_NOMEM;
	for (uint32_t i = 0; i < in->count; i++)
		all[i] = wide ? (void *)in->u.multi[i].str16 : (void *)in->u.multi[i].str8;
	if (wide) {
		out->Value.MVszW.cValues = in->count;
		out->Value.MVszW.lppszW = (uint16_t **)all;
	} else {
		out->Value.MVszA.cValues = in->count;
		out->Value.MVszA.lppszA = (char **)all;
	}
	return 0;
}

static int put_guid(struct arena *arena, const struct guid *in, struct FlatUID_r **out)
{
	struct FlatUID_r *uid = arena_new_of(arena, struct FlatUID_r);
	if (!uid)
		return MW_E_NOMEM;
	guid_to_bytes(in, uid->ab);
	*out = uid;
	return 0;
}

int mapi_book_put_value(struct arena *arena, const struct mapi_value *in, struct PropertyValue_r *out)
{
	struct PropertyValue_r v = {.ulPropTag = in->tag};
	int r = 0;
	switch (mapi_tag_type(in->tag)) {
	case PTYP_INTEGER16:
		v.Value.i = in->u.i16;
		break;
	case PTYP_INTEGER32:
		v.Value.l = in->u.i32;
		break;
	case PTYP_BOOLEAN:
		v.Value.b = in->u.boolean;
		break;
	case PTYP_STRING8:
		v.Value.lpszA = in->u.str8;
		break;
	case PTYP_STRING:
		v.Value.lpszW = in->u.str16;
		break;
	case PTYP_BINARY:
		v.Value.bin.cb = in->u.bin.size;
		v.Value.bin.lpb = in->u.bin.data;
		break;
	case PTYP_TIME:
		v.Value.ft.dwLowDateTime = (uint32_t)in->u.u64;
		v.Value.ft.dwHighDateTime = (uint32_t)(in->u.u64 >> 32);
		break;
	case PTYP_GUID:
		r = put_guid(arena, &in->u.guid, &v.Value.lpguid);
		break;
	case PTYP_ERROR_CODE:
		v.Value.err = (int32_t)in->u.error;
		break;
	case PTYP_MULTIPLE | PTYP_STRING:
	case PTYP_MULTIPLE | PTYP_STRING8:
		r = put_texts(arena, in, &v);
		break;
	default:
		return MW_E_UNSUPPORTED;
	}
	if (r == 0)
		*out = v;
	return r;
}

static int get_texts(struct arena *arena, const struct PropertyValue_r *in, struct mapi_value *out)
{
	bool wide = mapi_tag_type(in->ulPropTag) == (PTYP_MULTIPLE | PTYP_STRING);
	uint32_t count = wide ? in->Value.MVszW.cValues : in->Value.MVszA.cValues;
	const void *const *list =
	        wide ? (const void *const *)in->Value.MVszW.lppszW : (const void *const *)in->Value.MVszA.lppszA;
	union mapi_datum *all = arena_new_array(arena, union mapi_datum, count);
	if (!all)
		return MW_E_NOMEM;
	if (count > 0 && !list)
		return MW_E_MALFORMED;
	for (uint32_t i = 0; i < count; i++) {
		if (!list[i])
			return MW_E_MALFORMED;
		if (wide)
			all[i].str16 = in->Value.MVszW.lppszW[i];
		else
			all[i].str8 = in->Value.MVszA.lppszA[i];
	}
	out->count = count;
	out->u.multi = all;
	return 0;
}

int mapi_book_get_value(struct arena *arena, const struct PropertyValue_r *in, struct mapi_value *out)
{
	const union PROP_VAL_UNION *from = &in->Value;
	struct mapi_value v = {.tag = in->ulPropTag};
	bool there = true;
	int r = 0;
	switch (mapi_tag_type(in->ulPropTag)) {
	case PTYP_INTEGER16:
		v.u.i16 = from->i;
		break;
	case PTYP_INTEGER32:
		v.u.i32 = from->l;
		break;
	case PTYP_BOOLEAN:
		v.u.boolean = from->b != 0;
		break;
	case PTYP_STRING8:
		v.u.str8 = from->lpszA;
		there = from->lpszA != NULL;
		break;
	case PTYP_STRING:
		v.u.str16 = from->lpszW;
		there = from->lpszW != NULL;
		break;
	case PTYP_BINARY:
		v.u.bin = (struct mapi_binary){from->bin.cb, from->bin.lpb};
		there = from->bin.lpb || from->bin.cb == 0;
		break;
	case PTYP_TIME:
		v.u.u64 = (uint64_t)from->ft.dwHighDateTime << 32 | from->ft.dwLowDateTime;
		break;
	case PTYP_GUID:
		there = from->lpguid != NULL;
		if (there)
			guid_from_bytes(from->lpguid->ab, &v.u.guid);
		break;
	case PTYP_ERROR_CODE:
		v.u.error = (uint32_t)from->err;
		break;
	case PTYP_MULTIPLE | PTYP_STRING:
	case PTYP_MULTIPLE | PTYP_STRING8:
		r = get_texts(arena, in, &v);
		break;
	default:
		return MW_E_UNSUPPORTED;
	}
	if (!there)
		return MW_E_MALFORMED;
	if (r == 0)
		*out = v;
	return r;
}
