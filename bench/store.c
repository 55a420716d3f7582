#include "base/time.h"
#include "mapi/restriction.h"
#include "mapi/tags.h"
#include "store/mailbox.h"
#include "store/message.h"
#include "store/restrict.h"
#include "store/sync.h"
#include "store/table.h"
#include "store/words.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * usage: bench-store fill STATE GUID COUNT   so many messages of 2 KB into a mailbox; its sizes
 *        bench-store tables STATE GUID       sorted rows, restrictions and searches in it
 *        bench-store plain FILE SECONDS WRITERS   durable SQLite inserts of the same bytes, WRITERS a commit
 *
 * One JSON object on standard output.
 */
#define BODY 2048
#define BATCH 1000

static _Noreturn void fail(const char *what, int r)
{
	fprintf(stderr, "bench-store: %s: %d\n", what, r);
	exit(1);
}

static void check(int r, const char *what)
{
	if (r < 0)
		fail(what, r);
}

static double now(void)
{
	return (double)time_monotonic_ns() / 1e9;
}

/* ---- Messages as people write them: words that follow Zipf's law ---- */

static uint64_t seed = 0x9E3779B97F4A7C15;

static uint32_t random32(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 16);
}

static size_t put_word(char *out, uint32_t word)
{
	static const char *const parts[] = {"ka", "lo", "mi", "ter", "sun", "ve", "ra",  "ni",
	                                    "po", "du", "es", "or",  "an",  "be", "tal", "ig"};
	size_t n = 0;
	do {
		const char *p = parts[word & 15];
		memcpy(out + n, p, strlen(p)); // NOLINT(bugprone-not-null-terminated-result): ended by who asked
		n += strlen(p);
		word >>= 4;
	} while (word);
	return n;
}

/* Words 1, 2, 3 ... each as often as its number is small. */
static uint32_t zipf(void)
{
	uint32_t span = 1u << (random32() % 17);
	return span + random32() % span;
}

static void make_text(char *out, size_t size)
{
	size_t n = 0;
	while (n + 32 < size) {
		n += put_word(out + n, zipf());
		out[n++] = random32() % 12 ? ' ' : '\n';
	}
	memset(out + n, '.', size - n);
	out[size] = 0;
}

static int put_text(struct store_message *msg, uint32_t tag, const char *text)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	struct mapi_value v;
	int r = mapi_text(arena, tag, text, 0, &v);
	return r < 0 ? r : store_message_set(msg, &v, 1, NULL);
}

static void save_one(struct store_mailbox *m, unsigned number, int64_t at, uint64_t *ticket)
{
	struct store_message *msg = NULL;
	char subject[64], sender[64], body[BODY + 1];
	size_t n = put_word(sender, 1 + number % 500);
	struct mapi_value values[3] = {
	        mapi_i64(PidTagMessageDeliveryTime, (int64_t)filetime_from_ns(at)),
	        mapi_i64(PidTagClientSubmitTime, (int64_t)filetime_from_ns(at)),
	        mapi_i32(PidTagMessageFlags, (int32_t)(number % 3 == 0)),
	};
	sender[n] = 0;
	snprintf(subject, sizeof subject, "Message %u about %u", number, random32() % 1000);
	make_text(body, BODY);
	check(store_message_create(m, store_special_id(STORE_INBOX), false, at, &msg), "create");
	check(store_message_set(msg, values, 3, NULL), "set");
	check(put_text(msg, PidTagSubject, subject), "subject");
	check(put_text(msg, PidTagSenderName, sender), "sender");
	check(put_text(msg, PidTagBody, body), "body");
	check(store_message_save(msg, false, at, ticket), "save");
	store_message_close(&msg);
}

static void move_log(struct store_mailbox *m)
{
	struct store_job job;
	check(store_sync(m), "sync");
	if (store_checkpoint_begin(m, false, &job)) {
		store_job_run(&job);
		check(store_job_end(m, &job), "checkpoint");
	}
}

static double file_size(const char *path)
{
	struct stat s;
	return stat(path, &s) == 0 ? (double)s.st_size : 0;
}

