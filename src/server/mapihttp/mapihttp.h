#ifndef MW_SERVER_MAPIHTTP_MAPIHTTP_H
#define MW_SERVER_MAPIHTTP_MAPIHTTP_H

#include "server/web.h"

/* Routes /mapi/emsmdb/ and /mapi/nspi/: [MS-OXCMAPIHTTP]. */
void mapihttp_emsmdb(struct web_request *r);
void mapihttp_nspi(struct web_request *r);
void mapihttp_gone(struct web_request *r);
#define MAPIHTTP_MAX_BODY ((size_t)1 << 20)

/* Contexts that expire, answers that take long; once a second. */
void mapihttp_tick(struct server_loop *loop, int64_t now_ns);
/* The loop has stopped. */
void mapihttp_end(struct server_loop *loop);

#endif
