#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lens/colors.h"
#include "lens/filter.h"
#include "view_events.h"

#include <stdio.h>

static void fill(struct made *m, struct lens_event *e)
{
	static const struct lens_rop rops[] = {{0xfe, "Logon", 0, true}, {0x02, "OpenFolder", 0x8004010F, true}};

	made_conn(m, 3, 1066, 1032);
	*e = *made_event(m, 1, LENS_RESPONSE, 0, "Logon, OpenFolder: OpenFolder: MAPI_E_NOT_FOUND");
	e->service = LENS_SVC_STORE;
	e->iface = e->iface_name = "emsmdb";
	e->has_opnum = true;
	e->opnum = 11;
	e->op = "EcDoRpcExt2";
	e->took_ns = 2500000;
	e->failed = true;
	e->auth = AUTH_NTLM;
	e->level = AUTH_LEVEL_PRIVACY;
	e->user = "DEMO\\alice";
	e->rops = rops;
	e->rop_count = 2;
}

static void test_matches(void **state)
{
	static const struct {
		const char *text;
		bool match;
	} cases[] = {
	        {"service == store", true},
	        {"service == STORE", true},
	        {"service != store", false},
	        {"ms > 2 && ms < 3", true},
	        {"ms >= 2.5 && ms <= 2.5", true},
	        {"ms > 3", false},
	        {"ms", true},
	        {"call", false},
	        {"call == 0", false},
	        {"call != 7", true},
	        {"op ~ dorpc", true},
	        {"op ~ \"do rpc\"", false},
	        {"rop == OpenFolder", true},
	        {"rop ~ release", false},
	        {"rop_status == MAPI_E_NOT_FOUND", true},
	        {"rop_status != ok", false},
	        {"port == 1066 && port == 1032 && !(port == 135)", true},
	        {"host == 10.0.0.7 || frame == 999", true},
	        {"client == 10.0.0.1", false},
	        {"src == 10.0.0.1:1032", true},
	        {"user ~ \"demo\\\\al\"", true},
	        {"failed", true},
	        {"!failed", false},
	        {"failed == true && sealed == no", true},
	        {"event == response && auth == ntlm && level == privacy", true},
	        {"failed || frame == 1 && frame == 2", true},
	        {"(failed || frame == 1) && frame == 2", false},
	        {"!!failed", true},
	};
	struct arena *arena = arena_new(0);
	struct made m;
	struct lens_event e;

	(void)state;
	fill(&m, &e);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct lens_filter *f = NULL;
		struct lens_filter_error error = {0};
		int r = lens_filter_parse(arena, cases[i].text, &f, &error);
		if (r != 0 || lens_filter_match(f, &e) != cases[i].match)
			fail_msg("%s: %d %s", cases[i].text, r, error.message);
	}
	arena_free(&arena);
}

static void test_errors(void **state)
{
	static const struct {
		const char *text;
		unsigned position;
	} cases[] = {
	        {"", 1},
	        {"foo == 1", 1},
	        {"frame = 1", 7},
	        {"frame == x", 10},
	        {"frame ~ 1", 7},
	        {"op < x", 4},
	        {"frame ==", 9},
	        {"frame == 1 and ms > 2", 12},
	        {"(frame == 1", 1},
	        {"frame == 1)", 11},
	        {"op == \"open", 7},
	        {"failed == 7", 11},
	        {"failed &&", 10},
	        {"iface == emsmdb or", 17},
	        {"frame == nan", 10},
	};
	struct arena *arena = arena_new(0);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct lens_filter *f = NULL;
		struct lens_filter_error error = {0};
		assert_int_equal(lens_filter_parse(arena, cases[i].text, &f, &error), MW_E_INVALID);
		if (error.position != cases[i].position)
			fail_msg("%s: %u: %s", cases[i].text, error.position, error.message);
		assert_null(f);
		assert_true(error.message[0]);
	}
	arena_free(&arena);
}

