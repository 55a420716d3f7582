#include "harness.h"

/* Shape functions: one body for both directions, what they tell the tracer, and how they fail. */

struct blob {
	uint8_t kind;
	uint16_t size;
	uint8_t *data;
	char *name;
	uint32_t count;
	uint16_t *items;
};

static int shape_blob(struct ndr *n, void *value)
{
	struct blob *b = value;
	struct ndr_bound bound;
	int rc;
	if (!n) {
		*(struct idl_shape_layout *)value = (struct idl_shape_layout){sizeof *b, _Alignof(struct blob)};
		return 0;
	}
	if ((rc = ndr_u8(n, "kind", &b->kind)) < 0 || (rc = ndr_u16(n, "size", &b->size)) < 0 ||
	    (rc = ndr_bytes(n, "data", &b->data, b->size)) < 0 || (rc = ndr_bound_enter(n, 3, &bound)) < 0)
		return rc;
	rc = ndr_str8z(n, "name", &b->name);
	size_t used = ndr_bound_leave(n, &bound);
	if (rc < 0 || (n->op == NDR_ENCODE && (rc = buf_put_zero(n->out, 3 - used)) < 0))
		return rc;
	if ((rc = ndr_u32(n, "count", &b->count)) < 0 ||
	    (rc = ndr_array(n, (void **)&b->items, b->count, sizeof *b->items, 2)) < 0)
		return rc;
	ndr_enter(n, "items");
	for (uint32_t i = 0; i < b->count; i++) {
		if ((rc = ndr_u16(n, "item", &b->items[i])) < 0)
			return rc;
		ndr_note(n, "is", 2, b->items[i] == 1 ? "one" : "many");
	}
	ndr_leave(n);
	return 0;
}

static idl_shape_fn find_shape(void *user, const char *name)
{
	(void)user;
	return strcmp(name, "shape_blob") == 0 ? shape_blob : NULL;
}

static struct item shaped_item(struct arena *arena)
{
	static const char text[] = "typedef [shaped_by(shape_blob), c_type(\"struct blob\", \"blob.h\")] Blob;"
	                           "[packed] struct R { uint8 n; [size_is(n)] Blob blobs[]; [status] uint32 end; };";
	static const struct idl_loader loader = {.shape = find_shape};
	const struct idl_module *m;
	struct idl_error error = {0};
	if (idl_parse(arena, "t.idl", text, strlen(text), &loader, &m, &error) < 0)
		fail_msg("%u: %s", error.line, error.message);
	const struct idl_type *t = idl_find_type(m, "R");
	assert_non_null(t);
	return (struct item){.type = t, .size = t->size};
}

static const char *status_name(void *user, uint32_t code)
{
	(void)user;
	return code == 0x80040102 ? "MAPI_E_NO_SUPPORT" : NULL;
}

static const char hex[] = "01 05 0200 beef 6100ee 02000000 0100 0200 02010480";

static char *print(struct arena *arena, const char *bytes, int want)
{
	struct item item = shaped_item(arena);
	struct buf in MW_CLEANUP(buf_free) = unhex(bytes);
	struct buf out MW_CLEANUP(buf_free) = {0};
	struct ndr_names names = {.status = status_name};
	struct ndr_printer printer = {.arena = arena, .out = &out, .names = &names};
	struct ndr_tracer tracer = ndr_print_to(&printer);
	struct ndr n = ndr_decoder(NDR_PACKED, arena, cursor_of(in.data, in.len));
	n.tracer = &tracer;
	assert_int_equal(decode_item(&n, &item, IDL_REQUEST, arena_alloc(arena, item.size)), want);
	assert_int_equal(buf_put_u8(&out, 0), 0);
	return arena_strdup(arena, (char *)out.data);
}

static void test_told(void **state)
{
	(void)state;
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	assert_string_equal(print(arena, hex, 0), "     0      0  R\n"
	                                          "     0      1    n = 1\n"
	                                          "     1      0    blobs\n"
	                                          "     1      0      [0]\n"
	                                          "     1      1        kind = 5\n"
	                                          "     2      2        size = 2\n"
	                                          "     4      2        data = beef\n"
	                                          "     6      2        name = \"a\"\n"
	                                          "     9      4        count = 2\n"
	                                          "    13      0        items\n"
	                                          "    13      2          item = 1\n"
	                                          "    13      2          is = one\n"
	                                          "    15      2          item = 2\n"
	                                          "    15      2          is = many\n"
	                                          "    17      4    end = MAPI_E_NO_SUPPORT (0x80040102)\n");
}

