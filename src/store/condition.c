#include "store/condition.h"

#include "base/utf16.h"
#include "mapi/tags.h"
#include "store/message.h"

#include <stdlib.h>
#include <string.h>
#include <unicode/uchar.h>
#include <unicode/ucol.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>

#define ARENA_MAX ((size_t)4 << 20)
#define SCRATCH_MAX ((size_t)4 << 20)
#define TAGS_MAX 512
#define DEPTH_MAX 64

/* What a condition is asked of: a row of the table, or one of a message's recipients. */
struct subject {
	struct store_condition *c;
	struct arena *scratch;
	const uint32_t *tags; /* NULL: values are found by their own tags */
	const struct mapi_value *values;
	size_t count;
};

static const struct mapi_value *value_of(const struct subject *s, uint32_t tag)
{
	const struct mapi_value *v = NULL;

	if (!s->tags)
		return mapi_find(s->values, s->count, tag);
	for (size_t i = 0; i < s->count && !v; i++)
		if (mapi_tag_id(s->tags[i]) == mapi_tag_id(tag))
			v = &s->values[i];
	return v && v->flag == MAPI_FLAG_VALUE ? v : NULL;
}

/* ---- Texts, [MS-OXCDATA] 2.12.4 ---- */

uint16_t *store_text_fold(struct arena *arena, const uint16_t *text, uint16_t level)
{
	UErrorCode error = U_ZERO_ERROR;
	int32_t n = (int32_t)utf16_len(text), cap = n * 3 + 1;
	uint16_t *out = arena_new_array(arena, uint16_t, (size_t)cap);

	if (out && level & (MAPI_FUZZY_IGNORE_CASE | MAPI_FUZZY_LOOSE))
		u_strFoldCase((UChar *)out, cap, (const UChar *)text, n, U_FOLD_CASE_DEFAULT, &error);
	else if (out)
		memcpy(out, text, (size_t)n * 2);
	if (!out || U_FAILURE(error) || !(level & (MAPI_FUZZY_IGNORE_NONSPACE | MAPI_FUZZY_LOOSE)))
		return U_FAILURE(error) ? NULL : out;
	const UNormalizer2 *nfd = unorm2_getNFDInstance(&error);
	int32_t length = (int32_t)utf16_len(out);
	uint16_t *apart = arena_new_array(arena, uint16_t, (size_t)length * 4 + 1);
	if (!apart || U_FAILURE(error))
		return NULL;
	length = unorm2_normalize(nfd, (const UChar *)out, length, (UChar *)apart, length * 4 + 1, &error);
	if (U_FAILURE(error))
		return NULL;
	int32_t kept = 0;
	for (int32_t i = 0; i < length; i++)
		if (u_charType(apart[i]) != U_NON_SPACING_MARK)
			apart[kept++] = apart[i];
	apart[kept] = 0;
	return apart;
}

/* Whether some word of the text begins like that. */
static bool has_word(const uint16_t *text, const uint16_t *word, int32_t n)
{
	for (size_t i = 0; text[i]; i++)
		if ((i == 0 || !u_isalnum(text[i - 1])) &&
		    u_strncmp((const UChar *)text + i, (const UChar *)word, n) == 0)
			return true;
	return false;
}

/* [MS-OXCFOLD] 2.2.1.4.1, CONTENT_INDEXED_SEARCH: each word of the pattern begins one of the text. */
static bool words_match(const struct subject *s, const uint16_t *text, const uint16_t *pattern)
{
	const uint16_t *a = store_text_fold(s->scratch, text, MAPI_FUZZY_LOOSE),
	               *b = store_text_fold(s->scratch, pattern, MAPI_FUZZY_LOOSE);

	for (int32_t i = 0, n; a && b && b[i]; i += n) {
		for (n = 0; u_isalnum(b[i + n]); n++)
			;
		if (n > 0 && !has_word(a, b + i, n))
			return false;
		n += n == 0;
	}
	return a && b;
}

