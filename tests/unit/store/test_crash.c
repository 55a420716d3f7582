#include "fixture.h"
#include "power_cut.h"

#include "base/time.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

/*
 * What was acknowledged is there after a crash, ids never repeat, and the file is whole. A child saves, and
 * says so only when the store says that it is safe; it is then killed, or loses its power.
 */

struct ack {
	uint64_t id;
	uint32_t number;
};

#define ACKS_MAX 20000
static struct ack acks[ACKS_MAX];
static size_t ack_count;

/* No assertions in children: an exit code tells. */
static uint64_t child_save(struct store_mailbox *m, uint32_t number)
{
	struct store_message *msg = NULL;
	struct mapi_value v[] = {mapi_i32(MAPI_TAG(0x6000, PTYP_INTEGER32), (int32_t)number),
	                         mapi_i64(PidTagMessageDeliveryTime, (int64_t)number * 7919 % 1000)};
	uint64_t id = 0;

	if (store_message_create(m, inbox(), false, NOW, &msg) == 0 && store_message_set(msg, v, 2, NULL) == 0 &&
	    store_message_save(msg, false, NOW, NULL) == 0)
		id = store_message_id(msg);
	store_message_close(&msg);
	return id;
}

static int child_sync(struct store_mailbox *m)
{
	struct store_job job;

	if (store_sync_begin(m, &job)) {
		store_job_run(&job);
		if (store_job_end(m, &job) < 0)
			return -1;
	}
	if (store_checkpoint_begin(m, false, &job)) {
		store_job_run(&job);
		if (store_job_end(m, &job) < 0)
			return -1;
	}
	return 0;
}

/* Saves in groups of one to five, each group acknowledged by one sync. stop: groups, then the power goes. */
static _Noreturn void child_main(int out, uint32_t first, int stop, unsigned keep)
{
	struct store_mailbox *m = NULL;
	uint32_t number = first;

	if (store_mailbox_open(&fixture_place, &fixture_guid, &m, NULL) < 0)
		_exit(2);
	for (int group = 0; group != stop; group++) {
		struct ack said[5];
		size_t n = 1 + (size_t)rand() % 5;
		for (size_t i = 0; i < n; i++) {
			said[i] = (struct ack){.number = number, .id = child_save(m, number)};
			if (!said[i].id)
				_exit(3);
			number++;
		}
		if (child_sync(m) < 0)
			_exit(4);
		if (write(out, said, n * sizeof *said) != (ssize_t)(n * sizeof *said))
			_exit(5);
	}
	for (int i = rand() % 20; i > 0; i--) /* and some that no one is told of */
		child_save(m, number++);
	power_cut(keep);
	_exit(0);
}

static pid_t start_child(int *in, uint32_t first, int stop, unsigned keep, unsigned seed)
{
	int ends[2];
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(ends[0]);
		srand(seed);
		child_main(ends[1], first, stop, keep);
	}
	close(ends[1]);
	*in = ends[0];
	return pid;
}

/* All that comes until the child is gone or has said enough. */
static void read_acks(int in, size_t enough)
{
	size_t before = ack_count;
	ssize_t n = 1;

	while (n > 0 && ack_count - before < enough && ack_count < ACKS_MAX) {
		n = read(in, &acks[ack_count], sizeof *acks);
		if (n == sizeof *acks)
			ack_count++;
	}
}

static void check_whole(void)
{
	char path[256];
	sqlite3 *db;
	sqlite3_stmt *s;

	fixture_path(path, sizeof path, "");
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &s, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(s, 0), "ok");
	sqlite3_finalize(s);
	assert_int_equal(sqlite3_prepare_v2(db,
	                                    "SELECT (SELECT contents FROM folder WHERE id = 5) ="
	                                    " (SELECT count(*) FROM message WHERE folder = 5 AND associated = 0)",
	                                    -1, &s, NULL),
	                 SQLITE_OK);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	assert_int_equal(sqlite3_column_int(s, 0), 1);
	sqlite3_finalize(s);
	sqlite3_close(db);
}

