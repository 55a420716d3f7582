#include "mapi/shape.h"

/* PtypRuleAction: [MS-OXORULE] 2.2.5. Widths differ in extended rules. */

static unsigned width(const struct ndr *n)
{
	return shape_context(n)->extended_rules ? 4 : 2;
}

static int move_data(struct ndr *n, struct mapi_action *a)
{
	int r = 0;
	if (width(n) == 2)
		r = ndr_u8(n, "FolderInThisStore", &a->u.move.in_this_store);
	if (r < 0 || (r = shape_sized(n, "StoreEID", width(n), &a->u.move.store_eid)) < 0)
		return r;
	return shape_sized(n, "FolderEID", width(n), &a->u.move.folder_eid);
}

static int reply_data(struct ndr *n, struct mapi_action *a)
{
	int r;
	if (width(n) == 4)
		r = shape_sized(n, "ReplyTemplateMessageEID", 4, &a->u.reply.message_eid);
	else if ((r = shape_object_id(n, "ReplyTemplateFID", &a->u.reply.folder_id)) >= 0)
		r = shape_object_id(n, "ReplyTemplateMID", &a->u.reply.message_id);
	return r < 0 ? r : ndr_guid(n, "ReplyTemplateGUID", &a->u.reply.template_guid);
}

static int recipient_block(struct ndr *n, struct mapi_action_recipient *p)
{
	int r = ndr_u8(n, "Reserved", &p->reserved);
	if (r < 0 || (r = shape_count(n, "NoOfProperties", width(n), &p->count)) < 0)
		return r;
	return shape_tagged_values(n, p->count, &p->values);
}

static int forward_data(struct ndr *n, struct mapi_action *a)
{
	struct mapi_action_recipient **list = &a->u.forward.recipients;
	int r = shape_count(n, "RecipientCount", width(n), &a->u.forward.count);
	if (r < 0 || (r = ndr_array(n, (void **)list, a->u.forward.count, sizeof **list, 3)) < 0)
		return r;
	for (uint32_t i = 0; r >= 0 && i < a->u.forward.count; i++) {
		ndr_enter(n, shape_index(n, i));
		r = recipient_block(n, &(*list)[i]);
		ndr_leave(n);
	}
	return r;
}

static int action_data(struct ndr *n, struct mapi_action *a)
{
	switch (a->type) {
	case MAPI_OP_MOVE:
	case MAPI_OP_COPY:
		return move_data(n, a);
	case MAPI_OP_REPLY:
	case MAPI_OP_OOF_REPLY:
		return reply_data(n, a);
	case MAPI_OP_BOUNCE:
		return ndr_u32(n, "BounceCode", &a->u.bounce_code);
	case MAPI_OP_FORWARD:
	case MAPI_OP_DELEGATE:
		return forward_data(n, a);
	case MAPI_OP_TAG:
		return shape_tagged_value(n, &a->u.tag);
	case MAPI_OP_DELETE:
	case MAPI_OP_MARK_AS_READ:
		return 0;
	default:
		return shape_rest(n, "ActionData", &a->u.data);
	}
}

static int action_body(struct ndr *n, struct mapi_action *a)
{
	int r;
	if ((r = ndr_u8(n, "ActionType", &a->type)) < 0 || (r = ndr_u32(n, "ActionFlavor", &a->flavor)) < 0 ||
	    (r = ndr_u32(n, "ActionFlags", &a->flags)) < 0)
		return r;
	return action_data(n, a);
}

/* ActionLength counts what follows it. */
static int action(struct ndr *n, struct mapi_action *a)
{
	struct ndr_bound bound;
	size_t at = shape_decodes(n) ? 0 : n->out->len;
	uint32_t length = 0;
	int r = shape_count(n, "ActionLength", width(n), &length);
	if (r < 0 || (r = ndr_bound_enter(n, length, &bound)) < 0)
		return r;
	r = action_body(n, a);
	size_t written = ndr_bound_leave(n, &bound);
	if (r < 0 || shape_decodes(n))
		return r;
	if (width(n) == 4)
		buf_poke_u32(n->out, at, (uint32_t)written);
	else if (written > UINT16_MAX)
		return shape_fail(n, "ActionLength", MW_E_LIMIT);
	else
		buf_poke_u16(n->out, at, (uint16_t)written);
	return 0;
}

int shape_rule_actions(struct ndr *n, struct mapi_rule_actions *p)
{
	int r = shape_count(n, "NoOfActions", width(n), &p->count);
	if (r < 0 || (r = ndr_array(n, (void **)&p->actions, p->count, sizeof *p->actions, 11)) < 0)
		return r;
	for (uint32_t i = 0; r >= 0 && i < p->count; i++) {
		ndr_enter(n, shape_index(n, i));
		r = action(n, &p->actions[i]);
		ndr_leave(n);
	}
	return r;
}
