#include "lens/lens-private.h"

#include "base/time.h"

/*
 * What TCP had trouble with, from its headers alone: RFC 9293 3.8 (resending, windows, keep-alives), RFC 6298 3 (a
 * time is taken of what was sent once only). Nothing here guesses what the capture does not hold: a segment counts
 * as sent again when its bytes passed before.
 */

#define SILENCE_NS NS_PER_S
/* A frame that comes again at once was captured twice. */
#define TWICE_NS NS_PER_MS

static int32_t distance(uint32_t from, uint32_t to)
{
	return (int32_t)(to - from);
}

static void note_frame(uint64_t frames[2], uint64_t frame)
{
	frames[frames[0] != 0] = frame;
}

/* ---- Silence ---- */

static void note_silence(struct lens_flow *f, unsigned side, const struct lens_stamp *stamp)
{
	struct lens_trouble *t = &f->conn->trouble;
	int64_t gap = t->last_ns ? stamp->time_ns - t->last_ns : 0;
	/* What is sent again into the dark does not end the silence. */
	if (gap >= SILENCE_NS && (gap > t->silence_ns || (t->heard[0] && t->heard[1]))) {
		t->silence_ns = gap;
		t->silence_frame = stamp->frame;
		t->heard[0] = t->heard[1] = 0;
	}
	t->heard[side != f->client]++;
	t->spoke[side != f->client]++;
	t->last_ns = stamp->time_ns;
	t->last_frame = stamp->frame;
}

/* ---- Windows ---- */

static void end_zero(struct lens_flow *f, unsigned side, int64_t now)
{
	struct lens_pace *p = &f->pace[side];
	if (p->zero && now > p->zero_since_ns)
		f->conn->trouble.zero_ns += now - p->zero_since_ns;
	p->zero = false;
}

static void note_window(struct lens_flow *f, unsigned side, const struct lens_segment *seg,
                        const struct lens_stamp *stamp)
{
	struct lens_pace *p = &f->pace[side];
	struct lens_trouble *t = &f->conn->trouble;
	if (!(seg->flags & TCP_ACK) || seg->flags & (TCP_SYN | TCP_RST | TCP_FIN))
		return;
	if (seg->window != 0) {
		end_zero(f, side, stamp->time_ns);
		return;
	}
	if (p->zero)
		return;
	p->zero = true;
	p->zero_since_ns = stamp->time_ns;
	t->zero_windows++;
	t->zero_by_server = side != f->client;
	note_frame(t->zero_frames, stamp->frame);
}

/* ---- Sent again ---- */

static void note_resent(struct lens_flow *f, unsigned side, const struct lens_stamp *stamp)
{
	struct lens_pace *p = &f->pace[side];
	struct lens_trouble *t = &f->conn->trouble;
	int64_t stall = stamp->time_ns - p->newest_ns;
	if (stall < TWICE_NS || f->pace[!side].zero) /* a probe of a window that is shut */
		return;
	t->resent++;
	t->resend_ns += stall > p->charged_ns ? stall - p->charged_ns : 0;
	p->charged_ns = stall > p->charged_ns ? stall : p->charged_ns;
	p->timing = false;
	note_frame(t->resent_frames, stamp->frame);
}

static void note_sent(struct lens_flow *f, unsigned side, const struct lens_segment *seg,
                      const struct lens_stamp *stamp)
{
	struct lens_pace *p = &f->pace[side];
	bool syn = seg->flags & TCP_SYN;
	uint32_t end = seg->seq + (uint32_t)seg->len + syn;
	if (!p->started) {
		p->started = true;
		p->top = seg->seq;
		p->newest_ns = stamp->time_ns;
	}
	/* RFC 1122 4.2.3.6: nothing, or one byte, just before what comes next. */
	if (!syn && seg->len <= 1 && distance(seg->seq, p->top) == 1 && !(seg->flags & (TCP_FIN | TCP_RST))) {
		f->conn->trouble.keep_alives++;
		return;
	}
	if (end == seg->seq)
		return;
	if (distance(p->top, end) <= 0) {
		note_resent(f, side, stamp);
		return;
	}
	p->top = end;
	p->newest_ns = stamp->time_ns;
	p->charged_ns = 0;
	if (!p->timing) {
		p->timing = true;
		p->asked = end;
		p->asked_ns = stamp->time_ns;
	}
}

/* How long what the other side sent was on its way there and its acknowledgement back: the shortest counts. */
static void note_ack(struct lens_flow *f, unsigned side, const struct lens_segment *seg, const struct lens_stamp *stamp)
{
	struct lens_pace *p = &f->pace[!side];
	int64_t *rtt = side == f->client ? &f->conn->client_rtt_ns : &f->conn->rtt_ns;
	int64_t took = stamp->time_ns - p->asked_ns;
	if (!(seg->flags & TCP_ACK) || !p->timing || distance(p->asked, seg->ack) < 0)
		return;
	p->timing = false;
	if (took > 0 && (*rtt == 0 || took < *rtt))
		*rtt = took;
}

void lens_trouble_segment(struct lens_flow *f, unsigned side, const struct lens_segment *seg,
                          const struct lens_stamp *stamp)
{
	note_silence(f, side, stamp);
	note_window(f, side, seg, stamp);
	note_ack(f, side, seg, stamp);
	note_sent(f, side, seg, stamp);
}

void lens_trouble_cut(struct lens_flow *f, unsigned side, const struct lens_segment *seg,
                      const struct lens_stamp *stamp)
{
	struct lens_trouble *t = &f->conn->trouble;
	if (t->cut || !(seg->flags & (TCP_FIN | TCP_RST)))
		return;
	t->cut = true;
	t->cut_by_server = side != f->client;
	t->cut_by_reset = seg->flags & TCP_RST;
	t->cut_frame = stamp->frame;
	t->cut_ns = stamp->time_ns;
	t->cut_waiting = f->conn->waiting;
	t->cut_parked = f->conn->parked;
}

void lens_trouble_end(struct lens_flow *f, int64_t now)
{
	struct lens_trouble *t = &f->conn->trouble;
	if (!t->cut) {
		t->cut_waiting = f->conn->waiting;
		t->cut_parked = f->conn->parked;
	}
	end_zero(f, 0, now);
	end_zero(f, 1, now);
}
