#include "fixture.h"

#include "server/process.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

/* What a confined process may and may not; and a whole server that is confined and not root. */
static int listener; /* bound before, as the server's are */
static struct sockaddr_in listener_address;

static void bind_listener(void)
{
	socklen_t size = sizeof listener_address;

	listener_address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&listener_address, size), 0);
	assert_int_equal(listen(listener, 4), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&listener_address, &size), 0);
}

static void *return_it(void *it)
{
	return it;
}

static bool starts_threads(void)
{
	pthread_t t;
	void *out = NULL;

	return pthread_create(&t, NULL, return_it, &listener) == 0 && pthread_join(t, &out) == 0 && out == &listener;
}

static bool keeps_files(void)
{
	char path[128];

	snprintf(path, sizeof path, "%s/file", state_dir);
	int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	bool ok = fd >= 0 && write(fd, "x", 1) == 1 && fdatasync(fd) == 0 && ftruncate(fd, 0) == 0;
	close(fd);
	return ok && unlink(path) == 0;
}

static bool opens_mailboxes(void)
{
	const struct store_place place = {.state = state_dir};
	struct store_mailbox *m = NULL;
	int r = store_mailbox_open(&place, &mailbox_guid, &m, NULL);

	store_mailbox_close(&m);
	return r == 0;
}

static bool accepts(void)
{
	char byte = 0;
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	return fd >= 0 && read(fd, &byte, 1) == 1 && send(fd, "y", 1, 0) == 1 && close(fd) == 0;
}

static bool refuses(int result)
{
	return result < 0 && errno == EPERM;
}

static bool makes_no_sockets(void)
{
	return refuses(socket(AF_INET, SOCK_STREAM, 0)) && refuses(socket(AF_INET6, SOCK_DGRAM, 0)) &&
	       refuses(socket(AF_UNIX, SOCK_STREAM, 0)) && refuses(socket(AF_NETLINK, SOCK_RAW, 0));
}

/* An unconnected socket that was left open. */
static int unconnected;

static bool connects_nowhere(void)
{
	const struct sockaddr *to = (const struct sockaddr *)&listener_address;
	char byte = 'x';
	struct iovec v = {.iov_base = &byte, .iov_len = 1};
	struct msghdr m = {
	        .msg_name = &listener_address, .msg_namelen = sizeof listener_address, .msg_iov = &v, .msg_iovlen = 1};

	return refuses(connect(unconnected, to, sizeof listener_address)) &&
	       refuses((int)sendto(unconnected, "x", 1, MSG_FASTOPEN, to, sizeof listener_address)) &&
	       refuses((int)sendmsg(unconnected, &m, MSG_FASTOPEN)) &&
	       refuses(bind(unconnected, to, sizeof listener_address)) && refuses(listen(unconnected, 1));
}

static bool starts_no_process(void)
{
	return refuses((int)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0)) && fork() < 0 &&
	       refuses(kill(getppid(), 0));
}

/* io_uring would connect behind the filter's back. */
static bool knows_no_other_way(void)
{
	return syscall(SYS_io_uring_setup, 1, NULL) < 0 && errno == ENOSYS && syscall(SYS_unshare, 0) < 0 &&
	       prctl(PR_SET_DUMPABLE, 1) < 0;
}

static const struct {
	const char *what;
	bool (*holds)(void);
} rules[] = {
        {"starts threads", starts_threads},       {"keeps files", keeps_files},
        {"opens mailboxes", opens_mailboxes},     {"accepts", accepts},
        {"makes no sockets", makes_no_sockets},   {"connects nowhere", connects_nowhere},
        {"starts no process", starts_no_process}, {"knows no other way", knows_no_other_way},
};

/* Says on stderr what does not hold. */
static _Noreturn void child(void)
{
	int broken = 0;

	unconnected = socket(AF_INET, SOCK_STREAM, 0);
	if (process_confine() < 0)
		_exit(100);
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		if (rules[i].holds())
			continue;
		broken++;
		fprintf(stderr, "does not hold: %s (%s)\n", rules[i].what, strerror(errno));
	}
	_exit(broken);
}

static bool can_confine(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(process_confine() < 0 ? 1 : 0);
	assert_true(waitpid(pid, &status, 0) == pid);
	return status == 0;
}

/* Builds with sanitizers serve without; the others must not. */
static void skip_unless_confined(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	assert_false(can_confine());
	skip();
#endif
	if (!can_confine())
		skip(); /* a kernel without seccomp */
}

