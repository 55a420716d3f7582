#ifndef MW_BENCH_WEB_H
#define MW_BENCH_WEB_H

#include "http/http.h"
#include "tls/tls.h"

/* A blocking HTTP client for the benchmarks, on the machines of src/http and src/tls. Every failure ends the program.
 */
struct web {
	int fd;
	struct tls_session *tls; /* NULL: plain */
	struct http_connection *http;
	unsigned status;
	bool answered;                                /* the answer to the last request is whole */
	struct buf body;                              /* of the answer, as far as it has come */
	char challenge[2048];                         /* WWW-Authenticate */
	char context[96], sequence[96], cookies[200]; /* of MAPI over HTTP */
	/* Body bytes go there instead; NULL: into body. */
	void (*on_body)(void *user, const void *data, size_t len);
	void *user;
};

void web_open(struct web *w, uint16_t port, bool tls);
void web_close(struct web *w);
/* A whole request. */
void web_ask(struct web *w, const struct http_head *head, const void *body, size_t size);
/* What http_output holds. */
void web_flush(struct web *w);
/* Takes what there is, or waits for it. */
void web_hear(struct web *w);
void web_await(struct web *w);

/* NTLM once for the connection, with requests of type PING. */
void web_log_on(struct web *w, const char *user, const char *password);
/* "Basic ..." */
void web_basic(const char *user, const char *password, char out[512]);

/* ---- MAPI over HTTP ---- */
void web_ask_mapi(struct web *w, const char *authorization, const char *type, const void *body, size_t size);
/* The answer is whole: behind DONE and its lines; ends the program unless its first two numbers are 0. */
const uint8_t *web_mapi_body(const struct web *w, size_t *len);
/* Connect, with its answer. */
void web_connect_mapi(struct web *w, const char *dn);
void web_disconnect_mapi(struct web *w);
/* Execute with an extended buffer. */
void web_execute(struct web *w, const void *rops, size_t size);

#endif
