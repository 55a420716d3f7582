#include "lens/filter-private.h"

#include "lens/view-private.h"

#include <stdio.h>
#include <string.h>

/* Each field tells its values to a visitor: one function for ==, < and ~ alike. */

static void tell_frame(const struct lens_event *e, struct filter_visit *v)
{
	filter_number(v, (double)e->frame);
}

static void tell_last_frame(const struct lens_event *e, struct filter_visit *v)
{
	filter_number(v, (double)e->last_frame);
}

static void tell_time(const struct lens_event *e, struct filter_visit *v)
{
	filter_number(v, (double)e->time_ns / 1e9);
}

static void tell_conn(const struct lens_event *e, struct filter_visit *v)
{
	if (!e->conn->datagrams)
		filter_number(v, e->conn->number);
}

static void tell_address(const struct lens_address *a, struct filter_visit *v)
{
	char text[LENS_ADDRESS_TEXT];
	filter_text(v, lens_address_format(a, text));
}

static void tell_host_of(const struct lens_address *a, struct filter_visit *v)
{
	char text[LENS_ADDRESS_TEXT];
	filter_text(v, lens_host(a, text));
}

static void tell_src(const struct lens_event *e, struct filter_visit *v)
{
	tell_address(e->from_client ? &e->conn->client : &e->conn->server, v);
}

static void tell_dst(const struct lens_event *e, struct filter_visit *v)
{
	tell_address(e->from_client ? &e->conn->server : &e->conn->client, v);
}

static void tell_client(const struct lens_event *e, struct filter_visit *v)
{
	tell_host_of(&e->conn->client, v);
}

static void tell_server(const struct lens_event *e, struct filter_visit *v)
{
	tell_host_of(&e->conn->server, v);
}

static void tell_host(const struct lens_event *e, struct filter_visit *v)
{
	tell_client(e, v);
	tell_server(e, v);
}

static void tell_port(const struct lens_event *e, struct filter_visit *v)
{
	filter_number(v, e->conn->server.port);
	filter_number(v, e->conn->client.port);
}

static void tell_transport(const struct lens_event *e, struct filter_visit *v)
{
	filter_text(v, e->transport);
}

static void tell_event(const struct lens_event *e, struct filter_visit *v)
{
	filter_text(v, lens_kind_name(e->kind));
}

static void tell_call(const struct lens_event *e, struct filter_visit *v)
{
	if (e->has_call)
		filter_number(v, e->call_id);
}

static void tell_service(const struct lens_event *e, struct filter_visit *v)
{
	enum lens_service s = e->service ? e->service : e->conn->service;
	const char *name = e->iface_name ? e->iface_name : e->conn->iface_name;
	filter_text(v, lens_service_label(s, name));
}

static void tell_iface(const struct lens_event *e, struct filter_visit *v)
{
	filter_text(v, e->iface);
	if (e->iface_name && (!e->iface || strcmp(e->iface, e->iface_name) != 0))
		filter_text(v, e->iface_name);
}

static void tell_opnum(const struct lens_event *e, struct filter_visit *v)
{
	if (e->has_opnum)
		filter_number(v, e->opnum);
}

static void tell_op(const struct lens_event *e, struct filter_visit *v)
{
	filter_text(v, e->op);
}

static void tell_endpoint(const struct lens_event *e, struct filter_visit *v)
{
	filter_text(v, e->endpoint);
}

static void tell_status(const struct lens_event *e, struct filter_visit *v)
{
	filter_text(v, e->status);
}

static void tell_auth(const struct lens_event *e, struct filter_visit *v)
{
	filter_text(v, auth_type_name(e->auth));
}

static void tell_level(const struct lens_event *e, struct filter_visit *v)
{
	filter_text(v, auth_level_name(e->level));
}

static void tell_sealed(const struct lens_event *e, struct filter_visit *v)
{
	filter_flag(v, e->sealed);
}

static void tell_decrypted(const struct lens_event *e, struct filter_visit *v)
{
	filter_flag(v, e->decrypted);
}

static void tell_signature(const struct lens_event *e, struct filter_visit *v)
{
	filter_text(v, lens_signature_name(e->signature));
}

