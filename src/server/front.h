#ifndef MW_SERVER_FRONT_H
#define MW_SERVER_FRONT_H

#include "server/web.h"

/* Route /: a page for whoever opens the server's address in a browser. It says what anybody may know. */
void front_page(struct web_request *r);

#endif