static void check_acks(void)
{
	check_whole();
	fixture_place.vfs = NULL;
	fixture_open();
	for (size_t i = 0; i < ack_count; i++) {
		struct store_message *msg = NULL;
		if (store_message_open(fixture_m, inbox(), acks[i].id, false, &msg) < 0)
			fail_msg("acknowledged message %u is gone", acks[i].number);
		assert_int_equal(get_one(msg, MAPI_TAG(0x6000, PTYP_INTEGER32)).u.i32, acks[i].number);
		store_message_close(&msg);
		arena_reset(fixture_arena);
	}
	/* An id that is given now was never given before. */
	{
		uint64_t fresh = store_id_counter(save_subject(inbox(), "after"));
		for (size_t i = 0; i < ack_count; i++)
			assert_true(fresh > store_id_counter(acks[i].id));
	}
	store_mailbox_close(&fixture_m);
}

static void survives_kill_9(void **state)
{
	(void)state;
	store_mailbox_close(&fixture_m);
	ack_count = 0;
	for (unsigned round = 0; round < 5; round++) {
		int in, status;
		pid_t pid = start_child(&in, round * 100000, -1, 0, round + 1);

		read_acks(in, 200 + round * 37);
		usleep(round * 300);
		assert_int_equal(kill(pid, SIGKILL), 0);
		read_acks(in, ACKS_MAX); /* what it said before it died */
		close(in);
		assert_true(waitpid(pid, &status, 0) == pid);
		assert_true(WIFSIGNALED(status));
		check_acks();
	}
	assert_true(ack_count > 1000);
}

static void survives_power_cuts(void **state)
{
	/* Nothing, some, or most of what was not synced reached the disk. */
	static const unsigned keeps[] = {0, 30, 128, 220};

	(void)state;
	store_mailbox_close(&fixture_m);
	ack_count = 0;
	for (unsigned round = 0; round < 24; round++) {
		int in, status;
		pid_t pid;

		fixture_place.vfs = power_cut_vfs();
		/* Some rounds are long enough for checkpoints and for the log to begin anew. */
		pid = start_child(&in, round * 100000, round % 6 == 5 ? 250 : 1 + (int)(round * 7 % 23),
		                  keeps[round % 4], round + 77);
		read_acks(in, ACKS_MAX);
		close(in);
		assert_true(waitpid(pid, &status, 0) == pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
		check_acks();
	}
	assert_true(ack_count > 2000);
}

/* The test above can fail: without the sync the power cut takes the messages. */
static void unsynced_saves_are_lost(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	save_subject(inbox(), "kept");
	store_mailbox_close(&fixture_m);
	fixture_place.vfs = power_cut_vfs();
	pid = fork();
	if (pid == 0) {
		struct store_mailbox *m = NULL;
		if (store_mailbox_open(&fixture_place, &fixture_guid, &m, NULL) < 0)
			_exit(2);
		for (uint32_t i = 0; i < 10; i++)
			if (!child_save(m, i))
				_exit(3);
		power_cut(0);
		_exit(0);
	}
	assert_true(waitpid(pid, &status, 0) == pid);
	assert_int_equal(status, 0);
	fixture_place.vfs = NULL;
	fixture_open();
	assert_int_equal(info_of(inbox()).content_count, 1);
}

static int try_save(uint64_t *ticket)
{
	struct store_message *msg = NULL;
	int r;

	assert_int_equal(store_message_create(fixture_m, inbox(), false, NOW, &msg), 0);
	r = store_message_save(msg, false, NOW, ticket);
	store_message_close(&msg);
	return r;
}

/* What is committed together has its room in the log before it is begun: the one that finds none hears it. */
static void full_disk_is_an_error(void **state)
{
	uint64_t ticket = 0, folder = 99;
	uint32_t saved = 1;
	int r = 0;

	(void)state;
	store_mailbox_close(&fixture_m);
	fixture_place.vfs = power_cut_vfs();
	fixture_open();
	save_subject(inbox(), "before");
	pc->full = true;
	for (unsigned i = 0; r == 0 && i < 1000; i++) {
		ticket = 99;
		r = try_save(&ticket);
		saved += r == 0;
	}
	assert_int_equal(r, MW_E_IO);
	assert_int_equal(ticket, 99);
	assert_non_null(strstr(store_mailbox_error(fixture_m), "free some space"));
	assert_int_equal(info_of(inbox()).content_count, saved); /* reading goes on */
	assert_int_equal(store_sync(fixture_m), 0);              /* and what was said is true */
	assert_false(store_mailbox_failed(fixture_m));
	pc->full = false;
	assert_int_equal(try_save(&ticket), 0);
	assert_int_equal(store_sync(fixture_m), 0);
	pc->fail_writes = SQLITE_FULL;
	assert_int_equal(store_folder_create(fixture_m, inbox(), "x", NULL, NOW, &folder, NULL), MW_E_IO);
	pc->fail_writes = 0;
	assert_int_equal(store_folder_create(fixture_m, inbox(), "x", NULL, NOW, &folder, NULL), 0);
	fixture_place.vfs = NULL;
	fixture_reopen();
	assert_int_equal(info_of(inbox()).content_count, saved + 1);
}

/* A change by itself fails by itself; of a commit of many nothing is there, and nothing more is promised. */
static void broken_disk_is_an_error(void **state)
{
	static const struct {
		int code;
		const char *word;
	} table[] = {{SQLITE_READONLY, "permissions"}, {SQLITE_IOERR_WRITE, "failed"}};

	(void)state;
	store_mailbox_close(&fixture_m);
	fixture_place.vfs = power_cut_vfs();
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		uint64_t folder = 99, ticket = 99;
		struct store_job job;
		fixture_open();
		save_subject(inbox(), "before");
		assert_int_equal(store_sync(fixture_m), 0);
		pc->fail_writes = table[i].code;
		assert_int_equal(store_folder_create(fixture_m, inbox(), "x", NULL, NOW, &folder, &ticket), MW_E_IO);
		assert_int_equal(ticket, 99);
		assert_non_null(strstr(store_mailbox_error(fixture_m), table[i].word));
		assert_false(store_mailbox_failed(fixture_m));
		assert_int_equal(try_save(&ticket), 0);
		assert_true(ticket > store_synced(fixture_m));
		assert_false(store_sync_begin(fixture_m, &job));
		assert_true(store_mailbox_failed(fixture_m));
		assert_non_null(strstr(store_mailbox_error(fixture_m), table[i].word));
		pc->fail_writes = 0;
		assert_int_equal(try_save(&ticket), MW_E_IO);
		assert_true(ticket > store_synced(fixture_m));
		store_mailbox_close(&fixture_m);
	}
	fixture_place.vfs = NULL;
	fixture_open();
	assert_int_equal(info_of(inbox()).content_count, ARRAY_SIZE(table));
}

