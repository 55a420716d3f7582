#include "server/epm_place.h"

#include "base/guid.h"
#include "wire/epm.h"

#include <stdlib.h>

struct place {
	unsigned next;
	int64_t used_ns;
};

static bool is_nil(const struct idl_context_handle *h)
{
	return guid_is_nil(&h->uuid);
}

static struct place *find(struct rpc_association *a, const struct idl_context_handle *handle)
{
	return (struct place *)rpc_handle_find(a, &wire_epm_interface, handle);
}

/* Those used last before this time go; the oldest use of those that stay is noted. */
struct sweep {
	int64_t before_ns, oldest_ns;
};

static bool is_older(void *user, const void *object)
{
	struct sweep *s = (struct sweep *)user;
	const struct place *p = (const struct place *)object;
	if (p->used_ns < s->before_ns)
		return true;
	if (p->used_ns < s->oldest_ns)
		s->oldest_ns = p->used_ns;
	return false;
}

static unsigned sweep(struct rpc_association *a, int64_t before_ns, int64_t *oldest_ns)
{
	struct sweep s = {.before_ns = before_ns, .oldest_ns = INT64_MAX - 1};
	unsigned left = rpc_handle_sweep(a, &wire_epm_interface, is_older, &s);
	*oldest_ns = s.oldest_ns;
	return left;
}

int epm_place_find(struct rpc_association *a, const struct idl_context_handle *handle, int64_t now_ns, unsigned *next)
{
	struct place *p;
	int64_t oldest;
	if (is_nil(handle)) {
		*next = 0;
		return 0;
	}
	(void)sweep(a, now_ns - EPM_PLACE_IDLE_NS, &oldest);
	if ((p = find(a, handle)) == NULL)
		return MW_E_NOTFOUND;
	p->used_ns = now_ns;
	*next = p->next;
	return 0;
}

static int make(struct rpc_association *a, struct idl_context_handle *handle, int64_t now_ns, unsigned next)
{
	struct place *p = (struct place *)calloc(1, sizeof *p);
	if (!p)
		return MW_E_NOMEM;
	*p = (struct place){next, now_ns};
	int r = rpc_handle_create(a, &wire_epm_interface, p, free, handle);
	if (r < 0)
		free(p);
	return r;
}

int epm_place_keep(struct rpc_association *a, struct idl_context_handle *handle, int64_t now_ns, unsigned next)
{
	struct place *p = find(a, handle);
	int64_t oldest;
	if (p) {
		p->next = next;
		return 0;
	}
	if (sweep(a, now_ns - EPM_PLACE_IDLE_NS, &oldest) >= EPM_MAX_PLACES)
		(void)sweep(a, oldest + 1, &oldest);
	return make(a, handle, now_ns, next);
}

void epm_place_end(struct rpc_association *a, struct idl_context_handle *handle)
{
	free(find(a, handle));
	rpc_handle_close(a, handle);
}
