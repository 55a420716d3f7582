#include "server/emsmdb/rops.h"

#include "store/search.h"
#include "store/words.h"

#include <stddef.h>

/* Search folders: [MS-OXCFOLD] 2.2.1.4, 2.2.1.5. */

/* SearchFlags of the request, 2.2.1.4.1 */
#define STOP_SEARCH 0x00000001u
#define RESTART_SEARCH 0x00000002u
#define RECURSIVE_SEARCH 0x00000004u
#define SHALLOW_SEARCH 0x00000008u
#define CONTENT_INDEXED_SEARCH 0x00010000u
#define NON_CONTENT_INDEXED_SEARCH 0x00020000u
#define STATIC_SEARCH 0x00040000u
#define KNOWN_FLAGS                                                                                                    \
	(STOP_SEARCH | RESTART_SEARCH | RECURSIVE_SEARCH | SHALLOW_SEARCH | CONTENT_INDEXED_SEARCH |                   \
	 NON_CONTENT_INDEXED_SEARCH | STATIC_SEARCH)
/* SearchFlags of the response, 2.2.1.5.2 */
#define SEARCH_RUNNING 0x00000001u
#define SEARCH_REBUILD 0x00000002u
#define SEARCH_RECURSIVE 0x00000004u
#define SEARCH_COMPLETE 0x00001000u
#define SEARCH_STATIC 0x00010000u

/* Messages looked at in one go; a small mailbox is searched before the answer. */
#define SLICE 200
#define FIRST_SLICE 500
#define BUSY_NS (NS_PER_S / 10)
#define INDEX_SLICE 8 /* messages, some milliseconds */

/* ---- In slices ---- */

static void run_slice(struct server_loop *loop, struct loop_message *message)
{
	struct emsmdb_mailbox *m =
	        (struct emsmdb_mailbox *)((char *)message - offsetof(struct emsmdb_mailbox, search_slice));
	bool more = false;
	uint64_t ticket = 0;
	if (emsmdb_hold(m, message))
		return;
	int r = store_search_step(m->store, SLICE, &more, &ticket);
	if (r < 0)
		log_line(loop->server->config.log, LOG_ERROR, "a search ended early: %s",
		         store_mailbox_error(m->store));
	m->searching = false;
	emsmdb_sync(m);
	if (r == 0 && more)
		emsmdb_search(m);
	emsmdb_mailbox_unref(&m);
}

void emsmdb_search(struct emsmdb_mailbox *m)
{
	bool any, running = false;
	if (m->searching || atomic_load(&m->loop->server->stopping) || store_searches(m->store, &any, &running) < 0 ||
	    !running)
		return;
	m->searching = true;
	m->references++;
	m->search_slice.run = run_slice;
	loop_post(m->loop, &m->search_slice);
}

/* ---- The index of words, when there is time ---- */

static void index_more(struct emsmdb_mailbox *m);

/* Nobody writes, and no ROP needs its time. */
static bool is_quiet(const struct emsmdb_mailbox *m)
{
	return store_changes(m->store) == m->quiet_at && time_monotonic_ns() - m->sliced_ns > BUSY_NS;
}

static void run_index(struct server_loop *loop, struct loop_message *message)
{
	struct emsmdb_mailbox *m =
	        (struct emsmdb_mailbox *)((char *)message - offsetof(struct emsmdb_mailbox, index_slice));
	if (emsmdb_hold(m, message))
		return;
	bool more = false, quiet = is_quiet(m);
	int r = quiet ? store_words_step(m->store, INDEX_SLICE, &more) : 0;
	if (r < 0)
		log_line(loop->server->config.log, LOG_ERROR, "words cannot be indexed: %s",
		         store_mailbox_error(m->store));
	m->indexing = false;
	m->quiet_at = store_changes(m->store);
	if (r == 0 && quiet && !more)
		m->indexed_at = m->quiet_at;
	emsmdb_sync(m);
	if (r == 0 && quiet && more)
		index_more(m);
	emsmdb_mailbox_unref(&m);
}

static void index_more(struct emsmdb_mailbox *m)
{
	if (m->indexing || atomic_load(&m->loop->server->stopping))
		return;
	m->indexing = true;
	m->references++;
	m->index_slice.run = run_index;
	loop_post(m->loop, &m->index_slice);
}

void emsmdb_index(struct emsmdb_mailbox *m)
{
	uint64_t committed = store_changes(m->store);
	if (m->references > 0 && committed == m->quiet_at && committed != m->indexed_at &&
	    !store_mailbox_failed(m->store))
		index_more(m);
	m->quiet_at = committed;
}

/* ---- Criteria ---- */

static uint32_t status_of(const struct rop_call *rop, int r)
{
	switch (r) {
	case MW_E_STATE:
		return ecNotSearchFolder;
	case MW_E_INVALID:
		return ecNotInitialized;
	case MW_E_UNSUPPORTED:
	case MW_E_LIMIT:
		return ecTooComplex;
	default:
		return r < 0 ? rop_status(rop, r) : 0;
	}
}

