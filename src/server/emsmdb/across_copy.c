#include "server/emsmdb/across.h"
#include "server/emsmdb/rops.h"

/* Properties of a message in one mailbox into one in another: the whole message goes there as a parcel, and what is
 * wanted is copied from that. Named properties have other ids there. Of a folder its properties alone. */

#define COPY_MOVE 0x01

static bool is_copy_to(const struct across *c)
{
	return c->rop->id == 0x39;
}

static void forget_source(struct across *c)
{
	const struct RopCopyPropertiesRequest *q = (const struct RopCopyPropertiesRequest *)c->rop->request;
	int r = store_message_remove(c->rop->in->u.message, q->PropertyTags, q->PropertyTagCount, NULL);
	across_end(c, r < 0 ? rop_status(c->rop, r) : 0);
}

static void put_there(struct across *c)
{
	struct store_mailbox *m = c->to->on->mailbox->store;
	struct store_message *whole = NULL;
	int r = store_parcel_open(c->parcel, m, store_special_id(STORE_INBOX), c->rop->now, &whole);
	store_parcel_free(&c->parcel);
	if (r == 0)
		r = rop_copy_from(c->rop, whole, c->to, c->tags, c->tag_count);
	store_message_close(&whole);
	const struct RopCopyPropertiesRequest *q = (const struct RopCopyPropertiesRequest *)c->rop->request;
	if (r < 0)
		across_fail(c, r);
	else if (!is_copy_to(c) && q->CopyFlags & COPY_MOVE)
		across_go(c, false, false, forget_source);
	else
		across_end(c, 0);
}

/* The tags as they are there. */
static void translate(struct across *c)
{
	int r = store_names_to_ids(c->to->on->mailbox->store, c->names, c->tag_count, true, c->ids, NULL);
	for (size_t i = 0; r == 0 && i < c->tag_count; i++)
		if (mapi_tag_is_named(c->tags[i]))
			c->tags[i] = MAPI_TAG(c->ids[i], mapi_tag_type(c->tags[i]));
	c->arrived(c);
}

static void arrived(struct across *c)
{
	c->arrived = put_there;
	translate(c);
}

static void lost(struct across *c)
{
	across_fail(c, c->result);
}

/* Those that are not named have an empty name, which becomes no id. */
static int name_tags(struct across *c, const uint32_t *tags, size_t count)
{
	struct arena *arena = c->rop->arena;
	c->tag_count = count;
	c->tags = (uint32_t *)arena_copy(arena, count ? (const void *)tags : "", count * sizeof *tags);
	c->ids = arena_new_array(arena, uint16_t, count);
	c->names = arena_new_array(arena, struct mapi_property_name, count);
	if (!c->tags || !c->ids || !c->names)
		return MW_E_NOMEM;
	for (size_t i = 0; i < count; i++)
		c->ids[i] = mapi_tag_id(tags[i]);
	return store_ids_to_names(rop_store(c->rop), arena, c->ids, count, c->names);
}

uint32_t across_copy(struct across *c)
{
	const struct RopCopyPropertiesRequest *q = (const struct RopCopyPropertiesRequest *)c->rop->request;
	const struct RopCopyToRequest *t = (const struct RopCopyToRequest *)c->rop->request;
	if (c->rop->in->kind != EMSMDB_MESSAGE)
		return ecNotSupported;
	if (!rop_copy_flags_known(c->rop))
		return ecInvalidParam;
	int r = is_copy_to(c) ? name_tags(c, t->ExcludedTags, t->ExcludedTagCount)
	                      : name_tags(c, q->PropertyTags, q->PropertyTagCount);
	if (r == 0)
		r = store_parcel_pack(c->rop->in->u.message, &c->parcel);
	if (r < 0)
		return rop_status(c->rop, r);
	c->arrived = arrived;
	c->lost = lost;
	across_send(c);
	return ROP_LATER;
}
