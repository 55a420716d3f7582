#include "harness.h"

/* What a receiver refuses, what an observer makes of it, and what an encoder does not write. */

struct refused {
	const char *idl;
	const char *hex;
	int strict, lenient;
	const char *field; /* lenient and 0: this pointer is NULL, this union or count zero afterwards */
};

#define COUNTED "void f([in] long n, [in, size_is(n)] short *v, [in] long end);"
#define VARYING "void f([in] long n, [in, size_is(4), length_is(n)] short *v);"
#define CHOICE                                                                                                         \
	"typedef [switch_type(long)] union { [case(1)] hyper *p; [case(2)] long v; [case(3)] ; } U;"                   \
	"void f([in] long k, [in, switch_is(k)] U u);"

static const struct refused refused[] = {
        {COUNTED, "03000000 02000000 0100 0200 07000000", MW_E_MALFORMED, 0, "v"},
        {COUNTED, "01000000 02000000 0100 0200 07000000", MW_E_MALFORMED, 0, "v"},
        {COUNTED, "ffffffff ffffffff 0100 0200 07000000", MW_E_LIMIT, MW_E_LIMIT, NULL},
        {COUNTED, "00008000 00008000 0100 0200 07000000", MW_E_TRUNCATED, MW_E_TRUNCATED, NULL},
        {VARYING, "02000000 04000000 01000000 02000000 0100 0200", MW_E_MALFORMED, 0, "v"},
        {VARYING, "02000000 01000000 00000000 02000000 0100 0200", MW_E_MALFORMED, 0, "v"},
        {VARYING, "01000000 04000000 00000000 02000000 0100 0200", MW_E_MALFORMED, 0, "v"},
        {"void f([in, string] char *s);", "02000000 00000000 02000000 6162", MW_E_MALFORMED, 0, NULL},
        {"void f([in, string] char *s);", "02000000 00000000 00000000", MW_E_MALFORMED, 0, NULL},
        {"void f([in, string] char *s);", "02000000 00000000 03000000 616200", MW_E_MALFORMED, 0, "s"},
        {"typedef struct { [string] char s[2]; } S; void f([in] S *s);", "00000000 03000000 616200", MW_E_MALFORMED, 0,
         NULL},
        {"void f([in, range(1, 5)] long n);", "06000000", MW_E_MALFORMED, 0, NULL},
        {"void f([in, range(-3, 5)] short n);", "fcff", MW_E_MALFORMED, 0, NULL},
        {CHOICE, "01000000 02000000 07000000", MW_E_MALFORMED, 0, "u"},
        {CHOICE, "04000000 04000000 07000000", MW_E_MALFORMED, MW_E_MALFORMED, NULL},
        {CHOICE, "02000000 01000000 00000200 00000000 0000000000000000", MW_E_MALFORMED, 0, "u"},
        {"void f([in, ptr] long *a, [in, ptr] short *b);", "01000000 05000000 01000000", MW_E_MALFORMED, 0, "b"},
        {"typedef struct { long a[4]; } B; void f([in] long n, [in, size_is(n)] B *b);", "02000000 02000000 00000000",
         MW_E_TRUNCATED, MW_E_TRUNCATED, NULL},
};

static void check_refused(const struct refused *r, bool lenient)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(1 << 20);
	struct item item = parse_item(arena, r->idl, "f");
	struct buf in MW_CLEANUP(buf_free) = unhex(r->hex);
	uint8_t *value = arena_alloc(arena, item.size);
	struct ndr n = ndr_decoder(NDR_20, arena, cursor_of(in.data, in.len));
	n.lenient = lenient;
	int rc = decode_item(&n, &item, IDL_REQUEST, value);
	int want = lenient ? r->lenient : r->strict;
	if (rc != want)
		fail_msg("%s of %s: %d, not %d, at %s", r->hex, r->idl, rc, want, n.where ? n.where : "nothing");
	if (rc < 0)
		assert_non_null(n.where);
	if (rc < 0 || !lenient || !r->field)
		return;
	static const uint8_t zero[16];
	const struct idl_field *f = item_field(&item, r->field);
	assert_memory_equal(value + f->offset, zero, f->type->size < 16 ? f->type->size : 16);
}

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		check_refused(&refused[i], false);
		check_refused(&refused[i], true);
	}
}

/* A list that nests deeper than we follow. */
static void test_depth(void **state)
{
	(void)state;
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	struct item item = parse_item(arena, "typedef struct S { struct S *next; } S; void f([in] S *s);", "f");
	for (unsigned nodes = 1; nodes < 200; nodes += 50) {
		struct buf in MW_CLEANUP(buf_free) = {0};
		for (unsigned i = 0; i < nodes; i++)
			assert_int_equal(buf_put_u32(&in, 0x20000 + 4 * i), 0);
		assert_int_equal(buf_put_u32(&in, 0), 0);
		void *value = arena_alloc(arena, item.size);
		struct ndr n = ndr_decoder(NDR_20, arena, cursor_of(in.data, in.len));
		int rc = decode_item(&n, &item, IDL_REQUEST, value);
		assert_int_equal(rc, nodes < NDR_MAX_DEPTH ? 0 : MW_E_LIMIT);
		assert_int_equal(n.depth, 0);
	}
}

