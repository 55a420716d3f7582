#include "fixture.h"

#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* Who waits for the disk: after the first save of an opening, the pool alone. */

static pthread_t owner;
static int by_owner, by_pool;

static void note(void)
{
	if (pthread_equal(pthread_self(), owner))
		by_owner++;
	else
		by_pool++;
}

/* In place of the C library's, which SQLite calls. */
__attribute__((visibility("default"))) int fdatasync(int fd)
{
	note();
	return (int)syscall(SYS_fdatasync, fd);
}

__attribute__((visibility("default"))) int fsync(int fd)
{
	note();
	return (int)syscall(SYS_fsync, fd);
}

static void *run_job(void *job)
{
	store_job_run((struct store_job *)job);
	return NULL;
}

static void in_pool(struct store_job *job)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, run_job, job), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(store_job_end(fixture_m, job), 0);
}

static int64_t log_size(void)
{
	char path[256];
	struct stat s;

	fixture_path(path, sizeof path, "-wal");
	return stat(path, &s) == 0 ? s.st_size : 0;
}

/* Constant writing: a change goes on while the pool moves pages, but for the end of it. The log stays short. */
static void test_only_the_pool_syncs(void **state)
{
	struct store_job job;
	int checkpoints = 0, anew = 0;

	(void)state;
	owner = pthread_self();
	save_subject(inbox(), "the first of this opening");
	by_owner = by_pool = 0;
	for (int i = 0; i < 40000 && anew < 3; i++) {
		save_subject(inbox(), "another");
		if (i % 8 == 0 && store_sync_begin(fixture_m, &job))
			in_pool(&job);
		if (store_checkpoint_begin(fixture_m, false, &job)) {
			pthread_t thread;
			assert_int_equal(pthread_create(&thread, NULL, run_job, &job), 0);
			for (int k = 0; k < 8 && !job.still; k++)
				save_subject(inbox(), "beside it");
			assert_int_equal(pthread_join(thread, NULL), 0);
			assert_int_equal(store_job_end(fixture_m, &job), 0);
			checkpoints++;
			anew += job.anew;
		}
	}
	assert_int_equal(anew, 3);
	assert_true(checkpoints <= 7);
	assert_true(by_pool > 40);
	assert_int_equal(by_owner, 0);
	assert_true(log_size() < 12 << 20);
}

/* What the pool writes to begin the log anew is seen by nobody. */
static void test_a_checkpoint_changes_nothing(void **state)
{
	uint64_t folder;
	char *class;
	struct store_job job = {0};

	(void)state;
	for (int i = 0; i < 9000 && !store_checkpoint_begin(fixture_m, false, &job); i++) {
		save_subject(inbox(), "filling the log");
		if (i % 4 == 0)
			assert_int_equal(store_sync(fixture_m), 0);
	}
	assert_true(job.checkpoint);
	in_pool(&job);
	assert_int_equal(store_receive_folder(fixture_m, fixture_arena, "\x01", &folder, &class), 0);
	assert_string_equal(class, "");
	save_subject(inbox(), "after it");
	fixture_reopen();
	assert_true(info_of(inbox()).content_count > 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        FIXTURE_TEST(test_only_the_pool_syncs),
	        FIXTURE_TEST(test_a_checkpoint_changes_nothing),
	};

	return cmocka_run_group_tests_name("store sync", tests, NULL, NULL);
}
