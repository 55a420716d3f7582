/*
 * Reads RTS PDUs as lines of hexadecimal digits and prints for each its name and fields, or why it is refused,
 * and whether what was read is encoded to the same bytes.
 */
#include "http/rts.h"

#include "ndr/print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t read_hex(const char *text, uint8_t *out, size_t room)
{
	size_t n = 0;
	unsigned value;
	while (n < room && sscanf(text + 2 * n, "%2x", &value) == 1)
		out[n++] = (uint8_t)value;
	return n;
}

static void print_one(struct arena *arena, const uint8_t *data, size_t size)
{
	struct buf MW_CLEANUP(buf_free) text = {0}, again = {0};
	struct ndr_printer printer = {.arena = arena, .out = &text};
	struct ndr_tracer tracer = ndr_print_to(&printer);
	const char *why = NULL;
	struct rts rts;
	if (rts_decode(arena, data, size, NULL, &rts, &why) != 0) {
		printf("refused: %s\n", why);
		return;
	}
	bool same = rts_encode(arena, &rts, &again) == 0 && again.len == size && memcmp(again.data, data, size) == 0;
	if (rts_decode(arena, data, size, &tracer, &rts, NULL) != 0)
		exit(1);
	printf("%s %s\n%.*s", rts_name(rts.kind), same ? "same" : "other", (int)text.len, (const char *)text.data);
}

int main(void)
{
	MW_CLEANUP(arena_cleanup) struct arena *arena = arena_new(0);
	static char line[8 * RTS_MAX_SIZE];
	static uint8_t bytes[4 * RTS_MAX_SIZE];
	while (arena && fgets(line, sizeof line, stdin)) {
		print_one(arena, bytes, read_hex(line, bytes, sizeof bytes));
		arena_reset(arena);
	}
	return 0;
}
