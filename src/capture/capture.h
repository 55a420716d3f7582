#ifndef MW_CAPTURE_CAPTURE_H
#define MW_CAPTURE_CAPTURE_H

#include "base/arena.h"
#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Capture files: pcap (micro- and nanoseconds, both byte orders, modified
 * variants refused), pcapng (several sections and interfaces; secrets, comments and
 * name blocks kept for who asks) and Network Monitor's .cap 2.x; all of them compressed with gzip or zstd, too. Reading
 * is streaming: memory does not grow with the file. The readers are our own because libpcap refuses a file whose
 * interfaces differ in link type and hides secrets and name blocks; it serves live capture.
 */
struct capture_frame {
	uint64_t number; /* 1-based */
	int64_t time_ns;
	int linktype; /* as in files (LINKTYPE_*: raw IP is 101), of its interface */
	uint32_t captured, original;
	const uint8_t *data; /* valid until the next read */
};

struct capture_reader;

/* "-" is standard input. MW_E_IO (errno), MW_E_MALFORMED (no capture); *why (static) says which in a phrase. */
MW_NODISCARD int capture_open(const char *path, struct capture_reader **out, const char **why);
/* Several as one, at most CAPTURE_MAX_FILES: frames by time, numbered through. *which: the one that cannot be opened.
 */
#define CAPTURE_MAX_FILES 64
MW_NODISCARD int capture_open_files(const char *const *paths, size_t count, struct capture_reader **out, size_t *which,
                                    const char **why);
/* From now on the end of the file is no end: capture_next says MW_E_AGAIN there, or in the middle of a frame, and goes
 * on when more has been written. MW_E_INVALID: what is packed, a pipe, and several files cannot be followed. */
MW_NODISCARD int capture_follow(struct capture_reader *r);
void capture_close(struct capture_reader **r);
/* 1 and a frame, 0 at the end, MW_E_TRUNCATED for a file that ends inside a block (frames before it
 * were given), MW_E_MALFORMED or MW_E_LIMIT with capture_why; MW_E_IO. Live: MW_E_AGAIN when nothing
 * came for 100 ms. */
int capture_next(struct capture_reader *r, struct capture_frame *out);
const char *capture_why(const struct capture_reader *r);
/* Bytes consumed and the file's size (0 when not known), for progress. */
void capture_progress(const struct capture_reader *r, uint64_t *done, uint64_t *size);

/* What pcapng carries beside frames and has been read so far: decryption secrets (type: 0x544c534b
 * for TLS key log text ...), name records (type 1: IPv4 address and names, 2: IPv6), and comments (type: number of the
 * frame, 0 for the whole; UTF-8 without NUL). At most 16 MiB kept. */
struct capture_extra {
	enum { CAPTURE_SECRETS, CAPTURE_NAMES, CAPTURE_COMMENT } kind;
	uint32_t type;
	const uint8_t *data; /* valid until capture_close */
	size_t len;
};
/* NULL beyond the last. */
const struct capture_extra *capture_get_extra(const struct capture_reader *r, size_t index);
/* Each of them once, as they are read; NULL: no new one. */
const struct capture_extra *capture_new_extra(struct capture_reader *r);

/* Live: packets that came faster than they were read, and are lost. */
uint64_t capture_lost(const struct capture_reader *r);

/* Live, through libpcap. filter may be NULL. */
MW_NODISCARD int capture_open_live(const char *interface, const char *filter, struct capture_reader **out,
                                   char why[256]);

/*
 * Writes pcapng with made-up but correct IP and TCP headers: a conversation of
 * one's own, complete with handshakes, checksums and closes, from what was sent
 * and received on sockets.
 */
struct capture_writer;
/* A new file that only its owner may read, or "-". */
MW_NODISCARD int capture_create(const char *path, struct capture_writer **out);
/* 0, or the first error of any write. */
int capture_finish(struct capture_writer **w);

struct capture_endpoint {
	uint8_t family; /* 4 or 6 */
	uint8_t address[16];
	uint16_t port;
};
/* Yields a number for the connection; writes SYN at syn_ns and SYN/ACK, ACK at answered_ns. */
unsigned capture_connected(struct capture_writer *w, const struct capture_endpoint *client,
                           const struct capture_endpoint *server, int64_t syn_ns, int64_t answered_ns);
/* A connect that failed: SYN, and RST/ACK when refused. */
void capture_refused(struct capture_writer *w, const struct capture_endpoint *client,
                     const struct capture_endpoint *server, int64_t syn_ns, int64_t reset_ns, bool reset);
/* Goes with the next frame, as its comment; text: UTF-8, the first 200 bytes of it. */
void capture_comment(struct capture_writer *w, const char *text);
void capture_data(struct capture_writer *w, unsigned conn, bool from_client, const void *data, size_t len,
                  int64_t time_ns);
/* FIN, FIN and ACK; what comes later for that connection is not written. */
void capture_closed(struct capture_writer *w, unsigned conn, bool by_client, int64_t time_ns);
/* A whole frame as it is (exports, tests). */
void capture_frame_write(struct capture_writer *w, int linktype, const void *data, size_t len, int64_t time_ns);

#endif
