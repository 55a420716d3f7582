#ifndef MW_CLIENT_WEB_PRIVATE_H
#define MW_CLIENT_WEB_PRIVATE_H

#include "client/private.h"
#include "client/web.h"
#include "tls/tls.h"

/* What the files of one HTTP connection share: web.c (bytes and requests), web_auth.c (the dance), web_wait.c (the
 * blocking form, and words). */

enum web_stage { WEB_NEW, WEB_CONNECTING, WEB_SHAKING, WEB_UP, WEB_OVER };
enum web_doing {
	WEB_IDLE,
	WEB_WANTED,  /* a request is kept, and has not gone out */
	WEB_PROBING, /* an empty one, of the dance, is under way */
	WEB_ASKED,   /* the request is under way */
};

/* Who asks. */
enum web_known {
	WEB_STRANGER, /* nothing was said yet */
	WEB_DANCING,  /* by the leg, or it is being made aside */
	WEB_KNOWN,    /* the server has answered with something else than 401 */
};

struct web_dance {
	enum web_known known;
	enum mapiwire_web_auth scheme;
	struct client_leg *leg;
	struct client_aside *aside; /* which makes the leg */
	struct client_leg *made;    /* that it makes */
	char *field;                /* Authorization of the next request; NULL: none */
	bool complete;              /* the leg has no more to say: the field goes with the request itself */
	bool heard;                 /* a 401 of the dance was read; its answer has not ended yet */
	unsigned steps, rounds;     /* of the leg; of all */
	int64_t began;
	enum auth_type mechanism;
};

/* A request, kept until its answer has begun. */
struct web_kept {
	struct arena *arena;
	struct client_web_request ask;
};

/* Why it is over. */
struct web_end {
	int code; /* MAPIWIRE_E_*; 0: it is not */
	enum cause cause;
	uint32_t status;
	bool by_status; /* cause and words are those of the status, a fault's */
	int error;      /* errno of connecting */
	char detail[256];
};

struct client_web {
	struct client_web *next;
	struct mapiwire *m;
	struct client_site *site;
	client_web_event_fn *on_event;
	void *user;
	enum web_stage stage;
	enum web_doing doing;
	struct client_socket socket;
	char port_text[8];
	struct tls_session *tls; /* NULL: plain */
	struct http_connection *http;
	struct web_dance dance;
	struct web_kept kept;
	struct arena *answer_arena;
	struct http_head answer;
	bool has_answer, last, closing; /* last: the server ends the connection with this answer; closing: it has */
	bool eof;
	unsigned begun; /* bytes of its first answer that were HTTP's */
	bool inside;    /* bytes are being read */
	bool retried;   /* another connection was begun for this request */
	struct client_address address;
	struct buf body;
	/* What may be waited for; all of them once it is over. */
	bool up, ready, headed, whole;
	struct web_end end;
	struct client_web_times times;
	const char *version; /* TLS's, of the last handshake */
	char certificate[256];
	int64_t since; /* of what is under way, monotonic */
};

/* web.c: it is over, for this reason, unless it is already. */
void web_lose(struct client_web *w, int code, enum cause cause, uint32_t status, const char *format, ...)
        MW_PRINTF(5, 6);

/* web_auth.c. Before a request: 1 it may go out, 0 not yet, negative: over. *probe: an empty one is to go first. */
int web_dance_prepare(struct client_web *w, bool *probe);
/* A 401, inside its head's event. False: the dance is over without success, and so is the connection. */
bool web_dance_refused(struct client_web *w, const struct http_head *head);
/* That it was the last word. */
void web_dance_refuse(struct client_web *w, const struct http_head *head);
/* Another answer: whoever asked may. */
void web_dance_accepted(struct client_web *w, const struct http_head *head);
void web_dance_field_sent(struct client_web *w);
/* The connection ends, or another begins. */
void web_dance_clear(struct client_web *w);

#endif
