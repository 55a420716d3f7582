#include "store/parcel.h"

#include "mapi/tags.h"
#include "store/part.h"
#include "store/permission_private.h"

#include <stdlib.h>
#include <string.h>

/* A large value: where it is at the sender's, and what it has become at the recipient's. */
struct piece {
	uint64_t from, to, size;
};

struct store_parcel {
	struct store_message *content; /* of no mailbox */
	struct arena *arena;           /* of the names */
	uint16_t *ids, *new_ids;       /* of named properties, ascending */
	struct mapi_property_name *names;
	size_t name_count;
	struct piece *pieces; /* ascending by from */
	size_t piece_count, at;
	uint64_t chunk; /* of pieces[at], the next */
	size_t size;    /* of the bytes below */
	uint8_t bytes[STORE_CHUNK_SIZE];
};

void store_parcel_free(struct store_parcel **parcel)
{
	struct store_parcel *p = *parcel;

	*parcel = NULL;
	if (!p)
		return;
	store_message_close(&p->content);
	arena_free(&p->arena);
	free(p->pieces);
	free(p);
}

/* ---- At the sender's ---- */

struct listing {
	struct buf ids, pieces;
};

static int list_bag(void *user, struct store_bag *bag)
{
	struct listing *l = user;

	for (size_t i = 0; i < bag->count; i++) {
		const struct store_slot *slot = &bag->slots[i];
		struct piece piece = {.from = slot->value, .size = slot->value_size};
		if (mapi_tag_is_named(slot->tag))
			buf_put_u16(&l->ids, mapi_tag_id(slot->tag));
		if (slot->external)
			buf_put(&l->pieces, &piece, sizeof piece);
	}
	return buf_error(&l->ids) < 0 ? buf_error(&l->ids) : buf_error(&l->pieces);
}

static int compare_ids(const void *a, const void *b)
{
	return *(const uint16_t *)a - *(const uint16_t *)b;
}

static int compare_pieces(const void *a, const void *b)
{
	const struct piece *x = a, *y = b;

	return (x->from > y->from) - (x->from < y->from);
}

static int keep_ids(struct store_parcel *p, struct listing *l)
{
	uint16_t *ids = (void *)l->ids.data;
	size_t n = l->ids.len / sizeof *ids, kept = 0;

	if (n > 0)
		qsort(ids, n, sizeof *ids, compare_ids);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || ids[kept - 1] != ids[i])
			ids[kept++] = ids[i];
	p->ids = arena_copy(p->arena, n > 0 ? (void *)ids : (void *)"", kept * sizeof *ids);
	p->new_ids = arena_new_array(p->arena, uint16_t, kept);
	p->names = arena_new_array(p->arena, struct mapi_property_name, kept);
	p->name_count = kept;
	return p->ids && p->new_ids && p->names ? 0 : MW_E_NOMEM;
}

static int keep_pieces(struct store_parcel *p, struct listing *l)
{
	size_t n = l->pieces.len / sizeof *p->pieces, kept = 0;

	p->pieces = malloc(n > 0 ? l->pieces.len : 1);
	if (!p->pieces)
		return MW_E_NOMEM;
	if (n > 0) {
		memcpy(p->pieces, l->pieces.data, l->pieces.len);
		qsort(p->pieces, n, sizeof *p->pieces, compare_pieces);
	}
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || p->pieces[kept - 1].from != p->pieces[i].from)
			p->pieces[kept++] = p->pieces[i];
	p->piece_count = kept;
	return 0;
}

static int fill(struct store_parcel *p, struct store_message *msg)
{
	struct listing l = {0};
	const struct store_message nowhere = {.kind = STORE_A_MESSAGE};
	int r;

	p->arena = arena_new(0);
	p->content = store_part_bare(&nowhere, STORE_A_MESSAGE, 0);
	if (p->content)
		p->content->depth = msg->depth;
	r = p->arena && p->content ? store_content_copy(p->content, msg, STORE_BORROW) : MW_E_NOMEM;
	if (r >= 0)
		r = store_bags_visit(p->content, list_bag, &l);
	if (r >= 0)
		r = keep_ids(p, &l);
	if (r >= 0)
		r = keep_pieces(p, &l);
	if (r >= 0)
		r = store_ids_to_names(msg->m, p->arena, p->ids, p->name_count, p->names);
	buf_free(&l.ids);
	buf_free(&l.pieces);
	return r;
}

