#include "base/random.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

static void fill_system(void *user, void *out, size_t n)
{
	uint8_t *p = out;

	(void)user;
	while (n > 0) {
		ssize_t r = getrandom(p, n, 0);

		/* Only a kernel or sandbox without the call gets here; no bytes are better than guessable ones. */
		if (r < 0 && errno != EINTR)
			abort();
		if (r < 0)
			continue;
		p += r;
		n -= (size_t)r;
	}
}

const struct random_source random_system = {.fill = fill_system};

/* RFC 4122 4.4 */
void random_guid(const struct random_source *r, struct guid *out)
{
	r->fill(r->user, out, sizeof *out);
	out->data3 = (uint16_t)((out->data3 & 0x0fff) | 0x4000);
	out->data4[0] = (uint8_t)((out->data4[0] & 0x3f) | 0x80);
}
