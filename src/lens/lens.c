#include "lens/lens-private.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

struct lens *lens_new(const struct lens_options *options, const struct lens_sink *sink)
{
	struct lens *lens = calloc(1, sizeof *lens);
	if (!lens)
		return NULL;
	lens->options = *options;
	lens->sink = *sink;
	lens->recorded = lens_is_recorded(lens);
	if (lens_whole_init(lens) < 0)
		lens_free(&lens);
	return lens;
}

void lens_free(struct lens **l)
{
	struct lens *lens = TAKE_PTR(*l);
	if (!lens)
		return;
	lens_batches_free(lens);
	lens_parts_free(lens);
	lens_conns_free(lens);
	tls_log_free(&lens->tls_keys);
	lens_ports_free(&lens->ports);
	lens_names_free(&lens->names);
	lens_fragments_free(&lens->packets.fragments);
	arena_free(&lens->scratch);
	free(lens->scout);
	free(lens);
}

static void take_frame(struct lens *lens, const struct lens_segment *seg)
{
	struct lens *part = seg ? lens_part_of(lens, seg) : NULL;
	if (part)
		lens_part_segment(part, seg, &lens->now);
	if (!lens_batch_is_full(&lens->batch))
		return;
	lens_batch_begin(&lens->batch);
	lens_settle(lens, &lens->now);
}

void lens_frame(struct lens *lens, int linktype, const uint8_t *data, size_t captured, size_t original, int64_t time_ns)
{
	struct lens_totals *t = &lens->totals;
	struct lens_segment seg;
	if (t->frames++ == 0)
		t->first_time_ns = time_ns;
	t->last_time_ns = time_ns;
	lens->now = (struct lens_stamp){t->frames, time_ns};
	bool any = lens_packet_next(&lens->packets, linktype, data, captured, original, &seg);
	lens->batch.frames++;
	lens->batch.bytes += captured;
	if (lens->recorded)
		lens_batches_frame(lens, any ? &seg : NULL);
	else
		take_frame(lens, any ? &seg : NULL);
}

void lens_end(struct lens *lens)
{
	if (lens->recorded)
		lens_batches_end(lens);
	else
		lens_settle(lens, &lens->now);
	lens_parts_end(lens, &lens->now);
}

void lens_get_totals(const struct lens *lens, struct lens_totals *out)
{
	*out = lens->totals;
	out->ipsec_sealed = lens->packets.counts.sealed;
	out->fragments_lost = lens->packets.counts.fragments_lost;
	for (unsigned i = 0; i < LENS_PARTS; i++) {
		const struct lens *part = lens->parts[i];
		if (!part)
			continue;
		out->rpc_connections += part->totals.rpc_connections;
		out->damaged += part->totals.damaged;
		out->smb_sealed += part->totals.smb_sealed;
		out->tls_sealed += part->totals.tls_sealed;
		out->datagram_calls += part->totals.datagram_calls;
		out->bytes_dropped += part->streams.dropped;
	}
}

void lens_tell(struct lens *lens, struct lens_event *e)
{
	if (lens->tape)
		lens_tape_event(lens, e, NULL, NULL);
	else
		lens_hand_out(lens->whole, e);
}

void lens_hand_out(struct lens *whole, struct lens_event *e)
{
	e->number = ++whole->totals.events;
	whole->sink.event(whole->sink.user, e);
}

/* Its interface: the connection's, or what is known to listen there. */
static void put_iface(struct lens_flow *f, struct lens_event *e)
{
	struct lens *lens = f->lens;
	const struct lens_port *port = lens_find_port(lens, &f->conn->server);
	const struct lens_iface *i = port ? port->ifaces[0] : NULL;
	e->service = f->conn->service;
	e->iface = f->conn->iface;
	e->iface_name = f->conn->iface_name;
	e->known_by = f->conn->iface ? LENS_KNOWN_BIND : LENS_KNOWN_NOT;
	if (!e->iface && f->conn->server.port == LENS_MAPPER_PORT && !i)
		i = lens_names_get(&lens->names, &lens_epm_syntax);
	if (!e->iface && i) {
		e->service = i->service;
		e->iface = i->iface;
		e->iface_name = i->name;
		e->known_by = port && port->mapped & 1 ? LENS_KNOWN_MAPPER : LENS_KNOWN_PORT;
	}
}

