#include "capture/reader-private.h"

/*
 * pcapng (draft-ietf-opsawg-pcapng): blocks of type, length, body, length. A
 * section sets the byte order and starts its interfaces anew.
 */
#define BLOCK_SECTION 0x0A0D0D0Au
#define BLOCK_INTERFACE 1u
#define BLOCK_PACKET 2u /* obsolete */
#define BLOCK_SIMPLE 3u
#define BLOCK_NAMES 4u
#define BLOCK_ENHANCED 6u
#define BLOCK_SECRETS 10u

struct block {
	uint32_t type;
	const uint8_t *body;
	size_t len;
};

static int fail(struct capture_reader *r, const char *why)
{
	r->why = why;
	return MW_E_MALFORMED;
}

static int start_section(struct capture_reader *r)
{
	int have = capture_input_need(&r->in, 16);
	if (have <= 0)
		return have < 0 ? have : MW_E_TRUNCATED;
	const uint8_t *p = capture_input_here(&r->in);
	r->swapped = false;
	uint32_t magic = capture_u32(r, p + 8);
	if (magic != 0x1A2B3C4Du && magic != 0x4D3C2B1Au)
		return fail(r, "a section of the pcapng file has no byte-order mark");
	r->swapped = magic == 0x4D3C2B1Au;
	if (capture_u16(r, p + 12) != 1)
		return fail(r, "its pcapng version is not 1");
	r->interface_count = 0;
	return 0;
}

static bool wanted(uint32_t type)
{
	return type == BLOCK_ENHANCED || type == BLOCK_SIMPLE || type == BLOCK_PACKET || type == BLOCK_INTERFACE ||
	       type == BLOCK_SECRETS || type == BLOCK_NAMES || type == BLOCK_SECTION;
}

/* 1 and a wanted block, whose bytes stay in the window; 0 at the end. */
static int next_block(struct capture_reader *r, struct block *out)
{
	for (;;) {
		int have = capture_input_need(&r->in, 12);
		if (have < 0)
			return have;
		if (!have)
			return capture_input_left(&r->in) ? MW_E_TRUNCATED : 0;
		uint32_t type = capture_u32(r, capture_input_here(&r->in));
		if (type == BLOCK_SECTION) {
			int bad = start_section(r);
			if (bad < 0)
				return bad;
		}
		uint32_t len = capture_u32(r, capture_input_here(&r->in) + 4);
		if (len < 12 || len % 4)
			return fail(r, "a block's length is wrong; the file is damaged here");
		if (!wanted(type)) {
			have = capture_input_skip(&r->in, len);
			if (have <= 0)
				return have < 0 ? have : MW_E_TRUNCATED;
			continue;
		}
		if (len > CAPTURE_MAX_BLOCK)
			return fail(r, "a block's length is beyond all bounds; the file is damaged here");
		have = capture_input_need(&r->in, len);
		if (have <= 0)
			return have < 0 ? have : MW_E_TRUNCATED;
		const uint8_t *p = capture_input_here(&r->in);
		if (capture_u32(r, p + len - 4) != len)
			return fail(r, "a block's two lengths differ; the file is damaged here");
		*out = (struct block){.type = type, .body = p + 8, .len = len - 12};
		capture_input_take(&r->in, len);
		return 1;
	}
}

static int frame_of(struct capture_reader *r, uint32_t interface, uint64_t ticks, const uint8_t *data, size_t room,
                    uint32_t captured, uint32_t original, struct capture_frame *out)
{
	if (interface >= r->interface_count)
		return fail(r, "a frame names an interface that the file does not describe");
	if (captured > room || captured > CAPTURE_MAX_FRAME)
		return fail(r, "a frame is longer than its block; the file is damaged here");
	const struct capture_interface *i = &r->interfaces[interface];
	*out = (struct capture_frame){
	        .number = ++r->number,
	        .time_ns = capture_ticks(i, ticks),
	        .linktype = i->linktype,
	        .captured = captured,
	        .original = original,
	        .data = data,
	};
	return 1;
}

static int enhanced(struct capture_reader *r, const struct block *b, struct capture_frame *out)
{
	const uint8_t *p = b->body;
	if (b->len < 20)
		return fail(r, "a frame's block is too short");
	uint32_t interface = b->type == BLOCK_PACKET ? capture_u16(r, p) : capture_u32(r, p);
	uint64_t ticks = (uint64_t)capture_u32(r, p + 4) << 32 | capture_u32(r, p + 8);
	uint32_t captured = capture_u32(r, p + 12);
	int got = frame_of(r, interface, ticks, p + 20, b->len - 20, captured, capture_u32(r, p + 16), out);
	size_t padded = ((size_t)captured + 3) & ~(size_t)3;
	if (got > 0 && b->len - 20 > padded) {
		int bad = capture_read_comments(r, p + 20 + padded, b->len - 20 - padded, (uint32_t)r->number);
		if (bad < 0)
			return bad;
	}
	return got;
}

/* No time, no captured length, always the first interface. */
static int simple(struct capture_reader *r, const struct block *b, struct capture_frame *out)
{
	if (b->len < 4 || !r->interface_count)
		return fail(r, "a simple packet block stands before any interface");
	uint32_t original = capture_u32(r, b->body);
	uint32_t captured = original, snaplen = r->interfaces[0].snaplen;
	if (snaplen && captured > snaplen)
		captured = snaplen;
	int got = frame_of(r, 0, 0, b->body + 4, b->len - 4, captured, original, out);
	if (got > 0)
		out->time_ns = 0;
	return got;
}

static int next(struct capture_reader *r, struct capture_frame *out)
{
	struct block b;
	int got;
	while ((got = next_block(r, &b)) > 0) {
		int bad = 0;
		switch (b.type) {
		case BLOCK_ENHANCED:
		case BLOCK_PACKET:
			return enhanced(r, &b, out);
		case BLOCK_SIMPLE:
			return simple(r, &b, out);
		case BLOCK_SECTION:
			if (b.len > 16)
				bad = capture_read_comments(r, b.body + 16, b.len - 16, 0);
			break;
		case BLOCK_INTERFACE:
			bad = capture_read_interface(r, b.body, b.len);
			break;
		case BLOCK_SECRETS:
			bad = capture_read_secrets(r, b.body, b.len);
			break;
		case BLOCK_NAMES:
			bad = capture_read_names(r, b.body, b.len);
			break;
		}
		if (bad < 0)
			return bad;
	}
	return got;
}

int capture_pcapng_start(struct capture_reader *r)
{
	int bad = start_section(r);
	if (bad == MW_E_TRUNCATED)
		return fail(r, "it ends inside the head of a pcapng file");
	if (bad < 0)
		return bad;
	r->next = next;
	return 0;
}
