#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scene.h"

#include <stdio.h>

/* What the lens told, a line an event: the parts that tests compare. */
struct told {
	struct buf text;
	unsigned events, damaged, gaps;
	uint64_t last_number;
	bool sealed_left, bad_signature;
};

static void on_event(void *user, const struct lens_event *e)
{
	struct told *t = user;
	assert_int_equal(e->number, t->last_number + 1);
	assert_non_null(e->summary);
	assert_non_null(e->conn);
	assert_true(e->frame >= 1 && e->last_frame >= e->frame);
	t->last_number = e->number;
	t->events++;
	t->damaged += e->damaged != NULL;
	t->gaps += e->kind == LENS_GAP;
	t->sealed_left |= e->sealed && !e->decrypted;
	t->bad_signature |= e->signature == RPC_SIG_BAD;
	if (e->kind == LENS_AUTH3)
		assert_string_equal(e->user, "DEMO\\alice");
	buf_printf(&t->text, "%s %s %s%s%s: %s\n", e->from_client ? ">" : "<", lens_kind_name(e->kind),
	           e->iface ? e->iface : "-", e->endpoint ? " " : "", e->endpoint ? e->endpoint : "", e->summary);
}

struct change {
	uint64_t drop;       /* frame that is left out */
	uint64_t swap;       /* frame that comes after the next one */
	uint64_t twice;      /* frame that comes twice */
	uint64_t first, end; /* frames outside are left out, when end is not 0 */
	uint64_t flip;       /* frame one of whose last bytes is changed */
	bool cut_short;      /* captured 90 bytes of each frame */
};

struct view {
	struct told told;
	struct lens *lens;
};

static void feed(struct lens *lens, const struct capture_frame *f, const struct change *c)
{
	static uint8_t copy[65536];
	uint32_t captured = c->cut_short && f->captured > 90 ? 90 : f->captured;
	memcpy(copy, f->data, f->captured);
	if (f->number == c->flip)
		copy[f->captured - 30] ^= 0x40;
	lens_frame(lens, f->linktype, copy, captured, f->original, f->time_ns);
}

static void read_frames(const char *path, struct lens *lens, const struct change *c)
{
	struct capture_reader *r = NULL;
	struct capture_frame f, late = {0};
	static uint8_t kept[65536];
	assert_int_equal(capture_open(path, &r, NULL), 0);
	while (capture_next(r, &f) > 0) {
		if (f.number == c->drop || (c->end && (f.number < c->first || f.number >= c->end)))
			continue;
		if (f.number == c->swap) {
			memcpy(kept, f.data, f.captured);
			late = f;
			late.data = kept;
			continue;
		}
		feed(lens, &f, c);
		if (f.number == c->twice)
			feed(lens, &f, c);
		if (late.data)
			feed(lens, &late, c);
		late.data = NULL;
	}
	capture_close(&r);
}

static void learn(const char *path, struct lens *lens)
{
	struct capture_reader *r = NULL;
	struct capture_frame f;
	assert_int_equal(capture_open(path, &r, NULL), 0);
	while (capture_next(r, &f) > 0)
		lens_learn(lens, f.linktype, f.data, f.captured, f.original);
	capture_close(&r);
}

static const struct auth_secret right = {
        .kind = AUTH_SECRET_PASSWORD, .domain = "DEMO", .user = "alice", .password = "secret"};
static const struct auth_secret wrong = {
        .kind = AUTH_SECRET_PASSWORD, .domain = "DEMO", .user = "alice", .password = "secrets"};

static struct told look(const char *path, const struct auth_secret *secret, bool keep, const struct change *c)
{
	struct told t = {0};
	struct lens_options o = {
	        .secrets = secret, .secret_count = secret != NULL, .keep_events = keep, .want_fields = keep};
	struct lens *lens = lens_new(&o, &(struct lens_sink){on_event, &t});
	assert_non_null(lens);
	if (c->end)
		learn(path, lens);
	read_frames(path, lens, c);
	lens_end(lens);
	buf_put_u8(&t.text, 0);
	struct lens_totals totals;
	lens_get_totals(lens, &totals);
	assert_int_equal(totals.events, t.events);
	lens_free(&lens);
	assert_null(lens);
	return t;
}

