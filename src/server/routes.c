#include "http/autodiscover.h"
#include "server/autodiscover.h"
#include "server/front.h"
#include "server/mapihttp/mapihttp.h"
#include "server/monitor.h"
#include "server/rpc_http.h"

/* Every path that HTTP is served on. */

#define WEB_PORTS (1u << SERVER_PORT_HTTPS | 1u << SERVER_PORT_HTTP)
#define RPC_HTTP(where)                                                                                                \
	{                                                                                                              \
		.path = (where), .ports = WEB_PORTS, .begin = rpc_http_begin, .body = rpc_http_body,                   \
		.end = rpc_http_end, .gone = rpc_http_gone, .drained = rpc_http_drained                                \
	}
#define AUTODISCOVER(where, function)                                                                                  \
	{                                                                                                              \
		.path = (where), .ports = WEB_PORTS, .before = autodiscover_to_https, .collect = AUTODISCOVER_MAX_XML, \
		.end = (function)                                                                                      \
	}
#define AUTODISCOVER_JSON(where)                                                                                       \
	{                                                                                                              \
		.path = (where), .ports = WEB_PORTS, .open = true, .collect = 1, .end = autodiscover_json_end          \
	}

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
        RPC_HTTP("/rpc/rpcproxy.dll"),
        RPC_HTTP("/rpcwithcert/rpcproxy.dll"),
        AUTODISCOVER("/autodiscover/autodiscover.xml", autodiscover_xml_end),
        AUTODISCOVER("/autodiscover/autodiscover.svc", autodiscover_svc_end),
        AUTODISCOVER_JSON("/autodiscover/autodiscover.json"),
        AUTODISCOVER_JSON("/autodiscover/autodiscover.json/"),
        {.path = "/", .ports = WEB_PORTS, .open = true, .collect = 1, .end = front_page},
        {.path = "/healthz", .ports = 1u << SERVER_PORT_MONITOR, .open = true, .collect = 1, .end = monitor_health},
        {.path = "/metrics", .ports = 1u << SERVER_PORT_MONITOR, .open = true, .collect = 1, .end = monitor_metrics},
        {.path = NULL},
};