int store_parcel_pack(struct store_message *msg, struct store_parcel **out)
{
	struct store_parcel *p = calloc(1, sizeof *p);
	int r = p ? fill(p, msg) : MW_E_NOMEM;

	if (r < 0)
		store_parcel_free(&p);
	else
		*out = p;
	return r;
}

int store_parcel_fetch(struct store_parcel *p, struct store_mailbox *m)
{
	const struct piece *piece = &p->pieces[p->at];
	uint64_t begin = p->chunk * STORE_CHUNK_SIZE, left = piece->size - begin;
	int r = store_value_read(m, piece->from, p->chunk, p->bytes);

	p->size = left < STORE_CHUNK_SIZE ? (size_t)left : STORE_CHUNK_SIZE;
	return r;
}

/* ---- At the recipient's ---- */

static uint16_t new_id(const struct store_parcel *p, uint16_t id)
{
	const uint16_t *found = bsearch(&id, p->ids, p->name_count, sizeof id, compare_ids);

	return found ? p->new_ids[found - p->ids] : 0;
}

/* Named properties take their ids in this mailbox; what has none is dropped. Large values become fresh ones. */
static int translate(void *user, struct store_bag *bag)
{
	const struct store_parcel *p = user;
	struct store_bag out = {0};
	int r = 0;

	for (size_t i = 0; r >= 0 && i < bag->count; i++) {
		const struct store_slot *slot = &bag->slots[i];
		struct piece key = {.from = slot->value}, *piece = NULL;
		uint32_t tag = slot->tag;
		if (mapi_tag_is_named(tag))
			tag = MAPI_TAG(new_id(p, mapi_tag_id(tag)), mapi_tag_type(tag));
		if (mapi_tag_id(tag) == 0)
			continue;
		if (slot->external)
			piece = bsearch(&key, p->pieces, p->piece_count, sizeof key, compare_pieces);
		r = piece ? store_bag_put_external(&out, tag, piece->to, piece->size)
		          : store_bag_put(&out, tag, slot->data, slot->size);
		if (r >= 0 && piece) /* the parcel's to discard, until it is opened */
			store_bag_slot(&out, mapi_tag_id(tag))->fresh = false;
	}
	store_bag_free(bag);
	*bag = out;
	return r;
}

/* The same for recipients, all of them in the message. */
static void translate_recipients(const struct store_parcel *p, struct store_message *msg)
{
	for (size_t i = 0; i < msg->recipient_count; i++) {
		struct store_recipient *r = &msg->recipients[i];
		uint32_t kept = 0;
		for (uint32_t j = 0; j < r->count; j++) {
			struct mapi_value v = r->values[j];
			if (mapi_tag_is_named(v.tag))
				v.tag = MAPI_TAG(new_id(p, mapi_tag_id(v.tag)), mapi_tag_type(v.tag));
			if (mapi_tag_id(v.tag) != 0)
				r->values[kept++] = v;
		}
		r->count = kept;
	}
	for (size_t i = 0; i < msg->part_count; i++)
		if (msg->parts[i]->inner)
			translate_recipients(p, msg->parts[i]->inner);
}

static void skip_empty(struct store_parcel *p)
{
	while (p->at < p->piece_count && p->chunk * STORE_CHUNK_SIZE >= p->pieces[p->at].size) {
		p->at++;
		p->chunk = 0;
	}
}

