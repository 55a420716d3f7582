#include "capture/reader-private.h"

#include <stdlib.h>

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
	r->why = "it is neither pcap nor pcapng";
	if (!have)
		return MW_E_MALFORMED;
	uint32_t magic = capture_u32(r, capture_input_here(&r->in));
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
	}
	if ((magic & 0xFFFFu) == 0x8B1Fu)
		r->why = "it is compressed with gzip; unpack it first";
	if (magic == 0xFD2FB528u)
		r->why = "it is compressed with zstd; unpack it first";
	return MW_E_MALFORMED;
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
	return r->next(r, out);
}

const char *capture_why(const struct capture_reader *r)
{
	return r->why ? r->why : "";
}

void capture_progress(const struct capture_reader *r, uint64_t *done, uint64_t *size)
{
	*done = r->in.consumed;
	*size = r->in.size;
}