#define MAPPER_TEXT                                                                                                    \
	"> open epm: connect\n"                                                                                        \
	"> bind epm: bind, no authentication\n"                                                                        \
	"< bind_ack epm: bind, no authentication: accepted\n"                                                          \
	"> request epm: ept_map emsmdb\n"                                                                              \
	"< response epm emsmdb tcp 6001: ept_map emsmdb → port 6001\n"                                               \
	"< close epm: close\n"                                                                                         \
	"> open emsmdb: connect\n"
#define CALL_TEXT                                                                                                      \
	"> request emsmdb: OpenFolder, OpenFolder, OpenFolder, OpenFolder and 5 more\n"                                \
	"< response emsmdb: OpenFolder, OpenFolder, OpenFolder, OpenFolder and 5 more: ok%s\n"                         \
	"< close emsmdb: close\n"

static char *expected(enum auth_level level)
{
	static char text[2048], how[128] = "no authentication";
	if (level != AUTH_LEVEL_NONE)
		snprintf(how, sizeof how, "NTLM level %s", auth_level_name(level));
	size_t n = (size_t)snprintf(text, sizeof text,
	                            MAPPER_TEXT "> bind emsmdb: bind, %s\n< bind_ack emsmdb: bind, %s: accepted\n", how,
	                            how);
	if (level != AUTH_LEVEL_NONE)
		n += (size_t)snprintf(text + n, sizeof text - n, "> auth3 emsmdb: auth3, user DEMO\\alice\n");
	snprintf(text + n, sizeof text - n, CALL_TEXT, level == AUTH_LEVEL_PRIVACY ? "" : " (obfuscated, not sealed)");
	return text;
}

/* Every level, segments of every size, out of order and repeated: the same story. */
static void tells_the_same_story(void **state)
{
	(void)state;
	static const enum auth_level levels[] = {AUTH_LEVEL_NONE, AUTH_LEVEL_CONNECT, AUTH_LEVEL_INTEGRITY,
	                                         AUTH_LEVEL_PRIVACY};
	static const size_t portions[] = {0, 1, 7, 60};
	static const struct change changes[] = {{0}, {.twice = 4}, {.twice = 20}, {.swap = 21}};
	for (size_t l = 0; l < ARRAY_SIZE(levels); l++)
		for (size_t p = 0; p < ARRAY_SIZE(portions); p++) {
			char path[64];
			scene_play(levels[l], portions[p], path);
			for (size_t c = 0; c < ARRAY_SIZE(changes); c++) {
				/* Swapping whole messages is another story: only pieces of them. */
				if (changes[c].swap && portions[p] != 1)
					continue;
				struct told t = look(path, &right, c & 1, &changes[c]);
				assert_string_equal((char *)t.text.data, expected(levels[l]));
				assert_int_equal(t.damaged, 0);
				assert_false(t.sealed_left || t.bad_signature);
				buf_free(&t.text);
			}
			unlink(path);
		}
}

static void says_why_it_is_sealed(void **state)
{
	(void)state;
	char path[64];
	scene_play(AUTH_LEVEL_PRIVACY, 0, path);
	static const struct auth_secret *const secrets[] = {NULL, &wrong};
	for (size_t i = 0; i < ARRAY_SIZE(secrets); i++) {
		struct told t = look(path, secrets[i], false, &(struct change){0});
		assert_true(t.sealed_left);
		assert_non_null(strstr((char *)t.text.data, "> request emsmdb: EcDoRpcExt2\n"));
		assert_non_null(strstr((char *)t.text.data, "EcDoRpcExt2: answered, sealed\n"));
		buf_free(&t.text);
	}
	unlink(path);
}

