#include "rpc/association.h"

#include <stdlib.h>

#define BUCKETS 256

struct handle_slot {
	struct guid uuid; /* data2 is the slot's index */
	const struct idl_interface *iface;
	void *object;
	rpc_rundown_fn rundown;
	bool used;
};

struct rpc_association {
	uint32_t id;
	unsigned references;
	struct rpc_associations *registry;
	struct rpc_association *next;
	struct handle_slot *slots;
	unsigned slot_count, used;
};

struct rpc_associations {
	uint8_t loop;
	const struct random_source *random;
	struct rpc_association *buckets[BUCKETS];
};

struct rpc_associations *rpc_associations_new(uint8_t loop, const struct random_source *random)
{
	struct rpc_associations *a = calloc(1, sizeof *a);

	if (a) {
		a->loop = loop;
		a->random = random;
	}
	return a;
}

static struct rpc_association **find(struct rpc_associations *a, uint32_t id)
{
	struct rpc_association **link = &a->buckets[id % BUCKETS];

	while (*link && (*link)->id != id)
		link = &(*link)->next;
	return link;
}

static void run_down(struct rpc_association *group)
{
	for (unsigned i = 0; i < group->slot_count; i++) {
		struct handle_slot *s = &group->slots[i];
		if (s->used && s->rundown)
			s->rundown(s->object);
	}
	free(group->slots);
	free(group);
}

void rpc_associations_free(struct rpc_associations **registry)
{
	struct rpc_associations *a = *registry;

	if (!a)
		return;
	for (unsigned i = 0; i < BUCKETS; i++) {
		while (a->buckets[i]) {
			struct rpc_association *group = a->buckets[i];
			a->buckets[i] = group->next;
			run_down(group);
		}
	}
	free(a);
	*registry = NULL;
}

/* 24 random bits below the loop's number, not 0 and not in use. */
static uint32_t new_id(struct rpc_associations *a)
{
	uint32_t top = (uint32_t)a->loop << 24, id;

	a->random->fill(a->random->user, &id, sizeof id);
	id = (id & 0xffffff) | top;
	while ((id & 0xffffff) == 0 || *find(a, id))
		id = ((id + 1) & 0xffffff) | top;
	return id;
}

static int new_group(struct rpc_associations *a, struct rpc_association **out)
{
	struct rpc_association *group = calloc(1, sizeof *group);

	if (!group)
		return MW_E_NOMEM;
	group->id = new_id(a);
	group->registry = a;
	group->references = 1;
	group->next = a->buckets[group->id % BUCKETS];
	a->buckets[group->id % BUCKETS] = group;
	*out = group;
	return 0;
}

int rpc_association_join(struct rpc_associations *a, uint32_t id, struct rpc_association **out)
{
	struct rpc_association *group;

	if (id == 0)
		return new_group(a, out);
	group = *find(a, id);
	if (!group)
		return MW_E_NOTFOUND;
	group->references++;
	*out = group;
	return 0;
}

void rpc_association_leave(struct rpc_association **assoc)
{
	struct rpc_association *group = *assoc;

	*assoc = NULL;
	if (!group || --group->references > 0)
		return;
	*find(group->registry, group->id) = group->next;
	run_down(group);
}

uint32_t rpc_association_id(const struct rpc_association *assoc)
{
	return assoc->id;
}

static int free_slot(struct rpc_association *group, unsigned *out)
{
	unsigned count = group->slot_count ? group->slot_count * 2 : 8;
	struct handle_slot *grown;

	for (unsigned i = 0; group->used < group->slot_count && i < group->slot_count; i++) {
		if (!group->slots[i].used) {
			*out = i;
			return 0;
		}
	}
	if (group->slot_count >= RPC_MAX_HANDLES)
		return MW_E_LIMIT;
	grown = realloc(group->slots, count * sizeof *grown);
	if (!grown)
		return MW_E_NOMEM;
	memset(grown + group->slot_count, 0, (count - group->slot_count) * sizeof *grown);
	*out = group->slot_count;
	group->slots = grown;
	group->slot_count = count;
	return 0;
}

int rpc_handle_create(struct rpc_association *assoc, const struct idl_interface *iface, void *object,
                      rpc_rundown_fn rundown, struct idl_context_handle *out)
{
	struct handle_slot *s;
	unsigned i;
	int r = free_slot(assoc, &i);

	if (r < 0)
		return r;
	s = &assoc->slots[i];
	*s = (struct handle_slot){.iface = iface, .object = object, .rundown = rundown, .used = true};
	random_guid(assoc->registry->random, &s->uuid);
	s->uuid.data2 = (uint16_t)i;
	assoc->used++;
	*out = (struct idl_context_handle){.uuid = s->uuid};
	return 0;
}

static struct handle_slot *slot_of(struct rpc_association *assoc, const struct idl_context_handle *handle)
{
	struct handle_slot *s;

	if (handle->uuid.data2 >= assoc->slot_count || handle->attributes != 0)
		return NULL;
	s = &assoc->slots[handle->uuid.data2];
	return s->used && guid_equal(&s->uuid, &handle->uuid) ? s : NULL;
}

void *rpc_handle_find(struct rpc_association *assoc, const struct idl_interface *iface,
                      const struct idl_context_handle *handle)
{
	struct handle_slot *s = slot_of(assoc, handle);

	return s && s->iface == iface ? s->object : NULL;
}

void rpc_handle_close(struct rpc_association *assoc, struct idl_context_handle *handle)
{
	struct handle_slot *s = slot_of(assoc, handle);

	if (s) {
		*s = (struct handle_slot){0};
		assoc->used--;
	}
	*handle = (struct idl_context_handle){0};
}

unsigned rpc_handle_sweep(struct rpc_association *assoc, const struct idl_interface *iface,
                          bool (*is_to_go)(void *user, const void *object), void *user)
{
	unsigned left = 0;

	for (unsigned i = 0; i < assoc->slot_count; i++) {
		struct handle_slot *s = &assoc->slots[i];
		if (!s->used || s->iface != iface)
			continue;
		if (!is_to_go(user, s->object)) {
			left++;
			continue;
		}
		if (s->rundown)
			s->rundown(s->object);
		*s = (struct handle_slot){0};
		assoc->used--;
	}
	return left;
}
