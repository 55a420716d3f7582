#include "harness.h"
#include "messages.h"

/* Every message of the table: decoded, printed, encoded again, cut at every length, flipped, turned. */

static enum idl_direction direction(const struct message *m)
{
	return m->request ? IDL_RESPONSE : IDL_REQUEST;
}

/* A fresh value; of a response, with what its request said. */
static void *new_value(struct arena *arena, const struct message *m, const struct item *item)
{
	void *value = arena_alloc(arena, item->size);
	assert_non_null(value);
	if (m->request) {
		struct buf b MW_CLEANUP(buf_free) = unhex(m->request);
		uint8_t *kept = arena_copy(arena, b.data, b.len);
		struct ndr n = ndr_decoder(m->syntax, arena, cursor_of(kept, b.len));
		assert_int_equal(decode_item(&n, item, IDL_REQUEST, value), 0);
	}
	return value;
}

static void assert_bytes(const char *name, const struct buf *got, const char *hex)
{
	struct buf want MW_CLEANUP(buf_free) = unhex(hex);
	if (got->len == want.len && memcmp(got->data, want.data, want.len) == 0)
		return;
	fprintf(stderr, "%s: encoded\n", name);
	for (size_t i = 0; i < got->len; i++)
		fprintf(stderr, "%02x%s", got->data[i], i % 4 == 3 ? " " : "");
	fprintf(stderr, "\n");
	fail_msg("%s: other bytes", name);
}

static void check_round(struct arena *arena, const struct message *m, const struct item *item, const char *hex,
                        bool big_endian)
{
	struct buf in MW_CLEANUP(buf_free) = unhex(hex);
	struct buf out MW_CLEANUP(buf_free) = {0};
	struct cursor c = cursor_of(in.data, in.len);
	c.big_endian = big_endian;
	struct ndr n = ndr_decoder(m->syntax, arena, c);
	void *value = new_value(arena, m, item);
	int rc = decode_item(&n, item, direction(m), value);
	if (rc < 0)
		fail_msg("%s: decode: %s at %s, %zu", m->name, mw_strerror(rc), n.where, n.where_offset);
	if (cursor_left(&n.in))
		fail_msg("%s: %zu bytes left over", m->name, cursor_left(&n.in));
	n = ndr_encoder(m->syntax, arena, &out);
	rc = encode_item(&n, item, direction(m), value);
	if (rc < 0)
		fail_msg("%s: encode: %s at %s", m->name, mw_strerror(rc), n.where);
	assert_bytes(m->name, &out, m->again ? m->again : m->hex);
}

static void test_round_trips(void **state)
{
	(void)state;
	for (size_t i = 0; i < message_count; i++) {
		const struct message *m = &messages[i];
		struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
		struct item item = parse_item(arena, m->idl, m->item);
		check_round(arena, m, &item, m->hex, false);
		if (m->again)
			check_round(arena, m, &item, m->again, false);
		if (m->big_endian)
			check_round(arena, m, &item, m->big_endian, true);
	}
}

static void test_prints(void **state)
{
	(void)state;
	for (size_t i = 0; i < message_count; i++) {
		const struct message *m = &messages[i];
		struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
		struct item item = parse_item(arena, m->idl, m->item);
		struct buf in MW_CLEANUP(buf_free) = unhex(m->hex);
		struct buf out MW_CLEANUP(buf_free) = {0};
		struct ndr_printer printer = {.arena = arena, .out = &out};
		struct ndr_tracer tracer = ndr_print_to(&printer);
		struct ndr n = ndr_decoder(m->syntax, arena, cursor_of(in.data, in.len));
		n.tracer = &tracer;
		assert_int_equal(decode_item(&n, &item, direction(m), new_value(arena, m, &item)), 0);
		assert_int_equal(buf_put_u8(&out, 0), 0);
		if (m->print && strcmp((char *)out.data, m->print) != 0)
			fprintf(stderr, "%s:\n%s", m->name, (char *)out.data);
		if (m->print)
			assert_string_equal((char *)out.data, m->print);
	}
}

/* Decodes bytes as an observer or as a receiver would; what a receiver takes can be encoded. */
static int swallow(const struct message *m, const struct item *item, struct arena *scratch, const void *bytes,
                   size_t len, bool lenient)
{
	struct buf out MW_CLEANUP(buf_free) = {0};
	struct buf print MW_CLEANUP(buf_free) = {0};
	/* Exactly as large as it is, so that the sanitizer sees a read beyond it. */
	uint8_t *exact = malloc(len ? len : 1);
	assert_non_null(exact);
	memcpy(exact, bytes, len);
	struct ndr_printer printer = {.arena = scratch, .out = &print};
	struct ndr_tracer tracer = ndr_print_to(&printer);
	struct ndr n = ndr_decoder(m->syntax, scratch, cursor_of(exact, len));
	n.lenient = lenient;
	n.tracer = lenient ? &tracer : NULL;
	void *value = new_value(scratch, m, item);
	int rc = decode_item(&n, item, direction(m), value);
	if (rc == 0) {
		struct ndr e = ndr_encoder(m->syntax, scratch, &out);
		e.lenient = lenient;
		int again = encode_item(&e, item, direction(m), value);
		if (!lenient && again < 0)
			fail_msg("%s: taken, but not encoded: %s at %s", m->name, mw_strerror(again), e.where);
	}
	free(exact);
	arena_reset(scratch);
	return rc;
}

static void test_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < message_count; i++) {
		const struct message *m = &messages[i];
		struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
		struct arena *scratch MW_CLEANUP(arena_cleanup) = arena_new(1 << 24);
		struct item item = parse_item(arena, m->idl, m->item);
		struct buf in MW_CLEANUP(buf_free) = unhex(m->hex);
		bool rest = strstr(m->idl, "until_end") != NULL;
		for (size_t len = 0; len < in.len; len++) {
			int rc = swallow(m, &item, scratch, in.data, len, false);
			if (!rest && rc != MW_E_TRUNCATED)
				fail_msg("%s, cut to %zu: %d", m->name, len, rc);
			(void)swallow(m, &item, scratch, in.data, len, true);
		}
	}
}

static void test_flipped(void **state)
{
	static const uint8_t masks[] = {0x01, 0x80, 0xff, 0x03};
	(void)state;
	for (size_t i = 0; i < message_count; i++) {
		const struct message *m = &messages[i];
		struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
		struct arena *scratch MW_CLEANUP(arena_cleanup) = arena_new(1 << 24);
		struct item item = parse_item(arena, m->idl, m->item);
		struct buf in MW_CLEANUP(buf_free) = unhex(m->hex);
		for (size_t at = 0; at < in.len; at++) {
			for (size_t k = 0; k < ARRAY_SIZE(masks); k++) {
				in.data[at] ^= masks[k];
				(void)swallow(m, &item, scratch, in.data, in.len, false);
				(void)swallow(m, &item, scratch, in.data, in.len, true);
				in.data[at] ^= masks[k];
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_round_trips),
	        cmocka_unit_test(test_prints),
	        cmocka_unit_test(test_cut),
	        cmocka_unit_test(test_flipped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
