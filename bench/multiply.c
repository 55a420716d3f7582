#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * usage: multiply FILE COPIES > OUTPUT
 *
 * Makes a long capture of a short one: a classic pcap (Ethernet, little-endian, microseconds)
 * again and again, each copy later in time and between other IPv4 addresses, so that its
 * conversations are new ones. Checksums are corrected.
 */

#define FILE_HEADER 24
#define FRAME_HEADER 16
#define MAX_FILE ((size_t)256 << 20)

struct input {
	uint8_t *data;
	size_t size;
	uint64_t first_us, span_us;
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "multiply: %s\n", what);
	exit(1);
}

static uint32_t u32(const uint8_t *p)
{
	uint32_t v;
	memcpy(&v, p, sizeof v);
	return v;
}

static unsigned be16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static void read_input(const char *path, struct input *in)
{
	FILE *f = fopen(path, "rb");
	if (!f)
		die(strerror(errno));
	in->data = (uint8_t *)malloc(MAX_FILE);
	in->size = in->data ? fread(in->data, 1, MAX_FILE, f) : 0;
	fclose(f);
	if (in->size < FILE_HEADER + FRAME_HEADER || u32(in->data) != 0xA1B2C3D4 || u32(in->data + 20) != 1)
		die("not a little-endian pcap of Ethernet with microseconds");
}

static uint64_t time_us(const uint8_t *frame)
{
	return (uint64_t)u32(frame) * 1000000 + u32(frame + 4);
}

/* The frame at an offset and its captured bytes; NULL at the end. */
static uint8_t *frame_at(const struct input *in, size_t at, uint32_t *captured)
{
	if (in->size - at < FRAME_HEADER)
		return NULL;
	*captured = u32(in->data + at + 8);
	return *captured <= in->size - at - FRAME_HEADER ? in->data + at : NULL;
}

static void measure(struct input *in)
{
	uint32_t n;
	uint64_t last = 0;
	for (size_t at = FILE_HEADER; frame_at(in, at, &n); at += FRAME_HEADER + n) {
		last = time_us(in->data + at);
		if (!in->first_us)
			in->first_us = last;
	}
	in->span_us = last - in->first_us + 10000;
}

/* Ones' complement sums change by the difference, RFC 1624. */
static void correct(uint8_t *sum, unsigned before, unsigned after)
{
	unsigned s = (~be16(sum) & 0xFFFF) + (~before & 0xFFFF) + after;
	s = (s & 0xFFFF) + (s >> 16);
	s = ~((s & 0xFFFF) + (s >> 16)) & 0xFFFF;
	sum[0] = (uint8_t)(s >> 8);
	sum[1] = (uint8_t)s;
}

/* The last byte of an address stays; the copy's number is added to the three before. */
static void shift_address(uint8_t *address, uint32_t copy, uint8_t *ip_sum, uint8_t *transport_sum)
{
	uint8_t old[4];
	uint32_t v = ((uint32_t)be16(address) << 16 | be16(address + 2)) + (copy << 8);
	memcpy(old, address, sizeof old);
	for (unsigned i = 0; i < 4; i++)
		address[i] = (uint8_t)(v >> (24 - 8 * i));
	for (unsigned i = 0; i < 4; i += 2) {
		correct(ip_sum, be16(old + i), be16(address + i));
		if (transport_sum)
			correct(transport_sum, be16(old + i), be16(address + i));
	}
}

static void shift_ip(uint8_t *ip, size_t size, uint32_t copy)
{
	size_t head = size >= 20 ? (ip[0] & 15u) * 4u : 0;
	uint8_t *sum = NULL;
	if (head < 20 || ip[0] >> 4 != 4)
		return;
	if (ip[9] == 6 && size >= head + 18)
		sum = ip + head + 16;
	if (ip[9] == 17 && size >= head + 8 && be16(ip + head + 6) != 0)
		sum = ip + head + 6;
	shift_address(ip + 12, copy, ip + 10, sum);
	shift_address(ip + 16, copy, ip + 10, sum);
}

static void write_copy(const struct input *in, uint32_t copy)
{
	static uint8_t out[FRAME_HEADER + 65536];
	uint32_t n;
	for (size_t at = FILE_HEADER; frame_at(in, at, &n); at += FRAME_HEADER + n) {
		if (n > sizeof out - FRAME_HEADER)
			continue;
		memcpy(out, in->data + at, FRAME_HEADER + n);
		uint64_t us = time_us(out) + in->span_us * copy;
		memcpy(out, &(uint32_t){(uint32_t)(us / 1000000)}, 4);
		memcpy(out + 4, &(uint32_t){(uint32_t)(us % 1000000)}, 4);
		if (n > 14 && be16(out + FRAME_HEADER + 12) == 0x0800)
			shift_ip(out + FRAME_HEADER + 14, n - 14, copy);
		if (fwrite(out, FRAME_HEADER + n, 1, stdout) != 1)
			die("cannot write");
	}
}

int main(int argc, char **argv)
{
	struct input in = {0};
	unsigned long copies = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	if (copies == 0 || copies > 1000000) {
		fputs("usage: multiply FILE COPIES > OUTPUT\n", stderr);
		return 2;
	}
	read_input(argv[1], &in);
	measure(&in);
	if (fwrite(in.data, FILE_HEADER, 1, stdout) != 1)
		die("cannot write");
	for (uint32_t i = 0; i < copies; i++)
		write_copy(&in, i);
	free(in.data);
	return fflush(stdout) == 0 ? 0 : 1;
}
