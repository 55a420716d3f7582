#include "fixture.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>

/* Peers that do not bind, or do not read what waits for them, are let go; those that only read slowly are not. */
#define PATIENCE_MS 500

/* A bind of mgmt, and its inq_if_ids: whose answer is longer than the request. */
static const uint8_t bind_pdu[] = {
        5,    0,    11,   3,    0x10, 0,    0,    0,    72,   0,    0,    0,    1,    0,    0,    0,    0xD0, 0x16,
        0xD0, 0x16, 0,    0,    0,    0,    1,    0,    0,    0,    0,    0,    1,    0,    0x80, 0xBD, 0xA8, 0xAF,
        0x8A, 0x7D, 0xC9, 0x11, 0xBE, 0xF4, 0x08, 0x00, 0x2B, 0x10, 0x29, 0x89, 1,    0,    0,    0,    0x04, 0x5D,
        0x88, 0x8A, 0xEB, 0x1C, 0xC9, 0x11, 0x9F, 0xE8, 0x08, 0x00, 0x2B, 0x10, 0x48, 0x60, 2,    0,    0,    0};
static const uint8_t request_pdu[24] = {5, 0, 0, 3, 0x10, 0, 0, 0, 24, 0, 0, 0, 1};

static int connect_to_server(void)
{
	const struct sockaddr_in a = {
	        .sin_family = AF_INET, .sin_port = htons(ports.mapper), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const struct timeval timeout = {.tv_sec = 1};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (const struct sockaddr *)&a, sizeof a), 0);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
	return fd;
}

static int bound_connection(void)
{
	uint8_t answer[1024];
	int fd = connect_to_server();

	assert_int_equal(send(fd, bind_pdu, sizeof bind_pdu, MSG_NOSIGNAL), sizeof bind_pdu);
	assert_true(recv(fd, answer, sizeof answer, 0) > 24);
	assert_int_equal(answer[2], 12); /* bind_ack */
	return fd;
}

/* Whether the server has closed it, in this many seconds. Reads what was on its way. */
static bool is_closed_within(int fd, int seconds)
{
	static uint8_t sink[65536];
	const struct timeval timeout = {.tv_sec = 1};
	time_t end = time(NULL) + seconds;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
	while (time(NULL) <= end) {
		ssize_t n = recv(fd, sink, sizeof sink, 0);
		if (n == 0 || (n < 0 && errno != EAGAIN))
			return true;
	}
	return false;
}

static void start(unsigned patience_ms)
{
	start_server((struct server_config){.patience_ms = patience_ms}, NULL);
}

static void who_does_not_bind_is_let_go(void **state)
{
	(void)state;
	start(PATIENCE_MS);
	int silent = connect_to_server(), part = connect_to_server(), bound = bound_connection();
	assert_int_equal(send(part, bind_pdu, 30, MSG_NOSIGNAL), 30);
	assert_true(is_closed_within(silent, 10));
	assert_true(is_closed_within(part, 10));
	assert_false(is_closed_within(bound, 3));
	close(silent);
	close(part);
	close(bound);
	end_server();
}

/* Sends requests until the server takes no more, or has closed the connection; *sent: how far it has come. */
static void flood(int fd, int flags, size_t *sent)
{
	uint8_t many[24 * 500];

	for (size_t i = 0; i < sizeof many; i += sizeof request_pdu)
		memcpy(many + i, request_pdu, sizeof request_pdu);
	for (;;) {
		ssize_t n = send(fd, many + *sent, sizeof many - *sent, flags | MSG_NOSIGNAL);
		if (n <= 0)
			return;
		*sent = (*sent + (size_t)n) % sizeof many; /* whole PDUs, whatever one send took */
	}
}

static void who_does_not_read_is_let_go(void **state)
{
	const struct timespec while_it_is_patient = {.tv_sec = 3};

	(void)state;
	start(PATIENCE_MS);
	int fd = bound_connection();
	size_t sent = 0;
	flood(fd, 0, &sent);
	nanosleep(&while_it_is_patient, NULL);
	assert_true(send(fd, request_pdu, sizeof request_pdu, MSG_NOSIGNAL | MSG_DONTWAIT) < 0);
	assert_true(errno == EPIPE || errno == ECONNRESET);
	close(fd);
	end_server();
}

/* Reads a little now and then, less than the server has: output moves. */
static void who_reads_slowly_stays(void **state)
{
	static uint8_t some[300000];
	const struct timespec pause = {.tv_nsec = 100000000};
	const struct timeval timeout = {.tv_sec = 20};
	size_t sent = 0;

	(void)state;
	start(10 * PATIENCE_MS); /* longer than a busy machine lets this process wait for its turn */
	int fd = bound_connection();
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
	for (time_t end = time(NULL) + 8; time(NULL) < end;) {
		flood(fd, MSG_DONTWAIT, &sent);
		assert_true(recv(fd, some, sizeof some, 0) > 0);
		nanosleep(&pause, NULL);
	}
	close(fd);
	end_server();
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	        TEST(who_does_not_bind_is_let_go),
	        TEST(who_does_not_read_is_let_go),
	        TEST(who_reads_slowly_stays),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
