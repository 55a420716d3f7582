#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/capture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)

static const struct capture_endpoint client4 = {4, {10, 0, 0, 1}, 40000}, server4 = {4, {10, 0, 0, 2}, 135},
                                     client6 = {6, {0xfe, 0x80, [15] = 1}, 40001},
                                     server6 = {6, {0xfe, 0x80, [15] = 2}, 6001};

/* Conversations of both families: handshake, large data both ways, closes, a refusal, a SYN without answer. */
static void write_file(const char *path)
{
	static uint8_t data[100001];
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)(i * 7 + i / 251);
	struct capture_writer *w = NULL;
	assert_int_equal(capture_create(path, &w), 0);
	int64_t t = 1700000000 * SECOND;
	unsigned a = capture_connected(w, &client4, &server4, t, t + 1000);
	unsigned b = capture_connected(w, &client6, &server6, t + 2000, t + 3000);
	for (int i = 0; i < 5; i++) {
		t += SECOND / 100;
		capture_data(w, a, true, data, 37 + (size_t)i, t);
		capture_data(w, a, false, data, sizeof data / (size_t)(i + 1), t + 1000);
		capture_data(w, b, true, data, sizeof data / (size_t)(i + 1), t + 2000);
		capture_data(w, b, false, data, 1, t + 3000);
	}
	capture_closed(w, a, true, t + 10000);
	capture_data(w, a, true, data, 10, t + 10001);
	capture_closed(w, a, false, t + 10002);
	capture_closed(w, b, false, t + 20000);
	const struct capture_endpoint other4 = {4, {10, 0, 0, 1}, 40002}, other6 = {6, {0xfe, 0x80, [15] = 1}, 40003};
	capture_refused(w, &other4, &server4, t + 30000, t + 31000, true);
	capture_refused(w, &other6, &server6, t + 32000, 0, false);
	assert_int_equal(capture_finish(&w), 0);
	assert_null(w);
}

static char *temporary(void)
{
	static char path[64];
	strcpy(path, "/tmp/mapiwire-test-XXXXXX");
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	return path;
}

static void own_reader_reads_it(void **state)
{
	(void)state;
	char *path = temporary();
	write_file(path);
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	struct capture_reader *r = NULL;
	assert_int_equal(capture_open(path, &r, NULL), 0);
	struct capture_frame f;
	int64_t before = 0;
	unsigned frames = 0;
	int end;
	while ((end = capture_next(r, &f)) > 0) {
		assert_true(f.time_ns >= before);
		assert_int_equal(f.linktype, 1);
		before = f.time_ns;
		frames++;
	}
	assert_int_equal(end, 0);
	assert_true(frames > 300);
	capture_close(&r);
	unlink(path);
}

/* Output of a shell command as a string. */
static MW_PRINTF(1, 2) char *run(const char *format, ...)
{
	static char text[4096], command[1024];
	va_list args;
	va_start(args, format);
	vsnprintf(command, sizeof command, format, args);
	va_end(args);
	FILE *p = popen(command, "r");
	assert_non_null(p);
	size_t n = fread(text, 1, sizeof text - 1, p);
	text[n] = 0;
	pclose(p);
	return text;
}

static void tshark_finds_no_fault(void **state)
{
	(void)state;
	if (system("command -v tshark >/dev/null 2>&1") != 0)
		skip();
	char *path = temporary();
	write_file(path);
	/* All of tshark's TCP analysis flags, checksums verified; the refusal's reset is no fault. */
	assert_string_equal(
	        run("tshark -n -r %s -o tcp.check_checksum:TRUE -o ip.check_checksum:TRUE -Y '_ws.malformed || "
	            "tcp.checksum.status==0 || ip.checksum.status==0 || tcp.analysis.flags' 2>/dev/null",
	            path),
	        "");
	assert_int_equal(atoi(run("tshark -n -r %s -Y 'tcp.flags.syn==1' 2>/dev/null | wc -l", path)), 6);
	assert_int_equal(atoi(run("tshark -n -r %s -Y 'tcp.flags.reset==1' 2>/dev/null | wc -l", path)), 1);
	assert_int_equal(atoi(run("tshark -n -r %s -Y 'tcp.flags.fin==1' 2>/dev/null | wc -l", path)), 4);
	unlink(path);
}

static void tcpdump_reads_it(void **state)
{
	(void)state;
	if (system("command -v tcpdump >/dev/null 2>&1") != 0)
		skip();
	char *path = temporary();
	write_file(path);
	assert_string_equal(run("tcpdump -n -v -r %s 2>/dev/null | grep -i -E 'incorrect|bad|trunc'", path), "");
	assert_true(atoi(run("tcpdump -n -r %s 2>/dev/null | wc -l", path)) > 300);
	unlink(path);
}

static void several_link_types(void **state)
{
	(void)state;
	char *path = temporary();
	struct capture_writer *w = NULL;
	assert_int_equal(capture_create(path, &w), 0);
	capture_frame_write(w, 101, "abc", 3, 5);
	capture_frame_write(w, 0, "abcd", 4, 6);
	capture_frame_write(w, 101, "abcde", 5, 7);
	assert_int_equal(capture_finish(&w), 0);
	struct capture_reader *r = NULL;
	assert_int_equal(capture_open(path, &r, NULL), 0);
	static const int linktypes[] = {101, 0, 101};
	struct capture_frame f;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(capture_next(r, &f), 1);
		assert_int_equal(f.linktype, linktypes[i]);
		assert_int_equal(f.captured, 3 + i);
		assert_memory_equal(f.data, "abcde", 3 + i);
		assert_int_equal(f.time_ns, 5 + i);
	}
	assert_int_equal(capture_next(r, &f), 0);
	capture_close(&r);
	unlink(path);
}

static void tells_a_full_disk(void **state)
{
	(void)state;
	struct capture_writer *w = NULL;
	assert_int_equal(capture_create("/nonexistent/x.pcapng", &w), MW_E_IO);
	assert_int_equal(capture_create("/dev/full", &w), 0);
	assert_int_equal(capture_finish(&w), MW_E_IO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(own_reader_reads_it), cmocka_unit_test(tshark_finds_no_fault),
	        cmocka_unit_test(tcpdump_reads_it),    cmocka_unit_test(several_link_types),
	        cmocka_unit_test(tells_a_full_disk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