/* A change that is refused takes nothing of the others with it. */
static void one_of_many_fails_alone(void **state)
{
	struct store_message *a = NULL, *b = NULL;
	struct mapi_value v = text_value(PidTagSubject, "changed");
	uint64_t id = save_subject(inbox(), "first");

	(void)state;
	assert_int_equal(store_message_open(fixture_m, inbox(), id, true, &a), 0);
	assert_int_equal(store_message_open(fixture_m, inbox(), id, true, &b), 0);
	assert_int_equal(store_message_set(a, &v, 1, NULL), 0);
	assert_int_equal(store_message_save(a, false, NOW, NULL), 0);
	assert_int_equal(store_message_set(b, &v, 1, NULL), 0);
	assert_int_equal(store_message_save(b, false, NOW, NULL), MW_E_STATE);
	save_subject(inbox(), "second");
	store_message_close(&a);
	store_message_close(&b);
	fixture_reopen();
	assert_int_equal(info_of(inbox()).content_count, 2);
	assert_int_equal(store_message_open(fixture_m, inbox(), id, false, &a), 0);
	v = get_one(a, PidTagSubject);
	assert_string_equal(value_text(&v), "changed");
	store_message_close(&a);
}

static void failed_sync_promises_nothing_more(void **state)
{
	struct store_message *msg = NULL;
	struct store_job job;
	uint64_t ticket;

	(void)state;
	store_mailbox_close(&fixture_m);
	fixture_place.vfs = power_cut_vfs();
	fixture_open();
	save_subject(inbox(), "before");
	assert_int_equal(store_sync(fixture_m), 0);
	assert_int_equal(store_message_create(fixture_m, inbox(), false, NOW, &msg), 0);
	assert_int_equal(store_message_save(msg, false, NOW, &ticket), 0);
	pc->fail_syncs = SQLITE_IOERR_FSYNC;
	assert_true(store_sync_begin(fixture_m, &job));
	assert_false(store_sync_begin(fixture_m, &(struct store_job){0})); /* one at a time */
	store_job_run(&job);
	assert_int_equal(store_job_end(fixture_m, &job), MW_E_IO);
	pc->fail_syncs = 0;
	assert_true(store_synced(fixture_m) < ticket);
	assert_int_equal(store_message_save(msg, true, NOW, &ticket), MW_E_IO);
	assert_int_equal(store_sync(fixture_m), MW_E_IO);
	assert_false(store_sync_begin(fixture_m, &job));
	store_message_close(&msg);
	fixture_place.vfs = NULL;
	fixture_reopen();
	save_subject(inbox(), "after");
}

