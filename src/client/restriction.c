#include "client/store.h"

/* Restrictions, outside and inside: [MS-OXCDATA] 2.12. */

#define MAX_DEPTH 16
#define MAX_PARTS 1024

static int take(struct mapiwire *m, struct arena *arena, const struct mapiwire_restriction *in,
                struct mapi_restriction *out, int depth);

static int take_parts(struct mapiwire *m, struct arena *arena, const struct mapiwire_restriction *in,
                      struct mapi_restriction *out, int depth)
{
	out->children = arena_new_array(arena, struct mapi_restriction, in->count);
	out->count = (uint32_t)in->count;
	if (!out->children)
		return client_fail_inside(m, MW_E_NOMEM, "a restriction");
	int r = 0;
	for (size_t i = 0; r == 0 && i < in->count; i++)
		r = take(m, arena, &in->parts[i], &out->children[i], depth + 1);
	return r;
}

static int take_value(struct mapiwire *m, struct arena *arena, const struct mapiwire_restriction *in,
                      struct mapi_restriction *out)
{
	out->tag = in->value.tag;
	out->values = arena_new_array(arena, struct mapi_value, 1);
	if (!out->values)
		return client_fail_inside(m, MW_E_NOMEM, "a restriction");
	return client_take_value(m, arena, &in->value, out->values);
}

static int take(struct mapiwire *m, struct arena *arena, const struct mapiwire_restriction *in,
                struct mapi_restriction *out, int depth)
{
	static const uint8_t types[] = {
	        [MAPIWIRE_AND] = MAPI_RES_AND,
	        [MAPIWIRE_OR] = MAPI_RES_OR,
	        [MAPIWIRE_NOT] = MAPI_RES_NOT,
	        [MAPIWIRE_CONTAINS] = MAPI_RES_CONTENT,
	        [MAPIWIRE_BEGINS] = MAPI_RES_CONTENT,
	        [MAPIWIRE_COMPARE] = MAPI_RES_PROPERTY,
	        [MAPIWIRE_BITS] = MAPI_RES_BITMASK,
	        [MAPIWIRE_EXISTS] = MAPI_RES_EXIST,
	        [MAPIWIRE_RECIPIENT] = MAPI_RES_SUB_OBJECT,
	};
	bool one = in->kind == MAPIWIRE_NOT || in->kind == MAPIWIRE_RECIPIENT;
	if ((unsigned)in->kind >= ARRAY_SIZE(types) || depth > MAX_DEPTH || in->count > MAX_PARTS ||
	    (one && in->count != 1))
		return client_fail_inside(m, MW_E_INVALID, "a restriction");
	*out = (struct mapi_restriction){.type = types[in->kind], .tag = in->value.tag};
	switch (in->kind) {
	case MAPIWIRE_CONTAINS:
	case MAPIWIRE_BEGINS:
		out->fuzzy_low = in->kind == MAPIWIRE_BEGINS ? MAPI_FUZZY_PREFIX : MAPI_FUZZY_SUBSTRING;
		out->fuzzy_high = MAPI_FUZZY_IGNORE_CASE | MAPI_FUZZY_IGNORE_NONSPACE;
		return take_value(m, arena, in, out);
	case MAPIWIRE_COMPARE:
		out->relop = (uint8_t)in->relation;
		return take_value(m, arena, in, out);
	case MAPIWIRE_BITS:
		out->relop = 1; /* BMR_NEZ */
		out->mask = (uint32_t)in->value.integer;
		return 0;
	case MAPIWIRE_EXISTS:
		return 0;
	case MAPIWIRE_RECIPIENT:
		out->tag = PidTagMessageRecipients;
		return take_parts(m, arena, in, out, depth);
	default:
		return take_parts(m, arena, in, out, depth);
	}
}

int client_take_restriction(struct mapiwire *m, struct arena *arena, const struct mapiwire_restriction *in,
                            struct mapi_restriction *out)
{
	return take(m, arena, in, out, 0);
}
