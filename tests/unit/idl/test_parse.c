/* Each construct of the language, as the tables that come of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "describe.h"
#include "idl/parse.h"

#include <cmocka.h>

struct construct {
	const char *text;
	const char *type; /* its name; "METHOD()" for a method's arguments */
	const char *is;
};

static const struct construct structs[] = {
        {"struct S { char a; short b; long c; hyper d; byte e; };", "S",
         "24/8 w8/8 { a@0 c8; b@2 i16; c@4 i32; d@8 i64; e@16 xu8; }"},
        {"struct S { unsigned char a; unsigned b; unsigned short int c; unsigned __int64 d; small e; float f; double "
         "g; };",
         "S", "40/8 w8/8 { a@0 u8; b@4 u32; c@8 u16; d@16 u64; e@24 i8; f@28 f32; g@32 f64; }"},
        {"struct S { BYTE a; WORD b; DWORD c; NTSTATUS d; GUID e; wchar_t f; error_status_t g; };", "S",
         "36/4 w4/4 { a@0 xu8; b@2 u16; c@4 u32; d@8 xu32 status; e@12 guid; f@28 c16; g@32 xu32 status; }"},
        {"typedef struct _S { long a[4]; struct _S *next; } S, *PS;", "S",
         "24/8 w4/8 { a@0 [4] i32; next@16 unique>struct S; }"},
        {"#define N 3\nconst long M = N * 2;\nstruct S { byte a[N][M - 1]; byte b[0..7]; };", "S",
         "23/1 w1/1 { a@0 [3] [5] xu8; b@15 [8] xu8; }"},
        {"struct S { long n; [size_is(n + 1), length_is(n)] long a[]; };", "S",
         "16/8 w4/4 conf { n@0 i32; a@8 conf(n 1 +)var(n) i32; }"},
        {"struct S { long n; [size_is(n)] hyper a[*]; };", "S", "16/8 w8/8 conf { n@0 i32; a@8 conf(n) i64; }"},
        {"struct S { long n; [size_is(n)] byte a[1]; };", "S", "16/8 w4/4 conf { n@0 i32; a@8 conf(n) xu8; }"},
        {"struct S { long n; [size_is(n)] byte *a; };", "S", "16/8 w4/8 { n@0 i32; a@8 unique>conf(n) xu8; }"},
        {"struct S { [size_is(n)] byte *a; long n; };", "S", "16/8 w4/8 { a@0 unique>conf(n) xu8; n@8 i32; }"},
        {"struct S { long n; [size_is(n,)] long **a; };", "S", "16/8 w4/8 { n@0 i32; a@8 unique>conf(n) unique>i32; }"},
        {"struct S { long n; long m; [size_is(n, m)] long **a; };", "S",
         "16/8 w4/8 { n@0 i32; m@4 i32; a@8 unique>conf(n) unique>conf(m) i32; }"},
        {"struct S { long n; [size_is(n), string] char **a; };", "S",
         "16/8 w4/8 { n@0 i32; a@8 unique>conf(n) unique>stringconf c8; }"},
        {"struct S { long n; [max_is(n)] long *a; };", "S", "16/8 w4/8 { n@0 i32; a@8 unique>conf(n 1 +) i32; }"},
        {"struct S { long f; long l; [first_is(f), last_is(l), size_is(9)] long *a; };", "S",
         "16/8 w4/8 { f@0 i32; l@4 i32; a@8 unique>conf(9)var(l f - 1 +) i32; }"},
        {"struct S { long n; [length_is(n)] short a[8]; };", "S", "16/8 w4/4 { n@0 i32; a@8 var(n)[8] i16; }"},
        {"struct S { [string] char a[64]; [string] wchar_t *b; [string] unsigned char *c; };", "S",
         "24/8 w4/8 { a@0 string[64] c8; b@8 unique>stringconf c16; c@16 unique>stringconf c8; }"},
        {"struct S { [ref] long *a; [unique] long *b; [ptr] long *c; [ignore] long *d; };", "S",
         "32/8 w4/8 { a@0 ref>i32; b@8 unique>i32; c@16 full>i32; d@24 unique>i32 ignore; }"},
        {"typedef [ptr] long *P; typedef P *Q; struct S { P a; Q b; [unique] P c; [unique] Q d; };", "S",
         "32/8 w4/8 { a@0 full>i32; b@8 unique>full>i32; c@16 unique>i32; d@24 unique>full>i32; }"},
        {"typedef [ptr] long *P; struct S { [ptr] long *a[2]; long n; [size_is(n)] P b[]; };", "S",
         "32/8 w4/8 conf { a@0 [2] full>i32; n@16 i32; b@24 conf(n) full>i32; }"},
        {"typedef struct { long a; } T, *PT; struct S { long n; [size_is(n)] PT t; long max; };", "S",
         "24/8 w4/8 { n@0 i32; t@8 unique>conf(n) struct T; max@16 i32; }"},
        {"typedef [string] wchar_t *STR; struct S { long n; [size_is(n)] STR *a; [size_is(n)] STR b[]; };", "S",
         "24/8 w4/8 conf { n@0 i32; a@8 unique>conf(n) unique>stringconf c16; b@16 conf(n) unique>stringconf c16; }"},
        {"struct S { [range(1, 0x10)] long a; long b; }; typedef [range(0, 7)] short R; struct T { R a; R *b; };", "T",
         "16/8 w4/8 { a@0 i16 range(0,7); b@8 unique>i16; }"},
        {"enum E { A, B = 5, C }; typedef [v1_enum] enum { D = -1 } F; struct S { enum E a; F b; byte c[C]; };", "S",
         "16/4 w4/4 { a@0 enum16; b@4 enum32; c@8 [6] xu8; }"},
        {"struct S { long a; struct { short b; long *c; } d; byte e; };", "S",
         "32/8 w4/8 { a@0 i32; d@8 struct; e@24 xu8; }"},
        {"struct S { long (*a)[3]; long *b[3]; long **c; };", "S",
         "40/8 w4/8 { a@0 unique>[3] i32; b@8 [3] unique>i32; c@32 unique>unique>i32; }"},
        {"struct S { long n; [size_is((n + 7) & ~7)] byte a[]; };", "S",
         "16/8 w4/4 conf { n@0 i32; a@8 conf(n 7 + 7 ~ &) xu8; }"},
        {"struct S { long n; [size_is(n ? n << 2 | 1 : -n % 3)] byte *a; };", "S",
         "16/8 w4/8 { n@0 i32; a@8 unique>conf(n n 2 << 1 | n neg 3 % ?:) xu8; }"},
        {"struct S { long *n; [size_is(*n / sizeof(short))] short *a; };", "S",
         "16/8 w4/8 { n@0 unique>i32; a@8 unique>conf(*n 2 /) i16; }"},
        {"typedef struct _X X; struct S { long n; [size_is(n)] X *x; }; struct _X { struct S s; X *y; };", "X",
         "24/8 w4/8 { s@0 struct S; y@16 unique>struct X; }"},
        {"struct S { FILETIME t; RPC_UNICODE_STRING u; PRPC_SID s; };", "S",
         "32/8 w4/8 { t@0 struct FILETIME; u@8 struct RPC_UNICODE_STRING; s@24 unique>struct RPC_SID; }"},
        {"struct S { struct unknown *p; };", "S", "8/8 w4/8 { p@0 unique>opaque unknown; }"},
        {"interface I; struct S { I *i; LPWSTR w; void *p; };", "S",
         "24/8 w4/8 { i@0 opaque; w@8 unique>c16; p@16 opaque; }"},
        {"#ifdef MIDL_PASS\n#define SIZE 2\n#else\n#define SIZE 3\n#endif\n#if !defined(SIZE) || 0\n?\n#endif\n"
         "struct S { byte a[SIZE]; };",
         "S", "2/1 w1/1 { a@0 [2] xu8; }"},
        {"#define MACRO const GUID *\n#define AND_MORE MACRO\ntypedef AND_MORE P; struct S { P p; };", "S",
         "8/8 w4/8 { p@0 unique>guid; }"},
        {"cpp_quote(\"#define X\") import \"ms-dtyp.idl\"; midl_pragma warning(disable: 2362) typedef unsigned short "
         "wchar_t; struct S { wchar_t a; };",
         "S", "2/2 w2/2 { a@0 c16; }"},
};

