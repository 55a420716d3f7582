#ifndef MW_DISCOVER_SRV_H
#define MW_DISCOVER_SRV_H

#include <stdbool.h>
#include <stdint.h>

#define DISCOVER_HOST_SIZE 1025 /* NS_MAXDNAME */

/* The first SRV record's target and port; false: there is none. RFC 2782. Waits for the resolver. */
bool discover_srv(const char *name, char host[DISCOVER_HOST_SIZE], uint16_t *port);

#endif
