#include "mapi/aux_buffer.h"
#include "mapi/ext_buffer.h"
#include "mapi/lz77.h"
#include "wire/aux.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static int make_arena(void **state)
{
	*state = arena_new(16 << 20);
	return *state ? 0 : -1;
}

static int drop_arena(void **state)
{
	struct arena *arena = *state;
	arena_free(&arena);
	return 0;
}

/* By the rules of [MS-OXCRPC] 3.1.4.1.1.2.2. */
static const struct {
	const char *plain;
	size_t size;
	uint8_t packed[16];
	size_t packed_size;
} vectors[] = {
        {"ABCABCABCABCABCABCABCABCABCABC", 30, {0, 0, 0, 0x18, 0x41, 0x42, 0x43, 0x17, 0, 0x0F, 0x02}, 11},
        {"ABCABCABCABCABCDABCABCABCA", 26, {0, 0, 0, 0x16, 0x41, 0x42, 0x43, 0x17, 0, 0x02, 0x44, 0x7F, 0}, 13},
};

static void known_vectors(void **state)
{
	(void)state;
	uint8_t plain[300];
	static const uint8_t zs[] = {0, 0, 0, 0x60, 0x5A, 0x07, 0, 0x0F, 0xFF, 0x15, 0x01};
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		struct buf out = {0};
		assert_int_equal(
		        lz77_decompress(cursor_of(vectors[i].packed, vectors[i].packed_size), plain, vectors[i].size),
		        0);
		assert_memory_equal(plain, vectors[i].plain, vectors[i].size);
		assert_int_equal(lz77_compress(plain, vectors[i].size, &out), 0);
		assert_int_equal(out.len, vectors[i].packed_size);
		if (i == 0)
			assert_memory_equal(out.data, vectors[i].packed, out.len);
		buf_free(&out);
	}
	/* The form with 16 bits of length. */
	assert_int_equal(lz77_decompress(cursor_of(zs, sizeof zs), plain, 281), 0);
	for (size_t i = 0; i < 281; i++)
		assert_int_equal(plain[i], 'Z');
	struct buf out = {0};
	assert_int_equal(lz77_compress(plain, 281, &out), 0);
	assert_int_equal(out.len, sizeof zs);
	assert_memory_equal(out.data, zs, sizeof zs);
	buf_free(&out);
}

static void lies_are_refused(void **state)
{
	(void)state;
	uint8_t plain[64];
	const uint8_t before_start[] = {0, 0, 0, 0x80, 0x08, 0};
	const uint8_t too_long[] = {0, 0, 0, 0x40, 0x41, 0x06, 0};
	assert_int_equal(lz77_decompress(cursor_of(before_start, sizeof before_start), plain, 10), MW_E_MALFORMED);
	assert_int_equal(lz77_decompress(cursor_of(too_long, sizeof too_long), plain, 5), MW_E_MALFORMED);
	for (size_t n = 0; n < vectors[0].packed_size - 1; n++)
		assert_true(lz77_decompress(cursor_of(vectors[0].packed, n), plain, 30) < 0);
}

static uint64_t next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

static void sizes_and_kinds_come_back(void **state)
{
	struct arena *arena = *state;
	static const size_t sizes[] = {0, 1, 2, 3, 4, 31, 32, 33, 100, 4096, 8191, 8192, 8193, 20000, 32768, 65535};
	uint64_t seed = 42;
	uint8_t *data = malloc(65535);
	for (unsigned kind = 0; kind < 4; kind++)
		for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
			struct mapi_ext_payload *p;
			unsigned count;
			struct buf out = {0};
			for (size_t k = 0; k < sizes[i]; k++) {
				uint64_t x = next_random(&seed);
				data[k] = (uint8_t)(kind == 0 ? 7 : kind == 1 ? x : kind == 2 ? x % 3 : k % 1000 / 4);
			}
			for (unsigned flags = 0; flags < 4; flags++) {
				buf_clear(&out);
				assert_int_equal(mapi_ext_append(&out, data, sizes[i], flags | MAPI_EXT_LAST), 0);
				assert_int_equal(mapi_ext_decode(arena, cursor_of(out.data, out.len), &p, &count), 0);
				assert_int_equal(count, 1);
				assert_int_equal(p->data.len, sizes[i]);
				assert_memory_equal(p->data.data, data, sizes[i]);
				if (kind == 0 && sizes[i] > 100 && flags & MAPI_EXT_COMPRESSED)
					assert_true(p->flags & MAPI_EXT_COMPRESSED && p->size < sizes[i] / 10);
				if (kind == 1 && sizes[i] > 100)
					assert_false(p->flags & MAPI_EXT_COMPRESSED);
			}
			buf_free(&out);
			arena_reset(arena);
		}
	free(data);
}

