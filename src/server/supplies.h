#ifndef MW_SERVER_SUPPLIES_H
#define MW_SERVER_SUPPLIES_H

#include "server/loop.h"

/* What the server has from its helper (server/helper.h), from the first snapshot on and whenever one comes anew. */

/* Starts the helper, if there is anything for it to keep. First of all: before ports, threads and secrets. */
MW_NODISCARD int supplies_start(struct server *s, char why[512]);
/* Takes the first snapshot of each source, as whoever started the server. why as in server_new. */
MW_NODISCARD int supplies_take(struct server *s, char why[512]);
/* Takes what comes later, in the first loop. */
MW_NODISCARD int supplies_watch(struct server *s);
/* All sources are read anew, soon. From a signal handler too. */
void supplies_ask(const struct server *s);
/* After the loops. */
void supplies_end(struct server *s);

#endif
