#include "cli/look.h"

#include "base/time.h"
#include "capture/capture.h"
#include "cli/cli.h"
#include "cli/look_export.h"
#include "cli/look_jobs.h"
#include "lens/colors.h"
#include "lens/steps.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

const char look_help[] =
        "Usage: mapiwire look FILE... | -r FILE | -i INTERFACE  [OPTIONS]\n"
        "\n"
        "Shows the RPC in a capture (pcap, pcapng, Network Monitor's .cap, as they are or packed\n"
        "with gzip or zstd; several files as one, by time; - is standard input) or on an interface:\n"
        "one line a call, joined from request and answer, and what was found.\n"
        "\n"
        "  --ladder          who sent what to whom, joined across connections\n"
        "  --json            JSON Lines, one object an event; the keys are stable\n"
        "  --tree FRAME      what is in the PDUs of that frame, with byte offsets\n"
        "  --stats           count, min, median, p95 and max ms of each interface and method\n"
        "  --story           the start told in sentences\n"
        "  --diff A B        two captures: their starts side by side, and the first step that differs\n"
        "  --top time|bytes|count\n"
        "                    users, folders, methods and ROPs that take most\n"
        "  --problems        what is wrong, in which frames, and what to do (with --json: as JSON Lines)\n"
        "  --svg FILE        the ladder as a picture\n"
        "  --mermaid FILE    the ladder as a Mermaid sequence diagram, for documents\n"
        "  --html FILE       one page of its own: list, ladder, fields, search\n"
        "  --export FILE     the calls anew as pcapng, opened where a secret fits, for Wireshark\n"
        "  --rewrite FILE    the same as a copy to share: names, addresses, subjects, bodies are others\n"
        "\n"
        "  --secrets FILE    opens what NTLM sealed; lines of\n"
        "                      password DOMAIN\\user the password\n"
        "                      nthash DOMAIN\\user 32 hex digits\n"
        "  --tls-keys FILE   opens TLS with a key log, as SSLKEYLOGFILE and serve --tls-key-log write it; secrets\n"
        "                    in the capture itself are used without it\n"
        "  --idl FILE,...    further interfaces, as MIDL text\n"
        "  -Y FILTER         only what fits: FIELD OP VALUE with == != < <= > >= and ~ (contains),\n"
        "                    joined by && || ! ( ); a FIELD alone: it applies. Such as\n"
        "                      -Y 'service == store && ms > 100 || failed'\n"
        "                    FIELD: frame time conn host client server port event service iface op\n"
        "                    opnum call rop rop_status status failed unanswered ms user auth level\n"
        "                    sealed decrypted signature encoding endpoint damaged midstream summary\n"
        "  -f FILTER         with -i: only such packets are captured; a filter as tcpdump takes it\n"
        "  --slow MS,...     what counts as slow: the average of a client's calls (50; small sites take 15,\n"
        "                    large ones 30), the average that Outlook calls bad (100), a call that it\n"
        "                    tells its user of (5000), one that opens its dialog (8000)\n"
        "  --idle SECONDS    a silence that a firewall may end a connection for (60)\n"
        "  --follow          goes on when the file grows, until it is interrupted\n"
        "  --all             also connections without RPC, and those opened before the capture\n"
        "  --color WHEN      auto, always, never\n"
        "  --colors FILE     colour rules; without it ~/.config/mapiwire/colors, where there is one\n"
        "  --wireshark-colors FILE\n"
        "                    the colour rules as Wireshark imports them; needs no capture\n"
        "  --jobs N          how many cores read a file at once; all that there are, at most 8\n"
        "  --no-pager        long output straight to the terminal\n"
        "\n"
        "Exit codes: 0 shown (also when the capture is cut off at its end: a note says so),\n"
        "1 a mistake in the command line or a file that cannot be used, 2 something else failed.\n";

static volatile sig_atomic_t stopped;

static void on_stop(int number)
{
	(void)number;
	stopped = 1;
}