static bool text_matches(const struct subject *s, const struct mapi_restriction *r, const uint16_t *text,
                         const uint16_t *pattern)
{
	if (s->c->by_words && r->fuzzy_low != MAPI_FUZZY_FULL)
		return words_match(s, text, pattern);
	const uint16_t *a = store_text_fold(s->scratch, text, r->fuzzy_high),
	               *b = store_text_fold(s->scratch, pattern, r->fuzzy_high);

	if (!a || !b)
		return false;
	switch (r->fuzzy_low) {
	case MAPI_FUZZY_FULL:
		return u_strcmp((const UChar *)a, (const UChar *)b) == 0;
	case MAPI_FUZZY_SUBSTRING:
		return u_strstr((const UChar *)a, (const UChar *)b) != NULL;
	default:
		return u_strncmp((const UChar *)a, (const UChar *)b, (int32_t)utf16_len(b)) == 0;
	}
}

static bool bytes_match(const struct mapi_restriction *r, const struct mapi_binary *a, const struct mapi_binary *b)
{
	if (b->size == 0)
		return r->fuzzy_low != MAPI_FUZZY_FULL || a->size == 0;
	if (b->size > a->size)
		return false;
	switch (r->fuzzy_low) {
	case MAPI_FUZZY_FULL:
		return a->size == b->size && memcmp(a->data, b->data, b->size) == 0;
	case MAPI_FUZZY_SUBSTRING:
		return memmem(a->data, a->size, b->data, b->size) != NULL;
	default:
		return memcmp(a->data, b->data, b->size) == 0;
	}
}

static bool content_of_one(const struct subject *s, const struct mapi_restriction *r, uint16_t type,
                           const union mapi_datum *u)
{
	const struct mapi_value *pattern = &r->values[0];
	uint16_t asked = mapi_tag_type(pattern->tag) & ~PTYP_MULTIPLE;

	if (asked != type)
		return false;
	const union mapi_datum *p = mapi_tag_type(pattern->tag) & PTYP_MULTIPLE ? pattern->u.multi : &pattern->u;
	if (type == PTYP_STRING)
		return text_matches(s, r, u->str16, p->str16);
	return type == PTYP_BINARY && bytes_match(r, &u->bin, &p->bin);
}

static bool content(const struct subject *s, const struct mapi_restriction *r)
{
	const struct mapi_value *v = value_of(s, r->tag);
	uint16_t type = v ? mapi_tag_type(v->tag) : 0;

	if (!v || !r->values)
		return false;
	if (!(type & PTYP_MULTIPLE))
		return content_of_one(s, r, type, &v->u);
	for (uint32_t i = 0; i < v->count; i++)
		if (content_of_one(s, r, type & ~PTYP_MULTIPLE, &v->u.multi[i]))
			return true;
	return false;
}

/* ---- Comparing ---- */

static bool relates(uint8_t relop, int order)
{
	switch (relop) {
	case MAPI_RELOP_LT:
		return order < 0;
	case MAPI_RELOP_LE:
		return order <= 0;
	case MAPI_RELOP_GT:
		return order > 0;
	case MAPI_RELOP_GE:
		return order >= 0;
	case MAPI_RELOP_EQ:
		return order == 0;
	default:
		return order != 0;
	}
}

static int compare(const struct subject *s, const struct mapi_value *a, const struct mapi_value *b)
{
	if (a->tag == PTYP_STRING && b->tag == PTYP_STRING)
		return (int)ucol_strcoll(s->c->m->collator, (const UChar *)a->u.str16, -1, (const UChar *)b->u.str16,
		                         -1);
	return mapi_value_compare(a, b);
}

/* The element of a multiple value, or the value itself; its tag only tells the type. */
static struct mapi_value element(const struct mapi_value *v, uint32_t index)
{
	uint16_t type = mapi_tag_type(v->tag);

	if (type & PTYP_MULTIPLE)
		return (struct mapi_value){.tag = type & ~PTYP_MULTIPLE, .u = v->u.multi[index]};
	return (struct mapi_value){.tag = type, .u = v->u};
}

static uint32_t elements(const struct mapi_value *v)
{
	return mapi_tag_type(v->tag) & PTYP_MULTIPLE ? v->count : 1;
}

/* True when one of the elements relates to the other side; two multiple values compare as wholes. */
static bool any_relates(const struct subject *s, uint8_t relop, const struct mapi_value *a, const struct mapi_value *b)
{
	if (elements(b) == 0 || (mapi_tag_type(a->tag) & mapi_tag_type(b->tag) & PTYP_MULTIPLE))
		return mapi_tag_type(a->tag) == mapi_tag_type(b->tag) && relates(relop, mapi_value_compare(a, b));
	struct mapi_value right = element(b, 0);
	for (uint32_t i = 0; i < elements(a); i++) {
		struct mapi_value left = element(a, i);
		if (left.tag == right.tag && relates(relop, compare(s, &left, &right)))
			return true;
	}
	return false;
}