static void a_confined_process_serves_and_does_nothing_else(void **state)
{
	int status;
	char byte;

	(void)state;
	skip_unless_confined();
	bind_listener();
	pid_t pid = fork();
	if (pid == 0)
		child();
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&listener_address, sizeof listener_address), 0);
	assert_int_equal(write(fd, "x", 1), 1);
	assert_int_equal(read(fd, &byte, 1), 1);
	close(fd);
	close(listener);
	assert_true(waitpid(pid, &status, 0) == pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void another_program_ends_a_confined_process(void **state)
{
	int status;

	(void)state;
	skip_unless_confined();
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_DUMPABLE, 0); /* no core */
		if (process_confine() < 0)
			_exit(100);
		execl("/bin/true", "true", (char *)NULL);
		_exit(101);
	}
	assert_true(waitpid(pid, &status, 0) == pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

/* The value of a line of /proc/PID/status. */
static void proc_line(const char *name, char out[128])
{
	char path[64], line[256];
	size_t n = strlen(name);

	out[0] = 0;
	snprintf(path, sizeof path, "/proc/%d/status", server_pid);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof line, f))
		if (strncmp(line, name, n) == 0 && line[n] == ':')
			snprintf(out, 128, "%.120s", line + n + 1);
	fclose(f);
}

static void give_state_to(const char *user)
{
	char command[128];

	snprintf(command, sizeof command, "chown -R %s %s", user, state_dir);
	assert_int_equal(system(command), 0);
}

static void a_server_drops_what_it_does_not_need(void **state)
{
	const struct passwd *nobody = getpwnam("nobody");
	bool root = geteuid() == 0 && nobody;
	struct client c;
	char text[128];
	unsigned ids[4];

	(void)state;
	if (root)
		give_state_to("nobody");
	start_server((struct server_config){.user = root ? "nobody" : NULL, .confine = true}, NULL);
	open_client(&c);
	assert_int_equal(save(&c, 1, NULL), 0);
	assert_int_equal(save(&c, 2, NULL), 0);
	close_client(&c);
	if (can_confine()) {
		proc_line("Seccomp", text);
		assert_int_equal(atoi(text), 2);
		proc_line("NoNewPrivs", text);
		assert_int_equal(atoi(text), 1);
	}
	if (root) {
		static const char *const names[] = {"Uid", "Gid"};
		for (int i = 0; i < 2; i++) {
			proc_line(names[i], text);
			assert_int_equal(sscanf(text, "%u %u %u %u", &ids[0], &ids[1], &ids[2], &ids[3]), 4);
			for (int k = 0; k < 4; k++)
				assert_int_equal(ids[k], i == 0 ? nobody->pw_uid : nobody->pw_gid);
		}
		proc_line("CapEff", text);
		assert_int_equal(strtoull(text, NULL, 16), 0);
	}
	end_server();
}

/* In a child, for it cannot be undone. */
static int become(const char *user, char why[512])
{
	int ends[2], r, n;

	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();
	if (pid == 0) {
		r = process_become(user, state_dir, why);
		if (write(ends[1], &r, sizeof r) != sizeof r || write(ends[1], why, 512) != 512)
			_exit(1);
		_exit(0);
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], &r, sizeof r), sizeof r);
	n = (int)read(ends[0], why, 512);
	close(ends[0]);
	assert_int_equal(n, 512);
	assert_true(waitpid(pid, &n, 0) == pid);
	return r;
}

static void becoming_somebody_else_says_what_is_missing(void **state)
{
	char why[512] = "";

	(void)state;
	assert_int_equal(become("nobody-here", why), MW_E_NOTFOUND);
	assert_non_null(strstr(why, "adduser"));
	assert_int_equal(become(geteuid() == 0 ? "root" : getpwuid(geteuid())->pw_name, why), 0);
	if (geteuid() != 0) {
		assert_int_equal(become("root", why), MW_E_INVALID);
		return;
	}
	assert_int_equal(become("nobody", why), MW_E_IO);
	assert_non_null(strstr(why, "chown -R nobody"));
	give_state_to("nobody");
	assert_int_equal(become("nobody", why), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	        TEST(a_confined_process_serves_and_does_nothing_else),
	        TEST(another_program_ends_a_confined_process),
	        TEST(a_server_drops_what_it_does_not_need),
	        TEST(becoming_somebody_else_says_what_is_missing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