static const struct construct unions[] = {
        {"typedef [switch_type(short)] union { [case(1)] long a; [case(2, 3)] hyper b; [case('x')] ; [default] byte c; "
         "} U;",
         "U", "8/8 w8/8 { a@0 i32 case 1; b@0 i64 case 2 case 3; @0 void case 120; c@0 xu8 default; }"},
        {"struct S { long t; [switch_is(t & 0xff)] union { [case(1)] long a; [default] ; } u; };", "S",
         "8/4 w4/4 { t@0 i32; u@4 union switch(t 255 &); }"},
        {"struct S { short t; [switch_type(short), switch_is(t)] union { [case(1)] hyper a; }; };", "S",
         "16/8 w8/8 { t@0 i16; u@8 union switch(t); }"},
        {"typedef union U switch (long tag) body { case 1: case 2: short a; default: ; } U;", "U",
         "8/4 w4/4 { tag@0 i32; body@4 union switch(tag); }"},
        {"union U switch (unsigned short t) { case 1: [string] char *s; };", "U",
         "16/8 w4/8 { t@0 u16; tagged_union@8 union switch(t); }"},
};

static const struct construct methods[] = {
        {"void F(void);", "F()", "0/1 w1/1 { }"},
        {"long F([in] handle_t h, [in] long a, [out] short *b);", "F()",
         "12/4 w4/4 { h@0 void in handle_only; a@0 i32 in; b@4 i16 out; ReturnValue@8 i32 out return; }"},
        {"typedef [context_handle] void *CXH; void F([in] CXH a, [in, out] CXH *b, [out, context_handle] void **c);",
         "F()", "60/4 w4/4 { a@0 handle CXH in; b@20 handle CXH in out; c@40 handle out; }"},
        {"void F([in, unique] long *a, [in, ptr] long *b, [out] long **c, [in, unique] long **d);", "F()",
         "32/8 w4/8 { a@0 unique>i32 in; b@8 full>i32 in; c@16 unique>i32 out; d@24 unique>unique>i32 in; }"},
        {"void F([in, size_is(n)] byte a[], [in] long n);", "F()", "16/8 w4/4 { a@0 conf(n) xu8 in; n@8 i32 in; }"},
        {"void F([in, size_is(n), unique] byte a[], [in] long n);", "F()",
         "16/8 w4/8 { a@0 unique>conf(n) xu8 in; n@8 i32 in; }"},
        {"void F([in, size_is(n)] byte *a, [in, unique, size_is(n)] byte *b, [in] long n);", "F()",
         "24/8 w4/8 { a@0 conf(n) xu8 in; b@8 unique>conf(n) xu8 in; n@16 i32 in; }"},
        {"void F([out, size_is(, *n)] byte **a, [in, out] long *n);", "F()",
         "16/8 w4/8 { a@0 unique>conf(n) xu8 out; n@8 i32 in out; }"},
        {"void F([out, length_is(*n), size_is(*n)] byte a[], [in, out, unique] long *n);", "F()",
         "16/8 w4/8 { a@0 conf(*n)var(*n) xu8 out; n@8 unique>i32 in out; }"},
        {"void F([in, string] wchar_t *a, [in, string, unique] char *b, [out, string] char **c);", "F()",
         "24/8 w4/8 { a@0 stringconf c16 in; b@8 unique>stringconf c8 in; c@16 unique>stringconf c8 out; }"},
        {"void F([out, string, size_is(n)] char a[], [in] long n);", "F()",
         "16/8 w4/4 { a@0 stringconf(n) c8 out; n@8 i32 in; }"},
        {"void F([in] short a[3], [out] short b[3]);", "F()", "12/2 w2/2 { a@0 [3] i16 in; b@6 [3] i16 out; }"},
        {"typedef [range(0, 9)] long R; void F([in, out] R *r, [in, range(1, 2)] short s);", "F()",
         "8/4 w4/4 { r@0 i32 in out range(0,9); s@4 i16 in range(1,2); }"},
        {"typedef struct { long a; } S, *PS; void F([in] PS a, [in, unique] PS b, [out] PS *c);", "F()",
         "24/8 w4/8 { a@0 struct S in; b@8 unique>struct S in; c@16 unique>struct S out; }"},
        {"typedef struct { long a; } S, *PS; void F([in, size_is(n)] PS a, [in] long n);", "F()",
         "16/8 w4/4 { a@0 conf(n) struct S in; n@8 i32 in; }"},
        {"void F([in, iid_is(riid)] void *p, [in] GUID *riid);", "F()", "24/8 w4/4 { p@0 opaque in; riid@8 guid in; }"},
        {"[status] unsigned long F(long a);", "F()", "8/4 w4/4 { a@0 i32 in; ReturnValue@4 u32 out return status; }"},
        {"HRESULT __stdcall F([in, hex] DWORD a);", "F()",
         "8/4 w4/4 { a@0 xu32 in; ReturnValue@4 xu32 out return status; }"},
        {"union U switch (short t) { case 1: long a; }; void F([in] union U *u);", "F()",
         "8/4 w4/4 { u@0 struct U in; }"},
        {"typedef [switch_type(long)] union { [case(1)] long a; } U; void F([in] long t, [in, switch_is(t)] U *u);",
         "F()", "8/4 w4/4 { t@0 i32 in; u@4 union U in switch(t); }"},
};