static bool property(const struct subject *s, const struct mapi_restriction *r)
{
	const struct mapi_value *v = value_of(s, r->tag);

	if (!v || !r->values)
		return !v && r->relop == MAPI_RELOP_NE;
	return any_relates(s, r->relop, v, &r->values[0]);
}

static bool compare_properties(const struct subject *s, const struct mapi_restriction *r)
{
	const struct mapi_value *a = value_of(s, r->tag), *b = value_of(s, r->tag2);

	return a && b && any_relates(s, r->relop, a, b);
}

static bool bitmask(const struct subject *s, const struct mapi_restriction *r)
{
	const struct mapi_value *v = value_of(s, r->tag);
	bool set;

	if (!v || mapi_tag_type(v->tag) != PTYP_INTEGER32)
		return false;
	set = (uint32_t)v->u.i32 & r->mask;
	return r->relop == 0 ? !set : set;
}

/* The bytes that the value takes, [MS-OXCDATA] 2.12.8: without counts and terminators. */
static uint32_t size_of(const struct mapi_value *v)
{
	switch (mapi_tag_type(v->tag)) {
	case PTYP_STRING:
		return (uint32_t)utf16_len(v->u.str16) * 2;
	case PTYP_BINARY:
	case PTYP_OBJECT:
		return v->u.bin.size;
	default:
		return (uint32_t)mapi_value_size(v);
	}
}

static bool size(const struct subject *s, const struct mapi_restriction *r)
{
	const struct mapi_value *v = value_of(s, r->tag);
	uint32_t n = v ? size_of(v) : 0;

	return v && relates(r->relop, (n > r->size) - (n < r->size));
}

/* ---- The tree ---- */

static bool meets(const struct subject *s, const struct mapi_restriction *r);

/* One of the message's recipients meets it. */
static bool sub_object(const struct subject *s, const struct mapi_restriction *r)
{
	const struct mapi_value *id = value_of(s, PidTagMid);
	struct store_message *msg = NULL;
	bool found = false;

	if (!id || !s->tags || store_message_open(s->c->m, 0, id->u.u64, false, &msg) < 0)
		return false;
	for (size_t i = 0; !found && i < store_recipient_count(msg); i++) {
		const struct store_recipient *row = store_recipient_at(msg, i);
		struct subject inner = {.c = s->c, .scratch = s->scratch, .values = row->values, .count = row->count};
		found = meets(&inner, r->children);
	}
	store_message_close(&msg);
	return found;
}

/* Lets through only so many rows. Which counter counts them stands in mask. */
static bool counted(const struct subject *s, const struct mapi_restriction *r)
{
	uint32_t *met = &s->c->met[r->mask];

	if (*met >= r->limit || !meets(s, r->children))
		return false;
	(*met)++;
	return true;
}

static bool every(const struct subject *s, const struct mapi_restriction *r, bool all)
{
	for (uint32_t i = 0; i < r->count; i++)
		if (meets(s, &r->children[i]) != all)
			return !all;
	return all;
}

static bool meets(const struct subject *s, const struct mapi_restriction *r)
{
	switch (r->type) {
	case MAPI_RES_AND:
		return every(s, r, true);
	case MAPI_RES_OR:
		return every(s, r, false);
	case MAPI_RES_NOT:
		return !meets(s, r->children);
	case MAPI_RES_CONTENT:
		return content(s, r);
	case MAPI_RES_PROPERTY:
		return property(s, r);
	case MAPI_RES_COMPARE_PROPS:
		return compare_properties(s, r);
	case MAPI_RES_BITMASK:
		return bitmask(s, r);
	case MAPI_RES_SIZE:
		return size(s, r);
	case MAPI_RES_EXIST:
		return value_of(s, r->tag) != NULL;
	case MAPI_RES_SUB_OBJECT:
		return sub_object(s, r);
	case MAPI_RES_COMMENT:
		return !r->children || meets(s, r->children);
	case MAPI_RES_COUNT:
		return counted(s, r);
	default:
		return false;
	}
}

