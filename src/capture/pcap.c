#include "capture/reader-private.h"

#include "base/time.h"

/*
 * The classic format: a head of 24 bytes (magic, version, zone, accuracy,
 * snapshot length, link type), then 16 bytes before each frame.
 */
#define HEAD 24
#define RECORD 16

static int next(struct capture_reader *r, struct capture_frame *out)
{
	int have = capture_input_need(&r->in, RECORD);
	if (have < 0)
		return have;
	if (!have)
		return capture_input_left(&r->in) ? MW_E_TRUNCATED : 0;
	const uint8_t *p = capture_input_here(&r->in);
	uint32_t captured = capture_u32(r, p + 8);
	if (captured > CAPTURE_MAX_FRAME) {
		r->why = "a frame's length is beyond all bounds; the file is damaged here";
		return MW_E_MALFORMED;
	}
	have = capture_input_need(&r->in, RECORD + captured);
	if (have < 0)
		return have;
	if (!have)
		return MW_E_TRUNCATED;
	p = capture_input_here(&r->in);
	*out = (struct capture_frame){
	        .number = ++r->number,
	        .time_ns = (int64_t)capture_u32(r, p) * NS_PER_S + (int64_t)capture_u32(r, p + 4) * r->tick,
	        .linktype = r->linktype,
	        .captured = captured,
	        .original = capture_u32(r, p + 12),
	        .data = p + RECORD,
	};
	capture_input_take(&r->in, RECORD + captured);
	return 1;
}

/* Some systems write their own DLT number where the file should hold 101. */
static int linktype_of(uint32_t field)
{
	int type = (int)(field & 0xFFFFu);
	return type == 12 || type == 14 ? CAPTURE_RAW : type;
}

int capture_pcap_start(struct capture_reader *r)
{
	int have = capture_input_need(&r->in, HEAD);
	if (have < 0)
		return have;
	if (!have) {
		r->why = "it ends inside the head of a pcap file";
		return MW_E_MALFORMED;
	}
	const uint8_t *p = capture_input_here(&r->in);
	uint32_t magic = capture_u32(r, p);
	r->swapped = magic == 0xD4C3B2A1u || magic == 0x4D3CB2A1u || magic == 0x34CDB2A1u;
	magic = capture_u32(r, p);
	if (magic == 0xA1B2CD34u) {
		r->why = "it is a modified pcap (Kuznetzov's), which is not read; convert it with editcap";
		return MW_E_MALFORMED;
	}
	if (capture_u16(r, p + 4) != 2) {
		r->why = "its pcap version is not 2";
		return MW_E_MALFORMED;
	}
	r->tick = magic == 0xA1B23C4Du ? 1 : 1000;
	r->linktype = linktype_of(capture_u32(r, p + 20));
	r->next = next;
	capture_input_take(&r->in, HEAD);
	return 0;
}