static const struct construct packed[] = {
        {"[packed] struct S { uint8 a; uint32 b; uint16 n; [size_is(n)] uint16 c[]; };", "S",
         "24/8 w1/1 { a@0 u8; b@4 u32; n@8 u16; c@16 conf(n) u16; }"},
        {"[packed] struct S { str8z a; [string] wchar_t *b; [string] char *c; str16z d[2]; };", "S",
         "40/8 w1/1 { a@0 stringconf c8; b@8 stringconf c16; c@16 stringconf c8; d@24 [2] stringconf c16; }"},
        {"[packed] struct S { [ends_if(a != 0)] uint8 a; [present_if(a & 1)] uint8 b; [bound_is(b)] str8z c; };", "S",
         "16/8 w1/1 { a@0 u8 ends(a 0 !=); b@1 u8 if(a 1 &); c@8 stringconf c8 bound(b); }"},
        {"[packed] struct S { [hex] uint64 a; [status] uint32 b; [size_is(b), until_end] uint8 c[]; };", "S",
         "24/8 w1/1 { a@0 xu64; b@8 u32 status; c@16 restconf(b) u8; }"},
        {"[packed] struct S { uint8 t; [switch_is(t)] union { [case(1)] uint16 a; [default] ; } u; };", "S",
         "4/2 w1/1 { t@0 u8; u@2 union switch(t); }"},
        {"typedef [packed] struct { uint8 a; } T; [packed] struct S { uint8 n; [size_is(n)] T t[]; T one; };", "S",
         "24/8 w1/1 { n@0 u8; t@8 conf(n) struct T; one@16 struct T; }"},
};

