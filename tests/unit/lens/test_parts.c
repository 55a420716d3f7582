#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lens/view.h"
#include "scene.h"

/* What is told must not depend on who decodes, in which order, or when. */

/* ---- Workers ---- */

/* Begins with the last, and only when it must. */
struct late {
	lens_task task;
	void *arg;
	unsigned count, batches;
};

static void late_begin(void *user, lens_task task, void *arg, unsigned count)
{
	struct late *l = user;
	l->task = task;
	l->arg = arg;
	l->count = count;
	l->batches++;
}

static void late_finish(void *user)
{
	struct late *l = user;
	while (l->count)
		l->task(l->arg, --l->count);
}

static void soon_begin(void *user, lens_task task, void *arg, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		task(arg, i);
	((struct late *)user)->batches++;
}

static void soon_finish(void *user)
{
	(void)user;
}

/* ---- Captures ---- */

struct frame {
	uint8_t *data;
	uint32_t len;
	int linktype;
	int64_t time_ns;
};

struct frames {
	struct frame *list;
	size_t count;
};

static void add_frame(struct frames *f, const struct frame *one)
{
	f->list = realloc(f->list, (f->count + 1) * sizeof *f->list);
	assert_non_null(f->list);
	f->list[f->count] = *one;
	f->list[f->count].data = malloc(one->len);
	assert_non_null(f->list[f->count].data);
	memcpy(f->list[f->count++].data, one->data, one->len);
}

static struct frames scene_frames(enum auth_level level)
{
	struct frames out = {0};
	struct capture_reader *r;
	struct capture_frame f;
	char path[64];
	scene_play(level, 100, path);
	assert_int_equal(capture_open(path, &r, NULL), 0);
	while (capture_next(r, &f) == 1) {
		struct frame one = {(uint8_t *)(uintptr_t)f.data, f.captured, f.linktype, f.time_ns};
		add_frame(&out, &one);
	}
	capture_close(&r);
	unlink(path);
	return out;
}

static void free_frames(struct frames *f)
{
	for (size_t i = 0; i < f->count; i++)
		free(f->list[i].data);
	free(f->list);
}

/* The same between other hosts: 10.1.x.y is 10.c.x.y. */
static uint8_t *ip_of(struct frame *f)
{
	return f->data + (f->linktype == 1 ? 14 : 0);
}

static void rename_hosts(struct frame *f, unsigned copy)
{
	uint8_t *ip = ip_of(f);
	assert_int_equal(ip[0] >> 4, 4);
	for (unsigned at = 12; at <= 16; at += 4) {
		ip[at + 1] = (uint8_t)copy;
		ip[at + 2] = (uint8_t)(copy >> 8);
	}
}

#define COPIES 300
#define STEP 7 /* a copy begins so many frames after the one before: answers come batches after their requests */

static void feed_frame(struct lens *lens, const struct frame *from, unsigned copy)
{
	static uint8_t bytes[65536];
	struct frame f = *from;
	memcpy(bytes, from->data, from->len);
	f.data = bytes;
	rename_hosts(&f, copy);
	lens_frame(lens, f.linktype, f.data, f.len, f.len, f.time_ns + (int64_t)copy * NS_PER_MS);
}

/* Many starts, interleaved. */
static void feed_scenes(struct lens *lens, const struct frames *f)
{
	for (size_t at = 0; at < f->count + (size_t)COPIES * STEP; at++)
		for (unsigned copy = 0; copy < COPIES; copy++) {
			size_t i = at - (size_t)copy * STEP;
			if (at >= (size_t)copy * STEP && i < f->count)
				feed_frame(lens, &f->list[i], copy);
		}
}

/* More connections than are remembered, none of them whole. */
static void feed_many(struct lens *lens, const struct frames *f)
{
	for (unsigned copy = 0; copy < 40000; copy++) {
		feed_frame(lens, &f->list[0], copy);
		if (copy % 3 == 0)
			feed_frame(lens, &f->list[1], copy);
	}
}

/* ---- Comparing ---- */

typedef void (*feed_fn)(struct lens *lens, const struct frames *f);
typedef struct lens_view *(*view_fn)(const struct lens_view_options *o, struct buf *out);

static void on_event(void *user, const struct lens_event *e)
{
	lens_view_event(user, e);
}

static struct buf shown(view_fn make, const struct frames *f, feed_fn feed, const struct lens_workers *workers,
                        struct lens_options options)
{
	struct buf out = {0};
	struct lens_view *v = make(&(struct lens_view_options){.show_all = true}, &out);
	options.workers = workers;
	struct lens *lens = lens_new(&options, &(struct lens_sink){on_event, v});
	assert_non_null(v);
	assert_non_null(lens);
	feed(lens, f);
	lens_end(lens);
	lens_view_end(v, lens);
	lens_view_free(&v);
	lens_free(&lens);
	assert_int_equal(buf_error(&out), 0);
	return out;
}

static void compare(view_fn make, const struct frames *f, feed_fn feed, const struct lens_options *options)
{
	struct late late = {0}, soon = {0};
	const struct lens_workers workers[] = {{late_begin, late_finish, &late}, {soon_begin, soon_finish, &soon}};
	struct buf alone = shown(make, f, feed, NULL, *options);
	assert_true(alone.len > 20);
	for (size_t i = 0; i < ARRAY_SIZE(workers); i++) {
		struct buf out = shown(make, f, feed, &workers[i], *options);
		assert_int_equal(out.len, alone.len);
		assert_memory_equal(out.data, alone.data, alone.len);
		buf_free(&out);
	}
	buf_free(&alone);
	assert_true(late.batches > 3 && soon.batches == late.batches);
}

static const struct auth_secret secret = {AUTH_SECRET_PASSWORD, .domain = "DEMO", .user = "alice",
                                          .password = "secret"};

static void many_starts_are_told_the_same(void **state)
{
	static const view_fn views[] = {lens_json_new, lens_list_new, lens_stats_new,
	                                lens_html_new, lens_top_new,  lens_problems_new};
	struct frames f = scene_frames(AUTH_LEVEL_NONE), sealed = scene_frames(AUTH_LEVEL_PRIVACY);
	const struct lens_options plain = {.want_fields = true}, opening = {.secrets = &secret, .secret_count = 1};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(views); i++)
		compare(views[i], &f, feed_scenes, &plain);
	compare(lens_json_new, &sealed, feed_scenes, &opening);
	free_frames(&f);
	free_frames(&sealed);
}

static void limits_are_kept_the_same(void **state)
{
	struct frames f = scene_frames(AUTH_LEVEL_NONE);
	const struct lens_options plain = {0};
	(void)state;
	compare(lens_json_new, &f, feed_many, &plain);
	free_frames(&f);
}

/* A lens that is not ended: what is under way is given up. */
static void an_early_end_leaves_nothing_behind(void **state)
{
	struct frames f = scene_frames(AUTH_LEVEL_NONE);
	struct late late = {0};
	const struct lens_workers workers = {late_begin, late_finish, &late};
	struct buf out = {0};
	(void)state;
	struct lens_view *v = lens_json_new(&(struct lens_view_options){0}, &out);
	struct lens *lens = lens_new(&(struct lens_options){.workers = &workers}, &(struct lens_sink){on_event, v});
	feed_scenes(lens, &f);
	assert_true(late.count > 0);
	lens_free(&lens);
	lens_view_free(&v);
	buf_free(&out);
	free_frames(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(many_starts_are_told_the_same),
	        cmocka_unit_test(limits_are_kept_the_same),
	        cmocka_unit_test(an_early_end_leaves_nothing_behind),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