void lens_tell_made(struct lens_flow *f, const struct lens_event *made)
{
	struct lens_event kept = *made, *e = &kept;
	if (f->lens->options.keep_events && !(e = arena_copy(f->lens->kept, made, sizeof *made)))
		return;
	put_iface(f, e);
	lens_tell(f->lens, e);
}

void lens_tell_plain(struct lens_flow *f, enum lens_kind kind, bool from_client, struct lens_stamp first,
                     struct lens_stamp last, int64_t took_ns, const char *status, const char *summary)
{
	const struct lens_event made = {
	        .kind = kind,
	        .frame = first.frame,
	        .time_ns = first.time_ns,
	        .last_frame = last.frame,
	        .last_time_ns = last.time_ns,
	        .conn = f->conn,
	        .from_client = from_client,
	        .transport = "tcp",
	        .level = AUTH_LEVEL_NONE,
	        .took_ns = took_ns,
	        .status = status,
	        .failed = status || kind == LENS_RESET,
	        .summary = summary,
	};
	lens_tell_made(f, &made);
}

void lens_tell_sealed(struct lens_flow *f, bool from_client, struct lens_stamp at, const char *why, const char *summary)
{
	const struct lens_event made = {
	        .kind = LENS_CONTEXT,
	        .frame = at.frame,
	        .time_ns = at.time_ns,
	        .last_frame = at.frame,
	        .last_time_ns = at.time_ns,
	        .conn = f->conn,
	        .from_client = from_client,
	        .transport = "tcp",
	        .level = AUTH_LEVEL_NONE,
	        .took_ns = -1,
	        .sealed = true,
	        .why_sealed = why,
	        .summary = summary,
	};
	lens_tell_made(f, &made);
}

/* Byte offset and reason of the first damage of an event. */
void lens_note_damage(struct lens_making *m, size_t at, const char *why)
{
	if (m->event->damaged)
		return;
	m->lens->totals.damaged++;
	m->event->damaged = arena_printf(m->arena, "%zu: %s", at, why ? why : "does not fit");
}

const char *lens_hex(struct arena *arena, const uint8_t *data, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	char *text = arena_alloc(arena, len * 2 + 1);
	for (size_t i = 0; text && i < len; i++) {
		text[i * 2] = digits[data[i] >> 4];
		text[i * 2 + 1] = digits[data[i] & 15];
	}
	return text ? text : "";
}

/* A number and what stands behind it. */
static char *put_small(char *at, unsigned v, char behind)
{
	for (unsigned unit = v > 9999 ? 10000 : v > 999 ? 1000 : v > 99 ? 100 : v > 9 ? 10 : 1; unit; unit /= 10)
		*at++ = (char)('0' + v / unit % 10);
	*at++ = behind;
	return at;
}

const char *lens_address_format(const struct lens_address *a, char out[LENS_ADDRESS_TEXT])
{
	char host[INET6_ADDRSTRLEN] = "?";
	if (a->family != 6) {
		char *at = out;
		for (unsigned i = 0; i < 4; i++)
			at = put_small(at, a->bytes[i], i < 3 ? '.' : ':');
		put_small(at, a->port, 0);
		return out;
	}
	inet_ntop(AF_INET6, a->bytes, host, sizeof host);
	snprintf(out, LENS_ADDRESS_TEXT, "[%s]:%u", host, a->port);
	return out;
}

const char *lens_kind_name(enum lens_kind kind)
{
	static const char *const names[LENS_KIND_COUNT] = {
	        [LENS_OPEN] = "open",         [LENS_CLOSE] = "close",
	        [LENS_RESET] = "reset",       [LENS_BIND] = "bind",
	        [LENS_BIND_ACK] = "bind_ack", [LENS_BIND_NAK] = "bind_nak",
	        [LENS_ALTER] = "alter",       [LENS_ALTER_ACK] = "alter_ack",
	        [LENS_AUTH3] = "auth3",       [LENS_REQUEST] = "request",
	        [LENS_RESPONSE] = "response", [LENS_FAULT] = "fault",
	        [LENS_CANCEL] = "cancel",     [LENS_ORPHANED] = "orphaned",
	        [LENS_SHUTDOWN] = "shutdown", [LENS_DAMAGED] = "damaged",
	        [LENS_GAP] = "gap",           [LENS_CONTEXT] = "context",
	};
	return kind < LENS_KIND_COUNT ? names[kind] : "unknown";
}
