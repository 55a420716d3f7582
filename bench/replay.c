#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/*
 * usage: replay INTERFACE FILE RATE SECONDS
 *
 * Sends the frames of a classic pcap (Ethernet, little-endian) again and again, so many a second, and prints how many
 * were sent and how many seconds it took.
 */

#define FILE_HEADER 24
#define FRAME_HEADER 16
#define MAX_FILE ((size_t)64 << 20)
#define BATCH 64
#define MAX_FRAME 16384 /* what the loopback interface takes */

struct frames {
	uint8_t *data;
	size_t size, at;
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "replay: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void open_frames(const char *path, struct frames *f)
{
	FILE *file = fopen(path, "rb");
	if (!file)
		die(path);
	f->data = (uint8_t *)malloc(MAX_FILE);
	f->size = f->data ? fread(f->data, 1, MAX_FILE, file) : 0;
	f->at = FILE_HEADER;
	fclose(file);
	if (f->size < FILE_HEADER + FRAME_HEADER)
		die("no frames");
}

/* The next one that fits, from the beginning again after the last. */
static struct iovec next_frame(struct frames *f)
{
	for (;;) {
		uint32_t n;
		if (f->size - f->at < FRAME_HEADER)
			f->at = FILE_HEADER;
		memcpy(&n, f->data + f->at + 8, sizeof n);
		if (n > f->size - f->at - FRAME_HEADER) {
			f->at = FILE_HEADER;
			continue;
		}
		struct iovec v = {f->data + f->at + FRAME_HEADER, n};
		f->at += FRAME_HEADER + n;
		if (n <= MAX_FRAME)
			return v;
	}
}

static int open_socket(const char *interface)
{
	int fd = socket(AF_PACKET, SOCK_RAW, 0);
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
	                         .sll_ifindex = (int)if_nametoindex(interface),
	                         .sll_protocol = htons(ETH_P_IP)};
	if (fd < 0 || bind(fd, (struct sockaddr *)&to, sizeof to) < 0)
		die(interface);
	return fd;
}

static unsigned send_batch(int fd, struct frames *f)
{
	struct mmsghdr messages[BATCH] = {0};
	struct iovec vectors[BATCH];
	for (unsigned i = 0; i < BATCH; i++) {
		vectors[i] = next_frame(f);
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
	}
	int sent = sendmmsg(fd, messages, BATCH, 0);
	if (sent < 0 && errno != ENOBUFS)
		die("sendmmsg");
	return sent < 0 ? 0 : (unsigned)sent;
}

int main(int argc, char **argv)
{
	struct frames f;
	double rate = argc == 5 ? strtod(argv[3], NULL) : 0, seconds = argc == 5 ? strtod(argv[4], NULL) : 0;
	uint64_t sent = 0;
	if (rate <= 0 || seconds <= 0) {
		fputs("usage: replay INTERFACE FILE RATE SECONDS\n", stderr);
		return 2;
	}
	open_frames(argv[2], &f);
	int fd = open_socket(argv[1]);
	double begun = now();
	while (now() - begun < seconds)
		if ((double)sent < rate * (now() - begun))
			sent += send_batch(fd, &f);
	printf("%llu %.3f\n", (unsigned long long)sent, now() - begun);
	close(fd);
	free(f.data);
	return 0;
}
