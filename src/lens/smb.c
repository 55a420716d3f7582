#include "lens/smb-private.h"

#include <stdlib.h>

#define SESSION_MESSAGE 0x00
#define SESSION_REQUEST 0x81
#define SESSION_KEEP_ALIVE 0x85

struct lens_smb *lens_smb_new(struct lens_flow *flow)
{
	struct lens *lens = flow->lens;
	struct lens_smb *s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	s->flow = flow;
	s->half[0].lost = s->half[1].lost = !flow->begins;
	lens_age_add(&lens->smbs, &s->age, lens->now.frame);
	return s;
}

static void clear_half(struct lens *lens, struct smb_half *h)
{
	lens->smb_held -= h->cap;
	free(h->data);
	h->data = NULL;
	h->len = h->cap = 0;
}

void lens_smb_free(struct lens_smb **smb)
{
	struct lens_smb *s = TAKE_PTR(*smb);
	if (!s)
		return;
	struct lens *lens = s->flow->lens;
	smb_files_free(s);
	for (unsigned side = 0; side < 2; side++) {
		clear_half(lens, &s->half[side]);
		lens_where_free(&s->half[side].where);
	}
	lens_age_remove(&lens->smbs, &s->age);
	free(s);
}

/* ---- Messages ---- */

static size_t size_of(const uint8_t *frame)
{
	return SMB_FRAME + ((size_t)frame[1] << 16 | (size_t)frame[2] << 8 | frame[3]);
}

static bool is_protocol(const uint8_t *p, uint8_t first)
{
	return p[0] == first && memcmp(p + 1, "SMB", 3) == 0;
}

/* Names and answers of NetBIOS sessions are short. */
static bool is_session_frame(const uint8_t *p)
{
	return p[0] >= SESSION_REQUEST && p[0] <= SESSION_KEEP_ALIVE && p[1] == 0 && p[2] == 0;
}

bool lens_smb_looks_like(const uint8_t *data, size_t len)
{
	if (len < SMB_FRAME + 4)
		return false;
	if (is_session_frame(data))
		return data[0] == SESSION_REQUEST && data[3] == 68; /* two names of 34 bytes */
	const uint8_t *p = data + SMB_FRAME;
	return data[0] == SESSION_MESSAGE && size_of(data) >= SMB_FRAME + SMB_1_HEADER &&
	       (is_protocol(p, 0xFF) || is_protocol(p, 0xFE) || is_protocol(p, 0xFD) || is_protocol(p, 0xFC));
}

bool lens_smb_from_client(const uint8_t *data, size_t len)
{
	const uint8_t *p = data + SMB_FRAME;
	if (data[0] != SESSION_MESSAGE)
		return data[0] == SESSION_REQUEST;
	if (is_protocol(p, 0xFF) && len > SMB_FRAME + 9)
		return !(p[9] & 0x80);
	return !(is_protocol(p, 0xFE) && len > SMB_FRAME + 16 && p[16] & 1);
}

static bool is_idle(struct lens_smb *s, const uint8_t *frame, size_t total)
{
	const uint8_t *p = frame + SMB_FRAME;
	if (frame[0] != SESSION_MESSAGE || total > SMB_MAX_MESSAGE || total < SMB_FRAME + SMB_1_HEADER)
		return true;
	if (is_protocol(p, 0xFF))
		return smb1_is_idle(s, p, SMB_1_HEADER);
	return total < SMB_FRAME + SMB_2_HEADER || !is_protocol(p, 0xFE) || smb2_is_idle(s, p, SMB_2_HEADER);
}

static void open_message(struct lens_smb *s, unsigned side, const uint8_t *frame, size_t total)
{
	struct smb_message m = {
	        .smb = s,
	        .side = side,
	        .data = frame + SMB_FRAME,
	        .len = total - SMB_FRAME,
	        .at = s->half[side].at + SMB_FRAME,
	};
	if (is_protocol(m.data, 0xFF))
		smb1_message(&m);
	else
		smb2_message(&m);
}

/* ---- Framing ---- */

enum step { STEP_MORE, STEP_WHOLE, STEP_PASS, STEP_LOST };

/* What the have bytes at p say of the message: wanted is how many are needed to go on. */
static enum step judge(struct lens_smb *s, const uint8_t *p, size_t have, size_t *wanted, size_t *total)
{
	*wanted = SMB_FRAME;
	if (have < SMB_FRAME)
		return STEP_MORE;
	*total = size_of(p);
	if (p[0] != SESSION_MESSAGE && !is_session_frame(p))
		return STEP_LOST;
	*wanted = *total < SMB_FRAME + SMB_2_HEADER ? *total : SMB_FRAME + SMB_2_HEADER;
	if (have < *wanted)
		return STEP_MORE;
	if (p[0] == SESSION_MESSAGE && (*total < SMB_FRAME + 4 || memcmp(p + SMB_FRAME + 1, "SMB", 3) != 0))
		return STEP_LOST;
	if (is_idle(s, p, *total))
		return STEP_PASS;
	*wanted = *total;
	return have < *total ? STEP_MORE : STEP_WHOLE;
}

