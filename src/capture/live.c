#include "capture/reader-private.h"

#include "base/time.h"

#include <pcap/pcap.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#define SNAPLEN 262144
#define WAIT_MS 100
#define KERNEL_BUFFER (16 << 20)

/* On Linux pcap's own timeout does not end a wait on which nothing comes: this one does. */
static void wait_for_packets(struct capture_reader *r)
{
	struct pollfd p = {.fd = pcap_get_selectable_fd(r->live), .events = POLLIN};
	(void)poll(&p, 1, WAIT_MS);
}

static int next(struct capture_reader *r, struct capture_frame *out)
{
	struct pcap_pkthdr *h;
	const u_char *data;
	int got = pcap_next_ex(r->live, &h, &data);
	if (got == 0) {
		wait_for_packets(r);
		return MW_E_AGAIN;
	}
	if (got == PCAP_ERROR_BREAK)
		return 0;
	if (got < 0) {
		r->why = pcap_geterr(r->live);
		return MW_E_IO;
	}
	*out = (struct capture_frame){
	        .number = ++r->number,
	        .time_ns = (int64_t)h->ts.tv_sec * NS_PER_S + (int64_t)h->ts.tv_usec * r->tick,
	        .linktype = r->linktype,
	        .captured = h->caplen,
	        .original = h->len,
	        .data = data,
	};
	return 1;
}

static void close_live(struct capture_reader *r)
{
	pcap_close(r->live);
}

static int set_filter(pcap_t *p, const char *filter, char why[256])
{
	struct bpf_program program;
	if (!filter)
		return 0;
	if (pcap_compile(p, &program, filter, 1, PCAP_NETMASK_UNKNOWN) < 0) {
		snprintf(why, 256, "%s", pcap_geterr(p));
		return MW_E_INVALID;
	}
	int bad = pcap_setfilter(p, &program);
	pcap_freecode(&program);
	if (bad < 0)
		snprintf(why, 256, "%s", pcap_geterr(p));
	return bad < 0 ? MW_E_IO : 0;
}

static int activate(pcap_t *p, char why[256])
{
	pcap_set_snaplen(p, SNAPLEN);
	pcap_set_promisc(p, 1);
	pcap_set_timeout(p, WAIT_MS);
	pcap_set_buffer_size(p, KERNEL_BUFFER);
	pcap_set_tstamp_precision(p, PCAP_TSTAMP_PRECISION_NANO);
	int got = pcap_activate(p);
	if (got >= 0)
		return 0;
	const char *detail = pcap_geterr(p);
	snprintf(why, 256, "%s", detail && *detail ? detail : pcap_statustostr(got));
	return got == PCAP_ERROR_PERM_DENIED ? MW_E_AUTH : MW_E_IO;
}

uint64_t capture_lost(const struct capture_reader *r)
{
	struct pcap_stat s;
	return r->live && pcap_stats(r->live, &s) == 0 ? (uint64_t)s.ps_drop + s.ps_ifdrop : 0;
}

int capture_open_live(const char *interface, const char *filter, struct capture_reader **out, char why[256])
{
	char error[PCAP_ERRBUF_SIZE] = "";
	pcap_t *p = pcap_create(interface, error);
	if (!p) {
		snprintf(why, 256, "%.255s", error);
		return MW_E_IO;
	}
	int bad = activate(p, why);
	if (bad == 0 && pcap_setnonblock(p, 1, error) < 0) {
		snprintf(why, 256, "%.255s", error);
		bad = MW_E_IO;
	}
	if (bad == 0)
		bad = set_filter(p, filter, why);
	struct capture_reader *r = bad == 0 ? calloc(1, sizeof *r) : NULL;
	if (!r) {
		pcap_close(p);
		return bad < 0 ? bad : MW_E_NOMEM;
	}
	int dlt = pcap_datalink(p);
	*r = (struct capture_reader){
	        .next = next,
	        .close = close_live,
	        .live = p,
	        .linktype = dlt == DLT_RAW ? CAPTURE_RAW : dlt,
	        .tick = pcap_get_tstamp_precision(p) == PCAP_TSTAMP_PRECISION_NANO ? 1 : 1000,
	};
	*out = r;
	return 0;
}