static uint64_t count_frames(const char *path)
{
	struct capture_reader *r = NULL;
	struct capture_frame f;
	uint64_t n = 0;
	assert_int_equal(capture_open(path, &r, NULL), 0);
	while (capture_next(r, &f) > 0)
		n++;
	capture_close(&r);
	return n;
}

/* The capture begins or ends anywhere; a frame is missing; frames are cut: something is told, nothing breaks. */
static void survives_losses(void **state)
{
	(void)state;
	static const size_t portions[] = {0, 13};
	for (size_t p = 0; p < ARRAY_SIZE(portions); p++) {
		char path[64];
		scene_play(AUTH_LEVEL_PRIVACY, portions[p], path);
		uint64_t n = count_frames(path);
		for (uint64_t i = 1; i <= n; i++) {
			const struct change some[] = {{.drop = i}, {.first = i, .end = n + 1}, {.first = 1, .end = i}};
			for (size_t c = 0; c < ARRAY_SIZE(some); c++) {
				struct told t = look(path, &right, i & 1, &some[c]);
				assert_true(t.events > 0 || c > 0);
				assert_int_equal(t.damaged, 0);
				buf_free(&t.text);
			}
		}
		struct told t = look(path, &right, true, &(struct change){.cut_short = true});
		assert_true(t.gaps > 0 || portions[p] != 0);
		buf_free(&t.text);
		unlink(path);
	}
}

/* Joined after the bind: the interface is known from the port. */
static void names_by_port(void **state)
{
	(void)state;
	char path[64];
	scene_play(AUTH_LEVEL_CONNECT, 0, path);
	uint64_t n = count_frames(path);
	/* The last frames: request, an acknowledgement, answer, and three of the close. */
	struct told t = look(path, NULL, false, &(struct change){.first = n - 5, .end = n + 1});
	assert_non_null(strstr((char *)t.text.data, "> request emsmdb: OpenFolder, "));
	assert_non_null(strstr((char *)t.text.data, "< response emsmdb: OpenFolder, "));
	buf_free(&t.text);
	unlink(path);
}

static void sees_a_flipped_bit(void **state)
{
	(void)state;
	static const enum auth_level levels[] = {AUTH_LEVEL_INTEGRITY, AUTH_LEVEL_PRIVACY};
	for (size_t l = 0; l < ARRAY_SIZE(levels); l++) {
		char path[64];
		scene_play(levels[l], 0, path);
		uint64_t n = count_frames(path);
		struct told t = look(path, &right, false, &(struct change){.flip = n - 3});
		assert_true(t.bad_signature);
		buf_free(&t.text);
		unlink(path);
	}
}

/* Pending requests are marked when nobody answered. */
static struct {
	unsigned requests;
	const struct lens_event *last;
} pending;

static void on_pending(void *user, const struct lens_event *e)
{
	(void)user;
	if (e->kind == LENS_REQUEST) {
		pending.requests++;
		pending.last = e;
	}
}

static void marks_the_unanswered(void **state)
{
	(void)state;
	char path[64];
	scene_play(AUTH_LEVEL_CONNECT, 0, path);
	struct lens *lens =
	        lens_new(&(struct lens_options){.keep_events = true}, &(struct lens_sink){on_pending, NULL});
	uint64_t n = count_frames(path);
	read_frames(path, lens, &(struct change){.first = 1, .end = n - 3});
	assert_int_equal(pending.requests, 2);
	assert_false(pending.last->unanswered);
	lens_end(lens);
	assert_true(pending.last->unanswered);
	lens_free(&lens);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(tells_the_same_story), cmocka_unit_test(says_why_it_is_sealed),
	        cmocka_unit_test(survives_losses),      cmocka_unit_test(names_by_port),
	        cmocka_unit_test(sees_a_flipped_bit),   cmocka_unit_test(marks_the_unanswered),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
