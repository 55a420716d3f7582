#include "server/mapihttp/mapihttp.h"
#include "server/monitor.h"

/* Every path that HTTP is served on. */

#define WEB_PORTS (1u << SERVER_PORT_HTTPS | 1u << SERVER_PORT_HTTP)

const struct web_route web_routes[] = {
        {.path = "/mapi/emsmdb/",
         .ports = WEB_PORTS,
         .collect = MAPIHTTP_MAX_BODY,
         .end = mapihttp_emsmdb,
         .gone = mapihttp_gone},
        {.path = "/mapi/nspi/",
         .ports = WEB_PORTS,
         .collect = MAPIHTTP_MAX_BODY,
         .end = mapihttp_nspi,
         .gone = mapihttp_gone},
        {.path = "/healthz", .ports = 1u << SERVER_PORT_MONITOR, .open = true, .collect = 1, .end = monitor_health},
        {.path = "/metrics", .ports = 1u << SERVER_PORT_MONITOR, .open = true, .collect = 1, .end = monitor_metrics},
        {.path = NULL},
};
