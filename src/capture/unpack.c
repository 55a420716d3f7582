#include "capture/reader-private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

/* Compressed captures, unpacked as they are read: gzip (RFC 1952) and Zstandard (RFC 8878), of several members too. */

#define PACKED_WINDOW ((size_t)64 << 10)
#define MAX_ZSTD_WINDOW_LOG 25 /* 32 MiB */
#define GZIP_ONLY (15 + 16)

struct capture_unpacker {
	z_stream z;
	ZSTD_DStream *zstd; /* NULL: gzip */
	bool begun;         /* inside a member */
	bool at_end;        /* of the packed file */
	uint8_t packed[PACKED_WINDOW];
	size_t pos, len;
	uint64_t consumed;
};

static int refill(struct capture_unpacker *u, int fd)
{
	ssize_t got;
	if (u->pos < u->len || u->at_end)
		return 0;
	do
		got = read(fd, u->packed, sizeof u->packed);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return MW_E_IO;
	u->at_end = got == 0;
	u->pos = 0;
	u->len = (size_t)got;
	u->consumed += (uint64_t)got;
	return 0;
}

/* Bytes made, or MW_E_MALFORMED. */
static ssize_t gunzip(struct capture_unpacker *u, uint8_t *out, size_t room)
{
	u->z.next_in = u->packed + u->pos;
	u->z.avail_in = (uInt)(u->len - u->pos);
	u->z.next_out = out;
	u->z.avail_out = (uInt)room;
	int r = inflate(&u->z, Z_NO_FLUSH);
	u->begun = true;
	u->pos = u->len - u->z.avail_in;
	if (r == Z_STREAM_END) {
		u->begun = false;
		if (inflateReset(&u->z) != Z_OK)
			return MW_E_MALFORMED;
	} else if (r != Z_OK && r != Z_BUF_ERROR) {
		return MW_E_MALFORMED;
	}
	return (ssize_t)(room - u->z.avail_out);
}

static ssize_t unzstd(struct capture_unpacker *u, uint8_t *out, size_t room)
{
	ZSTD_inBuffer in = {u->packed, u->len, u->pos};
	ZSTD_outBuffer to = {out, room, 0};
	size_t r = ZSTD_decompressStream(u->zstd, &to, &in);
	u->pos = in.pos;
	if (ZSTD_isError(r))
		return MW_E_MALFORMED;
	u->begun = r != 0;
	return (ssize_t)to.pos;
}

ssize_t capture_unpack(struct capture_input *in, uint8_t *out, size_t room)
{
	struct capture_unpacker *u = in->unpacker;
	for (;;) {
		bool was_at_end = u->at_end;
		int bad = refill(u, in->fd);
		if (bad < 0)
			return bad;
		if (u->at_end && !u->begun)
			return 0;
		ssize_t made = u->zstd ? unzstd(u, out, room) : gunzip(u, out, room);
		if (made < 0)
			in->why = "its compression is damaged (or needs too large a window)";
		if (made != 0)
			return made;
		if (was_at_end)
			return MW_E_TRUNCATED;
	}
}

uint64_t capture_unpack_consumed(const struct capture_input *in)
{
	return in->unpacker->consumed;
}

void capture_unpack_end(struct capture_input *in)
{
	struct capture_unpacker *u = TAKE_PTR(in->unpacker);
	if (!u)
		return;
	if (u->zstd)
		ZSTD_freeDStream(u->zstd);
	else
		inflateEnd(&u->z);
	free(u);
}

int capture_unpack_begin(struct capture_input *in, bool zstd)
{
	struct capture_unpacker *u = calloc(1, sizeof *u);
	if (!u)
		return MW_E_NOMEM;
	bool ready;
	if (zstd) {
		u->zstd = ZSTD_createDStream();
		ready = u->zstd && !ZSTD_isError(ZSTD_initDStream(u->zstd)) &&
		        !ZSTD_isError(ZSTD_DCtx_setParameter(u->zstd, ZSTD_d_windowLogMax, MAX_ZSTD_WINDOW_LOG));
	} else {
		ready = inflateInit2(&u->z, GZIP_ONLY) == Z_OK;
	}
	if (!ready) {
		ZSTD_freeDStream(u->zstd);
		free(u);
		return MW_E_NOMEM;
	}
	/* What was read so far was packed. */
	u->len = capture_input_left(in);
	if (u->len > sizeof u->packed)
		u->len = sizeof u->packed;
	memcpy(u->packed, capture_input_here(in), u->len);
	u->consumed = u->len;
	in->pos = in->len = 0;
	in->at_end = false;
	in->unpacker = u;
	return 0;
}
