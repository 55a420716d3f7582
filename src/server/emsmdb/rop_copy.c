#include "server/emsmdb/rops.h"

#include <stddef.h>

/* Properties from one object to another: [MS-OXCPRPT] 2.2.10, 2.2.11. Between two messages, or two folders (properties
 * alone). */

#define COPY_MOVE 0x01 /* CopyFlags */
#define COPY_NO_OVERWRITE 0x02

_Static_assert(sizeof(struct RopCopyToResponse) == sizeof(struct RopCopyPropertiesResponse) &&
                       offsetof(struct RopCopyToResponse, PropertyProblems) ==
                               offsetof(struct RopCopyPropertiesResponse, PropertyProblems),
               "one layout: [MS-OXCROPS] 2.2.8.11.2, 2.2.8.12.2");

struct copying {
	struct rop_call *rop;
	struct store_message *from; /* a message or attachment; NULL: of a folder */
	struct emsmdb_object *to;
	uint8_t flags;
	struct RopCopyPropertiesResponse *answer;
	bool quiet; /* RopCopyTo tells no problem of what cannot be written */
};

static void tell(struct copying *c, uint16_t index, uint32_t tag, uint32_t problem)
{
	if (problem && !(c->quiet && (problem == ecComputed || problem == ecNotFound)))
		c->answer->PropertyProblems[c->answer->PropertyProblemCount++] =
		        (struct PropertyProblem){index, tag, problem};
}

static int copy_message(struct copying *c, const uint32_t *tags, size_t count)
{
	unsigned flags = c->flags & COPY_NO_OVERWRITE ? STORE_COPY_KEEP : 0;
	struct store_message *from = c->from;
	int r = 0;
	for (size_t i = 0; r == 0 && i < count; i++) {
		uint32_t problem;
		r = store_message_copy_property(from, c->to->u.message, tags[i], flags, &problem);
		if (r == 0)
			tell(c, (uint16_t)i, tags[i], problem);
		if (r == 0 && !problem && c->flags & COPY_MOVE)
			r = store_message_remove(from, &tags[i], 1, NULL);
	}
	return r;
}

static int copy_folder(struct copying *c, const uint32_t *tags, size_t count)
{
	struct rop_call *rop = c->rop;
	struct store_mailbox *m = rop_store(rop);
	struct mapi_value *values = arena_new_array(rop->arena, struct mapi_value, count);
	struct mapi_value *there = arena_new_array(rop->arena, struct mapi_value, count);
	if (!values || !there)
		return MW_E_NOMEM;
	int r = store_folder_get(m, rop->in->u.folder, rop->arena, tags, count, values);
	if (r == 0)
		r = store_folder_get(m, c->to->u.folder, rop->arena, tags, count, there);
	for (size_t i = 0; r == 0 && i < count; i++) {
		uint32_t problem = values[i].flag == MAPI_FLAG_VALUE ? 0 : values[i].u.error;
		uint64_t ticket = 0;
		bool keep = c->flags & COPY_NO_OVERWRITE && there[i].flag == MAPI_FLAG_VALUE;
		if (!problem && !keep && values[i].tag != PidTagDisplayName)
			r = store_folder_set(m, c->to->u.folder, &values[i], 1, rop->now, &problem, &ticket);
		rop_promise(rop, ticket);
		tell(c, (uint16_t)i, tags[i], problem);
	}
	return r;
}

static int copy(struct copying *c, const uint32_t *tags, size_t count)
{
	c->answer->PropertyProblems = arena_new_array(c->rop->arena, struct PropertyProblem, count);
	if (!c->answer->PropertyProblems)
		return MW_E_NOMEM;
	return c->to->kind == EMSMDB_FOLDER ? copy_folder(c, tags, count) : copy_message(c, tags, count);
}

static bool begin(struct copying *c, struct rop_call *rop, uint8_t index, uint8_t flags)
{
	*c = (struct copying){
	        .rop = rop,
	        .from = rop->in->kind == EMSMDB_FOLDER ? NULL : rop->in->u.message,
	        .to = rop_destination(rop, index, rop->in->kind),
	        .flags = flags,
	        .answer = (struct RopCopyPropertiesResponse *)rop->response,
	};
	if (!c->to)
		c->answer->DestHandleIndex = index;
	return c->to != NULL;
}

