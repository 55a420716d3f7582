#include "lens/smb-private.h"

#include "base/utf16.h"

#include <stdlib.h>

#define FIRST_REQUESTS 4

/* ---- Requests ---- */

static void clear_request(struct smb_request *r)
{
	free(r->name);
	*r = (struct smb_request){0};
}

/* The ring is twice as large then, its oldest first. */
static bool grow_requests(struct lens_smb *s)
{
	unsigned old = s->request_room, room = old ? old * 2 : FIRST_REQUESTS;
	struct smb_request *more = calloc(room, sizeof *more);
	if (!more)
		return false;
	for (unsigned i = 0; i < old; i++)
		more[i] = s->requests[(s->next_request + i) % old];
	free(s->requests);
	s->requests = more;
	s->request_room = room;
	s->next_request = old;
	return true;
}

void smb_ask(struct lens_smb *s, uint64_t id, enum smb_what what, const struct smb_id *file, char *name)
{
	bool full = !s->request_room || s->requests[s->next_request].id != 0;
	if (full && s->request_room < SMB_MAX_REQUESTS && !grow_requests(s)) {
		free(name);
		return;
	}
	struct smb_request *r = &s->requests[s->next_request];
	s->next_request = (s->next_request + 1) % s->request_room;
	clear_request(r);
	*r = (struct smb_request){.id = id + 1, .what = what, .name = name};
	if (file)
		r->file = *file;
}

struct smb_request *smb_asked(struct lens_smb *s, uint64_t id)
{
	for (unsigned i = 1; i <= s->request_room; i++) {
		struct smb_request *r = &s->requests[(s->next_request + s->request_room - i) % s->request_room];
		if (r->id && r->id == id + 1)
			return r;
	}
	return NULL;
}

void smb_answered(struct smb_request *r)
{
	clear_request(r);
}

/* ---- Shares ---- */

void smb_learn_share(struct lens_smb *s, uint32_t tree, enum smb_kind kind)
{
	for (unsigned i = 0; i < s->share_count && i < SMB_MAX_SHARES; i++)
		if (s->shares[i].tree == tree) {
			s->shares[i].kind = kind;
			return;
		}
	s->shares[s->share_count++ % SMB_MAX_SHARES] = (struct smb_share){tree, kind};
}

enum smb_kind smb_share_of(const struct lens_smb *s, uint32_t tree)
{
	for (unsigned i = 0; i < s->share_count && i < SMB_MAX_SHARES; i++)
		if (s->shares[i].tree == tree)
			return s->shares[i].kind;
	return SMB_UNKNOWN;
}

/* ---- Files ---- */

static const char *without_folder(const char *name)
{
	while (*name == '\\' || *name == '/')
		name++;
	if (strncasecmp(name, "PIPE\\", 5) == 0)
		name += 5;
	return name;
}

char *smb_name(const uint8_t *bytes, size_t len, bool wide)
{
	struct arena *arena = len ? arena_new(0) : NULL;
	if (len > SMB_MAX_NAME * 2)
		len = SMB_MAX_NAME * 2;
	char *text = NULL;
	if (arena)
		text = wide ? utf16le_to_utf8(arena, bytes, len) : arena_strndup(arena, (const char *)bytes, len);
	char *name = text ? strdup(without_folder(text)) : NULL;
	arena_free(&arena);
	if (name && !*name) {
		free(name);
		return NULL;
	}
	return name;
}

static struct smb_file *find_file(struct lens_smb *s, const struct smb_id *id)
{
	for (struct smb_file *f = s->files; f; f = f->next)
		if (memcmp(&f->id, id, sizeof *id) == 0)
			return f;
	return NULL;
}

static void file_free(struct lens_smb *s, struct smb_file *f)
{
	if (f->talk)
		lens_talk_free(&f->talk);
	if (s->latest == f)
		s->latest = NULL;
	free(f->name);
	free(f);
	s->file_count--;
}

