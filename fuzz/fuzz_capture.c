/*
 * A capture file from a stranger, up to the events of the lens. The first byte says how it is looked at:
 * bit 0 keeps events, bit 1 opens fields, bit 2 looks first, bit 3 brings a password, bit 4 small limits, bit 5 says
 * the calls again with other words (which opens fields), bit 6 shows it in all views, bit 7 records batches and plays
 * them.
 */
#include "fuzz.h"

#include "capture/capture.h"
#include "lens/lens.h"
#include "lens/scrub.h"
#include "lens/view.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* What an input may take, of the processor, under the sanitizers: a second, and so much for each byte. */
#define BUDGET_S 1.0
#define BUDGET_S_PER_BYTE 50e-6

static size_t read_all(const char *s)
{
	return s ? strlen(s) : 0;
}

#define VIEWS 8

struct looking {
	uint64_t events;
	struct buf out[VIEWS];
	struct lens_view *views[VIEWS];
};

static void begin_views(struct looking *l)
{
	static struct lens_view *(*const make[VIEWS])(const struct lens_view_options *, struct buf *) = {
	        lens_list_new,  lens_ladder_new, lens_json_new, lens_stats_new,
	        lens_story_new, lens_top_new,    lens_svg_new,  lens_problems_new};
	const struct lens_view_options o = {.show_all = true, .width = 80};

	for (unsigned i = 0; i < VIEWS; i++)
		must((l->views[i] = make[i](&o, &l->out[i])) != NULL);
}

/* Nothing of the wire's steers a terminal. */
static void end_views(struct looking *l, const struct lens *lens)
{
	for (unsigned i = 0; i < VIEWS && l->views[i]; i++) {
		lens_view_end(l->views[i], lens);
		for (size_t k = 0; k < l->out[i].len; k++)
			must(l->out[i].data[k] >= 0x20 || l->out[i].data[k] == '\n');
		lens_view_free(&l->views[i]);
		buf_free(&l->out[i]);
	}
}

/* All that an event points to is there. */
static void on_event(void *user, const struct lens_event *e)
{
	struct looking *l = user;
	uint64_t *events = &l->events;
	size_t n = read_all(e->iface) + read_all(e->iface_name) + read_all(e->op) + read_all(e->endpoint) +
	           read_all(e->status) + read_all(e->why_sealed) + read_all(e->user) + read_all(e->damaged);

	must(e->number == ++*events);
	must(e->summary && e->conn && e->kind < LENS_KIND_COUNT && lens_kind_name(e->kind));
	must(e->frame >= 1 && e->last_frame >= e->frame);
	must(lens_address_format(&e->conn->client, (char[LENS_ADDRESS_TEXT]){0}) != NULL);
	for (unsigned i = 0; i < e->rop_count; i++)
		n += strlen(e->rops[i].name);
	for (unsigned i = 0; i < e->field_count; i++)
		n += strlen(e->fields[i].name) + read_all(e->fields[i].value);
	if (e->request)
		n += strlen(e->request->summary);
	n += read_all(e->folder) + read_all(e->says);
	must(n < SIZE_MAX / 2);
	for (unsigned i = 0; i < VIEWS && l->views[i]; i++)
		lens_view_event(l->views[i], e);
}

static void on_said(void *user, const struct lens_said *said)
{
	unsigned sum = 0;

	must(user && said->event && said->rpc && said->conversation);
	for (size_t i = 0; i < said->stub_len; i++)
		sum += said->stub[i];
	must(sum < UINT32_MAX);
}

static double seconds(void)
{
	struct timespec t;

	must(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) == 0);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void pass(const char *path, struct lens *lens, bool learn)
{
	struct capture_reader *r = NULL;
	struct capture_frame f;

	if (capture_open(path, &r, NULL) < 0)
		return;
	while (capture_next(r, &f) > 0)
		if (learn)
			lens_learn(lens, f.linktype, f.data, f.captured, f.original);
		else
			lens_frame(lens, f.linktype, f.data, f.captured, f.original, f.time_ns);
	capture_close(&r);
}

/* Those of a batch, by whoever waits for it. */
static struct {
	lens_task task;
	void *arg;
	unsigned count;
} batch;

static void begin_batch(void *user, lens_task task, void *arg, unsigned count)
{
	(void)user;
	batch.task = task;
	batch.arg = arg;
	batch.count = count;
}

static void finish_batch(void *user)
{
	(void)user;
	while (batch.count)
		batch.task(batch.arg, --batch.count);
}

static void look(const char *path, uint8_t how)
{
	static const struct lens_workers workers = {begin_batch, finish_batch, NULL};
	static const struct auth_secret secret = {
	        .kind = AUTH_SECRET_PASSWORD, .domain = "DEMO", .user = "alice", .password = "secret"};
	struct looking l = {0};
	struct lens_scrub *scrub = how & 32 ? lens_scrub_new((const uint8_t *)"0123456789abcdef") : NULL;
	const struct lens_options options = {
	        .keep_events = how & (1 | 64),
	        .want_fields = how & (2 | 32),
	        .said = scrub ? on_said : NULL,
	        .said_user = scrub,
	        .scrub = scrub,
	        .secrets = &secret,
	        .secret_count = how & 8 ? 1 : 0,
	        .workers = how & 128 ? &workers : NULL,
	        .stream_limit = how & 16 ? 4096 : 0,
	        .total_limit = how & 16 ? 8192 : 0,
	};
	struct lens *lens = lens_new(&options, &(struct lens_sink){on_event, &l});
	struct lens_totals totals;

	must(lens != NULL);
	if (how & 64)
		begin_views(&l);
	if (how & 4)
		pass(path, lens, true);
	pass(path, lens, false);
	lens_end(lens);
	lens_get_totals(lens, &totals);
	must(totals.events == l.events);
	end_views(&l, lens);
	for (unsigned i = 1; i <= totals.connections; i++)
		must(lens_get_conn(lens, i) != NULL);
	lens_free(&lens);
	lens_scrub_free(&scrub);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[64];
	int fd;

	if (size < 1)
		return 0;
	fd = memfd_create("capture", MFD_CLOEXEC);
	must(fd >= 0 && write(fd, data + 1, size - 1) == (ssize_t)(size - 1));
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	double begun = seconds();
	look(path, data[0]);
	must(seconds() - begun < BUDGET_S + BUDGET_S_PER_BYTE * (double)size);
	close(fd);
	return 0;
}
