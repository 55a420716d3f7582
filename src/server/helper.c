#include "server/helper.h"

#include "base/secret.h"
#include "base/text.h"
#include "server/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_MS 1000

/* A message: this, then the parts. */
struct wire {
	uint32_t source;
	uint32_t size[HELPER_PARTS];
	char trouble[256];
	uint8_t bytes[HELPER_MAX];
};
#define WIRE_HEAD offsetof(struct wire, bytes)

struct helper {
	int fd;
	pid_t pid;
	struct wire got;
};

/* ---- The helper's side ---- */

/* What tells that a file has changed; compared as bytes, and so without holes. */
struct look {
	uint64_t device, number;
	int64_t size, written_s, written_ns, changed_s, changed_ns, error;
};

struct keeper {
	int fd;
	char path[HELPER_SOURCES][HELPER_PARTS][4096];
	struct look seen[HELPER_SOURCES][HELPER_PARTS];
	struct wire message;
};

static struct look look_at(const char *path)
{
	struct stat s;
	if (stat(path, &s) < 0)
		return (struct look){.error = errno};
	return (struct look){.device = s.st_dev,
	                     .number = s.st_ino,
	                     .size = s.st_size,
	                     .written_s = s.st_mtim.tv_sec,
	                     .written_ns = s.st_mtim.tv_nsec,
	                     .changed_s = s.st_ctim.tv_sec,
	                     .changed_ns = s.st_ctim.tv_nsec};
}

static bool has_changed(struct keeper *k, unsigned source)
{
	bool any = false;
	for (unsigned i = 0; i < HELPER_PARTS; i++) {
		struct look now;
		if (!*k->path[source][i])
			continue;
		now = look_at(k->path[source][i]);
		any = any || memcmp(&now, &k->seen[source][i], sizeof now) != 0;
		k->seen[source][i] = now;
	}
	return any;
}

/* The file behind what is in the message already. */
static int put_part(struct keeper *k, const char *path, size_t *at, uint32_t *size)
{
	struct wire *m = &k->message;
	size_t begin = *at;
	ssize_t n = 1;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && *at < HELPER_MAX && (n = read(fd, m->bytes + *at, HELPER_MAX - *at)) > 0)
		*at += (size_t)n;
	int error = fd < 0 || n < 0 ? errno : 0;
	if (fd >= 0)
		close(fd);
	if (error || *at == HELPER_MAX) {
		snprintf(m->trouble, sizeof m->trouble, "%s", error ? strerror(error) : "it is larger than 64 KiB");
		return MW_E_IO;
	}
	*size = (uint32_t)(*at - begin);
	return 0;
}

/* Whether the server is still there. */
static bool hand_over(struct keeper *k, unsigned source)
{
	struct wire *m = &k->message;
	size_t at = 0;
	memset(m, 0, WIRE_HEAD);
	m->source = source;
	for (unsigned i = 0; i < HELPER_PARTS && *k->path[source][i]; i++)
		if (put_part(k, k->path[source][i], &at, &m->size[i]) < 0)
			break;
	size_t size = WIRE_HEAD + (*m->trouble ? 0 : at);
	ssize_t sent = send(k->fd, m, size, MSG_NOSIGNAL);
	secret_wipe(m->bytes, at);
	return sent == (ssize_t)size || errno == EINTR;
}

/* What has changed, or with all everything; whether the server is still there. */
static bool look_around(struct keeper *k, bool all)
{
	for (unsigned s = 0; s < HELPER_SOURCES; s++)
		if (*k->path[s][0] && (has_changed(k, s) || all) && !hand_over(k, s))
			return false;
	return true;
}

static _Noreturn void keep(struct keeper *k)
{
	struct pollfd p = {.fd = k->fd, .events = POLLIN};
	bool all = true;
	while (look_around(k, all)) {
		char byte;
		int n = poll(&p, 1, LOOK_MS);
		all = n > 0;
		if (n > 0 && recv(k->fd, &byte, 1, 0) <= 0)
			break;
	}
	_exit(0);
}