static void drop_file(struct lens_smb *s, struct smb_file *f)
{
	struct smb_file **p = &s->files;
	while (*p != f)
		p = &(*p)->next;
	*p = f->next;
	file_free(s, f);
}

/* The one that was opened first stands last. */
static void drop_oldest(struct lens_smb *s)
{
	struct smb_file *f = s->files;
	while (f->next)
		f = f->next;
	drop_file(s, f);
}

static struct smb_file *new_file(struct lens_smb *s, const struct smb_id *id)
{
	if (s->file_count >= SMB_MAX_FILES)
		drop_oldest(s);
	struct smb_file *f = calloc(1, sizeof *f);
	if (!f)
		return NULL;
	f->id = *id;
	f->next = s->files;
	s->files = f;
	s->file_count++;
	return f;
}

void smb_opened(struct lens_smb *s, const struct smb_id *id, char *name)
{
	smb_closed(s, id);
	struct smb_file *f = new_file(s, id);
	if (f)
		f->name = name;
	else
		free(name);
}

void smb_closed(struct lens_smb *s, const struct smb_id *id)
{
	struct smb_file *f = find_file(s, id);
	if (f)
		drop_file(s, f);
}

/* The first bytes decide; of a file whose opening was not captured, each message may be the one that shows it. */
static bool begin_talk(const struct smb_message *m, struct smb_file *f, const uint8_t *data, size_t len)
{
	if (f->no_pipe)
		return false;
	if (!rpc_looks_like(data, len)) {
		f->no_pipe = f->name != NULL;
		return false;
	}
	f->talk = lens_talk_new(m->smb->flow, f, f->name);
	if (f->talk)
		lens_flow_has_rpc(m->smb->flow);
	if (f->talk && !f->name)
		for (unsigned side = 0; side < 2; side++)
			lens_talk_gap(f->talk, side, 0, &m->smb->flow->lens->now);
	return f->talk != NULL;
}

void smb_data(const struct smb_message *m, const struct smb_id *id, uint32_t tree, const uint8_t *data, size_t len)
{
	struct lens_smb *s = m->smb;
	struct smb_half *h = &s->half[m->side];
	struct smb_file *f = find_file(s, id);
	if (!len || smb_share_of(s, tree) == SMB_OTHER)
		return;
	if (!f && (!rpc_looks_like(data, len) || !(f = new_file(s, id))))
		return;
	if (!f->talk && !begin_talk(m, f, data, len))
		return;
	s->latest = f;
	uint64_t at = m->at + (uint64_t)(data - m->data);
	while (len && f->talk) {
		uint64_t room;
		struct lens_stamp stamp = lens_where_span(&h->where, at, &room);
		size_t n = room < len ? (size_t)room : len;
		lens_talk_data(f->talk, m->side, data, n, &stamp);
		data += n;
		len -= n;
		at += n;
	}
}

/* Each pipe looks for its next PDU; the one used last is told how much is missing. */
void smb_files_lost(struct lens_smb *s, unsigned side, uint64_t n, const struct lens_stamp *stamp)
{
	for (struct smb_file *f = s->files; f; f = f->next)
		if (f->talk)
			lens_talk_gap(f->talk, side, f == s->latest ? n : 0, stamp);
}

void smb_files_end(struct lens_smb *s, unsigned side, const struct lens_stamp *stamp)
{
	for (struct smb_file *f = s->files; f; f = f->next)
		if (f->talk)
			lens_talk_end(f->talk, side, stamp);
}

void lens_smb_forget(struct smb_file *file)
{
	lens_talk_free(&file->talk);
}

void smb_files_free(struct lens_smb *s)
{
	while (s->files) {
		struct smb_file *f = s->files;
		s->files = f->next;
		file_free(s, f);
	}
	for (unsigned i = 0; i < s->request_room; i++)
		clear_request(&s->requests[i]);
	free(s->requests);
}