/* ---- Making one ready ---- */

static int want(struct store_condition *c, uint32_t tag)
{
	tag = mapi_tag_as(tag, PTYP_UNSPECIFIED);
	for (size_t i = 0; i < c->count; i++)
		if (c->tags[i] == tag)
			return 0;
	if (c->count == TAGS_MAX)
		return MW_E_LIMIT;
	c->tags[c->count++] = tag;
	return 0;
}

static int prepare_children(struct store_condition *c, struct mapi_restriction *r, bool inner, unsigned depth);

static int prepare(struct store_condition *c, struct mapi_restriction *r, bool inner, unsigned depth)
{
	int e = 0;

	if (depth > DEPTH_MAX)
		return MW_E_LIMIT;
	if (r->type > MAPI_RES_COUNT || (r->type == MAPI_RES_PROPERTY && r->relop > MAPI_RELOP_NE) ||
	    (r->type == MAPI_RES_CONTENT && r->fuzzy_low > MAPI_FUZZY_PREFIX))
		return MW_E_UNSUPPORTED;
	if (r->type >= MAPI_RES_CONTENT && r->type <= MAPI_RES_EXIST && !inner)
		e = want(c, r->tag);
	if (e >= 0 && r->type == MAPI_RES_COMPARE_PROPS && !inner)
		e = want(c, r->tag2);
	if (r->type == MAPI_RES_SUB_OBJECT) {
		if (inner || mapi_tag_id(r->tag) != mapi_tag_id(PidTagMessageRecipients))
			return MW_E_UNSUPPORTED;
		e = want(c, PidTagMid);
		inner = true;
	}
	if (r->type == MAPI_RES_COUNT) {
		if (inner || c->counters == ARRAY_SIZE(c->met))
			return MW_E_UNSUPPORTED;
		r->mask = c->counters++;
	}
	return e < 0 ? e : prepare_children(c, r, inner, depth);
}

static int prepare_children(struct store_condition *c, struct mapi_restriction *r, bool inner, unsigned depth)
{
	bool many = r->type == MAPI_RES_AND || r->type == MAPI_RES_OR;
	bool one = r->type == MAPI_RES_NOT || r->type == MAPI_RES_SUB_OBJECT || r->type == MAPI_RES_COUNT ||
	           (r->type == MAPI_RES_COMMENT && r->children);
	uint32_t count = many ? r->count : one;
	int e = 0;

	if (count > 0 && !r->children)
		return MW_E_INVALID;
	for (uint32_t i = 0; e >= 0 && i < count; i++)
		e = prepare(c, &r->children[i], inner, depth + 1);
	return e;
}

int store_condition_new(struct store_mailbox *m, const struct mapi_restriction *r, struct store_condition **out)
{
	struct mapi_value in = {.tag = PTYP_RESTRICTION, .u.restriction = (struct mapi_restriction *)r}, copy;
	struct store_condition *c = calloc(1, sizeof *c);
	int e;

	if (!c)
		return MW_E_NOMEM;
	c->m = m;
	c->arena = arena_new(ARENA_MAX);
	c->scratch = arena_new(SCRATCH_MAX);
	c->tags = c->arena && c->scratch ? arena_new_array(c->arena, uint32_t, TAGS_MAX) : NULL;
	e = c->tags ? mapi_value_copy(c->arena, &in, &copy) : MW_E_NOMEM;
	if (e >= 0) {
		c->root = copy.u.restriction;
		e = prepare(c, c->root, false, 0);
	}
	if (e < 0)
		store_condition_free(&c);
	else
		*out = c;
	return e;
}

void store_condition_free(struct store_condition **condition)
{
	struct store_condition *c = *condition;

	*condition = NULL;
	if (!c)
		return;
	arena_free(&c->arena);
	arena_free(&c->scratch);
	free(c);
}

void store_condition_begin(void *condition)
{
	memset(((struct store_condition *)condition)->met, 0, sizeof((struct store_condition *)condition)->met);
}

bool store_condition_keep(void *condition, const struct mapi_value *values)
{
	struct store_condition *c = condition;
	struct subject s = {.c = c, .scratch = c->scratch, .tags = c->tags, .values = values, .count = c->count};

	bool met = meets(&s, c->root);
	arena_reset(c->scratch);
	return met;
}
