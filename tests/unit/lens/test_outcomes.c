#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scene.h"

#include <stdio.h>

/* How calls are told that did not go as their status or their request lets one expect. */

static const struct lens_event *last_response;

static void on_event(void *user, const struct lens_event *e)
{
	(void)user;
	if (e->kind == LENS_RESPONSE)
		last_response = e;
}

static struct lens *look(const char *path)
{
	const struct lens_options options = {.keep_events = true, .want_fields = true};
	struct lens *lens = lens_new(&options, &(struct lens_sink){on_event, NULL});
	struct capture_reader *r = NULL;
	struct capture_frame f;
	assert_non_null(lens);
	assert_int_equal(capture_open(path, &r, NULL), 0);
	while (capture_next(r, &f) > 0)
		lens_frame(lens, f.linktype, f.data, f.captured, f.original, f.time_ns);
	capture_close(&r);
	lens_end(lens);
	unlink(path);
	return lens;
}

/* [MS-OXNSPI] 3.1.4.1.2: UnbindSuccess is 1. */
static void unbind_succeeds_with_1(void **state)
{
	(void)state;
	char path[64];
	struct scene s = scene_begin(AUTH_LEVEL_NONE, 0, path);
	struct buf stub = {0};
	buf_put(&stub, &scene_cxh, 20);
	buf_put_u32(&stub, 0);
	scene_connect(&s, &scene_nspi, AUTH_LEVEL_NONE, &scene_client2, &scene_store);
	scene_call(&s, 1, &stub);
	scene_close(&s);
	scene_end(&s);
	buf_free(&stub);
	struct lens *lens = look(path);
	assert_string_equal(last_response->op, "NspiUnbind");
	assert_string_equal(last_response->status, "ok");
	assert_int_equal(last_response->status_code, 0);
	assert_false(last_response->failed);
	lens_free(&lens);
}

static void ask_for_news(struct scene *s)
{
	struct buf stub = {0}, rops = {0};
	s->news = true;
	scene_connect(s, &scene_emsmdb, AUTH_LEVEL_NONE, &scene_client2, &scene_store);
	scene_payload(&rops, "\2\0", 2);
	struct EcDoRpcExt2_args a = {
	        .pcxh = scene_cxh, .rgbIn = rops.data, .cbIn = (uint32_t)rops.len, .pcbOut = 4096, .pcbAuxOut = 4096};
	scene_encode(s, &wire_emsmdb_interface.methods[11], IDL_REQUEST, &a, &stub);
	scene_call(s, 11, &stub);
	scene_close(s);
	buf_free(&stub);
	buf_free(&rops);
}

static void news_are_named(void **state)
{
	(void)state;
	char path[64];
	struct scene s = scene_begin(AUTH_LEVEL_NONE, 0, path);
	ask_for_news(&s);
	scene_end(&s);
	struct lens *lens = look(path);
	assert_string_equal(last_response->summary, "Pending: ok");
	lens_free(&lens);
}

/* What was compressed has no places of its own in the stub: they count in what came out. */
static void places_in_decompressed_data(void **state)
{
	(void)state;
	char path[64];
	struct scene s = scene_begin(AUTH_LEVEL_NONE, 0, path);
	scene_ask_store(&s);
	scene_end(&s);
	struct lens *lens = look(path);
	const struct lens_event *e = last_response->request;
	unsigned unpacked = 0, last = 0;
	assert_true(e->encoding & LENS_ENCODING_LZ);
	for (unsigned i = 0; i < e->field_count; i++) {
		const struct lens_field *f = &e->fields[i];
		if (!f->unpacked || strcmp(f->name, "FolderId") != 0)
			continue;
		assert_int_equal(f->size, 8);
		assert_true(f->offset > last);
		last = f->offset;
		unpacked++;
	}
	assert_int_equal(unpacked, 9);
	assert_true(last < 150);
	lens_free(&lens);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(unbind_succeeds_with_1),
	        cmocka_unit_test(news_are_named),
	        cmocka_unit_test(places_in_decompressed_data),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