static void one_sync_covers_many(void **state)
{
	struct store_job job;
	uint64_t first;

	(void)state;
	save_subject(inbox(), "a");
	assert_int_equal(store_sync(fixture_m), 0);
	assert_false(store_sync_begin(fixture_m, &job)); /* nothing to do */
	for (int i = 0; i < 10; i++)
		save_subject(inbox(), "b");
	first = store_committed(fixture_m);
	assert_true(store_sync_begin(fixture_m, &job));
	save_subject(inbox(), "later"); /* while the sync is under way */
	store_job_run(&job);
	assert_int_equal(store_job_end(fixture_m, &job), 0);
	assert_true(store_synced(fixture_m) == first);
	assert_true(store_committed(fixture_m) == first + 1);
	assert_true(store_sync_begin(fixture_m, &job));
	store_job_run(&job);
	assert_int_equal(store_job_end(fixture_m, &job), 0);
	assert_true(store_synced(fixture_m) == first + 1);
}

static void *run_job(void *job)
{
	store_job_run(job);
	return NULL;
}

/* As the server does it: the owner goes on saving while the pool syncs and checkpoints. */
static void jobs_run_beside_the_owner(void **state)
{
	pthread_t sync_thread, checkpoint_thread;
	struct store_job sync = {0}, checkpoint = {0};
	bool syncing = false, checkpointing = false;
	int checkpoints = 0;

	(void)state;
	for (int i = 0; i < 1500; i++) {
		save_subject(inbox(), "beside");
		if (!syncing && store_sync_begin(fixture_m, &sync)) {
			assert_int_equal(pthread_create(&sync_thread, NULL, run_job, &sync), 0);
			syncing = true;
		}
		if (!checkpointing && store_checkpoint_begin(fixture_m, false, &checkpoint)) {
			assert_int_equal(pthread_create(&checkpoint_thread, NULL, run_job, &checkpoint), 0);
			checkpointing = true;
			checkpoints++;
		}
		if (syncing && i % 3 == 2) {
			pthread_join(sync_thread, NULL);
			assert_int_equal(store_job_end(fixture_m, &sync), 0);
			syncing = false;
		}
		if (checkpointing && i % 50 == 49) {
			pthread_join(checkpoint_thread, NULL);
			assert_int_equal(store_job_end(fixture_m, &checkpoint), 0);
			checkpointing = false;
		}
	}
	if (syncing)
		pthread_join(sync_thread, NULL);
	if (checkpointing)
		pthread_join(checkpoint_thread, NULL);
	assert_true(checkpoints >= 2);
	store_mailbox_close(&fixture_m);
	check_whole();
	fixture_open();
	assert_int_equal(info_of(inbox()).content_count, 1500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        FIXTURE_TEST(survives_kill_9),
	        FIXTURE_TEST(survives_power_cuts),
	        FIXTURE_TEST(unsynced_saves_are_lost),
	        FIXTURE_TEST(full_disk_is_an_error),
	        FIXTURE_TEST(broken_disk_is_an_error),
	        FIXTURE_TEST(one_of_many_fails_alone),
	        FIXTURE_TEST(failed_sync_promises_nothing_more),
	        FIXTURE_TEST(one_sync_covers_many),
	        FIXTURE_TEST(jobs_run_beside_the_owner),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
