#include "server/nspi/private.h"

const uint32_t nspi_default_tags[] = {
        MAPI_TAG(0xFFFD, PTYP_INTEGER32), /* PidTagAddressBookContainerId */
        MAPI_TAG(0x0FFE, PTYP_INTEGER32), /* PidTagObjectType */
        MAPI_TAG(0x3900, PTYP_INTEGER32), /* PidTagDisplayType */
        MAPI_TAG(0x3001, PTYP_STRING8),   /* PidTagDisplayName */
        MAPI_TAG(0x3A1A, PTYP_STRING8),   /* PidTagPrimaryTelephoneNumber */
        MAPI_TAG(0x3A18, PTYP_STRING8),   /* PidTagDepartmentName */
        MAPI_TAG(0x3A19, PTYP_STRING8),   /* PidTagOfficeLocation */
};
const unsigned nspi_default_tag_count = ARRAY_SIZE(nspi_default_tags);

struct PropertyTagArray_r *nspi_tags(struct arena *arena, unsigned count)
{
	struct PropertyTagArray_r *t = arena_new_of(arena, struct PropertyTagArray_r);
	if (!t || (t->aulPropTag = arena_new_array(arena, uint32_t, (size_t)count + 1)) == NULL)
		return NULL;
	t->cValues = count;
	return t;
}

/* An asked type of PTYP_UNSPECIFIED takes the property's own, texts in the code page. */
static uint32_t resolve_tag(const struct nspi_view *v, uint32_t tag)
{
	if (mapi_tag_type(tag) != PTYP_UNSPECIFIED)
		return tag;
	for (unsigned i = 0; i < nspi_known_tag_count; i++)
		if (mapi_tag_id(nspi_known_tags[i]) == mapi_tag_id(tag))
			return mapi_tag_type(nspi_known_tags[i]) == PTYP_STRING && v->code_page != NSPI_CP_WINUNICODE
			               ? mapi_tag_as(tag, PTYP_STRING8)
			               : nspi_known_tags[i];
	return tag;
}

int nspi_row(const struct nspi_view *v, const struct directory_user *u, const uint32_t *tags, unsigned count,
             struct PropertyRow_r *out, bool *all)
{
	struct arena *arena = v->call->arena;
	struct PropertyValue_r *values = arena_new_array(arena, struct PropertyValue_r, count);
	bool complete = true;
	if (!values)
		return MW_E_NOMEM;
	for (unsigned i = 0; i < count; i++) {
		struct mapi_value value;
		int r = u ? nspi_property(v, u, resolve_tag(v, tags[i]), &value) : MW_E_NOTFOUND;
		if (r == MW_E_NOTFOUND) {
			complete = false;
			value = (struct mapi_value){.tag = mapi_tag_as(tags[i], PTYP_ERROR_CODE),
			                            .u.error = ecNotFound};
		} else if (r < 0) {
			return r;
		}
		r = mapi_book_put_value(arena, &value, &values[i]);
		if (r < 0)
			return r;
	}
	*out = (struct PropertyRow_r){.cValues = count, .lpProps = values};
	if (all)
		*all = complete;
	return 0;
}

struct PropertyRowSet_r *nspi_rows(const struct nspi_view *v, const struct directory_user *const *users,
                                   unsigned user_count, const struct PropertyTagArray_r *tags)
{
	struct arena *arena = v->call->arena;
	struct PropertyRowSet_r *set = arena_new_of(arena, struct PropertyRowSet_r);
	const uint32_t *list = tags ? tags->aulPropTag : nspi_default_tags;
	unsigned count = tags ? tags->cValues : nspi_default_tag_count;
	if (!set || (set->aRow = arena_new_array(arena, struct PropertyRow_r, user_count)) == NULL)
		return NULL;
	set->cRows = user_count;
	for (unsigned i = 0; i < user_count; i++)
		if (nspi_row(v, users[i], list, count, &set->aRow[i], NULL) < 0)
			return NULL;
	return set;
}