static double messages_size(struct store_mailbox *m)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	static const uint32_t tag = PidTagMessageSizeExtended;
	struct mapi_value v = {0};
	check(store_mailbox_get(m, arena, &tag, 1, &v), "size");
	return (double)v.u.i64;
}

static struct guid open_mailbox(const char *state, const char *text, struct store_mailbox **m)
{
	const struct store_place place = {.state = state};
	struct store_why why = {0};
	struct guid guid;
	if (guid_parse(text, &guid) < 0)
		fail("not a GUID", 0);
	if (store_mailbox_open(&place, &guid, m, &why) < 0) {
		fprintf(stderr, "bench-store: %s\n", why.text);
		exit(1);
	}
	return guid;
}

static void fill(const char *state, unsigned count, const char *text)
{
	const struct store_place place = {.state = state};
	const struct store_owner owner = {.name = "B", .address = "b@demo.test", .dn = "/o=DEMO/cn=b"};
	struct store_mailbox *m = NULL;
	struct guid guid;
	char path[4096];
	int64_t at = INT64_C(1700000000) * NS_PER_S;
	uint64_t ticket;
	if (guid_parse(text, &guid) < 0)
		fail("not a GUID", 0);
	int r = store_mailbox_create(&place, &guid, &owner, at, NULL);
	if (r < 0 && r != MW_E_EXISTS)
		fail("create", r);
	open_mailbox(state, text, &m);
	double start = now();
	for (unsigned i = 0; i < count; i++) {
		save_one(m, i, at + (int64_t)(random32() % 100000000) * NS_PER_MS * 100, &ticket);
		if (i % BATCH == BATCH - 1)
			move_log(m);
	}
	double took = now() - start, size = messages_size(m);
	store_mailbox_close(&m);
	snprintf(path, sizeof path, "%s/mailboxes/%s.sqlite", state, text);
	printf("{\"seconds\": %.3f, \"messages\": %.0f, \"file\": %.0f}\n", took, size, file_size(path));
}

/* ---- Tables ---- */

static const uint32_t columns[] = {PidTagMid,         PidTagSubject,      PidTagSenderName, PidTagMessageDeliveryTime,
                                   PidTagMessageSize, PidTagMessageFlags, PidTagImportance, PidTagHasAttachments};

/* Milliseconds of a table with its first 50 rows. */
static double first_rows(struct store_mailbox *m, uint32_t sort)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	struct store_table *t = NULL;
	const struct store_sort key = {.tag = sort, .descending = true};
	struct mapi_row *rows;
	size_t count = 50;
	double start = now();
	check(store_contents_table(m, store_special_id(STORE_INBOX), false, &t), "table");
	check(store_table_set_columns(t, columns, ARRAY_SIZE(columns)), "columns");
	check(store_table_sort(t, &key, 1), "sort");
	check(store_table_rows(t, arena, true, true, 0, &rows, &count), "rows");
	double took = now() - start;
	store_table_close(&t);
	return took * 1000;
}