/* It ends with the server, however that ends, and not with a signal that the terminal sends to both. */
static void settle(bool confine)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		close(null);
	}
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "mapiwire-helper");
	if (confine && process_confine() < 0) {
		/* The server says that there is no filter. */
	}
}

static int fill_paths(struct keeper *k, const struct helper_paths *paths)
{
	for (unsigned s = 0; s < HELPER_SOURCES; s++)
		for (unsigned i = 0; i < HELPER_PARTS; i++) {
			const char *path = paths->part[s][i] ? paths->part[s][i] : "";
			if (snprintf(k->path[s][i], sizeof k->path[s][i], "%s", path) >= (int)sizeof k->path[s][i])
				return MW_E_INVALID;
		}
	return 0;
}

int helper_start(const struct helper_paths *paths, bool confine, struct helper **out)
{
	struct helper *h = (struct helper *)calloc(1, sizeof *h);
	struct keeper *k = (struct keeper *)calloc(1, sizeof *k);
	int ends[2] = {-1, -1};
	int r = !h || !k ? MW_E_NOMEM : fill_paths(k, paths);
	if (r == 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		r = MW_E_IO;
	pid_t pid = r == 0 ? fork() : -1;
	if (pid == 0) {
		close(ends[0]);
		k->fd = ends[1];
		settle(confine);
		keep(k);
	}
	free(k);
	if (ends[1] >= 0)
		close(ends[1]);
	if (pid < 0) {
		if (ends[0] >= 0)
			close(ends[0]);
		free(h);
		return r < 0 ? r : MW_E_IO;
	}
	h->fd = ends[0];
	h->pid = pid;
	*out = h;
	return 0;
}

/* ---- The server's side ---- */

int helper_fd(const struct helper *h)
{
	return h->fd;
}

/* Nothing of the message is believed: it comes from a process that may have been taken over, or go to one that was. */
static int parse(struct helper *h, size_t size, struct helper_snapshot *out)
{
	const struct wire *m = &h->got;
	size_t at = 0;
	if (size < WIRE_HEAD || m->source >= HELPER_SOURCES)
		return MW_E_MALFORMED;
	for (unsigned i = 0; i < HELPER_PARTS; i++) {
		if (m->size[i] > size - WIRE_HEAD - at)
			return MW_E_MALFORMED;
		out->size[i] = m->size[i];
		at += m->size[i];
	}
	out->source = (enum helper_source)m->source;
	snprintf(out->trouble, sizeof out->trouble, "%.*s", (int)sizeof m->trouble - 1, m->trouble);
	memcpy(out->bytes, m->bytes, at);
	return 0;
}

static int receive(struct helper *h, int flags, struct helper_snapshot *out)
{
	ssize_t n;
	do
		n = recv(h->fd, &h->got, sizeof h->got, flags);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return MW_E_AGAIN;
	int r = n > 0 ? parse(h, (size_t)n, out) : MW_E_IO;
	secret_wipe(&h->got, n > 0 ? (size_t)n : 0);
	return r == MW_E_MALFORMED ? MW_E_IO : r;
}

int helper_next(struct helper *h, struct helper_snapshot *out)
{
	return receive(h, MSG_DONTWAIT, out);
}

int helper_first(struct helper *h, enum helper_source source, struct helper_snapshot *out)
{
	int r = receive(h, 0, out);
	while (r == 0 && out->source != source)
		r = receive(h, 0, out);
	return r;
}

void helper_ask(const struct helper *h)
{
	int error = errno;
	(void)!send(h->fd, "!", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	errno = error;
}

void helper_stop(struct helper **helper)
{
	struct helper *h = *helper;
	if (!h)
		return;
	*helper = NULL;
	close(h->fd);
	(void)waitpid(h->pid, NULL, WNOHANG); /* it ends by itself, and is nothing to wait for */
	free(h);
}
