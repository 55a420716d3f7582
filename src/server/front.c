#include "server/front.h"

#include <string.h>

static const char page[] =
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width\">\n<title>A mail server for Outlook</title>\n"
        "<style>body { font: 1rem/1.5 sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem }</style>\n"
        "</head>\n<body>\n<h1>A mail server for Outlook</h1>\n"
        "<p>Mail programs talk to this address, not browsers. Give Outlook your mail address and your password:\n"
        "it finds the rest by itself (Autodiscover).</p>\n"
        "<p>What mail programs ask for here:</p>\n<ul>\n"
        "<li><code>/autodiscover/autodiscover.xml</code>, <code>.svc</code>, <code>.json</code>: where a mailbox "
        "is</li>\n"
        "<li><code>/mapi/emsmdb/</code>, <code>/mapi/nspi/</code>: MAPI over HTTP</li>\n"
        "<li><code>/rpc/rpcproxy.dll</code>: RPC over HTTP (Outlook Anywhere)</li>\n</ul>\n"
        "<p>When a mail program cannot get in, <code>mapiwire walk ADDRESS</code> goes the same way and says where it\n"
        "ends and why.</p>\n</body>\n</html>\n";

void front_page(struct web_request *r)
{
	static const struct http_field fields[] = {
	        {"Content-Type", "text/html; charset=utf-8"},
	        {"Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"},
	};
	const struct http_head head = {.status = 200, .fields = fields, .field_count = ARRAY_SIZE(fields)};
	if (strcmp(r->head->method, "GET") != 0 && strcmp(r->head->method, "HEAD") != 0)
		web_refuse(r, 405, "GET and HEAD are what this path knows.");
	else
		web_answer(r, &head, page, sizeof page - 1);
}