/* Elements that take no byte cannot fill memory. */
static void test_empty_elements(void **state)
{
	(void)state;
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(1 << 20);
	struct item item = parse_item(arena,
	                              "[packed] struct E { [present_if(0)] uint32 a; };"
	                              "[packed] struct R { uint32 n; [size_is(n)] struct E e[]; };",
	                              "struct R");
	struct buf in MW_CLEANUP(buf_free) = unhex("ffffff00 00");
	uint8_t *value = arena_alloc(arena, item.size);
	struct ndr n = ndr_decoder(NDR_PACKED, arena, cursor_of(in.data, in.len));
	assert_int_equal(decode_item(&n, &item, IDL_REQUEST, value), MW_E_TRUNCATED);
	assert_true(arena_used(arena) < 1 << 18);
}

/* As many full pointers as fit: time and memory grow with the bytes only. */
static void test_many_referents(void **state)
{
	enum { COUNT = 100000 };
	(void)state;
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	struct item item = parse_item(arena,
	                              "typedef [ptr] byte *P; typedef struct { long n; [size_is(n)] P p[]; } S;"
	                              "void f([in] S *s);",
	                              "f");
	struct buf in MW_CLEANUP(buf_free) = {0};
	struct buf out MW_CLEANUP(buf_free) = {0};
	(void)(buf_put_u32(&in, COUNT) | buf_put_u32(&in, COUNT));
	for (uint32_t i = 0; i < COUNT; i++)
		(void)buf_put_u32(&in, 0x20000 + 4 * (i % (COUNT / 2)));
	(void)buf_put_zero(&in, COUNT / 2);
	assert_int_equal(buf_error(&in), 0);
	void *value = arena_alloc(arena, item.size);
	struct ndr n = ndr_decoder(NDR_20, arena, cursor_of(in.data, in.len));
	assert_int_equal(decode_item(&n, &item, IDL_REQUEST, value), 0);
	n = ndr_encoder(NDR_20, arena, &out);
	assert_int_equal(encode_item(&n, &item, IDL_REQUEST, value), 0);
	assert_int_equal(out.len, in.len);
	assert_memory_equal(out.data, in.data, in.len);
}

/* What C says and the wire cannot. */
static void test_unsayable(void **state)
{
	static const struct {
		const char *idl, *hex, *field;
		int64_t value;
	} cases[] = {
	        {COUNTED, "02000000 02000000 0100 0200 07000000", "n", -1},
	        {VARYING, "02000000 04000000 00000000 02000000 0100 0200", "n", 5},
	        {"void f([in, range(1, 5)] long n);", "02000000", "n", 6},
	        {"typedef enum { A } E; void f([in] E n);", "0200", "n", 0x10000},
	        {CHOICE, "02000000 02000000 07000000", "k", 9},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
		struct item item = parse_item(arena, cases[i].idl, "f");
		struct buf in MW_CLEANUP(buf_free) = unhex(cases[i].hex);
		struct buf out MW_CLEANUP(buf_free) = {0};
		uint8_t *value = arena_alloc(arena, item.size);
		struct ndr n = ndr_decoder(NDR_20, arena, cursor_of(in.data, in.len));
		assert_int_equal(decode_item(&n, &item, IDL_REQUEST, value), 0);
		const struct idl_field *f = item_field(&item, cases[i].field);
		memcpy(value + f->offset, &cases[i].value, f->type->size);
		n = ndr_encoder(NDR_20, arena, &out);
		int rc = encode_item(&n, &item, IDL_REQUEST, value);
		assert_true(rc == MW_E_INVALID || rc == MW_E_MALFORMED);
		assert_int_equal(out.len, 0);
	}
}

/* An unknown middle ends what an observer sees, without a fault; a receiver does not guess. */
static void test_opaque(void **state)
{
	(void)state;
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	struct item item =
	        parse_item(arena, "interface IUnknown; void f([in] long a, [in] IUnknown *p, [in] long b);", "f");
	struct buf in MW_CLEANUP(buf_free) = unhex("05000000 00000200 01020304 05060708 09000000");
	uint8_t *value = arena_alloc(arena, item.size);
	struct ndr n = ndr_decoder(NDR_20, arena, cursor_of(in.data, in.len));
	assert_int_equal(decode_item(&n, &item, IDL_REQUEST, value), MW_E_UNSUPPORTED);
	n = ndr_decoder(NDR_20, arena, cursor_of(in.data, in.len));
	n.lenient = true;
	assert_int_equal(decode_item(&n, &item, IDL_REQUEST, value), 0);
	assert_int_equal(cursor_left(&n.in), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_refused),        cmocka_unit_test(test_depth),
	        cmocka_unit_test(test_empty_elements), cmocka_unit_test(test_many_referents),
	        cmocka_unit_test(test_unsayable),      cmocka_unit_test(test_opaque),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