/* Milliseconds of a restricted table and its row count. */
static double restricted(struct store_mailbox *m, struct mapi_restriction *r, uint32_t *count)
{
	struct store_table *t = NULL;
	uint32_t position;
	double start = now();
	check(store_contents_table(m, store_special_id(STORE_INBOX), false, &t), "table");
	check(store_table_restrict(t, r), "restrict");
	check(store_table_position(t, &position, count), "position");
	double took = now() - start;
	store_table_close(&t);
	return took * 1000;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median_of(struct store_mailbox *m, uint32_t sort)
{
	double took[21];
	for (size_t i = 0; i < ARRAY_SIZE(took); i++)
		took[i] = first_rows(m, sort);
	qsort(took, ARRAY_SIZE(took), sizeof *took, by_value);
	return took[ARRAY_SIZE(took) / 2];
}

static void tables(const char *state, const char *text)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	struct store_mailbox *m = NULL;
	struct mapi_value word, importance = mapi_i32(PidTagMessageFlags, 0);
	uint32_t subject_rows = 0, body_rows = 0, unread_rows = 0;
	open_mailbox(state, text, &m);
	check(mapi_text(arena, PidTagSubject, "about 7", 0, &word), "text");
	struct mapi_restriction subject = {.type = MAPI_RES_CONTENT,
	                                   .tag = PidTagSubject,
	                                   .fuzzy_low = MAPI_FUZZY_SUBSTRING,
	                                   .fuzzy_high = MAPI_FUZZY_IGNORE_CASE,
	                                   .values = &word};
	struct mapi_restriction unread = {.type = MAPI_RES_BITMASK, .tag = importance.tag, .relop = 0, .mask = 1};
	double delivery = median_of(m, PidTagMessageDeliveryTime), behind = first_rows(m, PidTagSubject);
	double by_subject = restricted(m, &subject, &subject_rows), by_flag = restricted(m, &unread, &unread_rows);
	struct mapi_restriction body = subject;
	check(mapi_text(arena, PidTagBody, "terterka", 0, &word), "text");
	body.tag = PidTagBody;
	double by_body = restricted(m, &body, &body_rows);
	bool more = true;
	double start = now();
	while (more)
		check(store_words_step(m, 200, &more), "words");
	double index_s = now() - start, subjects = median_of(m, PidTagSubject);
	check(mapi_text(arena, PidTagBody, " terterka", 0, &word), "text");
	uint32_t word_rows = 0;
	double by_word = restricted(m, &body, &word_rows);
	store_mailbox_close(&m);
	printf("{\"index_s\": %.1f, \"behind_ms\": %.1f, \"word_ms\": %.1f, \"word_rows\": %u,", index_s, behind,
	       by_word, word_rows);
	printf("\"delivery_ms\": %.3f, \"subject_ms\": %.3f, \"restrict_subject_ms\": %.1f, \"subject_rows\": %u,"
	       " \"restrict_flag_ms\": %.1f, \"flag_rows\": %u, \"restrict_body_ms\": %.1f, \"body_rows\": %u}\n",
	       delivery, subjects, by_subject, subject_rows, by_flag, unread_rows, by_body, body_rows);
}

/* ---- The limit of durable saves ---- */

static void run(sqlite3 *db, const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
		fprintf(stderr, "bench-store: %s: %s\n", sql, sqlite3_errmsg(db));
		exit(1);
	}
}

/* One table, one index, one row a save; one sync for as many as there are writers, as a group commit would. */
static void plain(const char *path, double seconds, unsigned writers)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *s = NULL;
	char body[BODY + 1];
	unsigned count = 0;
	unlink(path);
	if (sqlite3_open(path, &db) != SQLITE_OK)
		fail("open", 0);
	run(db,
	    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE t(id INTEGER PRIMARY KEY, a, d BLOB)");
	run(db, "CREATE INDEX i ON t(a)");
	if (sqlite3_prepare_v2(db, "INSERT INTO t(a, d) VALUES(?1, ?2)", -1, &s, NULL) != SQLITE_OK)
		fail("prepare", 0);
	make_text(body, BODY);
	double start = now(), took;
	do {
		run(db, "BEGIN IMMEDIATE");
		for (unsigned i = 0; i < writers; i++, count++) {
			sqlite3_bind_int64(s, 1, random32());
			sqlite3_bind_blob(s, 2, body, BODY, SQLITE_STATIC);
			if (sqlite3_step(s) != SQLITE_DONE)
				fail("insert", 0);
			sqlite3_reset(s);
		}
		run(db, "COMMIT");
	} while ((took = now() - start) < seconds);
	sqlite3_finalize(s);
	sqlite3_close(db);
	printf("{\"saves\": %u, \"seconds\": %.3f}\n", count, took);
}

int main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "fill") == 0)
		fill(argv[2], (unsigned)strtoul(argv[4], NULL, 10), argv[3]);
	else if (argc == 4 && strcmp(argv[1], "tables") == 0)
		tables(argv[2], argv[3]);
	else if (argc == 5 && strcmp(argv[1], "plain") == 0)
		plain(argv[2], strtod(argv[3], NULL), (unsigned)strtoul(argv[4], NULL, 10));
	else
		fputs("usage: bench-store fill STATE GUID COUNT | tables STATE GUID | plain FILE SECONDS WRITERS\n",
		      stderr);
	return 0;
}
