#ifndef MW_CAPTURE_READER_PRIVATE_H
#define MW_CAPTURE_READER_PRIVATE_H

#include "capture/capture.h"

#include <sys/types.h>

/* Beyond this a length is a lie; Wireshark's bound for the largest link layer is the same order. */
#define CAPTURE_MAX_FRAME (1u << 20)
#define CAPTURE_MAX_BLOCK (16u << 20)
#define CAPTURE_MAX_INTERFACES 65536u
#define CAPTURE_MAX_EXTRA (16u << 20)

#define CAPTURE_ETHERNET 1
#define CAPTURE_RAW 101

/* A window on a file, refilled in large reads. */
struct capture_input {
	int fd;
	bool own_fd, at_end;
	bool grows; /* what is at its end may go on */
	uint8_t *data;
	size_t pos, len, cap;
	uint64_t consumed, size;
	struct capture_unpacker *unpacker; /* NULL: the file is not compressed */
	const char *why;
};

MW_NODISCARD int capture_input_open(struct capture_input *in, const char *path);
void capture_input_close(struct capture_input *in);
/* Makes n bytes at the window's position readable: 1; fewer are left in the file: 0; MW_E_IO, MW_E_NOMEM. */
MW_NODISCARD int capture_input_need(struct capture_input *in, size_t n);
/* Passes over n bytes, also more than a window holds: 1, 0 at the end, MW_E_IO. */
MW_NODISCARD int capture_input_skip(struct capture_input *in, uint64_t n);

/* unpack.c: from here on what the window has and the file holds is gzip, or Zstandard. */
MW_NODISCARD int capture_unpack_begin(struct capture_input *in, bool zstd);
/* Bytes made; 0 at the end; MW_E_TRUNCATED, MW_E_MALFORMED (why), MW_E_IO. */
ssize_t capture_unpack(struct capture_input *in, uint8_t *out, size_t room);
/* Bytes of the compressed file. */
uint64_t capture_unpack_consumed(const struct capture_input *in);
void capture_unpack_end(struct capture_input *in);

static inline const uint8_t *capture_input_here(const struct capture_input *in)
{
	return in->data + in->pos;
}

static inline size_t capture_input_left(const struct capture_input *in)
{
	return in->len - in->pos;
}

static inline void capture_input_take(struct capture_input *in, size_t n)
{
	in->pos += n;
	in->consumed += n;
}

struct capture_interface {
	int linktype;
	uint32_t snaplen;
	uint64_t multiply, divide; /* ticks to nanoseconds */
	int64_t offset_ns;
};

struct capture_reader {
	int (*next)(struct capture_reader *r, struct capture_frame *out);
	void (*close)(struct capture_reader *r);
	struct capture_input in;
	uint64_t number;
	const char *why;
	bool swapped;  /* the file's byte order is not the host's */
	int64_t tick;  /* pcap: nanoseconds of the fraction's unit */
	int linktype;  /* pcap */
	uint8_t minor; /* Network Monitor: version, kind of network, when its times begin, where its frames end */
	uint16_t mac;
	int64_t start_ns;
	uint64_t frames_end;
	struct capture_interface *interfaces;
	size_t interface_count, interface_cap;
	struct capture_extra *extras;
	size_t extra_count, extra_told, extra_cap, extra_bytes;
	struct arena *arena;         /* what extras point to */
	void *live;                  /* pcap_t */
	struct capture_parts *parts; /* several files; NULL: one */
};

static inline uint32_t capture_u32(const struct capture_reader *r, const uint8_t *p)
{
	uint32_t v;
	__builtin_memcpy(&v, p, sizeof v);
	return r->swapped ? __builtin_bswap32(v) : v;
}

static inline uint16_t capture_u16(const struct capture_reader *r, const uint8_t *p)
{
	uint16_t v;
	__builtin_memcpy(&v, p, sizeof v);
	return r->swapped ? __builtin_bswap16(v) : v;
}

/* merge.c: of all files together. */
void capture_parts_progress(const struct capture_reader *r, uint64_t *done, uint64_t *size);
const struct capture_extra *capture_parts_extra(const struct capture_reader *r, size_t index);
const struct capture_extra *capture_parts_new_extra(struct capture_reader *r);

/* Each reads its file's head, which is in the window, and sets next. */
MW_NODISCARD int capture_pcap_start(struct capture_reader *r);
MW_NODISCARD int capture_netmon_start(struct capture_reader *r);
MW_NODISCARD int capture_pcapng_start(struct capture_reader *r);

/* Blocks of pcapng that are no frames; body without type, lengths. */
MW_NODISCARD int capture_read_interface(struct capture_reader *r, const uint8_t *body, size_t len);
MW_NODISCARD int capture_read_secrets(struct capture_reader *r, const uint8_t *body, size_t len);
MW_NODISCARD int capture_read_names(struct capture_reader *r, const uint8_t *body, size_t len);
/* Comments among the options at data; frame: their number, or 0. What is damaged in them is passed over. */
MW_NODISCARD int capture_read_comments(struct capture_reader *r, const uint8_t *data, size_t len, uint32_t frame);
/* Nanoseconds of a time stamp of that interface; saturates. */
int64_t capture_ticks(const struct capture_interface *i, uint64_t ticks);

#endif
