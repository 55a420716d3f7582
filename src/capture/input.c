#include "capture/reader-private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WINDOW ((size_t)64 << 10)

int capture_input_open(struct capture_input *in, const char *path)
{
	bool standard = strcmp(path, "-") == 0;
	int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return MW_E_IO;
	struct stat st;
	uint64_t size = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
	uint8_t *data = malloc(WINDOW);
	if (!data) {
		if (!standard)
			close(fd);
		return MW_E_NOMEM;
	}
	*in = (struct capture_input){.fd = fd, .own_fd = !standard, .data = data, .cap = WINDOW, .size = size};
	return 0;
}

void capture_input_close(struct capture_input *in)
{
	if (in->own_fd)
		close(in->fd);
	capture_unpack_end(in);
	free(in->data);
	*in = (struct capture_input){.fd = -1};
}

static int grow(struct capture_input *in, size_t n)
{
	uint8_t *data = realloc(in->data, n);
	if (!data)
		return MW_E_NOMEM;
	in->data = data;
	in->cap = n;
	return 0;
}

/* One read into the free part of the window. */
static int fill(struct capture_input *in)
{
	ssize_t got;
	if (in->unpacker) {
		got = capture_unpack(in, in->data + in->len, in->cap - in->len);
		if (got < 0)
			return (int)got;
		in->at_end = got == 0;
		in->len += (size_t)got;
		return 0;
	}
	do
		got = read(in->fd, in->data + in->len, in->cap - in->len);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return MW_E_IO;
	in->at_end = got == 0;
	in->len += (size_t)got;
	return 0;
}

int capture_input_need(struct capture_input *in, size_t n)
{
	if (capture_input_left(in) >= n)
		return 1;
	if (in->pos) {
		memmove(in->data, in->data + in->pos, capture_input_left(in));
		in->len -= in->pos;
		in->pos = 0;
	}
	if (n > in->cap) {
		int r = grow(in, n);
		if (r < 0)
			return r;
	}
	in->at_end = in->at_end && !in->grows;
	while (in->len < n && !in->at_end) {
		int r = fill(in);
		if (r < 0)
			return r;
	}
	return in->len >= n;
}

int capture_input_skip(struct capture_input *in, uint64_t n)
{
	while (n > 0) {
		int r = capture_input_need(in, 1);
		if (r <= 0)
			return r;
		size_t step = capture_input_left(in) < n ? capture_input_left(in) : (size_t)n;
		capture_input_take(in, step);
		n -= step;
	}
	return 1;
}