bool rop_copy_flags_known(const struct rop_call *rop)
{
	uint8_t flags = rop->id == 0x39 ? ((const struct RopCopyToRequest *)rop->request)->CopyFlags
	                                : ((const struct RopCopyPropertiesRequest *)rop->request)->CopyFlags;
	return !(flags & ~(COPY_MOVE | COPY_NO_OVERWRITE));
}

/* [MS-OXCPRPT] 3.2.5.9 */
uint32_t rop_copy_properties(struct rop_call *rop)
{
	const struct RopCopyPropertiesRequest *q = (const struct RopCopyPropertiesRequest *)rop->request;
	struct copying c;
	if (!begin(&c, rop, q->DestHandleIndex, q->CopyFlags))
		return ecDstNullObject;
	if (!rop_copy_flags_known(rop))
		return ecInvalidParam;
	int r = copy(&c, q->PropertyTags, q->PropertyTagCount);
	return r < 0 ? rop_status(rop, r) : 0;
}

static bool is_excluded(const uint32_t *excluded, size_t count, uint32_t tag)
{
	for (size_t i = 0; i < count; i++)
		if (mapi_tag_id(excluded[i]) == mapi_tag_id(tag))
			return true;
	return false;
}

/* What the source has; the parts of a message when they are wanted. */
static int list_source(struct rop_call *rop, struct store_message *from, const uint32_t *excluded,
                       size_t excluded_count, uint32_t **tags, size_t *count)
{
	const struct RopCopyToRequest *q = (const struct RopCopyToRequest *)rop->request;
	static const uint32_t of_message[] = {PidTagMessageRecipients, PidTagMessageAttachments};
	static const uint32_t of_attachment[] = {PidTagAttachDataObject};
	bool message = from != NULL, attachment = rop->in->kind == EMSMDB_ATTACHMENT;
	const uint32_t *parts = attachment ? of_attachment : of_message;
	size_t part_count = attachment ? ARRAY_SIZE(of_attachment) : ARRAY_SIZE(of_message);
	uint32_t *all, *out;
	struct mapi_value *values;
	size_t n, kept = 0;
	int r = message ? store_message_tags(from, rop->arena, &all, &n)
	                : store_folder_all(rop_store(rop), rop->in->u.folder, rop->arena, &values, &n);
	if (r < 0)
		return r;
	out = arena_new_array(rop->arena, uint32_t, n + part_count);
	if (!out)
		return MW_E_NOMEM;
	for (size_t i = 0; i < n; i++) {
		uint32_t tag = message ? all[i] : values[i].tag;
		if (!is_excluded(excluded, excluded_count, tag))
			out[kept++] = tag;
	}
	for (size_t i = 0; message && q->WantSubObjects && i < part_count; i++)
		if (!is_excluded(excluded, excluded_count, parts[i]))
			out[kept++] = parts[i];
	*tags = out;
	*count = kept;
	return 0;
}

/* [MS-OXCPRPT] 3.2.5.10 */
uint32_t rop_copy_to(struct rop_call *rop)
{
	const struct RopCopyToRequest *q = (const struct RopCopyToRequest *)rop->request;
	struct copying c;
	uint32_t *tags;
	size_t count;
	if (!begin(&c, rop, q->DestHandleIndex, q->CopyFlags))
		return ecDstNullObject;
	if (!rop_copy_flags_known(rop))
		return ecInvalidParam;
	c.quiet = true;
	int r = list_source(rop, c.from, q->ExcludedTags, q->ExcludedTagCount, &tags, &count);
	if (r == 0)
		r = copy(&c, tags, count);
	return r < 0 ? rop_status(rop, r) : 0;
}

int rop_copy_from(struct rop_call *rop, struct store_message *from, struct emsmdb_object *to, const uint32_t *tags,
                  size_t count)
{
	bool all = rop->id == 0x39;
	uint8_t flags = all ? ((const struct RopCopyToRequest *)rop->request)->CopyFlags
	                    : ((const struct RopCopyPropertiesRequest *)rop->request)->CopyFlags;
	struct copying c = {.rop = rop,
	                    .from = from,
	                    .to = to,
	                    .flags = flags & COPY_NO_OVERWRITE,
	                    .answer = (struct RopCopyPropertiesResponse *)rop->response,
	                    .quiet = all};
	uint32_t *listed = (uint32_t *)(uintptr_t)tags;
	int r = all ? list_source(rop, from, tags, count, &listed, &count) : 0;
	return r < 0 ? r : copy(&c, listed, count);
}
