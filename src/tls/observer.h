#ifndef MW_TLS_OBSERVER_H
#define MW_TLS_OBSERVER_H

#include "tls/log.h"

/*
 * The third role beside tls/tls.h's two: sees the records of a TLS connection that others speak, and opens them with
 * the secrets of a log. TLS 1.2 (RFC 5246, 5077, 7366, 7627) and 1.3 (RFC 8446): resumed sessions, renegotiation, early
 * data, HelloRetryRequest, updated keys. Bytes in, sights out; it refuses nothing: what is damaged or missing is told,
 * and reading goes on where the next record opens.
 */
struct tls_observer;

enum tls_sight_type {
	TLS_SAW_CLIENT_HELLO, /* a new handshake; tls_observer_facts has the server's name */
	TLS_SAW_SERVER_HELLO, /* ... version and cipher; not told of HelloRetryRequest */
	TLS_SAW_TEXT,         /* data: what was said */
	TLS_SAW_ALERT,
	TLS_SAW_DAMAGED, /* why: a record that does not open, bytes that are none */
	TLS_SAW_GAP,     /* len bytes of text, or a few more, are not here */
	TLS_SAW_SEALED,  /* why: nothing more of that side will be opened. Told once */
};

struct tls_sight {
	enum tls_sight_type type;
	bool from_client;
	uint64_t first, end; /* bytes of that side's stream; TEXT: byte i of it stands at first + i */
	const uint8_t *data; /* valid during the callback */
	size_t len;
	uint8_t alert; /* RFC 8446 6; 0: close_notify */
	bool fatal;
	const char *why; /* lives as long as the observer */
};
typedef void (*tls_sight_fn)(void *user, const struct tls_sight *sight);

struct tls_observer_config {
	struct tls_log *log; /* NULL: none was given. Sessions that may be resumed are added to it */
	tls_sight_fn on_sight;
	void *user;
};

struct tls_facts {
	const char *server_name; /* as the client said, "" when it did not; bytes from the wire */
	const char *version;     /* "TLS 1.3"; NULL before the server's hello */
	const char *cipher;      /* "AES-128-GCM"; NULL: not known here */
	uint16_t suite;
};

/* Could this chunk begin a record? A ClientHello? */
bool tls_looks_like(const uint8_t *data, size_t len);
bool tls_looks_like_hello(const uint8_t *data, size_t len);

/* NULL: out of memory. */
struct tls_observer *tls_observer_new(const struct tls_observer_config *config);
void tls_observer_free(struct tls_observer **o);
/* Bytes that a side sent, in order. */
void tls_observe(struct tls_observer *o, bool from_client, const void *data, size_t len);
/* n bytes of that side's were not captured. 0 at the start: its beginning is not there. */
void tls_observe_gap(struct tls_observer *o, bool from_client, uint64_t n);
/* Strings live as long as the observer, or until its next ClientHello. */
void tls_observer_facts(const struct tls_observer *o, struct tls_facts *out);

#endif
