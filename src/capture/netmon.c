#include "capture/reader-private.h"

#include "base/cursor.h"
#include "base/time.h"

/*
 * Microsoft Network Monitor's .cap, version 2 (CAPTUREFILE_HEADER_VALUES in netmon.h): a head of 128 bytes,
 * the frames one after the other, then tables. The frame table is not needed for that, so that a pipe will do.
 */
#define HEAD 128
#define RECORD 16
#define MAC_ETHERNET 1
#define MAC_PCAP 0xE000u /* and the number of libpcap's DLT */
#define MAC_PCAP_MASK 0xF000u
#define NO_FRAMES 0xFFF0u /* above: filters, comments and the like, as frames */

#define UTC_AT 6 /* in the trailer */
#define FILETIME_1970 INT64_C(116444736000000000)

static const uint8_t trailers[] = {0, 2, 6, 15}; /* by minor version: media type, process, UTC and its zone */

static int linktype_of(uint16_t mac)
{
	if (mac == MAC_ETHERNET)
		return CAPTURE_ETHERNET;
	if ((mac & MAC_PCAP_MASK) == MAC_PCAP) {
		int dlt = mac & 0xFFF;
		return dlt == 12 || dlt == 14 ? CAPTURE_RAW : dlt;
	}
	return -1;
}

static uint64_t u64(const struct capture_reader *r, const uint8_t *p)
{
	return (uint64_t)capture_u32(r, p + 4) << 32 | capture_u32(r, p);
}

/* Microseconds since the capture began; from version 2.3 on a FILETIME, too, which is exact. */
static int64_t time_of(const struct capture_reader *r, const uint8_t *record, const uint8_t *utc)
{
	int64_t ns, ticks = utc ? (int64_t)u64(r, utc) - FILETIME_1970 : (int64_t)u64(r, record);
	if (__builtin_mul_overflow(ticks, utc ? 100 : 1000, &ns) ||
	    __builtin_add_overflow(ns, utc ? 0 : r->start_ns, &ns))
		return r->start_ns;
	return ns;
}

/* 1 and a frame, or 2 for a record that is none. */
static int read_record(struct capture_reader *r, size_t trailer, struct capture_frame *out)
{
	int have = capture_input_need(&r->in, RECORD);
	if (have <= 0)
		return have < 0 ? have : MW_E_TRUNCATED;
	uint32_t captured = capture_u32(r, capture_input_here(&r->in) + 12);
	if (captured > CAPTURE_MAX_FRAME) {
		r->why = "a frame's length is beyond all bounds; the file is damaged here";
		return MW_E_MALFORMED;
	}
	have = capture_input_need(&r->in, RECORD + captured + trailer);
	if (have <= 0)
		return have < 0 ? have : MW_E_TRUNCATED;
	const uint8_t *p = capture_input_here(&r->in);
	uint16_t mac = trailer ? capture_u16(r, p + RECORD + captured) : r->mac;
	int64_t ns = time_of(r, p, trailer >= UTC_AT + 8 ? p + RECORD + captured + UTC_AT : NULL);
	capture_input_take(&r->in, RECORD + captured + trailer);
	if (mac >= NO_FRAMES)
		return 2;
	*out = (struct capture_frame){
	        .number = ++r->number,
	        .time_ns = ns,
	        .linktype = linktype_of(mac),
	        .captured = captured,
	        .original = capture_u32(r, p + 8),
	        .data = p + RECORD,
	};
	return 1;
}

static int next(struct capture_reader *r, struct capture_frame *out)
{
	int got = 2;
	while (got == 2) {
		if (r->in.consumed >= r->frames_end)
			return 0;
		got = read_record(r, trailers[r->minor], out);
	}
	return got;
}

/* Days since 1970 of a date in the Gregorian calendar. */
static int64_t days_of(int64_t year, unsigned month, unsigned day)
{
	static const unsigned before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
	int64_t y = year - 1;
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	int64_t days = y * 365 + y / 4 - y / 100 + y / 400 - 719162;
	return days + before[month - 1] + (month > 2 && leap) + day - 1;
}

/* A SYSTEMTIME; taken for UTC. */
static int64_t start_of(const struct capture_reader *r, const uint8_t *p)
{
	uint16_t v[8];
	for (unsigned i = 0; i < 8; i++)
		v[i] = capture_u16(r, p + 2 * i);
	if (v[0] < 1601 || v[0] > 2200 || v[1] < 1 || v[1] > 12)
		return 0;
	int64_t s = ((days_of(v[0], v[1], v[3]) * 24 + v[4]) * 60 + v[5]) * 60 + v[6];
	return s * NS_PER_S + v[7] * NS_PER_MS;
}

int capture_netmon_start(struct capture_reader *r)
{
	int have = capture_input_need(&r->in, HEAD);
	if (have < 0)
		return have;
	r->why = "it ends inside the head of a Network Monitor file";
	if (!have)
		return MW_E_MALFORMED;
	const uint8_t *p = capture_input_here(&r->in);
	r->minor = p[4];
	r->why = "its Network Monitor version is not 2.0 to 2.3; convert it with editcap";
	if (p[5] != 2 || r->minor >= ARRAY_SIZE(trailers))
		return MW_E_MALFORMED;
	r->mac = capture_u16(r, p + 6);
	r->start_ns = start_of(r, p + 8);
	r->frames_end = capture_u32(r, p + 24);
	r->next = next;
	capture_input_take(&r->in, HEAD);
	return 0;
}