static int begin(struct rop_call *rop, const struct RopSetSearchCriteriaRequest *q)
{
	struct mapi_restriction wide;
	struct store_criteria c = {
	        .folders = q->FolderIds,
	        .folder_count = q->FolderIdCount,
	        .recursive = q->SearchFlags & RECURSIVE_SEARCH,
	        .fixed = q->SearchFlags & STATIC_SEARCH,
	        .by_words = q->SearchFlags & CONTENT_INDEXED_SEARCH,
	};
	bool running = false;
	uint64_t ticket = 0;
	int r = q->RestrictionData ? rop_widen(rop, q->RestrictionData, &wide, 0) : 0;
	c.restriction = q->RestrictionData ? &wide : NULL;
	if (r == 0)
		r = store_search_set(rop_store(rop), rop->in->u.folder, &c, &running, &ticket);
	if (r == 0)
		r = store_search_step(rop_store(rop), FIRST_SLICE, &running, &ticket);
	rop_promise(rop, ticket);
	if (r == 0)
		emsmdb_search(rop_mailbox(rop));
	return r;
}

/* 3.2.5.4 */
uint32_t rop_set_search_criteria(struct rop_call *rop)
{
	const struct RopSetSearchCriteriaRequest *q = (const struct RopSetSearchCriteriaRequest *)rop->request;
	uint64_t ticket = 0;
	int r;
	if (q->SearchFlags & ~KNOWN_FLAGS || (q->SearchFlags & STOP_SEARCH && q->SearchFlags & RESTART_SEARCH) ||
	    (q->SearchFlags & RECURSIVE_SEARCH && q->SearchFlags & SHALLOW_SEARCH))
		return ecInvalidParam;
	if (q->SearchFlags & STOP_SEARCH) {
		r = store_search_stop(rop_store(rop), rop->in->u.folder, &ticket);
		rop_promise(rop, ticket);
	} else {
		r = begin(rop, q);
	}
	return status_of(rop, r);
}

/* ---- Asking for them ---- */

/* Texts in the session's code page, for a client without Unicode. */
static int narrow(struct rop_call *rop, const struct mapi_restriction *in, struct mapi_restriction *out, unsigned depth)
{
	bool many = in->type == MAPI_RES_AND || in->type == MAPI_RES_OR;
	uint32_t children = many ? in->count : in->children ? 1 : 0;
	uint32_t values = in->type == MAPI_RES_COMMENT ? in->count : in->values ? 1 : 0;
	int r = depth < ROP_RESTRICTION_DEPTH ? 0 : MW_E_LIMIT;
	*out = *in;
	out->values = arena_new_array(rop->arena, struct mapi_value, values);
	out->children = children ? arena_new_array(rop->arena, struct mapi_restriction, children) : NULL;
	if (!out->values || (children && !out->children))
		return MW_E_NOMEM;
	for (uint32_t i = 0; r == 0 && i < values; i++) {
		uint16_t type = mapi_tag_type(in->values[i].tag);
		bool text = (type & ~PTYP_MULTIPLE) == PTYP_STRING;
		out->values[i] = in->values[i];
		if (text)
			r = mapi_value_convert(rop->arena, &in->values[i],
			                       (uint16_t)((type & PTYP_MULTIPLE) | PTYP_STRING8),
			                       rop->session->code_page, &out->values[i]);
		if (text && r == 0 && mapi_tag_type(out->tag) == type)
			out->tag = mapi_tag_as(out->tag, mapi_tag_type(out->values[i].tag));
	}
	for (uint32_t i = 0; r == 0 && i < children; i++)
		r = narrow(rop, &in->children[i], &out->children[i], depth + 1);
	return r;
}

static int fill(struct rop_call *rop, const struct RopGetSearchCriteriaRequest *q, const struct store_criteria *c,
                struct RopGetSearchCriteriaResponse *a)
{
	int r = 0;
	if (q->IncludeRestriction) {
		a->RestrictionData = c->restriction;
		if (!q->UseUnicode) {
			a->RestrictionData = arena_new_of(rop->arena, struct mapi_restriction);
			r = a->RestrictionData ? narrow(rop, c->restriction, a->RestrictionData, 0) : MW_E_NOMEM;
		}
	}
	if (q->IncludeFolders) {
		a->FolderIds = c->folders;
		a->FolderIdCount = (uint16_t)c->folder_count;
	}
	return r;
}

/* 3.2.5.5 */
uint32_t rop_get_search_criteria(struct rop_call *rop)
{
	const struct RopGetSearchCriteriaRequest *q = (const struct RopGetSearchCriteriaRequest *)rop->request;
	struct RopGetSearchCriteriaResponse *a = (struct RopGetSearchCriteriaResponse *)rop->response;
	struct store_criteria c;
	bool running = false;
	int r = store_search_get(rop_store(rop), rop->arena, rop->in->u.folder, &c, &running);
	if (r == 0)
		r = fill(rop, q, &c, a);
	if (r < 0)
		return status_of(rop, r);
	a->LogonId = rop->logon;
	a->SearchFlags =
	        (running ? SEARCH_RUNNING | SEARCH_REBUILD : SEARCH_COMPLETE | (c.fixed ? 0 : SEARCH_RUNNING)) |
	        (c.recursive ? SEARCH_RECURSIVE : 0) | (c.fixed ? SEARCH_STATIC : 0);
	return 0;
}