/* What cannot be said falls out of an ||, and only there. */
static void test_wireshark(void **state)
{
	static const struct {
		const char *text, *theirs; /* NULL: cannot be said */
	} cases[] = {
	        {"service == nspi && ms > 50", "((nspi) && (dcerpc.time > 0.05))"},
	        {"service != store", "!(mapi)"},
	        {"port == 135 || frame >= 7", "((tcp.port == 135) || (frame.number >= 7))"},
	        {"host != 10.0.0.7", "!(ip.addr == 10.0.0.7)"},
	        {"host == fe80::1", "(ipv6.addr == fe80::1)"},
	        {"conn == 3", "(tcp.stream == 2)"},
	        {"conn > 3", NULL},
	        {"damaged", "(_ws.malformed)"},
	        {"sealed == false", "!(dcerpc.auth_level == 6)"},
	        {"sealed != false", "(dcerpc.auth_level == 6)"},
	        {"rop == Logon", NULL},
	        {"rop == Logon || service == epm", "((epm))"},
	        {"service == epm || rop == Logon", "((epm))"},
	        {"rop == Logon && service == epm", NULL},
	        {"service == epm && rop == Logon", NULL},
	        {"!(rop == Logon || service == epm)", NULL},
	        {"!(port == 135 || service == epm)", "!((tcp.port == 135) || (epm))"},
	        {"host ~ 10", NULL},
	        {"host == \"1) || frame.number > 0 || (2\"", NULL},
	        {"user ~ leo || op == NspiBind", NULL},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct arena *arena = arena_new(0);
		struct lens_filter_error error;
		struct lens_filter *f;
		struct buf out = {0};
		assert_int_equal(lens_filter_parse(arena, cases[i].text, &f, &error), 0);
		int r = lens_filter_wireshark(f, &out);
		buf_put_u8(&out, 0);
		assert_string_equal((const char *)out.data, cases[i].theirs ? cases[i].theirs : "");
		assert_int_equal(r == 0, cases[i].theirs != NULL);
		buf_free(&out);
		arena_free(&arena);
	}
}

/* A name with an @ would end early; what cannot be said is a comment. */
static void test_wireshark_colors(void **state)
{
	struct arena *arena = arena_new(0);
	struct lens_colors *colors;
	struct lens_colors_error error;
	struct buf out = {0};
	(void)state;
	assert_int_equal(lens_colors_parse(arena, "a@b: white on red: service == epm\nnews: red: rop == Notify\n",
	                                   &colors, &error),
	                 0);
	assert_int_equal(lens_colors_wireshark(colors, &out), 0);
	buf_put_u8(&out, 0);
	const char *text = strchr((const char *)out.data, '\n') + 1;
	assert_string_equal(
	        text, "@a-b@(epm)@[52685,12593,12593][65535,65535,65535]\n# news: Wireshark has nothing like it\n");
	buf_free(&out);
	arena_free(&arena);
}

static void test_depth(void **state)
{
	struct arena *arena = arena_new(0);
	struct lens_filter_error error = {0};
	struct lens_filter *f = NULL;
	char deep[2000];

	(void)state;
	memset(deep, '(', sizeof deep - 1);
	deep[sizeof deep - 1] = 0;
	assert_int_equal(lens_filter_parse(arena, deep, &f, &error), MW_E_INVALID);
	memset(deep, '!', sizeof deep - 1);
	assert_int_equal(lens_filter_parse(arena, deep, &f, &error), MW_E_INVALID);
	arena_free(&arena);
}

static void test_colors(void **state)
{
	struct arena *arena = arena_new(0);
	struct lens_colors *c = NULL;
	struct lens_colors_error error = {0};
	struct lens_style badge, text;
	struct made m;
	struct lens_event e;

	(void)state;
	fill(&m, &e);
	assert_int_equal(lens_colors_parse(arena, NULL, &c, &error), 0);
	lens_colors_pick(c, &e, &badge, &text);
	assert_int_equal(badge.bg, 220);
	assert_int_equal(text.fg, 1);
	assert_true(text.bold);
	e.failed = false;
	lens_colors_pick(c, &e, NULL, &text);
	assert_int_equal(text.fg, -1);

	assert_int_equal(lens_colors_parse(arena, "# x\n\nmine: bold 17 on grey: op ~ Ec\n", &c, &error), 0);
	lens_colors_pick(c, &e, &badge, &text);
	assert_int_equal(badge.fg, 17);
	assert_int_equal(badge.bg, 250);
	static const struct {
		const char *text;
		unsigned line;
	} wrong[] = {{"a: red", 1}, {"\na: mauve: failed", 2}, {"a: red on: failed", 1}, {"a: red: faild", 1}};
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		assert_int_equal(lens_colors_parse(arena, wrong[i].text, &c, &error), MW_E_INVALID);
		assert_int_equal(error.line, wrong[i].line);
	}
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_matches),
	        cmocka_unit_test(test_errors),
	        cmocka_unit_test(test_depth),
	        cmocka_unit_test(test_wireshark),
	        cmocka_unit_test(test_wireshark_colors),
	        cmocka_unit_test(test_colors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
