#include "discover/srv.h"

#include <arpa/nameser.h>
#include <netdb.h>
#include <resolv.h>
#include <string.h>

_Static_assert(DISCOVER_HOST_SIZE == NS_MAXDNAME, "the resolver's own");

bool discover_srv(const char *name, char host[DISCOVER_HOST_SIZE], uint16_t *port)
{
	uint8_t answer[4096];
	struct __res_state state;
	memset(&state, 0, sizeof state);
	if (res_ninit(&state) != 0)
		return false;
	int n = res_nquery(&state, name, ns_c_in, ns_t_srv, answer, sizeof answer);
	res_nclose(&state);
	ns_msg message;
	ns_rr record;
	if (n <= 0 || n > (int)sizeof answer || ns_initparse(answer, n, &message) != 0)
		return false;
	for (int i = 0; i < ns_msg_count(message, ns_s_an); i++) {
		if (ns_parserr(&message, ns_s_an, i, &record) != 0 || ns_rr_type(record) != ns_t_srv ||
		    ns_rr_rdlen(record) < 7)
			continue;
		const uint8_t *data = ns_rr_rdata(record);
		*port = (uint16_t)ns_get16(data + 4);
		return dn_expand(ns_msg_base(message), ns_msg_end(message), data + 6, host, DISCOVER_HOST_SIZE) > 0 &&
		       *host;
	}
	return false;
}
