#include "server/stream.h"

#include "base/time.h"

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* A peer that does not read: stop taking its requests, then give it up. */
#define PAUSE_BYTES ((size_t)4 << 20)
#define RESUME_BYTES ((size_t)1 << 20)
#define GIVE_UP_BYTES ((size_t)64 << 20)
#define DEFAULT_PATIENCE_NS (INT64_C(60) * NS_PER_S)
#define LINGER_NS (INT64_C(2) * NS_PER_S)

struct pending_write {
	uv_write_t request;
	struct server_stream *stream;
	struct buf data; /* what is left of the output: taken over, not copied */
};

static void link_stream(struct server_stream *s)
{
	struct server_loop *loop = s->loop;
	s->next = loop->streams;
	if (s->next)
		s->next->previous = s;
	loop->streams = s;
	atomic_fetch_add(&loop->server->connections, 1);
	crowd_add(s);
}

static void unlink_stream(struct server_stream *s)
{
	if (s->next)
		s->next->previous = s->previous;
	*(s->previous ? &s->previous->next : &s->loop->streams) = s->next;
	atomic_fetch_sub(&s->loop->server->connections, 1);
	crowd_remove(s);
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void stream_close(struct server_stream *s)
{
	if (s->closing)
		return;
	s->closing = true;
	unlink_stream(s);
	const struct stream_ops *ops = TAKE_PTR(s->ops);
	if (ops)
		ops->closed(s);
	uv_close((uv_handle_t *)&s->tcp, on_closed);
}

/* ---- Reading ---- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
	struct server_loop *loop = ((struct server_stream *)handle->data)->loop;
	(void)suggested;
	*out = uv_buf_init((char *)loop->read_buffer, sizeof loop->read_buffer);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
	struct server_stream *s = (struct server_stream *)stream->data;
	if (s->closing || n == 0)
		return;
	s->last_ns = time_monotonic_ns();
	if (n < 0) {
		if (s->ops)
			s->ops->eof(s);
		stream_close(s);
	} else if (s->ops) {
		struct server_loop *loop = s->loop;
		s->ops->bytes(s, (const uint8_t *)buffer->base, (size_t)n);
		if (!s->closing)
			crowd_note(s);
		crowd_hold(loop);
	}
}

static void update_reading(struct server_stream *s)
{
	bool wanted = !s->paused && !s->held;
	if (s->closing || wanted == s->reading)
		return;
	s->reading = wanted;
	if (!wanted)
		uv_read_stop((uv_stream_t *)&s->tcp);
	else if (uv_read_start((uv_stream_t *)&s->tcp, on_alloc, on_read) < 0)
		stream_close(s);
}

void stream_hold(struct server_stream *s, bool held)
{
	if (s->held == held)
		return;
	s->held = held;
	update_reading(s);
}

/* ---- Writing ---- */

static void on_written(uv_write_t *request, int status)
{
	struct pending_write *w = (struct pending_write *)request->data;
	struct server_stream *s = w->stream;
	s->writes--;
	s->write_bytes -= w->data.len;
	buf_free(&w->data);
	free(w);
	if (s->closing)
		return;
	crowd_note(s);
	if (status < 0 || (s->finishing && s->writes == 0)) {
		stream_close(s);
		return;
	}
	if (s->paused && s->write_bytes < RESUME_BYTES) {
		s->paused = false;
		update_reading(s);
	}
	if (!s->closing && s->ops && s->ops->drained)
		s->ops->drained(s);
}

/* Takes the output over, but for what is sent of it already, and leaves an empty one. */
static int queue_write(struct server_stream *s, struct buf *out, size_t sent)
{
	struct pending_write *w = (struct pending_write *)calloc(1, sizeof *w);
	if (!w)
		return MW_E_NOMEM;
	buf_trim(out);
	uv_buf_t buffer = uv_buf_init((char *)out->data + sent, (unsigned)(out->len - sent));
	w->stream = s;
	w->request.data = w;
	if (uv_write(&w->request, (uv_stream_t *)&s->tcp, &buffer, 1, on_written) < 0) {
		free(w);
		return MW_E_IO;
	}
	if (s->writes++ == 0)
		s->moving_ns = time_monotonic_ns();
	s->write_bytes += out->len;
	s->queued += buffer.len;
	w->data = *out;
	*out = (struct buf){.max = out->max};
	return 0;
}

void stream_send(struct server_stream *s, struct buf *out)
{
	size_t sent = 0;
	if (s->closing || out->len == 0)
		return;
	if (s->writes == 0) {
		uv_buf_t buffer = uv_buf_init((char *)out->data, (unsigned)out->len);
		int n = uv_try_write((uv_stream_t *)&s->tcp, &buffer, 1);
		sent = n > 0 ? (size_t)n : 0;
	}
	if (sent == out->len) {
		buf_clear(out);
	} else if (queue_write(s, out, sent) < 0 || s->write_bytes > GIVE_UP_BYTES) {
		stream_close(s);
	} else if (!s->paused && s->write_bytes > PAUSE_BYTES) {
		s->paused = true;
		update_reading(s);
	}
	if (!s->closing && s->writes > 0)
		crowd_note(s);
}

void stream_finish(struct server_stream *s)
{
	s->finishing = true;
	if (s->writes == 0)
		stream_close(s);
}

static void on_shut_down(uv_shutdown_t *request, int status)
{
	struct server_stream *s = (struct server_stream *)request->data;
	if (status < 0)
		stream_close(s);
}

void stream_linger(struct server_stream *s)
{
	if (s->closing)
		return;
	s->ops = NULL;
	s->owner = NULL;
	s->ends_ns = time_monotonic_ns() + LINGER_NS;
	s->paused = s->held = false;
	s->shutdown.data = s;
	update_reading(s);
	if (!s->closing && uv_shutdown(&s->shutdown, (uv_stream_t *)&s->tcp, on_shut_down) < 0)
		stream_close(s);
}

/* ---- Coming ---- */

static struct server_stream *new_stream(struct server_loop *loop, enum server_port port)
{
	struct server_stream *s = (struct server_stream *)calloc(1, sizeof *s);
	if (!s)
		return NULL;
	s->loop = loop;
	s->port = port;
	s->last_ns = s->began_ns = time_monotonic_ns();
	s->tcp.data = s;
	if (uv_tcp_init(&loop->uv, &s->tcp) < 0) {
		free(s);
		return NULL;
	}
	link_stream(s);
	return s;
}

static void set_up_socket(struct server_stream *s)
{
	struct sockaddr_storage a;
	int size = sizeof a;
	if (uv_tcp_getsockname(&s->tcp, (struct sockaddr *)&a, &size) == 0 && a.ss_family == AF_INET)
		memcpy(s->local_ip, &((struct sockaddr_in *)&a)->sin_addr, 4);
	uv_tcp_nodelay(&s->tcp, 1);
}

struct server_stream *stream_accept(struct server_loop *loop, enum server_port port)
{
	if (atomic_load(&loop->server->connections) >= loop->server->config.max_connections)
		crowd_make_room(loop);
	struct server_stream *s = new_stream(loop, port);
	if (!s)
		return NULL;
	if (uv_accept((uv_stream_t *)&loop->listeners[port], (uv_stream_t *)&s->tcp) < 0) {
		stream_close(s);
		return NULL;
	}
	set_up_socket(s);
	return s;
}

struct server_stream *stream_open(struct server_loop *loop, enum server_port port, int fd)
{
	struct server_stream *s = loop->stopping ? NULL : new_stream(loop, port);
	if (!s || uv_tcp_open(&s->tcp, fd) < 0) {
		close(fd);
		if (s)
			stream_close(s);
		return NULL;
	}
	set_up_socket(s);
	return s;
}

void stream_start(struct server_stream *s, const struct stream_ops *ops, void *owner)
{
	s->ops = ops;
	s->owner = owner;
	update_reading(s);
}

int stream_dup(struct server_stream *s)
{
	uv_os_fd_t fd;
	return uv_fileno((uv_handle_t *)&s->tcp, &fd) < 0 ? -1 : dup(fd);
}

void stream_peer(struct server_stream *s, char out[48])
{
	struct sockaddr_storage a = {0};
	int size = sizeof a;
	out[0] = '\0';
	if (uv_tcp_getpeername(&s->tcp, (struct sockaddr *)&a, &size) < 0)
		return;
	const void *address = a.ss_family == AF_INET6 ? (const void *)&((struct sockaddr_in6 *)&a)->sin6_addr
	                                              : (const void *)&((struct sockaddr_in *)&a)->sin_addr;
	(void)!inet_ntop(a.ss_family, address, out, 48);
}

/* ---- Going ---- */

/* What waits, with us and in the kernel, whose buffer is large, for the peer to acknowledge it. */
static uint64_t waiting_bytes(struct server_stream *s)
{
	uv_os_fd_t fd;
	int unsent = 0;
	if (uv_fileno((uv_handle_t *)&s->tcp, &fd) < 0 || ioctl(fd, SIOCOUTQ, &unsent) < 0)
		unsent = 0;
	return uv_stream_get_write_queue_size((uv_stream_t *)&s->tcp) + (unsigned)unsent;
}

/* What waits does not become less: the peer does not read. */
static bool is_stuck(struct server_stream *s, int64_t now_ns)
{
	uint64_t written = s->writes > 0 ? s->queued - waiting_bytes(s) : 0;
	if (s->writes == 0 || written != s->written) {
		s->written = written;
		s->moving_ns = now_ns;
	}
	return now_ns - s->moving_ns > server_patience_ns(s->loop->server);
}

int64_t server_patience_ns(const struct server *server)
{
	unsigned ms = server->config.patience_ms;
	return ms ? (int64_t)ms * NS_PER_MS : DEFAULT_PATIENCE_NS;
}

void stream_tick_all(struct server_loop *loop, int64_t now_ns)
{
	for (struct server_stream *s = loop->streams, *next; s; s = next) {
		next = s->next;
		bool stays = s->ops ? s->ops->tick(s, now_ns) : now_ns < s->ends_ns;
		if (!s->closing && (!stays || is_stuck(s, now_ns)))
			stream_close(s);
	}
}