static bool append(struct lens *lens, struct smb_half *h, const uint8_t *data, size_t n)
{
	if (h->len + n > h->cap) {
		size_t cap = h->cap ? h->cap : 256;
		while (cap < h->len + n)
			cap *= 2;
		uint8_t *more = cap - h->cap > SMB_MAX_HELD - lens->smb_held ? NULL : realloc(h->data, cap);
		if (!more)
			return false;
		lens->smb_held += cap - h->cap;
		h->data = more;
		h->cap = cap;
	}
	memcpy(h->data + h->len, data, n);
	h->len += n;
	return true;
}

static void pass_over(struct lens *lens, struct smb_half *h, size_t total)
{
	size_t gone = h->len;
	clear_half(lens, h);
	h->at += gone;
	h->skip = total - gone;
}

static void lose(struct lens_smb *s, unsigned side, size_t rest, const struct lens_stamp *stamp)
{
	struct smb_half *h = &s->half[side];
	h->at += h->len + rest;
	clear_half(s->flow->lens, h);
	h->skip = 0;
	h->lost = true;
	smb_files_lost(s, side, 0, stamp);
}

/* MS-SMB2 2.2.41: from here on all of it is, or may be, inside of such messages. */
static void note_sealed(struct lens_smb *s, unsigned side, const uint8_t *frame, const struct lens_stamp *stamp)
{
	struct lens_flow *f = s->flow;
	if (s->told_sealed || frame[0] != SESSION_MESSAGE || !is_protocol(frame + SMB_FRAME, 0xFD))
		return;
	s->told_sealed = true;
	f->lens->totals.smb_sealed++;
	if (!f->conn->iface)
		f->conn->iface_name = "smb";
	lens_tell_plain(f, LENS_CONTEXT, side == f->client, *stamp, *stamp, -1, NULL,
	                "SMB 3 encrypts from here on: what is called in its pipes stays closed");
}

/* Yields the bytes of data that it took; all of them when it cannot go on. */
static size_t take(struct lens_smb *s, unsigned side, const uint8_t *data, size_t len, const struct lens_stamp *stamp)
{
	struct smb_half *h = &s->half[side];
	struct lens *lens = s->flow->lens;
	const bool held = h->len != 0;
	size_t wanted = 0, total = 0, n;
	switch (judge(s, held ? h->data : data, held ? h->len : len, &wanted, &total)) {
	case STEP_PASS:
		note_sealed(s, side, held ? h->data : data, stamp);
		pass_over(lens, h, total);
		return 0;
	case STEP_WHOLE:
		open_message(s, side, held ? h->data : data, total);
		h->at += total;
		clear_half(lens, h);
		return held ? 0 : total;
	case STEP_MORE:
		n = wanted - h->len < len ? wanted - h->len : len;
		if (append(lens, h, data, n))
			return n;
		lens->streams.dropped += h->len + len;
		break;
	case STEP_LOST:
		break;
	}
	lose(s, side, len, stamp);
	return len;
}

/* Whether bytes at hand make a step possible without further ones. */
static bool is_complete(struct lens_smb *s, const struct smb_half *h)
{
	size_t wanted, total;
	return h->len && judge(s, h->data, h->len, &wanted, &total) != STEP_MORE;
}

void lens_smb_data(struct lens_smb *s, unsigned side, const uint8_t *data, size_t len, const struct lens_stamp *stamp)
{
	struct smb_half *h = &s->half[side];
	lens_age_touch(&s->flow->lens->smbs, &s->age, stamp->frame);
	lens_where_add(&h->where, len, stamp, h->at);
	if (h->lost && !lens_smb_looks_like(data, len)) {
		h->at += len;
		return;
	}
	h->lost = false;
	while (len || is_complete(s, h)) {
		size_t n = h->skip < len ? (size_t)h->skip : len;
		h->skip -= n;
		h->at += n;
		if (!n)
			n = take(s, side, data, len, stamp);
		data += n;
		len -= n;
	}
}

void lens_smb_gap(struct lens_smb *s, unsigned side, uint64_t n, const struct lens_stamp *stamp)
{
	struct smb_half *h = &s->half[side];
	if (n)
		lens_where_add(&h->where, n, stamp, h->at);
	if (n && !h->len && !h->lost && h->skip >= n) {
		h->skip -= n;
		h->at += n;
		return;
	}
	h->at += h->len + n;
	clear_half(s->flow->lens, h);
	h->skip = 0;
	h->lost = true;
	smb_files_lost(s, side, n, stamp);
}

void lens_smb_end(struct lens_smb *s, unsigned side, const struct lens_stamp *stamp)
{
	smb_files_end(s, side, stamp);
}
