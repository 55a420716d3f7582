#include "lens/smb-private.h"

#include <stdlib.h>

/* [MS-SMB2] 2.2.1, 2.2.9 to 2.2.32. Offsets in bodies count from the message's header. */

enum { TREE_CONNECT = 3, CREATE = 5, CLOSE = 6, READ = 8, WRITE = 9, IOCTL = 11 };

#define FLAG_ANSWER 0x01u
#define FLAG_ASYNC 0x02u
#define FLAG_RELATED 0x04u
#define SHARE_PIPE 2
#define FSCTL_PIPE_TRANSCEIVE 0x0011C017u
#define STATUS_PENDING 0x00000103u
#define STATUS_BUFFER_OVERFLOW 0x80000005u
#define MAX_COMPOUND 32

struct head {
	uint32_t status, flags, next, tree;
	uint16_t command;
	uint64_t id;
};

static struct head read_head(const uint8_t *p)
{
	struct head h;
	memcpy(&h.status, p + 8, 4);
	memcpy(&h.command, p + 12, 2);
	memcpy(&h.flags, p + 16, 4);
	memcpy(&h.next, p + 20, 4);
	memcpy(&h.id, p + 24, 8);
	memcpy(&h.tree, p + 36, 4);
	/* There an asynchronous answer has an id of its own. */
	if (h.flags & FLAG_ASYNC)
		h.tree = UINT32_MAX;
	return h;
}

bool smb2_is_idle(struct lens_smb *s, const uint8_t *p, size_t len)
{
	(void)len;
	struct head h = read_head(p);
	bool answer = h.flags & FLAG_ANSWER;
	if (h.next || h.command == TREE_CONNECT)
		return false;
	if (smb_share_of(s, h.tree) == SMB_OTHER)
		return true;
	switch (h.command) {
	case CREATE:
	case IOCTL:
		return false;
	case CLOSE:
	case WRITE:
		return answer;
	case READ:
		return answer && !smb_asked(s, h.id);
	}
	return true;
}

/* The part of the message, whose body begins at 64. */
struct part {
	const struct smb_message *m;
	struct head head;
	struct cursor all;
};

static bool get(const struct part *p, size_t at, void *out, size_t n)
{
	struct cursor c = p->all;
	return cursor_skip(&c, SMB_2_HEADER) == 0 && cursor_skip(&c, at) == 0 && cursor_copy(&c, out, n) == 0;
}

static bool get_file(const struct part *p, size_t at, struct smb_id *out)
{
	static const struct smb_id same = {
	        {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}};
	if (!get(p, at, out, sizeof *out))
		return false;
	if (p->head.flags & FLAG_RELATED && memcmp(out, &same, sizeof same) == 0)
		*out = p->m->last;
	return true;
}

static void give(const struct part *p, const struct smb_id *id, uint32_t offset, uint32_t len)
{
	struct cursor c = p->all;
	if (cursor_skip(&c, offset) < 0)
		return;
	smb_data(p->m, id, p->head.tree, cursor_here(&c), len < cursor_left(&c) ? len : cursor_left(&c));
}

static bool has_data(const struct part *p)
{
	return p->head.status == 0 || p->head.status == STATUS_BUFFER_OVERFLOW;
}

static void take_share(const struct part *p)
{
	uint8_t type;
	if (p->m->answer && p->head.status == 0 && get(p, 2, &type, 1))
		smb_learn_share(p->m->smb, p->head.tree, type == SHARE_PIPE ? SMB_PIPES : SMB_OTHER);
}

static void ask_create(const struct part *p)
{
	uint16_t offset, len;
	const uint8_t *name = NULL;
	struct cursor c = p->all;
	if (!get(p, 44, &offset, 2) || !get(p, 46, &len, 2) || cursor_skip(&c, offset) < 0 ||
	    cursor_bytes(&c, len, &name) < 0)
		return;
	smb_ask(p->m->smb, p->head.id, SMB_CREATE, NULL, smb_name(name, len, true));
}

