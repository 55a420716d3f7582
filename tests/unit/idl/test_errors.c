/* What is no IDL is refused with its line and a sentence; what is large or deep is refused, too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "idl/parse.h"

#include <cmocka.h>
#include <string.h>

static const struct {
	const char *text;
	unsigned line;
	const char *message; /* a part of it */
} errors[] = {
        {"\n\nstruct S { foo a; };", 3, "'foo' is no known type"},
        {"import \"none.idl\";\nstruct S { foo a; };", 2, "import \"none.idl\" was not found"},
        {"struct S { long a }", 1, "';' is expected before '}'"},
        {"struct S {\n long a;\n long a; };", 3, "'a' is there twice"},
        {"struct S {\n [size_is(cb)] byte *a; };", 2, "'size_is' names no field 'cb'"},
        {"struct S { long *n;\n [size_is(n)] byte *a; };", 2, "write '*n'"},
        {"struct S { long n;\n [size_is(*n)] byte *a; };", 2, "which is no pointer"},
        {"struct S { GUID n;\n [size_is(n)] byte *a; };", 2, "which is no integer"},
        {"struct S { long n; [size_is(n.x)] byte *a; };", 1, "field of another struct"},
        {"struct S { byte a[]; };", 1, "array 'a' needs size_is"},
        {"struct S { byte a[0]; };", 1, "cannot have 0 elements"},
        {"struct S { byte a[-1]; };", 1, "cannot have -1 elements"},
        {"struct S { byte a[1 / 0]; };", 1, "cannot be computed"},
        {"struct S { byte a[X]; };", 1, "no constant has the name 'X'"},
        {"struct S { long n;\n[size_is(n)] byte a[];\n long z; };", 2, "must be the last field"},
        {"struct S { long n;\n[size_is(n, n)] byte a[][]; };", 2, "more than one dimension"},
        {"struct S { struct S s; };", 1, "not complete here"},
        {"struct S;\nstruct T { struct S s[2]; };", 2, "not complete here"},
        {"struct E { };\nstruct T { struct E e[9]; };", 2, "have no size"},
        {"struct A { byte a[0x1000000]; };\nstruct B { struct A a[2]; };", 2, "is larger than"},
        {"struct A { byte a[0x1000000];\nbyte b; };", 2, "is larger than"},
        {"struct S { byte a[0x1000001]; };", 1, "cannot have 16777217 elements"},
        {"struct A { long n; [size_is(n)] long a[]; }; struct B {\n struct A a[3]; };", 2,
         "array of structs that end in"},
        {"struct A { long n; }; struct A { long n; };", 1, "'A' is defined twice"},
        {"struct A { long n; }; union A *x;", 1, "another kind of type"},
        {"typedef long X; typedef short X;", 1, "'X' is defined twice"},
        {"struct S { long a : 3; };", 1, "bit fields"},
        {"union U { long a; };", 1, "needs 'case' or 'default'"},
        {"union U { [default] long a; [default] long b; };", 1, "one default"},
        {"typedef [switch_type(long)] union { [case(1)] long a; } U;\nstruct S { U u; };", 2, "needs switch_is"},
        {"typedef [switch_type(float)] union { [case(1)] long a; } U;", 1, "switch_type is no integer"},
        {"[packed] struct S { long *p; };", 1, "needs size_is, string or until_end"},
        {"[packed] struct S {\n[size_is(n)] byte *a;\nlong n; };", 2, "stands behind it"},
        {"[packed] struct S { [present_if(a)] byte a; };", 1, "stands behind it"},
        {"[packed] struct S { uint32 n; [until_end, size_is(n)] byte a[];\n byte b; };", 1, "must be the last field"},
        {"struct A { long a; };\n[packed] struct S { struct A a; };", 2, "do not mix"},
        {"struct S { [present_if(1)] long a; };", 1, "packed structs"},
        {"[request(1)] struct S { long a; };", 1, "packed structs"},
        {"[packed, request(1)] struct S { uint8 a; }; [packed, request(1)] struct T { uint8 a; };", 0, "same id 0x01"},
        {"[packed, request(256)] struct S { uint8 a; };", 1, "0 to 255"},
        {"[uuid(12-34)] interface I { }", 1, "is no UUID"},
        {"[version(1.x)] interface I { }", 1, "is no version"},
        {"[pointer_default(none)] interface I { }", 1, "ref, unique or ptr"},
        {"interface I : J { }", 1, "no known interface"},
        {"interface I {\n void F(long);\n void G(long a,\n short a); }", 4, "is there twice"},
        {"interface I { void F([in] void a); }", 1, "is void"},
        {"[range(2, 1)] struct S { long a; };", 1, "is empty"},
        {"library L { }", 1, "describes no wire"},
        {"const long A = \"\n\";", 1, "does not end"},
        {"/* \n\n", 1, "comment that begins here does not end"},
        {"struct S { long a; } /", 1, "';' is expected before '/'"},
        {"const long A = 99999999999999999999;", 1, "larger than 64 bits"},
        {"const long A = 12x;", 1, "is no number"},
        {"const long A = 'ab';", 1, "one character"},
        {"\\", 1, "no meaning"},
        {"\x01", 1, "a byte 0x01"},
        {"#if 1\n", 2, "#endif is missing"},
        {"#if 0\n#else\n", 3, "#endif is missing"},
        {"#endif\n", 1, "without #if"},
        {"#elif\n", 1, "#elif"},
        {"typedef", 1, "a type is expected before the end of the file"},
        {"[", 1, "an attribute is expected"},
        {"enum E { A = 0x1ffffffff };", 1, "beyond what an enum holds"},
};

