#ifndef MW_TLS_OBSERVER_STATE_H
#define MW_TLS_OBSERVER_STATE_H

#include "base/buf.h"
#include "tls/observer-private.h"

/* What an observer keeps: observer.c reads records, handshake.c what is said in the handshake and the keys of it. */

enum {
	TLS_CLIENT_HELLO = 1,
	TLS_SERVER_HELLO = 2,
	TLS_TICKET = 4,
	TLS_END_OF_EARLY = 5,
	TLS_FINISHED = 20,
	TLS_KEY_UPDATE = 24
};

#define TLS_NAME_MAX 255
#define TLS_VARIANTS 5 /* early data: of which cipher is not said yet */

/* Which key a side writes with. TLS 1.2 knows the first and the last but one. */
enum phase { PHASE_CLEAR, PHASE_EARLY, PHASE_HANDSHAKE, PHASE_TRAFFIC, PHASE_UPDATED };

struct keys {
	struct tls_opener opener;
	struct tls_secret secret; /* TLS 1.3: of the phase */
};

/* What one side says. */
struct half {
	struct buf partial;  /* a record that is not whole, or what is searched for one */
	struct buf message;  /* a handshake message that is not whole */
	size_t skip_message; /* bytes of one that does not matter */
	uint64_t offset;     /* of the next byte, partial's first */
	enum phase phase;
	struct keys keys;
	uint64_t number, slack; /* of the next record, and how many may be missing before it */
	unsigned fails, hunts;
	bool hunting, given_up;
	bool has_key, handshake_key; /* the log has one for it; that of TLS 1.3's handshake */
	bool opened;                 /* one has opened something */
};

struct tls_observer {
	struct tls_observer_config config;
	bool client_hello, server_hello, retried, early, mac_last, compressed, resumable;
	uint16_t version, suite_id;
	const struct tls_suite *suite;
	uint8_t seed[2 * TLS_ID_SIZE]; /* the server's random, the client's */
	uint8_t session[TLS_ID_SIZE];  /* offered */
	uint8_t ticket[TLS_ID_SIZE];   /* hash of the one offered */
	uint8_t given[TLS_ID_SIZE];    /* the session's id as the server says */
	bool has_session, has_ticket, has_given;
	char server_name[TLS_NAME_MAX + 1];
	char why[96];
	struct half halves[2]; /* the server's, the client's */
};

static inline uint8_t *tls_client_random(struct tls_observer *o)
{
	return o->seed + TLS_ID_SIZE;
}

void tls_tell(struct tls_observer *o, struct half *h, struct tls_sight sight);
void tls_give_up(struct tls_observer *o, struct half *h, const char *why);

/* handshake.c: bytes of handshake messages, opened or in the clear. */
void tls_take_messages(struct tls_observer *o, struct half *h, const uint8_t *data, size_t len);
/* Of that phase; false: there are none. variant: below TLS_VARIANTS; 0 but for early data. */
bool tls_make_keys(struct tls_observer *o, struct half *h, enum phase phase, unsigned variant, struct keys *out);
void tls_keys_close(struct keys *k);
/* Why tls_make_keys has none. */
const char *tls_why_no_key(struct tls_observer *o);

#endif