static void take_create(const struct part *p)
{
	struct smb_id id;
	if (!p->m->answer) {
		ask_create(p);
		return;
	}
	struct smb_request *r = smb_asked(p->m->smb, p->head.id);
	if (!r || r->what != SMB_CREATE)
		return;
	if (p->head.status == 0 && get(p, 64, &id, sizeof id))
		smb_opened(p->m->smb, &id, TAKE_PTR(r->name));
	smb_answered(r);
}

static void take_close(const struct part *p)
{
	struct smb_id id;
	if (!p->m->answer && get_file(p, 8, &id))
		smb_closed(p->m->smb, &id);
}

static void take_write(const struct part *p)
{
	struct smb_id id;
	uint16_t offset;
	uint32_t len;
	if (!p->m->answer && get_file(p, 16, &id) && get(p, 2, &offset, 2) && get(p, 4, &len, 4))
		give(p, &id, offset, len);
}

static void take_read(const struct part *p)
{
	struct smb_id id;
	uint8_t offset;
	uint32_t len;
	if (!p->m->answer) {
		if (get_file(p, 16, &id))
			smb_ask(p->m->smb, p->head.id, SMB_READ, &id, NULL);
		return;
	}
	struct smb_request *r = smb_asked(p->m->smb, p->head.id);
	if (!r || r->what != SMB_READ)
		return;
	id = r->file;
	smb_answered(r);
	if (has_data(p) && get(p, 2, &offset, 1) && get(p, 4, &len, 4))
		give(p, &id, offset, len);
}

static void take_ioctl(const struct part *p)
{
	struct smb_id id;
	uint32_t code, offset, len;
	size_t at = p->m->answer ? 32 : 24;
	if (!get(p, 4, &code, 4) || code != FSCTL_PIPE_TRANSCEIVE || !get_file(p, 8, &id) || !get(p, at, &offset, 4) ||
	    !get(p, at + 4, &len, 4))
		return;
	if (!p->m->answer || has_data(p))
		give(p, &id, offset, len);
}

static void take_part(const struct part *p)
{
	/* An interim answer: the real one comes later under the same id. */
	if (p->m->answer && p->head.status == STATUS_PENDING)
		return;
	switch (p->head.command) {
	case TREE_CONNECT:
		take_share(p);
		break;
	case CREATE:
		take_create(p);
		break;
	case CLOSE:
		take_close(p);
		break;
	case READ:
		take_read(p);
		break;
	case WRITE:
		take_write(p);
		break;
	case IOCTL:
		take_ioctl(p);
		break;
	}
}

/* What the next one of a compound may mean by "the same file". */
static void remember_file(struct smb_message *m, const struct part *p)
{
	static const size_t places[] = {[CLOSE] = 8, [READ] = 16, [WRITE] = 16, [IOCTL] = 8};
	struct smb_id id;
	if (m->answer && p->head.command == CREATE) {
		if (get(p, 64, &id, sizeof id))
			m->last = id;
	} else if (p->head.command < ARRAY_SIZE(places) && places[p->head.command] &&
	           get_file(p, places[p->head.command], &id)) {
		m->last = id;
	}
}

void smb2_message(struct smb_message *m)
{
	struct cursor in = cursor_of(m->data, m->len);
	for (int i = 0; i < MAX_COMPOUND && cursor_left(&in) >= SMB_2_HEADER; i++) {
		struct part p = {.m = m, .head = read_head(cursor_here(&in))};
		size_t size = p.head.next ? p.head.next : cursor_left(&in);
		if (cursor_child(&in, size, &p.all) < 0 || size < SMB_2_HEADER || memcmp(p.all.data, "\xFESMB", 4) != 0)
			return;
		m->answer = p.head.flags & FLAG_ANSWER;
		take_part(&p);
		remember_file(m, &p);
		if (!p.head.next)
			return;
	}
}