static void test_messages(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
		const struct idl_module *m = (void *)1;
		struct idl_error error = {0};
		int r = idl_parse(arena, "e.idl", errors[i].text, strlen(errors[i].text), NULL, &m, &error);

		if (r != MW_E_MALFORMED || !strstr(error.message, errors[i].message) ||
		    strncmp(error.message, "e.idl:", 6) != 0 || (errors[i].line && error.line != errors[i].line))
			fail_msg("%s\n  gives %d, line %u: %s\n  and not line %u: %s", errors[i].text, r, error.line,
			         error.message, errors[i].line, errors[i].message);
		assert_ptr_equal(m, (void *)1);
	}
}

static void refused(const char *text, size_t len)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(64 << 20);
	const struct idl_module *m;
	struct idl_error error;

	assert_true(idl_parse(arena, "h.idl", text, len, NULL, &m, &error) < 0);
	assert_true(error.message[0]);
}

/* begin, then middle n times, then end */
static void refuse_repeated(const char *begin, const char *middle, size_t n, const char *end)
{
	struct buf b MW_CLEANUP(buf_free) = {0};

	buf_put_str(&b, begin);
	for (size_t i = 0; i < n; i++)
		buf_put_str(&b, middle);
	buf_put_str(&b, end);
	assert_int_equal(buf_error(&b), 0);
	refused((char *)b.data, b.len);
}

static void test_depth(void **state)
{
	(void)state;
	refuse_repeated("const long A = ", "(", 100000, "1");
	refuse_repeated("const long A = ", "-", 100000, "1;");
	refuse_repeated("const long A = 1", " ? 1 : 1", 100000, ";");
	refuse_repeated("const long A = 1", " + 1", 100000, ";");
	refuse_repeated("", "struct { ", 100000, "");
	refuse_repeated("", "union switch (long a) { case 1: ", 100000, "");
	refuse_repeated("typedef long ", "*", 100000, "a;");
	refuse_repeated("typedef long ", "(", 100000, "a;");
	refuse_repeated("typedef long a", "[2]", 100000, ";");
	refuse_repeated("typedef ", "pipe ", 100000, "long a;");
	refuse_repeated("typedef ", "SAFEARRAY(", 100000, "long a;");
	refuse_repeated("#if ", "!", 100000, "1\n#endif\n");
	refuse_repeated("", "[switch_type(struct { ", 30000, "");
	refuse_repeated("", "interface I : I { ", 50000, "");
	refuse_repeated("[x", "(", 100000, ")]");
	refuse_repeated("struct S { ", "long a; ", 100000, "};");
	refuse_repeated("", " ", (1 << 20) + 1, "");
}

/* typedef T0 *T1; typedef T1 *T2; ... */
static void test_chains(void **state)
{
	struct buf pointers MW_CLEANUP(buf_free) = {0}, sizes MW_CLEANUP(buf_free) = {0},
	                    macros MW_CLEANUP(buf_free) = {0};

	(void)state;
	buf_put_str(&pointers, "typedef long *T0;");
	buf_put_str(&sizes, "struct T0 { byte a[4096]; };");
	buf_put_str(&macros, "#define M0 1\n");
	for (unsigned i = 1; i < 100; i++) {
		buf_printf(&pointers, "typedef T%u *T%u;", i - 1, i);
		buf_printf(&sizes, "struct T%u { struct T%u a, b; };", i, i - 1);
		buf_printf(&macros, "#define M%u M%u+M%u\n", i, i - 1, i - 1);
	}
	buf_put_str(&pointers, "struct S { T99 a; };");
	buf_put_str(&macros, "const long A = M99;");
	refused((char *)pointers.data, pointers.len);
	refused((char *)sizes.data, sizes.len);
	refused((char *)macros.data, macros.len);
}

static const char *import_itself(void *user, struct arena *arena, const char *name, size_t *len)
{
	unsigned *n = user;
	char *text = arena_printf(arena, "import \"%s\", \"f%u.idl\"; struct S%u { long a; };", name, *n + 1, *n);

	*n += 1;
	*len = strlen(text);
	return text;
}

static void test_imports(void **state)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	unsigned n = 0;
	const struct idl_loader loader = {.import = import_itself, .user = &n};
	const struct idl_module *m;
	struct idl_error error;

	(void)state;
	assert_int_equal(idl_parse(arena, "i.idl", "import \"f0.idl\";", 16, &loader, &m, &error), MW_E_MALFORMED);
	assert_non_null(strstr(error.message, "goes too far"));
}

static void test_memory(void **state)
{
	static const char text[] =
	        "struct S { long n; [size_is(n)] byte *a; }; interface I { void F([in] struct S *s); }";

	(void)state;
	for (size_t limit = 1; limit < 256 << 10; limit += 509) {
		struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(limit);
		const struct idl_module *m;
		struct idl_error error;
		int r = idl_parse(arena, "m.idl", text, strlen(text), NULL, &m, &error);

		assert_true(r == 0 || r == MW_E_NOMEM);
		if (r < 0)
			assert_true(error.message[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_messages), cmocka_unit_test(test_depth),  cmocka_unit_test(test_chains),
	        cmocka_unit_test(test_imports),  cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
