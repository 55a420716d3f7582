#include "fuzz.h"

#include "tls/observer.h"

#include <string.h>

/*
 * A connection that is watched, and the key log for it: the log's text, a zero byte, then pieces of either side. A
 * piece begins with a byte: 0x80 the client's, 0x40 missing instead of there; and two with its length.
 */

struct sight_state {
	uint64_t end[2];
	bool sealed[2];
};

static void on_sight(void *user, const struct tls_sight *s)
{
	struct sight_state *state = (struct sight_state *)user;
	must(s->end >= s->first);
	must((s->why != NULL) == (s->type == TLS_SAW_DAMAGED || s->type == TLS_SAW_SEALED));
	must(!state->sealed[s->from_client]);
	if (s->type == TLS_SAW_SEALED)
		state->sealed[s->from_client] = true;
	if (s->type != TLS_SAW_TEXT)
		return;
	must(s->len > 0 && s->first >= state->end[s->from_client]);
	state->end[s->from_client] = s->end;
	for (size_t i = 0; i < s->len; i++)
		*(volatile const uint8_t *)&s->data[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *zero = size ? (const uint8_t *)memchr(data, 0, size) : NULL;
	struct sight_state state = {0};
	struct tls_log *log = tls_log_new();
	if (!zero || !log) {
		tls_log_free(&log);
		return 0;
	}
	size_t at = (size_t)(zero - data) + 1;
	(void)tls_log_read(log, data, at - 1);
	const struct tls_observer_config config = {.log = log, .on_sight = on_sight, .user = &state};
	struct tls_observer *o = tls_observer_new(&config);
	while (o && size - at >= 3) {
		bool client = data[at] & 0x80;
		size_t n = (size_t)(data[at + 1] << 8 | data[at + 2]);
		if (data[at] & 0x40) {
			tls_observe_gap(o, client, n);
			at += 3;
			continue;
		}
		at += 3;
		n = n < size - at ? n : size - at;
		tls_observe(o, client, data + at, n);
		at += n;
	}
	tls_observer_free(&o);
	tls_log_free(&log);
	return 0;
}