/* What a failed shape function left open is closed, and what was there is told. */
static void test_fails(void **state)
{
	(void)state;
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	const char *told = print(arena, "01 05 0000 6100ee 01000000 01", MW_E_TRUNCATED);
	assert_non_null(strstr(told, "    7      4        count = 1\n"));
	assert_null(strstr(told, "item ="));
	told = print(arena, "01 05 0000 616161", MW_E_TRUNCATED);
	assert_null(strstr(told, "name"));
	told = print(arena, "01 05 0000 6100ee ffffff0f", MW_E_LIMIT);
	assert_null(strstr(told, "items"));
	told = print(arena, "01 05 0000 6100ee ffff0000", MW_E_TRUNCATED);
	assert_null(strstr(told, "items"));
}

static void test_round(void **state)
{
	(void)state;
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	struct item item = shaped_item(arena);
	struct buf in MW_CLEANUP(buf_free) = unhex(hex);
	struct buf out MW_CLEANUP(buf_free) = {0};
	void *value = arena_alloc(arena, item.size);
	struct ndr n = ndr_decoder(NDR_PACKED, arena, cursor_of(in.data, in.len));
	assert_int_equal(decode_item(&n, &item, IDL_REQUEST, value), 0);
	n = ndr_encoder(NDR_PACKED, arena, &out);
	assert_int_equal(encode_item(&n, &item, IDL_REQUEST, value), 0);
	assert_int_equal(out.len, in.len);
	in.data[8] = 0; /* the surplus of the bound */
	assert_memory_equal(out.data, in.data, in.len);
}

struct depths {
	unsigned now, most, fields;
};

static void count_depth(void *user, const struct ndr_field *f)
{
	struct depths *d = user;
	if (f->what == NDR_FIELD_LEAVE)
		d->now--;
	assert_int_equal(f->depth, d->now);
	if (f->what == NDR_FIELD_ENTER)
		d->now++;
	d->most = d->now > d->most ? d->now : d->most;
	d->fields++;
}

/* Outside of any described type: groups and values of a caller's own. */
static void test_by_hand(void **state)
{
	(void)state;
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	struct item item = parse_item(arena, "typedef struct { long *p; } S; void f([in] S *s);", "f");
	struct buf in MW_CLEANUP(buf_free) = unhex("01000000 00000200 07000000");
	struct depths d = {0};
	struct ndr_tracer tracer = {.field = count_depth, .user = &d};
	struct ndr n = ndr_decoder(NDR_20, arena, cursor_of(in.data, in.len));
	uint32_t x = 0;
	n.tracer = &tracer;
	ndr_enter(&n, "outer");
	assert_int_equal(ndr_u32(&n, "x", &x), 0);
	assert_int_equal(x, 1);
	assert_int_equal(decode_item(&n, &item, IDL_REQUEST, arena_alloc(arena, item.size)), 0);
	ndr_leave(&n);
	assert_int_equal(d.now, 0);
	assert_int_equal(d.most, 2);
	assert_int_equal(d.fields, 6);
	assert_int_equal(ndr_u32(&n, "beyond", &x), MW_E_TRUNCATED);
	assert_string_equal(n.where, "beyond");
	assert_int_equal(x, 1);
}

/* Even after a failure each group that was entered is left. */
static void test_balanced(void **state)
{
	(void)state;
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	struct item item = shaped_item(arena);
	struct buf in MW_CLEANUP(buf_free) = unhex(hex);
	for (size_t len = 0; len <= in.len; len++) {
		struct depths d = {0};
		struct ndr_tracer tracer = {.field = count_depth, .user = &d};
		struct ndr n = ndr_decoder(NDR_PACKED, arena, cursor_of(in.data, len));
		n.tracer = &tracer;
		int rc = decode_item(&n, &item, IDL_REQUEST, arena_alloc(arena, item.size));
		assert_int_equal(rc, len < in.len ? MW_E_TRUNCATED : 0);
		assert_int_equal(d.now, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_told),    cmocka_unit_test(test_fails),    cmocka_unit_test(test_round),
	        cmocka_unit_test(test_by_hand), cmocka_unit_test(test_balanced),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