static void chains_have_an_end(void **state)
{
	struct arena *arena = *state;
	struct mapi_ext_payload *p;
	unsigned count;
	struct buf out = {0};
	for (unsigned i = 0; i < MAPI_EXT_MAX_PAYLOADS; i++)
		assert_int_equal(
		        mapi_ext_append(&out, &i, sizeof i, i + 1 == MAPI_EXT_MAX_PAYLOADS ? MAPI_EXT_LAST : 0), 0);
	assert_int_equal(mapi_ext_decode(arena, cursor_of(out.data, out.len), &p, &count), 0);
	assert_int_equal(count, MAPI_EXT_MAX_PAYLOADS);
	assert_int_equal(p[95].data.data[0], 95);
	/* Without a last one, and with one too many. */
	assert_int_equal(mapi_ext_decode(arena, cursor_of(out.data, 12), &p, &count), MW_E_TRUNCATED);
	buf_poke_u16(&out, out.len - 10, 0);
	assert_int_equal(mapi_ext_append(&out, "", 0, MAPI_EXT_LAST), 0);
	assert_int_equal(mapi_ext_decode(arena, cursor_of(out.data, out.len), &p, &count), MW_E_LIMIT);
	buf_free(&out);
	assert_int_equal(mapi_ext_decode(arena, cursor_of("", 0), &p, &count), 0);
	assert_int_equal(count, 0);
}

static void headers_that_contradict(void **state)
{
	struct arena *arena = *state;
	struct mapi_ext_payload *p;
	unsigned count;
	static const uint8_t bad[][10] = {
	        {1, 0, 4, 0, 2, 0, 2, 0, 1, 2}, /* version */
	        {0, 0, 4, 0, 2, 0, 3, 0, 1, 2}, /* not compressed, yet two sizes */
	        {0, 0, 5, 0, 2, 0, 2, 0, 1, 2}, /* compressed to no less */
	        {0, 0, 4, 0, 3, 0, 3, 0, 1, 2}, /* longer than the buffer */
	};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_true(mapi_ext_decode(arena, cursor_of(bad[i], sizeof bad[i]), &p, &count) < 0);
}

static void aux_blocks(void **state)
{
	struct arena *arena = *state;
	struct mapi_aux_block *blocks;
	unsigned count;
	struct buf out = {0};
	struct AUX_SERVER_CAPABILITIES capabilities = {.ServerCapabilityFlags = 1};
	/* A known block, one of an unknown type, one with a text behind it. */
	static const uint8_t unknown[] = {6, 0, 1, 0x99, 0xAA, 0xBB};
	static const uint8_t server[] = {0x12, 0, 1, 3, 1, 0, 0, 0, 0, 0, 12, 0, 'h', 0, 'i', 0, 0, 0};
	assert_int_equal(mapi_aux_append(arena, &out, 1, 0x46, &capabilities), 0);
	buf_put(&out, unknown, sizeof unknown);
	buf_put(&out, server, sizeof server);
	assert_int_equal(mapi_aux_decode(arena, cursor_of(out.data, out.len), NULL, &blocks, &count), 0);
	assert_int_equal(count, 3);
	assert_string_equal(mapi_aux_name(blocks[0].version, blocks[0].type), "SERVER_CAPABILITIES");
	assert_int_equal(((struct AUX_SERVER_CAPABILITIES *)blocks[0].value)->ServerCapabilityFlags, 1);
	assert_null(blocks[1].value);
	const struct AUX_PERF_SERVERINFO *info = blocks[2].value;
	assert_int_equal(info->ServerID, 1);
	assert_string_equal(mapi_aux_text(arena, &blocks[2], info->ServerNameOffset), "hi");
	assert_null(mapi_aux_text(arena, &blocks[2], 400));
	assert_null(mapi_aux_text(arena, &blocks[2], info->ServerDNOffset));
	/* A block that is shorter than its header, and one that passes the end. */
	assert_int_equal(mapi_aux_decode(arena, cursor_of("\3\0\1\1", 4), NULL, &blocks, &count), MW_E_MALFORMED);
	assert_int_equal(mapi_aux_decode(arena, cursor_of("\5\0\1\1", 4), NULL, &blocks, &count), MW_E_MALFORMED);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(known_vectors),
	        cmocka_unit_test(lies_are_refused),
	        cmocka_unit_test_setup_teardown(sizes_and_kinds_come_back, make_arena, drop_arena),
	        cmocka_unit_test_setup_teardown(chains_have_an_end, make_arena, drop_arena),
	        cmocka_unit_test_setup_teardown(headers_that_contradict, make_arena, drop_arena),
	        cmocka_unit_test_setup_teardown(aux_blocks, make_arena, drop_arena),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