static const struct idl_type *find(const struct idl_module *m, const char *name)
{
	size_t n = strlen(name);

	if (n < 2 || strcmp(name + n - 2, "()") != 0)
		return idl_find_type(m, name);
	for (unsigned i = 0; i < m->interface_count; i++)
		for (unsigned k = 0; k < m->interfaces[i]->method_count; k++) {
			const struct idl_method *x = &m->interfaces[i]->methods[k];
			if (strlen(x->name) == n - 2 && memcmp(x->name, name, n - 2) == 0)
				return x->args;
		}
	return NULL;
}

static void check(const struct construct *c, const char *before, const char *after)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	struct buf b MW_CLEANUP(buf_free) = {0};
	const struct idl_module *m;
	struct idl_error error;
	const char *text = arena_printf(arena, "%s%s%s", before, c->text, after);

	if (idl_parse(arena, "test.idl", text, strlen(text), NULL, &m, &error) < 0)
		fail_msg("%s\n%s", error.message, c->text);
	const struct idl_type *t = find(m, c->type);
	if (!t)
		fail_msg("no %s in: %s", c->type, c->text);
	describe(&b, t);
	assert_int_equal(buf_put_u8(&b, 0), 0);
	if (strcmp((char *)b.data, c->is) != 0)
		fail_msg("%s\n  is     %s\n  and not %s", c->text, (char *)b.data, c->is);
}

static void test_structs(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(structs); i++)
		check(&structs[i], "", "");
}

static void test_unions(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(unions); i++)
		check(&unions[i], "", "");
}

static void test_methods(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		check(&methods[i], "[pointer_default(unique)] interface I {", "}");
}

static void test_packed(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(packed); i++)
		check(&packed[i], "", "");
}

