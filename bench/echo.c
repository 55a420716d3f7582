#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * usage: echo REQUEST_BYTES ANSWER_BYTES
 *
 * What the kernel costs and nothing else: a single-threaded epoll server on a free port of
 * 127.0.0.1, which it prints. For each REQUEST_BYTES that came it sends ANSWER_BYTES: what
 * came, cut off or followed by zeros.
 */

#define MAX_BYTES 65536
#define MAX_FDS 8192

struct peer {
	size_t got;
	unsigned char bytes[MAX_BYTES];
};

static struct peer *peers[MAX_FDS];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int listen_somewhere(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 1024) < 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &size) < 0)
		die("echo: listen");
	printf("%u\n", ntohs(at.sin_port));
	fflush(stdout);
	return fd;
}

static void watch(int epoll, int fd)
{
	struct epoll_event want = {.events = EPOLLIN, .data.fd = fd};
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &want) < 0)
		die("echo: epoll_ctl");
}

static void take(int epoll, int listener)
{
	int one = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0 || fd >= MAX_FDS)
		die("echo: accept");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	peers[fd] = (struct peer *)calloc(1, sizeof *peers[fd]);
	if (!peers[fd])
		die("echo");
	watch(epoll, fd);
}

static void answer(int fd, size_t request, size_t size)
{
	struct peer *p = peers[fd];
	ssize_t n = recv(fd, p->bytes + p->got, request - p->got, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		close(fd);
		free(p);
		peers[fd] = NULL;
		return;
	}
	p->got += (size_t)n;
	if (p->got < request)
		return;
	p->got = 0;
	if (send(fd, p->bytes, size, MSG_NOSIGNAL) != (ssize_t)size && errno != EPIPE && errno != ECONNRESET)
		die("echo: send");
}

int main(int argc, char **argv)
{
	size_t request = argc == 3 ? strtoul(argv[1], NULL, 10) : 0, size = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	if (request == 0 || request > MAX_BYTES || size == 0 || size > MAX_BYTES) {
		fputs("usage: echo REQUEST_BYTES ANSWER_BYTES\n", stderr);
		return 2;
	}
	int listener = listen_somewhere(), epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0)
		die("echo: epoll");
	watch(epoll, listener);
	for (;;) {
		struct epoll_event events[64];
		int n = epoll_wait(epoll, events, 64, -1);
		for (int i = 0; i < n; i++)
			if (events[i].data.fd == listener)
				take(epoll, listener);
			else
				answer(events[i].data.fd, request, size);
	}
}
