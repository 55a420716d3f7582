/* Text on its way to people and UTF-16 both ways: whatever comes in, what goes out is harmless and well-formed. */
#include "fuzz.h"

#include "base/arena.h"
#include "base/text.h"
#include "base/utf16.h"
#include "base/utf8.h"

#include <stdbool.h>
#include <string.h>

/* The result as a text that is well-formed and holds no control character but those in `but`. */
static void check_harmless(struct buf *b, const char *but)
{
	must(buf_put_u8(b, 0) == 0);
	for (const char *s = (char *)b->data; *s;) {
		uint32_t c;

		s += utf8_decode(s, &c);
		must(c != UTF8_BAD && (c >= 0x20 || strchr(but, (int)c)) && (c < 0x7f || c > 0x9f));
		must((c < 0x202a || c > 0x202e) && (c < 0x2066 || c > 0x2069));
	}
}

static void check_put(int (*put)(struct buf *, const char *), const char *s, const char *but, const char *never)
{
	struct buf b MW_CLEANUP(buf_free) = {0};

	must(put(&b, s) == 0);
	check_harmless(&b, but);
	for (; *never; never++)
		must(!strchr((char *)b.data, *never));
}

static void check_width(const char *s)
{
	struct buf b MW_CLEANUP(buf_free) = {0};

	must(text_put_terminal(&b, s) == 0 && buf_put_u8(&b, 0) == 0);
	must(text_width((char *)b.data) == text_width(s));
}

static void check_utf16(struct arena *arena, const char *s, const uint8_t *data, size_t size)
{
	size_t n;
	size_t again;
	uint16_t *units = utf8_to_utf16(arena, s, &n);
	char *back = utf16_to_utf8(arena, units, n);
	uint16_t *repeated = utf8_to_utf16(arena, back, &again);

	must(utf16_len(units) == n && n == again && memcmp(units, repeated, n * sizeof *units) == 0);
	for (const char *t = utf16le_to_utf8(arena, data, size); *t;) {
		uint32_t c;

		t += utf8_decode(t, &c);
		must(c != UTF8_BAD);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	const char *s = arena_strndup(arena, size ? (const char *)data : "", size);

	check_put(text_put_terminal, s, "", "");
	check_put(text_put_json, s, "", "<");
	check_put(text_put_html, s, "\t\n\r", "<>\"'");
	check_width(s);
	check_utf16(arena, s, data, size);
	return 0;
}
