#include "client/book.h"

#include "mapi/book_value.h"

/* What the rest of the library holds; of a type that no caller of ours asks for, that there is a value. */
static int value_of(struct arena *arena, const struct PropertyValue_r *in, struct mapi_value *out)
{
	int r = mapi_book_get_value(arena, in, out);
	if (r != MW_E_UNSUPPORTED)
		return r;
	*out = (struct mapi_value){.tag = mapi_tag_as(in->ulPropTag, PTYP_NULL)};
	return 0;
}

int client_book_row(struct mapiwire *m, struct arena *arena, const struct PropertyRow_r *row, size_t columns,
                    struct mapiwire_value *out)
{
	if (!row->lpProps || row->cValues != columns)
		return client_fail_on(m, MAPIWIRE_E_PROTOCOL, CAUSE_PROTOCOL_ERROR,
		                      "a row of the address book has %u values, not %zu", row->cValues, columns);
	for (size_t i = 0; i < columns; i++) {
		const struct PropertyValue_r *p = &row->lpProps[i];
		struct mapi_value v;
		int r = value_of(arena, p, &v);
		if (r != 0)
			return client_fail_inside(m, r, "a row of the address book");
		r = client_put_value(m, arena, &v, &out[i]);
		if (r != 0)
			return r;
	}
	return 0;
}
