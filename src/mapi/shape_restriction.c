#include "mapi/shape.h"

/* [MS-OXCDATA] 2.12 */

static int fixed_fields(struct ndr *n, struct mapi_restriction *p)
{
	int r;
	switch (p->type) {
	case MAPI_RES_CONTENT:
		if ((r = ndr_u16(n, "FuzzyLevelLow", &p->fuzzy_low)) < 0 ||
		    (r = ndr_u16(n, "FuzzyLevelHigh", &p->fuzzy_high)) < 0)
			return r;
		return shape_tag(n, "PropertyTag", &p->tag);
	case MAPI_RES_PROPERTY:
	case MAPI_RES_COMPARE_PROPS:
	case MAPI_RES_BITMASK:
	case MAPI_RES_SIZE:
		if ((r = ndr_u8(n, "RelOp", &p->relop)) < 0)
			return r;
		return shape_tag(n, "PropTag", &p->tag);
	case MAPI_RES_EXIST:
	case MAPI_RES_SUB_OBJECT:
		return shape_tag(n, "PropTag", &p->tag);
	case MAPI_RES_COUNT:
		return ndr_u32(n, "Count", &p->limit);
	default:
		return 0;
	}
}

static int child(struct ndr *n, struct mapi_restriction *p)
{
	if (shape_decodes(n) && !(p->children = arena_new_of(n->arena, struct mapi_restriction)))
		return MW_E_NOMEM;
	if (!p->children)
		return shape_fail(n, "Restriction", MW_E_INVALID);
	ndr_enter(n, "Restriction");
	int r = shape_restriction(n, p->children);
	ndr_leave(n);
	return r;
}

static int children(struct ndr *n, struct mapi_restriction *p)
{
	int r = shape_count(n, "RestrictCount", shape_context(n)->extended_rules ? 4 : 2, &p->count);
	if (r < 0 || (r = ndr_array(n, (void **)&p->children, p->count, sizeof *p->children, 1)) < 0)
		return r;
	for (uint32_t i = 0; r >= 0 && i < p->count; i++) {
		ndr_enter(n, shape_index(n, i));
		r = shape_restriction(n, &p->children[i]);
		ndr_leave(n);
	}
	return r;
}

/* 2.12.11: values, and maybe the restriction that they comment. */
static int comment(struct ndr *n, struct mapi_restriction *p)
{
	uint8_t present = p->children ? 1 : 0;
	int r = shape_count(n, "TaggedValuesCount", 1, &p->count);
	if (r < 0 || (r = shape_tagged_values(n, p->count, &p->values)) < 0 ||
	    (r = ndr_u8(n, "RestrictionPresent", &present)) < 0)
		return r;
	return present ? child(n, p) : 0;
}

static int variable_part(struct ndr *n, struct mapi_restriction *p)
{
	switch (p->type) {
	case MAPI_RES_AND:
	case MAPI_RES_OR:
		return children(n, p);
	case MAPI_RES_NOT:
	case MAPI_RES_SUB_OBJECT:
	case MAPI_RES_COUNT:
		return child(n, p);
	case MAPI_RES_CONTENT:
	case MAPI_RES_PROPERTY:
		return shape_tagged_values(n, 1, &p->values);
	case MAPI_RES_COMPARE_PROPS:
		return shape_tag(n, "PropTag2", &p->tag2);
	case MAPI_RES_BITMASK:
		return ndr_u32(n, "Mask", &p->mask);
	case MAPI_RES_SIZE:
		return ndr_u32(n, "Size", &p->size);
	case MAPI_RES_EXIST:
		return 0;
	case MAPI_RES_COMMENT:
		return comment(n, p);
	default:
		return shape_fail(n, "RestrictType", MW_E_MALFORMED);
	}
}

int shape_restriction(struct ndr *n, struct mapi_restriction *p)
{
	static const char *const names[] = {"And",     "Or",   "Not",   "Content",   "Property", "CompareProperties",
	                                    "BitMask", "Size", "Exist", "SubObject", "Comment",  "Count"};
	int r = shape_down(n);
	if (r < 0)
		return shape_fail(n, "Restriction", r);
	if ((r = shape_raw(n, "RestrictType", &p->type, 1)) >= 0) {
		shape_note(n, "RestrictType", 1, "%s", p->type < ARRAY_SIZE(names) ? names[p->type] : "unknown");
		r = fixed_fields(n, p);
	}
	if (r >= 0)
		r = variable_part(n, p);
	shape_up(n);
	return r;
}

int mapi_shape_restriction(struct ndr *n, void *value)
{
	struct mapi_restriction **v = value;
	if (!n)
		return SHAPE_LAYOUT(value, struct mapi_restriction *);
	if (!shape_decodes(n))
		return *v ? shape_restriction(n, *v) : 0;
	struct mapi_restriction *p = arena_new_of(n->arena, struct mapi_restriction);
	if (!p)
		return MW_E_NOMEM;
	int r = shape_restriction(n, p);
	if (r >= 0)
		*v = p;
	return r;
}