static void test_pointer_default(void **state)
{
	static const struct construct c[] = {
	        {"struct S { long *a; long **b; };", "S", "16/8 w4/8 { a@0 full>i32; b@8 full>full>i32; }"},
	        {"void F([in] long *a, [in] long **b);", "F()", "16/8 w4/8 { a@0 i32 in; b@8 full>i32 in; }"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(c); i++)
		check(&c[i], "[pointer_default(ptr)] interface I {", "void G(void); }");
}

static const char interface_text[] =
        "[object, uuid(01020304-0506-0708-090A-0B0C0D0E0F10), version(3.7), alias(\"short\"), "
        "endpoint(\"ncacn_np:[x]\")]"
        "interface Long : IUnknown { void A([in] long a); [local] void L(); [callback] void C();"
        "void Opnum4NotUsedOnWire(void); [call_as(L), async] void B(); }";

static void test_interface(void **state)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	static const char *const names[] = {
	        "Opnum0NotUsedOnWire", "Opnum1NotUsedOnWire", "Opnum2NotUsedOnWire", "A", "Opnum4NotUsedOnWire", "B"};
	const struct idl_module *m;
	char uuid[GUID_TEXT_SIZE];

	(void)state;
	assert_int_equal(idl_parse(arena, "dir/test.idl", interface_text, strlen(interface_text), NULL, &m, NULL), 0);
	assert_string_equal(m->name, "test");
	assert_int_equal(m->interface_count, 1);
	const struct idl_interface *f = m->interfaces[0];
	guid_format(&f->uuid, uuid);
	assert_string_equal(uuid, "01020304-0506-0708-090a-0b0c0d0e0f10");
	assert_int_equal(f->major, 3);
	assert_int_equal(f->minor, 7);
	assert_string_equal(f->alias, "short");
	assert_int_equal(f->method_count, ARRAY_SIZE(names));
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		assert_string_equal(f->methods[i].name, names[i]);
		assert_int_equal(f->methods[i].opnum, i);
		assert_int_equal(f->methods[i].not_used, strncmp(names[i], "Opnum", 5) == 0);
	}
	/* an object's calls begin with ORPCTHIS and ORPCTHAT */
	assert_int_equal(f->methods[3].args->field_count, 3);
	assert_int_equal(f->methods[3].args->fields[0].type->kind, IDL_OPAQUE);
}

static void test_messages(void **state)
{
	static const char text[] =
	        "[packed, request(2)] struct Q { uint8 a; }; [packed, response(0xff)] struct R { uint8 a; };";
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	const struct idl_module *m;

	(void)state;
	assert_int_equal(idl_parse(arena, "m", text, strlen(text), NULL, &m, NULL), 0);
	assert_ptr_equal(m->requests[2], idl_find_type(m, "Q"));
	assert_ptr_equal(m->responses[255], idl_find_type(m, "R"));
	assert_null(m->requests[255]);
}

static int shape(struct ndr *n, void *value)
{
	assert_null(n);
	*(struct idl_shape_layout *)value = (struct idl_shape_layout){24, 8};
	return 0;
}

static idl_shape_fn find_shape(void *user, const char *name)
{
	(void)user;
	return strcmp(name, "known") == 0 ? shape : NULL;
}

static const char *import(void *user, struct arena *arena, const char *name, size_t *len)
{
	static const char text[] = "import \"b.idl\"; typedef [hex] uint32 FROM_A; struct A { FROM_A a; };";

	(void)user;
	(void)arena;
	*len = sizeof text - 1;
	return strcmp(name, "a.idl") == 0 ? text : NULL;
}

static void test_loader(void **state)
{
	static const char text[] =
	        "import \"a.idl\", \"a.idl\";\n"
	        "typedef [shaped_by(known), c_type(\"struct x\", \"x.h\")] K; typedef [shaped_by(new)] N;\n"
	        "struct S { byte a; K k; struct A b; };";
	const struct idl_loader loader = {.import = import, .shape = find_shape};
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	const struct idl_module *m;
	struct idl_error error;

	(void)state;
	if (idl_parse(arena, "l.idl", text, strlen(text), &loader, &m, &error) < 0)
		fail_msg("%s", error.message);
	const struct idl_type *k = idl_find_type(m, "K"), *s = idl_find_type(m, "S");
	assert_int_equal(k->kind, IDL_SHAPED);
	assert_ptr_equal(k->shape, shape);
	assert_int_equal(idl_find_type(m, "N")->kind, IDL_OPAQUE);
	assert_int_equal(s->fields[1].offset, 8);
	assert_int_equal(s->fields[2].offset, 32);
	assert_true(s->fields[2].type->fields[0].type->is_hex);
	assert_null(idl_find_type(m, "A")); /* of a.idl */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_structs),         cmocka_unit_test(test_unions),
	        cmocka_unit_test(test_methods),         cmocka_unit_test(test_packed),
	        cmocka_unit_test(test_pointer_default), cmocka_unit_test(test_interface),
	        cmocka_unit_test(test_messages),        cmocka_unit_test(test_loader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