static void tell_encoding(const struct lens_event *e, struct filter_visit *v)
{
	if (e->encoding & LENS_ENCODING_XOR)
		filter_text(v, "xor");
	if (e->encoding & LENS_ENCODING_LZ)
		filter_text(v, "lz");
}

static void tell_user(const struct lens_event *e, struct filter_visit *v)
{
	filter_text(v, e->user);
}

static void tell_ms(const struct lens_event *e, struct filter_visit *v)
{
	if (e->took_ns >= 0 && !lens_asks(e))
		filter_number(v, (double)e->took_ns / 1e6);
}

static void tell_rop(const struct lens_event *e, struct filter_visit *v)
{
	for (unsigned i = 0; i < e->rop_count; i++)
		filter_text(v, e->rops[i].name);
}

static void tell_rop_status(const struct lens_event *e, struct filter_visit *v)
{
	char hex[16];
	for (unsigned i = 0; i < e->rop_count; i++)
		if (e->rops[i].has_status)
			filter_text(v, lens_rop_status(&e->rops[i], hex));
}

static void tell_damaged(const struct lens_event *e, struct filter_visit *v)
{
	filter_text(v, e->damaged);
}

static void tell_failed(const struct lens_event *e, struct filter_visit *v)
{
	filter_flag(v, e->failed);
}

static void tell_unanswered(const struct lens_event *e, struct filter_visit *v)
{
	filter_flag(v, e->unanswered);
}

static void tell_midstream(const struct lens_event *e, struct filter_visit *v)
{
	filter_flag(v, e->conn->midstream);
}

static void tell_summary(const struct lens_event *e, struct filter_visit *v)
{
	filter_text(v, e->summary);
}

static const struct filter_field fields[] = {
        {"frame", FILTER_NUMBER, tell_frame},
        {"last_frame", FILTER_NUMBER, tell_last_frame},
        {"time", FILTER_NUMBER, tell_time},
        {"conn", FILTER_NUMBER, tell_conn},
        {"src", FILTER_TEXT, tell_src},
        {"dst", FILTER_TEXT, tell_dst},
        {"client", FILTER_TEXT, tell_client},
        {"server", FILTER_TEXT, tell_server},
        {"host", FILTER_TEXT, tell_host},
        {"port", FILTER_NUMBER, tell_port},
        {"transport", FILTER_TEXT, tell_transport},
        {"event", FILTER_TEXT, tell_event},
        {"call", FILTER_NUMBER, tell_call},
        {"service", FILTER_TEXT, tell_service},
        {"iface", FILTER_TEXT, tell_iface},
        {"opnum", FILTER_NUMBER, tell_opnum},
        {"op", FILTER_TEXT, tell_op},
        {"endpoint", FILTER_TEXT, tell_endpoint},
        {"status", FILTER_TEXT, tell_status},
        {"auth", FILTER_TEXT, tell_auth},
        {"level", FILTER_TEXT, tell_level},
        {"sealed", FILTER_FLAG, tell_sealed},
        {"decrypted", FILTER_FLAG, tell_decrypted},
        {"signature", FILTER_TEXT, tell_signature},
        {"encoding", FILTER_TEXT, tell_encoding},
        {"user", FILTER_TEXT, tell_user},
        {"ms", FILTER_NUMBER, tell_ms},
        {"rop", FILTER_TEXT, tell_rop},
        {"rop_status", FILTER_TEXT, tell_rop_status},
        {"damaged", FILTER_TEXT, tell_damaged},
        {"failed", FILTER_FLAG, tell_failed},
        {"unanswered", FILTER_FLAG, tell_unanswered},
        {"midstream", FILTER_FLAG, tell_midstream},
        {"summary", FILTER_TEXT, tell_summary},
};

const struct filter_field *filter_find_field(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (strlen(fields[i].name) == len && memcmp(fields[i].name, name, len) == 0)
			return &fields[i];
	return NULL;
}

const char *lens_filter_field_name(unsigned index)
{
	return index < ARRAY_SIZE(fields) ? fields[index].name : NULL;
}
