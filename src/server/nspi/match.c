#include "server/nspi/private.h"

#include <string.h>
#include <strings.h>

#define MAX_DEPTH 16
#define RELOP_EQ 4u /* [MS-OXCDATA] 2.12 */
#define RELOP_NE 5u
#define FUZZY_SUBSTRING 1u
#define FUZZY_PREFIX 2u

const char *nspi_value_text(const struct nspi_view *v, const struct PropertyValue_r *value)
{
	struct mapi_value m = {.tag = value->ulPropTag};
	switch (mapi_tag_type(value->ulPropTag)) {
	case PTYP_STRING8:
		m.u.str8 = value->Value.lpszA;
		return m.u.str8 ? mapi_value_utf8(v->call->arena, &m, v->code_page) : NULL;
	case PTYP_STRING:
		m.u.str16 = value->Value.lpszW;
		return m.u.str16 ? mapi_value_utf8(v->call->arena, &m, v->code_page) : NULL;
	default:
		return NULL;
	}
}

/* Whether the entry is among those that the text resolves to: [MS-OXNSPI] 3.1.4.1.6, PidTagAnr. */
static bool resolves(const struct nspi_view *v, const struct directory_user *u, const char *text)
{
	size_t n = directory_resolve(v->book, text, NULL, 0);
	const struct directory_user **found = arena_new_array(v->call->arena, const struct directory_user *, n);
	if (!found)
		return false;
	n = directory_resolve(v->book, text, found, n);
	for (size_t i = 0; i < n; i++)
		if (found[i] == u)
			return true;
	return false;
}

static bool compare_text(const char *have, const char *want, uint32_t how)
{
	if (how & FUZZY_SUBSTRING)
		return strcasestr(have, want) != NULL;
	if (how & FUZZY_PREFIX)
		return strncasecmp(have, want, strlen(want)) == 0;
	return strcasecmp(have, want) == 0;
}

/* Whether any text of the property compares. how: FUZZY_*, or 0 for equal. */
static bool match_text(const struct nspi_view *v, const struct directory_user *u, uint32_t tag, const char *want,
                       uint32_t how)
{
	struct mapi_value have;
	uint16_t type = mapi_tag_type(tag) & PTYP_MULTIPLE ? PTYP_MULTIPLE | PTYP_STRING : PTYP_STRING;
	if (mapi_tag_id(tag) == PidTagAddressBookProxyAddresses >> 16)
		type = PTYP_MULTIPLE | PTYP_STRING;
	if (nspi_property(v, u, mapi_tag_as(tag, type), &have) < 0)
		return false;
	unsigned n = type & PTYP_MULTIPLE ? have.count : 1;
	for (unsigned i = 0; i < n; i++) {
		struct mapi_value one = {.tag = MAPI_TAG(0, PTYP_STRING),
		                         .u = n > 1 || type & PTYP_MULTIPLE ? have.u.multi[i] : have.u};
		const char *text = mapi_value_utf8(v->call->arena, &one, v->code_page);
		if (text && compare_text(text, want, how))
			return true;
	}
	return false;
}

static int match_property(const struct nspi_view *v, const struct directory_user *u,
                          const struct PropertyRestriction_r *r, bool *out)
{
	struct mapi_value have;
	if (!r->lpProp || (r->relop != RELOP_EQ && r->relop != RELOP_NE))
		return MW_E_UNSUPPORTED;
	const char *text = nspi_value_text(v, r->lpProp);
	bool equal;
	if (mapi_tag_id(r->ulPropTag) == PidTagAnr >> 16)
		equal = text && resolves(v, u, text);
	else if (text)
		equal = match_text(v, u, r->ulPropTag, text, 0);
	else if (mapi_tag_type(r->ulPropTag) == PTYP_INTEGER32)
		equal = nspi_property(v, u, r->ulPropTag, &have) == 0 && have.u.i32 == r->lpProp->Value.l;
	else
		return MW_E_UNSUPPORTED;
	*out = r->relop == RELOP_EQ ? equal : !equal;
	return 0;
}

static int match_content(const struct nspi_view *v, const struct directory_user *u,
                         const struct ContentRestriction_r *r, bool *out)
{
	const char *text = r->lpProp ? nspi_value_text(v, r->lpProp) : NULL;
	if (!text)
		return MW_E_UNSUPPORTED;
	*out = mapi_tag_id(r->ulPropTag) == PidTagAnr >> 16
	               ? resolves(v, u, text)
	               : match_text(v, u, r->ulPropTag, text, r->ulFuzzyLevel & 0xFFFF);
	return 0;
}

static int match(const struct nspi_view *v, const struct directory_user *u, const struct Restriction_r *r,
                 unsigned depth, bool *out);

/* And, or: any says which. */
static int match_list(const struct nspi_view *v, const struct directory_user *u, const struct OrRestriction_r *list,
                      bool any, unsigned depth, bool *out)
{
	bool result = !any;
	for (uint32_t i = 0; i < list->cRes; i++) {
		bool one;
		int r = match(v, u, &list->lpRes[i], depth + 1, &one);
		if (r < 0)
			return r;
		result = any ? result || one : result && one;
	}
	*out = result;
	return 0;
}

static int match_not(const struct nspi_view *v, const struct directory_user *u, const struct Restriction_r *inner,
                     unsigned depth, bool *out)
{
	bool one;
	int r = inner ? match(v, u, inner, depth + 1, &one) : MW_E_UNSUPPORTED;
	if (r == 0)
		*out = !one;
	return r;
}

static int match(const struct nspi_view *v, const struct directory_user *u, const struct Restriction_r *r,
                 unsigned depth, bool *out)
{
	struct mapi_value value;
	if (depth > MAX_DEPTH)
		return MW_E_LIMIT;
	switch (r->rt) {
	case 0x00:
		return match_list(v, u, &r->res.resAnd, false, depth, out);
	case 0x01:
		return match_list(v, u, &r->res.resOr, true, depth, out);
	case 0x02:
		return match_not(v, u, r->res.resNot.lpRes, depth, out);
	case 0x03:
		return match_content(v, u, &r->res.resContent, out);
	case 0x04:
		return match_property(v, u, &r->res.resProperty, out);
	case 0x08:
		*out = nspi_property(v, u, r->res.resExist.ulPropTag, &value) == 0;
		return 0;
	default:
		return MW_E_UNSUPPORTED;
	}
}

int nspi_matches(const struct nspi_view *v, const struct directory_user *u, const struct Restriction_r *r, bool *out)
{
	return match(v, u, r, 0, out);
}
