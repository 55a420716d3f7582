#include "server/monitor.h"

/* Every path that HTTP is served on. */

const struct web_route web_routes[] = {
        {.path = "/healthz", .ports = 1u << SERVER_PORT_MONITOR, .open = true, .collect = 1, .end = monitor_health},
        {.path = "/metrics", .ports = 1u << SERVER_PORT_MONITOR, .open = true, .collect = 1, .end = monitor_metrics},
        {.path = NULL},
};
