#include "lens/finding-private.h"

/* What stands between, as it shows in HTTP: channels and parked waits that proxies refuse, hold back or cut. */

void finding_http_event(struct lens_findings *f, const struct lens_event *e)
{
	static const enum cause causes[] = {
	        [LENS_CHANNEL_REFUSED] = CAUSE_HTTP_CHANNEL_REFUSED, [LENS_CHANNEL_HELD_IN] = CAUSE_HTTP_BUFFERED,
	        [LENS_CHANNEL_HELD_OUT] = CAUSE_HTTP_BUFFERED,       [LENS_CHANNEL_CUT] = CAUSE_HTTP_CHANNEL_CUT,
	        [LENS_CHANNEL_IDLE] = CAUSE_HTTP_IDLE_TIMEOUT,
	};
	if (e->channel != LENS_CHANNEL_FINE)
		finding_add(f, causes[e->channel], e, e->status ? e->status : "");
}
