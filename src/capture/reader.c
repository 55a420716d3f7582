#include "capture/reader-private.h"

#include <stdlib.h>
#include <string.h>

#define GZIP 0x8B1Fu
#define ZSTD 0xFD2FB528u
#define NETMON_1 0x53535452u /* "RTSS" */
#define NETMON_2 0x55424D47u /* "GMBU" */

static void close_file(struct capture_reader *r)
{
	capture_input_close(&r->in);
}

/* The format is told by the first four bytes. */
static int start(struct capture_reader *r)
{
	int have = capture_input_need(&r->in, 4);
	if (have < 0)
		return have;
	r->why = "it is neither pcap, pcapng nor Network Monitor's .cap";
	if (!have)
		return MW_E_MALFORMED;
	uint32_t magic = capture_u32(r, capture_input_here(&r->in));
	bool zstd = magic == ZSTD;
	if (zstd || (magic & 0xFFFFu) == GZIP) {
		r->why = "what was compressed in it is compressed again; unpack it first";
		if (r->in.unpacker)
			return MW_E_MALFORMED;
		int bad = capture_unpack_begin(&r->in, zstd);
		return bad < 0 ? bad : start(r);
	}
	switch (magic) {
	case 0x0A0D0D0Au:
		return capture_pcapng_start(r);
	case 0xA1B2C3D4u:
	case 0xD4C3B2A1u:
	case 0xA1B23C4Du:
	case 0x4D3CB2A1u:
	case 0xA1B2CD34u:
	case 0x34CDB2A1u:
		return capture_pcap_start(r);
	case NETMON_2:
		return capture_netmon_start(r);
	case NETMON_1:
		r->why = "it is Network Monitor's .cap of version 1; convert it with editcap";
	}
	return MW_E_MALFORMED;
}

/* Event traces have no magic number: the name tells. */
static bool is_event_trace(const char *path)
{
	size_t n = strlen(path);
	return n > 4 && strcasecmp(path + n - 4, ".etl") == 0;
}

int capture_open(const char *path, struct capture_reader **out, const char **why)
{
	struct capture_reader *r = calloc(1, sizeof *r);
	if (!r)
		return MW_E_NOMEM;
	int bad = capture_input_open(&r->in, path);
	if (bad < 0) {
		free(r);
		return bad;
	}
	r->close = close_file;
	bad = start(r);
	if (bad < 0) {
		if (bad == MW_E_TRUNCATED) {
			r->why = "it is cut off in its head";
			bad = MW_E_MALFORMED;
		}
		if (r->in.why)
			r->why = r->in.why;
		if (is_event_trace(path))
			r->why = "it is an event trace (.etl), which etl2pcapng turns into a pcapng file";
		if (bad == MW_E_MALFORMED && why)
			*why = r->why;
		capture_close(&r);
		return bad;
	}
	r->why = NULL;
	*out = r;
	return 0;
}

void capture_close(struct capture_reader **reader)
{
	struct capture_reader *r = TAKE_PTR(*reader);
	if (!r)
		return;
	r->close(r);
	free(r->interfaces);
	free(r->extras);
	arena_free(&r->arena);
	free(r);
}

int capture_next(struct capture_reader *r, struct capture_frame *out)
{
	int got = r->next(r, out);
	return r->in.grows && (got == 0 || got == MW_E_TRUNCATED) ? MW_E_AGAIN : got;
}

int capture_follow(struct capture_reader *r)
{
	if (r->in.unpacker || r->parts || r->live || !r->in.size)
		return MW_E_INVALID;
	r->in.grows = true;
	return 0;
}

const char *capture_why(const struct capture_reader *r)
{
	return r->why ? r->why : r->in.why ? r->in.why : "";
}

void capture_progress(const struct capture_reader *r, uint64_t *done, uint64_t *size)
{
	if (r->parts) {
		capture_parts_progress(r, done, size);
		return;
	}
	*done = r->in.unpacker ? capture_unpack_consumed(&r->in) : r->in.consumed;
	*size = r->in.size;
}
