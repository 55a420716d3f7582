#include "base/time.h"
#include "client/book.h"

#include <string.h>

/* PropertyValue_r, [MS-OXNSPI] 2.2.2.3, to what the rest of the library holds. */

static int as_guid(const struct FlatUID_r *in, struct guid *out)
{
	if (in)
		guid_from_bytes(in->ab, out);
	return in ? 0 : MW_E_MALFORMED;
}

static uint64_t as_filetime(const struct FILETIME *ft)
{
	return (uint64_t)ft->dwHighDateTime << 32 | ft->dwLowDateTime;
}

static int single(const struct PropertyValue_r *in, struct mapi_value *out)
{
	const union PROP_VAL_UNION *v = &in->Value;
	switch (mapi_tag_type(in->ulPropTag)) {
	case PTYP_INTEGER16:
		out->u.i16 = v->i;
		return 0;
	case PTYP_INTEGER32:
		out->u.i32 = v->l;
		return 0;
	case PTYP_BOOLEAN:
		out->u.boolean = v->b != 0;
		return 0;
	case PTYP_ERROR_CODE:
		out->u.error = (uint32_t)v->err;
		return 0;
	case PTYP_STRING8:
		out->u.str8 = v->lpszA;
		return v->lpszA ? 0 : MW_E_MALFORMED;
	case PTYP_STRING:
		out->u.str16 = v->lpszW;
		return v->lpszW ? 0 : MW_E_MALFORMED;
	case PTYP_BINARY:
		out->u.bin = (struct mapi_binary){v->bin.cb, v->bin.lpb};
		return v->bin.lpb || v->bin.cb == 0 ? 0 : MW_E_MALFORMED;
	case PTYP_TIME:
		out->u.u64 = as_filetime(&v->ft);
		return 0;
	case PTYP_GUID:
		return as_guid(v->lpguid, &out->u.guid);
	default:
		out->tag = mapi_tag_as(in->ulPropTag, PTYP_NULL);
		return 0;
	}
}

static int texts8(struct arena *arena, const struct StringArray_r *in, struct mapi_value *out)
{
	out->count = in->lppszA ? in->cValues : 0;
	out->u.multi = arena_new_array(arena, union mapi_datum, out->count);
	for (uint32_t i = 0; out->u.multi && i < out->count; i++)
		out->u.multi[i].str8 = in->lppszA[i] ? in->lppszA[i] : (char *)"";
	return out->u.multi ? 0 : MW_E_NOMEM;
}

static int texts16(struct arena *arena, const struct WStringArray_r *in, struct mapi_value *out)
{
	static uint16_t empty[1];
	out->count = in->lppszW ? in->cValues : 0;
	out->u.multi = arena_new_array(arena, union mapi_datum, out->count);
	for (uint32_t i = 0; out->u.multi && i < out->count; i++)
		out->u.multi[i].str16 = in->lppszW[i] ? in->lppszW[i] : empty;
	return out->u.multi ? 0 : MW_E_NOMEM;
}

static int multiple(struct arena *arena, const struct PropertyValue_r *in, struct mapi_value *out)
{
	switch (mapi_tag_type(in->ulPropTag)) {
	case PTYP_MULTIPLE | PTYP_STRING8:
		return texts8(arena, &in->Value.MVszA, out);
	case PTYP_MULTIPLE | PTYP_STRING:
		return texts16(arena, &in->Value.MVszW, out);
	default: /* no caller of ours asks for them */
		out->tag = mapi_tag_as(in->ulPropTag, PTYP_NULL);
		return 0;
	}
}

int client_book_row(struct mapiwire *m, struct arena *arena, const struct PropertyRow_r *row, size_t columns,
                    struct mapiwire_value *out)
{
	if (!row->lpProps || row->cValues != columns)
		return client_fail_on(m, MAPIWIRE_E_PROTOCOL, CAUSE_PROTOCOL_ERROR,
		                      "a row of the address book has %u values, not %zu", row->cValues, columns);
	for (size_t i = 0; i < columns; i++) {
		const struct PropertyValue_r *p = &row->lpProps[i];
		struct mapi_value v = {.tag = p->ulPropTag};
		int r = mapi_tag_type(p->ulPropTag) & PTYP_MULTIPLE ? multiple(arena, p, &v) : single(p, &v);
		if (r != 0)
			return client_fail_inside(m, r, "a row of the address book");
		r = client_put_value(m, arena, &v, &out[i]);
		if (r != 0)
			return r;
	}
	return 0;
}