int store_parcel_arrive(struct store_parcel *p, struct store_mailbox *m)
{
	int r = store_names_to_ids(m, p->names, p->name_count, true, p->new_ids, NULL);

	for (size_t i = 0; r >= 0 && i < p->piece_count; i++)
		r = store_value_new(m, &p->pieces[i].to);
	if (r >= 0)
		r = store_bags_visit(p->content, translate, p);
	if (r < 0)
		return r;
	translate_recipients(p, p->content);
	skip_empty(p);
	return 0;
}

bool store_parcel_lacks(const struct store_parcel *p)
{
	return p->at < p->piece_count;
}

int store_parcel_keep(struct store_parcel *p, struct store_mailbox *m)
{
	int r = store_value_write(m, p->pieces[p->at].to, p->chunk, p->bytes, p->size);

	p->chunk++;
	skip_empty(p);
	return r;
}

static int own(void *user, struct store_bag *bag)
{
	for (size_t i = 0; i < bag->count; i++)
		bag->slots[i].fresh = bag->slots[i].external && *(const bool *)user;
	return 0;
}

/* What was not handed over is no one's: the content cannot delete it, it has no mailbox. */
static void drop_rest(struct store_parcel *p, struct store_message *msg)
{
	for (size_t i = 0; i < p->piece_count; i++)
		if (!store_bags_have(msg, p->pieces[i].to))
			(void)!store_value_delete(msg->m, p->pieces[i].to);
}

static int find_folder(struct store_parcel *p, struct store_mailbox *m, uint64_t *folder)
{
	STORE_ARENA arena = arena_new(0);
	uint32_t tag = PidTagMessageClass;
	struct mapi_value class;
	char *text = NULL, *matched;
	int r = arena ? store_message_get(p->content, arena, &tag, 1, &class) : MW_E_NOMEM;

	if (r >= 0)
		text = mapi_value_utf8(arena, &class, 0);
	return r < 0 ? r : store_receive_folder(m, arena, text ? text : "", folder, &matched);
}

static int unpack(struct store_parcel *p, struct store_mailbox *m, uint64_t folder, bool associated, int64_t now,
                  struct store_message **out)
{
	struct store_message *msg = NULL;
	bool yes = true, no = false;
	uint32_t flags;
	int r = store_message_create(m, folder, associated, now, &msg);

	if (r < 0)
		return r;
	flags = msg->flags;
	(void)!store_bags_visit(p->content, own, &yes);
	r = store_content_copy(msg, p->content, STORE_TRANSFER);
	(void)!store_bags_visit(p->content, own, &no);
	msg->flags = flags;
	if (r < 0)
		drop_rest(p, msg);
	p->piece_count = 0;
	if (r < 0)
		store_message_close(&msg);
	else
		*out = msg;
	return r;
}

int store_parcel_open(struct store_parcel *p, struct store_mailbox *m, uint64_t folder, int64_t now,
                      struct store_message **out)
{
	int r = folder ? 0 : find_folder(p, m, &folder);

	return r < 0 ? r : unpack(p, m, folder, false, now, out);
}

int store_parcel_put(struct store_parcel *p, struct store_mailbox *m, uint64_t folder, bool associated, int64_t now,
                     uint64_t *copy, uint64_t *ticket)
{
	const struct store_arrival how = {.kind = STORE_CREATED};
	struct store_message *msg = NULL;
	int r = unpack(p, m, folder, associated, now, &msg);

	if (r >= 0) {
		msg->flags = p->content->flags & ~MF_SUBMITTED;
		msg->flags_given = true;
		r = store_message_sign(msg, PidTagCreatorName, PidTagCreatorEntryId);
	}
	if (r >= 0)
		r = store_message_write(msg, false, &how, now, ticket);
	if (r >= 0)
		*copy = store_message_id(msg);
	store_message_close(&msg);
	return r;
}

void store_parcel_discard(struct store_parcel *p, struct store_mailbox *m)
{
	for (size_t i = 0; i < p->piece_count; i++)
		if (p->pieces[i].to)
			(void)!store_value_delete(m, p->pieces[i].to);
	p->piece_count = 0;
}