static void catch_stop(void)
{
	struct sigaction action = {.sa_handler = on_stop, .sa_flags = SA_RESETHAND};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

/* ---- Output ---- */

static bool is_list(const struct look *l, const struct look_output *out)
{
	return !out->path && look_is_list(&l->o);
}

static void begin_paging(struct look *l)
{
	if (l->paging || l->o.no_pager || l->o.interface || l->o.follow)
		return;
	cli_pager_begin();
	l->paging = true;
}

static void write_file(struct look_output *out)
{
	out->failed |= fwrite(out->text.data, 1, out->text.len, out->file) != out->text.len;
	buf_clear(&out->text);
}

static void write_out(struct look *l, struct look_output *out)
{
	if (out->text.len == 0)
		return;
	if (out->path) {
		write_file(out);
	} else {
		begin_paging(l);
		cli_write(&out->text);
	}
}

/* The heading of a list needs the whole: it stands before a short one and behind a long one, which does not wait. */
static void write_list(struct look *l, struct look_output *out)
{
	if (!l->head_behind)
		cli_write(&l->head);
	cli_write(&out->text);
	if (l->head_behind)
		cli_write(&l->head);
}

/* A list whose heading comes first keeps its beginning back. */
static bool is_due(const struct look *l, const struct look_output *out)
{
	return out->text.len >= (is_list(l, out) && !l->head_behind ? LOOK_CHUNK : out->chunk);
}

static void write_chunk(struct look *l, struct look_output *out)
{
	l->head_behind |= is_list(l, out);
	write_out(l, out);
	out->chunk = out->chunk * 2 < LOOK_CHUNK ? out->chunk * 2 : LOOK_CHUNK;
}

static void on_event(void *user, const struct lens_event *e)
{
	struct look *l = (struct look *)user;

	if (l->export)
		look_export_event(l->export, e);
	for (unsigned i = 0; i < l->output_count; i++) {
		struct look_output *out = &l->outputs[i];
		lens_view_event(out->view, e);
		if (is_due(l, out))
			write_chunk(l, out);
	}
}

static int end_output(struct look *l, struct look_output *out)
{
	const char *name = out->path ? out->path : "the output";

	lens_view_end(out->view, l->lens);
	out->failed |= buf_error(&out->text) != 0;
	if (is_list(l, out) && !l->o.interface && !l->o.follow) {
		begin_paging(l);
		write_list(l, out);
	} else {
		write_out(l, out);
	}
	if (out->path)
		out->failed |= fflush(out->file) != 0;
	if (out->failed)
		return cli_fail("look", CLI_EXIT_FAILED, "cannot write all of %s: is the disk full?", name);
	if (out->path && isatty(STDERR_FILENO))
		fprintf(stderr, "Written: %s\n", out->path);
	return 0;
}

static bool shows_list(const struct look *l)
{
	return l->output_count && is_list(l, &l->outputs[0]);
}

static int end_export(struct look *l)
{
	const char *path = l->o.rewrite ? l->o.rewrite : l->o.export;
	uint64_t calls = 0, emptied = 0;

	if (!l->export)
		return 0;
	look_export_counts(l->export, &calls, &emptied);
	if (look_export_finish(&l->export) < 0)
		return cli_fail("look", CLI_EXIT_FAILED, "cannot write all of %s: is the disk full?", path);
	if (l->o.rewrite)
		fprintf(stderr,
		        "Written: %s with %" PRIu64 " requests and answers; %" PRIu64
		        " of them could not be opened and have lost their contents. What is no RPC, and who logged on, "
		        "is left out. Times and sizes are as they were.\n",
		        path, calls, emptied);
	else if (isatty(STDERR_FILENO))
		fprintf(stderr, "Written: %s\n", path);
	return 0;
}

/* ---- Input ---- */

struct progress {
	bool on;
	int64_t next_ns;
	bool shown;
};

static void show_progress(struct progress *p, const struct capture_reader *r, const char *what)
{
	uint64_t done, size;
	int64_t now = p->on ? time_monotonic_ns() : 0;

	if (!p->on || now < p->next_ns)
		return;
	p->next_ns = now + NS_PER_S / 5;
	capture_progress(r, &done, &size);
	if (size)
		fprintf(stderr, "\r%s: %3.0f %%", what, 100.0 * (double)done / (double)size);
	p->shown = true;
}

static void hide_progress(struct progress *p)
{
	if (p->shown)
		fputs("\r\x1b[K", stderr);
}

typedef void (*frame_fn)(struct look *l, const struct capture_frame *f);

static void learn_frame(struct look *l, const struct capture_frame *f)
{
	lens_learn(l->lens, f->linktype, f->data, f->captured, f->original);
}

static void take_frame(struct look *l, const struct capture_frame *f)
{
	if (f->number == 1)
		for (unsigned i = 0; i < l->output_count; i++)
			lens_view_start(l->outputs[i].view, f->time_ns);
	lens_frame(l->lens, f->linktype, f->data, f->captured, f->original, f->time_ns);
}

/* What a person sees at once: nothing may wait for a full chunk. */
static void write_live(struct look *l)
{
	for (unsigned i = 0; i < l->output_count; i++)
		if (!l->outputs[i].path)
			write_out(l, &l->outputs[i]);
}

#define FOLLOW_US 100000

/* As far as limit bytes into it; 0: all. */
static int read_frames(struct look *l, struct capture_reader *r, frame_fn each, const char *what, uint64_t limit)
{
	/* Progress only while nothing is written to the same terminal. */
	struct progress p = {.on = isatty(STDERR_FILENO) && !l->o.interface && !(isatty(STDOUT_FILENO) && l->o.json)};
	struct capture_frame f;
	uint64_t read = 0;
	int n = 1;

	p.next_ns = time_monotonic_ns() + NS_PER_S;
	while (!stopped && (n == 1 || n == MW_E_AGAIN)) {
		n = capture_next(r, &f);
		look_tls_more(l, r);
		if (n == 1) {
			each(l, &f);
			if (f.number % 4096 == 0)
				show_progress(&p, r, what);
			if (limit && (read += f.captured) >= limit)
				break;
		}
		if (n == MW_E_AGAIN || (l->o.interface && n != 1))
			write_live(l);
		if (n == MW_E_AGAIN && l->o.follow)
			usleep(FOLLOW_US);
	}
	hide_progress(&p);
	return stopped ? 0 : n;
}

static int open_file(const struct look *l, struct capture_reader **r)
{
	const char *why = NULL;
	const char *const *files = l->o.file_count ? l->o.files : &l->o.file;
	size_t which = 0;
	int n = capture_open_files(files, l->o.file_count ? l->o.file_count : 1, r, &which, &why);

	if (n == MW_E_IO)
		return cli_usage("look", "cannot open %s: %s.", files[which], strerror(errno));
	if (n < 0)
		return cli_usage("look",
		                 "%s is no capture that can be read: %s. It takes pcap, pcapng and Network Monitor "
		                 ".cap, also packed with gzip or zstd.",
		                 files[which], why ? why : mw_strerror(n));
	return 0;
}

/*
 * A first look, when the file can be read twice. Connections that were open before the capture began speak
 * early in it, and what they are for is mostly said early too: further on it would only keep a reader waiting.
 */
#define FIRST_LOOK ((uint64_t)24 << 20)

static int learn(struct look *l)
{
	struct capture_reader *r;
	int code = open_file(l, &r);

	if (code)
		return code;
	int n = read_frames(l, r, learn_frame, "First look", FIRST_LOOK);
	capture_close(&r);
	return n == MW_E_IO ? cli_usage("look", "reading %s failed: %s.", l->o.file, strerror(errno)) : 0;
}

/* A capture that ends badly is shown as far as it goes, with a note. */
static void note_end(const struct look *l, const struct capture_reader *r, int n)
{
	const char *why = capture_why(r);
	uint64_t lost = capture_lost(r);

	if (lost)
		cli_usage("look",
		          "%" PRIu64
		          " packets came faster than they could be read and are missing; -f narrows it down.",
		          lost);
	if (n == MW_E_TRUNCATED)
		cli_usage("look", "%s is cut off in the middle of its last frame; all before it is shown.", l->o.file);
	else if (n < 0)
		cli_usage("look", "%s cannot be read to its end (%s); all before that is shown.",
		          l->o.file ? l->o.file : l->o.interface, why ? why : mw_strerror(n));
}

/* From this size on a list's heading, which needs the whole file, stands behind it from the beginning. */
#define LARGE_FILE ((uint64_t)32 << 20)

static bool is_large(const struct capture_reader *r)
{
	uint64_t done, size;

	capture_progress(r, &done, &size);
	return size >= LARGE_FILE;
}

static int open_input(struct look *l, struct capture_reader **r)
{
	char why[256] = "";

	if (!l->o.interface)
		return open_file(l, r);
	int n = capture_open_live(l->o.interface, l->o.live_filter ? l->o.live_filter : "tcp or udp", r, why);
	if (n == MW_E_INVALID)
		return cli_usage(
		        "look",
		        "the capture filter is wrong: %s. It is what tcpdump takes, such as -f 'host 10.0.0.2'.", why);
	if (n < 0)
		return cli_usage("look", "cannot listen on %s: %s.", l->o.interface, why);
	return 0;
}

static struct lens_options options_of(const struct look *l)
{
	return (struct lens_options){
	        .secrets = l->secrets.list,
	        .secret_count = l->secrets.count,
	        .keytab = l->keytab,
	        .want_fields = l->o.tree || l->o.html || l->o.rewrite,
	        .heads_only = l->o.stats && !l->o.filter && !l->o.svg && !l->o.mermaid && !l->o.html,
	        .no_phrases = l->o.json && !l->o.problems && !l->o.filter && l->output_count == 1,
	        .keep_events = l->o.ladder || l->o.svg || l->o.mermaid,
	        .idl = l->idl,
	        .idl_count = l->idl_count,
	        .said = l->export ? look_export_said : NULL,
	        .text = l->export && !l->scrub ? look_export_text : NULL,
	        .said_user = l->export,
	        .scrub = l->scrub,
	        .workers = l->jobs ? look_jobs_workers(l->jobs) : NULL,
	};
}

/* What comes live is told at once, by one. */
static int start_jobs(struct look *l)
{
	unsigned jobs = l->o.jobs ? l->o.jobs : uv_available_parallelism();

	if (l->o.interface || l->o.follow || jobs < 2)
		return 0;
	l->jobs = look_jobs_new(jobs);
	return l->jobs ? 0 : cli_fail("look", CLI_EXIT_FAILED, "out of memory.");
}

static int run(struct look *l)
{
	if (start_jobs(l) != 0)
		return CLI_EXIT_FAILED;
	const struct lens_options options = options_of(l);
	const struct lens_sink sink = {on_event, l};
	struct capture_reader *r = NULL;

	l->lens = lens_new(&options, &sink);
	if (!l->lens)
		return cli_fail("look", CLI_EXIT_FAILED, "out of memory.");
	look_tls_begin(l);
	int code = !l->o.interface && strcmp(l->o.file, "-") != 0 ? learn(l) : 0;
	if (code == 0)
		code = open_input(l, &r);
	if (code != 0)
		return code;
	if (l->o.follow && capture_follow(r) < 0) {
		capture_close(&r);
		return cli_usage("look", "--follow is for one file that is not packed.");
	}
	l->head_behind = is_large(r);
	int n = read_frames(l, r, take_frame, "Reading", 0);
	lens_end(l->lens);
	for (unsigned i = 0; i < l->output_count && code == 0; i++)
		code = end_output(l, &l->outputs[i]);
	if (code == 0 && shows_list(l))
		look_put_notes(l, r);
	if (code == 0)
		code = end_export(l);
	cli_pager_end();
	note_end(l, r, n);
	capture_close(&r);
	return code;
}

/* ---- Two captures ---- */

static void on_step(void *user, const struct lens_event *e)
{
	lens_steps_event((struct lens_steps *)user, e);
}

static int read_steps(struct look *l, const char *file, struct lens_steps *steps)
{
	const struct lens_sink sink = {on_step, steps};
	struct lens_options options = options_of(l);
	struct capture_reader *r = NULL;

	l->o.file = file;
	l->o.file_count = 0;
	l->lens = lens_new(&options, &sink);
	if (!l->lens)
		return cli_fail("look", CLI_EXIT_FAILED, "out of memory.");
	look_tls_begin(l);
	int code = learn(l);
	if (code == 0)
		code = open_file(l, &r);
	if (code == 0) {
		int n = read_frames(l, r, take_frame, "Reading", 0);
		lens_end(l->lens);
		note_end(l, r, n);
		capture_close(&r);
	}
	lens_steps_end(steps);
	lens_free(&l->lens);
	return code;
}

static int look_diff(struct look *l)
{
	const char *const *files = l->o.files;
	struct lens_steps *steps[2] = {lens_steps_new(), lens_steps_new()};
	struct buf out MW_CLEANUP(buf_free) = {0};
	int code = 0;

	if (!steps[0] || !steps[1])
		code = cli_fail("look", CLI_EXIT_FAILED, "out of memory.");
	for (unsigned i = 0; i < 2 && code == 0; i++)
		code = read_steps(l, files[i], steps[i]);
	if (code == 0) {
		lens_diff_put(&l->view, steps[0], steps[1], &out);
		begin_paging(l);
		cli_write(&out);
		cli_pager_end();
	}
	lens_steps_free(&steps[0]);
	lens_steps_free(&steps[1]);
	return code;
}

static int check_options(struct look_options *o, const char *const *files, size_t count)
{
	const char *positional = count ? files[0] : NULL;
	unsigned shown = (o->json && !o->problems) + o->ladder + o->stats + o->problems + o->story + o->diff +
	                 (o->tree != 0) + (o->top != NULL);

	if (positional && o->file)
		return cli_usage("look", "name the capture once: %s or -r %s.", positional, o->file);
	if (positional)
		o->file = positional;
	for (size_t i = 0; i < count && count > 1; i++)
		if (files[i] && strcmp(files[i], "-") == 0)
			return cli_usage("look", "standard input (-) and files do not go together.");
	o->files = files;
	o->file_count = count;
	if (o->wireshark && !o->file && !o->interface)
		return 0;
	if (!o->file == !o->interface)
		return cli_usage("look", o->file ? "a file and -i do not go together."
		                                 : "name a capture file, or an interface with -i.");
	if (o->live_filter && !o->interface)
		return cli_usage("look", "-f is for what is captured with -i; of a file -Y shows a part.");
	if (o->export && o->rewrite)
		return cli_usage("look", "--export and --rewrite write one copy: choose one of them.");
	if (shown > 1)
		return cli_usage("look", "choose one of --json, --ladder, --stats, --problems, --top, --story, --diff "
		                         "and --tree; --json "
		                         "goes with --problems too.");
	if ((o->problems || o->story || o->diff) && o->filter)
		return cli_usage("look",
		                 "--problems, --story and --diff look at the whole capture: -Y does not go with them.");
	if (o->diff && count != 2)
		return cli_usage("look", "--diff takes two captures: mapiwire look --diff A.pcapng B.pcapng.");
	if (o->interface && (o->ladder || o->svg || o->mermaid || o->html))
		return cli_usage("look", "ladder and page want a file: keep the traffic first, then look at that.");
	return 0;
}

static int write_wireshark(struct look *l)
{
	struct buf out MW_CLEANUP(buf_free) = {0};
	FILE *f = fopen(l->o.wireshark, "wb");

	if (!f)
		return cli_usage("look", "cannot write %s: %s.", l->o.wireshark, strerror(errno));
	int r = lens_colors_wireshark(l->view.colors, &out);
	bool whole = r == 0 && fwrite(out.data, 1, out.len, f) == out.len;
	if (fclose(f) != 0 || !whole)
		return cli_fail("look", CLI_EXIT_FAILED, "cannot write all of %s: is the disk full?", l->o.wireshark);
	return 0;
}

static int look_what(struct look *l)
{
	int code = l->o.wireshark ? write_wireshark(l) : 0;

	if (code != 0 || (!l->o.file && !l->o.interface))
		return code;
	return l->o.diff ? look_diff(l) : run(l);
}

int cmd_look(int argc, char **argv)
{
	struct look l = {0};
	const struct cli_option options[] = {
	        {"r", CLI_TEXT, &l.o.file},
	        {"i", CLI_TEXT, &l.o.interface},
	        {"f", CLI_TEXT, &l.o.live_filter},
	        {"json", CLI_FLAG, &l.o.json},
	        {"ladder", CLI_FLAG, &l.o.ladder},
	        {"stats", CLI_FLAG, &l.o.stats},
	        {"problems", CLI_FLAG, &l.o.problems},
	        {"top", CLI_TEXT, &l.o.top},
	        {"wireshark-colors", CLI_TEXT, &l.o.wireshark},
	        {"story", CLI_FLAG, &l.o.story},
	        {"diff", CLI_FLAG, &l.o.diff},
	        {"slow", CLI_TEXT, &l.o.slow},
	        {"idle", CLI_NUMBER, &l.o.idle},
	        {"tree", CLI_NUMBER, &l.o.tree},
	        {"svg", CLI_TEXT, &l.o.svg},
	        {"mermaid", CLI_TEXT, &l.o.mermaid},
	        {"html", CLI_TEXT, &l.o.html},
	        {"export", CLI_TEXT, &l.o.export},
	        {"rewrite", CLI_TEXT, &l.o.rewrite},
	        {"secrets", CLI_TEXT, &l.o.secrets},
	        {"tls-keys", CLI_TEXT, &l.o.tls_keys},
	        {"idl", CLI_TEXT, &l.o.idl},
	        {"Y", CLI_TEXT, &l.o.filter},
	        {"all", CLI_FLAG, &l.o.all},
	        {"follow", CLI_FLAG, &l.o.follow},
	        {"color", CLI_TEXT, &l.o.color},
	        {"colors", CLI_TEXT, &l.o.colors},
	        {"jobs", CLI_NUMBER, &l.o.jobs},
	        {"no-pager", CLI_FLAG, &l.o.no_pager},
	};
	const char *positional[CAPTURE_MAX_FILES] = {NULL};
	size_t count;
	int code = cli_parse("look", argc, argv, options, sizeof options / sizeof options[0], positional,
	                     CAPTURE_MAX_FILES, &count);

	if (code != 0)
		return code - 1;
	code = check_options(&l.o, positional, count);
	if (code != 0)
		return code;
	l.arena = arena_new(0);
	if (!l.arena)
		return cli_fail("look", CLI_EXIT_FAILED, "out of memory.");
	catch_stop();
	code = look_set_up(&l);
	if (code == 0)
		code = look_what(&l);
	look_free(&l);
	return code;
}
